# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One worker of a controller says each minute where the run stands."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier, BrokenBarrierError

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.managed_node_wait import OPERATION
from ansible_collections.patchfleet.windows.plugins.plugin_utils import _minute, _progress
from ansible_collections.patchfleet.windows.plugins.plugin_utils._call_with_lease import WatchedCall

from .fakes import ID
from .stage import RUN, Stage, a_host


@pytest.fixture(autouse=True)
def night(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    for module in (_minute, _progress):
        monkeypatch.setattr(module, "system_clock", lambda: stage.clock)
    monkeypatch.setattr(_minute, "open_ledger", lambda *_args: stage.ledger)
    os.ftruncate(_minute.note, 0)
    stage.open_run(a_host(), a_host("i-2", position=1), batch_size=2)
    yield stage
    os.ftruncate(_minute.note, 0)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(_minute.Display, "display", lambda _self, line, *_more, **_named: lines.append(line))
    return lines


def test_of_all_that_wait_one_speaks_in_each_minute(stage: Stage, shown: list[str]) -> None:
    contexts = [stage.context(OPERATION, run_id=RUN, host=key, instance_id=key) for key in (ID, "i-2")]
    stage.ledger.begin_phase(RUN, ID, Phase.READY, stage.clock.now())
    for _poll in range(12):
        for context in contexts:
            _minute.speak(context)
        stage.clock.sleep(20)
        stage.ledger.heartbeat(RUN, stage.clock.now())
    assert [line[:12] for line in shown] == ["  22:01:00  ", "  22:02:00  ", "  22:03:00  "]
    assert shown[0].endswith("0 of 2 done, 1 at work, 1 waiting; ends ~22:46 UTC")


def test_of_several_threads_one_speaks(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    now, both_have_read, read = stage.clock.now(), Barrier(2), os.pread

    def read_and_wait(*arguments: int) -> bytes:
        stored = read(*arguments)
        with suppress(BrokenBarrierError):
            both_have_read.wait(0.1)
        return stored

    _minute.take_turn(now)
    monkeypatch.setattr(os, "pread", read_and_wait)
    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(_minute.take_turn, [now + _minute.MINUTE_SECONDS] * 2)) == [False, True]


def test_a_wait_speaks_by_itself(stage: Stage, shown: list[str]) -> None:
    context = stage.context(OPERATION, run_id=RUN, host=ID, instance_id=ID)
    context.on_heartbeat = lambda: _minute.speak(context)
    context.pause(300)
    assert len(shown) >= 1


def test_two_processes_never_speak_at_once() -> None:
    assert not _minute.take_turn(0.0)
    workers = [_process_that_takes_a_turn(61.0) for _number in range(16)]
    assert sum(os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) for worker in workers) == 1


def _process_that_takes_a_turn(now: float) -> int:
    """Its exit code is 1 if it was its turn; it runs nothing else of this process."""
    worker = os.fork()
    if worker == 0:
        os._exit(int(_minute.take_turn(now)))
    return worker


def page_after_a_minute(stage: Stage, folder: Path) -> Path:
    stage.ledger.keep_settings(RUN, {**stage.ledger.run(RUN).settings, "live_report": str(folder)})
    context = stage.context(OPERATION, run_id=RUN, host=ID, instance_id=ID)
    for _turn in range(2):
        _minute.speak(context)
        stage.clock.sleep(60)
    return folder / "report.html"


def test_the_page_of_the_run_is_written_where_it_is_wanted(stage: Stage, shown: list[str], tmp_path: Path) -> None:
    text = page_after_a_minute(stage, tmp_path / "new").read_text(encoding="utf-8")
    assert "<meta http-equiv=refresh content=30>" in text
    assert "<b>Unfinished.</b>" in text
    assert "2026-11-14 22:01:00 UTC" in text
    assert '<button class="tile" disabled data-o="waiting"><b>2</b>' in text
    assert len(shown) == 1


def test_a_page_that_cannot_be_written_does_no_harm(stage: Stage, shown: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert not page_after_a_minute(stage, tmp_path / "file").exists()
    assert len(shown) == 1


@pytest.mark.parametrize("of_a_run", [True, False])
def test_a_run_that_is_dead_or_none_says_nothing(stage: Stage, shown: list[str], of_a_run: bool) -> None:
    context = stage.context(OPERATION, instance_id=ID, **({"run_id": RUN, "host": ID} if of_a_run else {}))
    for _turn in range(2):
        _minute.speak(context)
        stage.clock.sleep(3600)
    assert shown == []


def test_what_goes_wrong_concerns_no_host(stage: Stage, shown: list[str]) -> None:
    context = stage.context(OPERATION, run_id="unknown", host=ID, instance_id=ID)
    for _turn in range(2):
        _minute.speak(context)
        stage.clock.sleep(61)
    assert shown == []


def test_a_call_that_blocks_speaks_in_a_thread_and_waits_for_it(stage: Stage) -> None:
    context = stage.context(OPERATION, run_id=RUN, host=ID, instance_id=ID)
    spoken: list[bool] = []
    context.on_heartbeat = speak = lambda: spoken.append(True)
    with WatchedCall(context, 60.0):
        context.on_heartbeat()
    assert spoken == [True]
    assert context.on_heartbeat is speak
