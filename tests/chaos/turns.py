# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several controllers at work in one night: each in a thread, one at a time, in the order that the virtual clock gives."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chaos.night import Night


@dataclass
class _Group:
    """Works of one call of gather; ``left`` of them have not ended."""

    left: int
    results: list[Any]
    failures: list[BaseException] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


class Turns:
    """A worker that lets time pass hands over to the worker whose time comes first; of two, to the one that has waited longer."""

    def __init__(self, night: Night) -> None:
        self._night = night
        self._order = itertools.count()
        self._waiting: list[tuple[float, int, threading.Event]] = []
        self._handed_back = threading.Semaphore(0)
        self._failures: list[BaseException] = []

    def run(self, *works: tuple[float, Callable[[], object]]) -> None:
        """Each begins after its seconds; returns when all have ended, and raises what one of them raised."""
        threads = [threading.Thread(target=self._run, args=(work, self._wait_for(begin))) for begin, work in works]
        for thread in threads:
            thread.start()
        while self._waiting:
            due, _order, turn = heapq.heappop(self._waiting)
            self._night.sleep(max(due - self._night.now(), 0.0))
            turn.set()
            self._handed_back.acquire()
        for thread in threads:
            thread.join()
        if self._failures:
            raise self._failures[0]

    def sleep(self, seconds: float) -> None:
        """Called by one of the workers: it continues when ``seconds`` have passed."""
        turn = self._wait_for(seconds)
        self._handed_back.release()
        turn.wait()

    def gather(self, *works: Callable[[], object]) -> list[Any]:
        """Called by one of the workers: ``works`` run beside all the rest. Returns what they return, when the last
        of them has ended, and raises what the first of them raised.
        """
        group = _Group(len(works), [None] * len(works))
        for number, work in enumerate(works):
            turn = self._wait_for(0.0)
            threading.Thread(target=self._run_one, args=(group, number, work, turn)).start()
        self._handed_back.release()
        group.ended.wait()
        if group.failures:
            raise group.failures[0]
        return group.results

    def _run_one(self, group: _Group, number: int, work: Callable[[], object], turn: threading.Event) -> None:
        turn.wait()
        try:
            group.results[number] = work()
        except BaseException as error:  # noqa: BLE001 - it belongs to the one that called gather
            group.failures.append(error)
        group.left -= 1
        if not group.left:
            heapq.heappush(self._waiting, (self._night.now(), next(self._order), group.ended))
        self._handed_back.release()

    def _wait_for(self, seconds: float) -> threading.Event:
        turn = threading.Event()
        heapq.heappush(self._waiting, (self._night.now() + seconds, next(self._order), turn))
        return turn

    def _run(self, work: Callable[[], object], turn: threading.Event) -> None:
        turn.wait()
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - it belongs to who called run
            self._failures.append(error)
        self._handed_back.release()
