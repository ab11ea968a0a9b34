# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several controllers at work in one night: each in a thread, one at a time, in the order that the virtual clock gives."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable

from chaos.night import Night


class Turns:
    """Whoever lets time pass hands over to the one whose time comes first; of two, to the one that has waited longer."""

    def __init__(self, night: Night) -> None:
        self._night = night
        self._order = itertools.count()
        self._waiting: list[tuple[float, int, threading.Event]] = []
        self._handed_back = threading.Semaphore(0)
        self._failures: list[BaseException] = []

    def run(self, *works: tuple[float, Callable[[], object]]) -> None:
        """Each begins after so many seconds; returns when all have ended, and raises what one of them raised."""
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
        """Called by one of the works: it goes on when so many seconds have passed."""
        turn = self._wait_for(seconds)
        self._handed_back.release()
        turn.wait()

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
