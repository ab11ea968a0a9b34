# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What docs/watching.md says: the playbook status in a real terminal and in a pipe, from a ledger alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from terminal import COLUMNS, LIMIT_SECONDS, ROOT, ROWS, in_terminal, keep

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Host, Run, Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.sqlite import SqliteLedger
from ansible_collections.patchfleet.windows.plugins.module_utils._model.outcomes import Outcome
from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase
from ansible_collections.patchfleet.windows.plugins.module_utils._report.table import columns_of

RUN = "20261114T220000Z-7f3a"
HOSTS = 60
ROW = re.compile(r"  dev-\d+ +patch +since \d\d:\d\d +.*, of .*")
"""Of a host at work, in one line."""
COLLECTIONS = str(Path(sys.prefix) / "collections")


def run_at_work(folder: Path, size: int) -> SqliteLedger:
    """A run at work: a third of its hosts have ended, and 25 at most are at work."""
    ledger, now = SqliteLedger(str(folder / "ledger.sqlite")), time.time()
    done = size // 3
    run = Run(
        run_id=RUN,
        opened_at=now - 3600,
        operation="install",
        snapshot_id="11111111-2222-4333-8444-555555555555",
        settings={"batch_size": 25, "expected_seconds": 2400.0},
        controller={"host": "ops1", "pid": 1, "user": "deploy"},
        heartbeat_at=now,
    )
    rows = [Host(RUN, f"i-{at:017x}", f"dev-{at:02}", at, "ec2", wave=1) for at in range(size)]
    assert ledger.open_run(run, rows, take_over=False).held == {}
    for at, host in enumerate(rows[: done + 25]):
        ledger.begin_phase(RUN, host.key, Phase.PATCH, now - 3000 + min(60 * at, 2700))
    for at, host in enumerate(rows[:done]):
        outcome = Outcome.FAILED if at % 10 == 3 else Outcome.PATCHED
        ledger.end_phase(RUN, host.key, Phase.PATCH, now - 600, outcome is Outcome.PATCHED)
        ledger.set_outcome(RUN, host.key, Verdict(outcome, Phase.PATCH, None, "KB5031364 failed with 0x80070643. " * 4))
    return ledger


@pytest.fixture
def ledger(tmp_path: Path) -> SqliteLedger:
    """A run at work: 20 of 60 hosts have ended, 25 are at work."""
    return run_at_work(tmp_path, HOSTS)


def end_the_run(ledger: SqliteLedger) -> None:
    now = time.time()
    for host in ledger.hosts(RUN):
        ledger.end_phase(RUN, host.key, Phase.PATCH, now, ok=True)
        ledger.set_outcome(RUN, host.key, Verdict(Outcome.PATCHED))
    ledger.close_run(RUN, now)


def command() -> list[str]:
    """What the page has its reader type."""
    page = (ROOT / "docs" / "watching.md").read_text(encoding="utf-8")
    (typed,) = re.findall(r"^```sh\n(ansible-playbook .*)\n```$", page, re.MULTILINE)
    program, *words = str(typed).split()
    return [str(Path(sys.executable).with_name(program)), *words]


