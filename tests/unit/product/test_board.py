# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The board of the callback night: below everything that Ansible prints, and readable however many hosts a run has."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._model.outcomes import Outcome
from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.managed_node_wait import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._report.status import board_lines
from ansible_collections.patchfleet.windows.plugins.module_utils._report.table import columns_of
from ansible_collections.patchfleet.windows.plugins.module_utils._run.progress import Progress, read_progress
from ansible_collections.patchfleet.windows.plugins.plugin_utils import _board, _live_display, _minute, _progress
from ansible_collections.patchfleet.windows.plugins.plugin_utils._board import Board
from ansible_collections.patchfleet.windows.plugins.plugin_utils._live_display import LiveDisplay

from .screen import COLUMNS, ROWS, Terminal
from .stage import RUN, Stage, a_host


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(_live_display, "_terminal", terminal.descriptor)
    yield terminal
    terminal.close()


@pytest.fixture
def board(terminal: Terminal, stage: Stage) -> Iterator[Board]:
    """That of an open terminal, without the thread: it draws when it is asked to."""
    os.pwrite(_board.size_note, _board.SIZE.pack(COLUMNS, ROWS), 0)
    yield Board(LiveDisplay(terminal.descriptor))
    for descriptor in (_board.size_note, _board.lines_note, _minute.note, _minute.board_note):
        os.ftruncate(descriptor, 0)


def progress_of(stage: Stage, number: int) -> Progress:
    """A run in which a third has ended, and every tenth of these failed; a third is at work."""
    hosts = [a_host(f"i-{at:017x}", position=at, name=f"dev-{at:03}") for at in range(number)]
    stage.open_run(*hosts, batch_size=number)
    for host in hosts[: number // 3 * 2]:
        stage.ledger.begin_phase(RUN, host.key, Phase.PATCH, stage.clock.now())
    stage.clock.sleep(600)
    for at, host in enumerate(hosts[: number // 3]):
        stage.ledger.end_phase(RUN, host.key, Phase.PATCH, stage.clock.now(), at % 10 != 0)
        outcome = Outcome.PATCHED if at % 10 else Outcome.FAILED
        stage.ledger.set_outcome(RUN, host.key, _verdict(outcome))
    return read_progress(stage.ledger, RUN, stage.clock.now())


def _verdict(outcome: Outcome) -> Verdict:
    return Verdict(outcome, None, None, "It has a reason.")


@pytest.mark.parametrize("number", [12, 60, 500])
def test_each_fleet_is_readable_at_80_columns_and_leaves_room_for_the_lines_above(
    stage: Stage, board: Board, terminal: Terminal, number: int
) -> None:
    progress = progress_of(stage, number)
    lines = board_lines(progress, COLUMNS, ROWS)
    assert max(columns_of(line.text) for line in lines) <= COLUMNS
    assert len(lines) <= ROWS // 2 + 1
    board.write("TASK [Plan] ****\n")
    _board.store(progress)
    board.draw()
    shown = terminal.lines
    assert shown[0] == "TASK [Plan] ****"
    assert shown[1:] == [line.text for line in lines]
    assert f"{number // 3} of {number} done, 33 %" in shown[3]
    assert f"{number // 3} at work" in shown[4]
    assert shown[-1].strip() == f"… {number // 3 - 4} more, which started later" or number == 12


def test_what_is_printed_goes_above_the_board(stage: Stage, board: Board, terminal: Terminal) -> None:
    _board.store(progress_of(stage, 12))
    board.draw()
    for line in ("first", "second"):
        board.write(f"{line}\n")
    assert terminal.lines[:2] == ["first", "second"]
    assert sum(line.startswith("Run ") for line in terminal.lines) == 1
    board.write("Go on? ")
    assert terminal.lines == ["first", "second", "Go on?"], "a question waits for its answer without a board below it"
    board.write("yes\n")
    assert terminal.lines[2] == "Go on? yes"
    assert any(line.startswith("Run ") for line in terminal.lines)
    board.clear()
    assert terminal.lines == ["first", "second", "Go on? yes"]


def test_a_worker_that_waits_stores_the_board_and_prints_no_line_for_it(
    stage: Stage, board: Board, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (_minute, _progress):
        monkeypatch.setattr(module, "system_clock", lambda: stage.clock)
    monkeypatch.setattr(_minute, "open_ledger", lambda *_args: stage.ledger)
    printed: list[str] = []
    monkeypatch.setattr(_minute.Display, "display", lambda _self, line, *_more, **_named: printed.append(line))
    key = progress_of(stage, 12).at_work[0].host.key
    context = stage.context(OPERATION, run_id=RUN, host=key, instance_id=key)
    for _poll in range(8):
        stage.ledger.heartbeat(RUN, stage.clock.now())
        _minute.speak(context)
        stage.clock.sleep(20)
    board.draw()
    assert printed == []
    assert any(line.endswith("4 of 12 done, 33 %") for line in terminal.lines)