@pytest.mark.parametrize("size", [12, 60, 500])
def test_in_a_terminal_it_stands_still_until_the_run_has_ended(tmp_path: Path, size: int) -> None:
    ledger, working = run_at_work(tmp_path, size), min(25, size - size // 3)
    failed = len(range(3, size // 3, 10))
    environment = {**os.environ, "TERM": "xterm-256color", "PATCHFLEET_CLOCK": ""}
    closed: list[bool] = []

    def on_screen(lines: list[str]) -> None:
        if not closed and "Problems" in lines:
            keep(f"status-{size}-at-work", lines)
            text = "\n".join(lines)
            assert f"{size // 3} of {size} done, 33 %" in text
            assert f"At work: {working} patch" in lines
            rows = [line for line in lines if ROW.fullmatch(line)]
            assert rows
            assert len(rows) == working or f"  … {working - len(rows)} more, which started later" in lines
            assert text.count("Run 20261114T220000Z-7f3a") == 1
            end_the_run(ledger)
            closed.append(True)

    last = in_terminal([*command(), "-e", f"patch_ledger={tmp_path}/ledger.sqlite"], environment, on_screen)
    keep(f"status-{size}-ended", last)
    text = "\n".join(last)
    assert closed
    assert text.count("Run 20261114T220000Z-7f3a") == 1, "the last drawing took the place of the first"
    assert f"{size - failed} patched · {failed} failed · 0 at work · 0 waiting" in last
    assert "It ended at " in text
    assert "failed=0" in text


BOARD = """
import sys, time
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.sqlite import SqliteLedger
from ansible_collections.patchfleet.windows.plugins.module_utils._run.progress import read_progress
from ansible_collections.patchfleet.windows.plugins.plugin_utils import _board

board = _board.open_board()
_board.store(read_progress(SqliteLedger(sys.argv[1]), sys.argv[2], time.time()))
board.draw()
open(sys.argv[3]).read()  # until the test has read the screen
board.close()
"""


def is_whole(lines: list[str], working: int) -> bool:
    """Whether each host at work has a row, or is counted below those that have one."""
    rows = [line for line in lines if ROW.fullmatch(line)]
    return bool(rows) and (len(rows) == working or f"  … {working - len(rows)} more, which started later" in lines)


@pytest.mark.parametrize("no_color", [True, False])
@pytest.mark.parametrize("size", [12, 60, 500])
def test_the_board_of_the_callback_night_is_readable_for_fleets_of_any_size(
    tmp_path: Path, size: int, no_color: bool
) -> None:
    run_at_work(tmp_path, size)
    environment = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": COLLECTIONS}
    environment = {name: value for name, value in environment.items() if name != "NO_COLOR"}
    boards: list[list[str]] = []
    colours: set[str] = set()
    working = min(25, size - size // 3)
    was_read = tmp_path / "was-read"
    os.mkfifo(was_read)

    def on_screen(lines: list[str]) -> None:
        is_first = not any(is_whole(board, working) for board in boards)
        boards.append(lines)
        if is_first and is_whole(lines, working):
            was_read.write_text("")  # the board may be closed

    in_terminal(
        [sys.executable, "-c", BOARD, str(tmp_path / "ledger.sqlite"), RUN, str(was_read)],
        {**environment, **({"NO_COLOR": "1"} if no_color else {})},
        on_screen,
        colours=colours,
    )
    board = max(boards, key=lambda lines: sum(map(bool, lines)))
    keep(f"board-{size}{'-no-color' if no_color else ''}", board)
    lines = [line for line in board if line]
    assert len(lines) <= ROWS // 2 + 1, "the lines of the run have the rest of the terminal"
    assert lines[0] == f"Run {RUN}: install by deploy on ops1"
    assert re.fullmatch(rf"█+░+ {size // 3} of {size} done, 33 %", lines[1])
    assert f"At work: {working} patch" in lines
    assert is_whole(lines, working)
    assert (colours == {"default"}) is no_color


@pytest.mark.parametrize("variable", ["NO_COLOR", "TERM"])
def test_in_a_pipe_it_prints_once(ledger: SqliteLedger, tmp_path: Path, variable: str) -> None:
    environment = {**os.environ, "PATCHFLEET_CLOCK": "", variable: "1" if variable == "NO_COLOR" else "dumb"}
    words = [*command(), "-e", f"patch_ledger={tmp_path}/ledger.sqlite"]
    ended = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    keep("status-in-a-pipe", ended.stdout.splitlines())
    assert ended.stdout.count(f"Run {RUN}:") == 1
    assert "\x1b" not in ended.stdout
    assert "  dev-20    patch    since " in ended.stdout
    text, _mark, command_and_rest = ended.stdout.partition("PLAY RECAP")[0].partition(
        "ansible-playbook patchfleet.windows.stop"
    )
    assert f"patch_ledger={tmp_path}/ledger.sqlite" in command_and_rest, "a command stays whole, to be copied"
    assert max(map(columns_of, text.splitlines())) <= COLUMNS
