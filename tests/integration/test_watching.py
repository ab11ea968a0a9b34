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
from terminal import COLUMNS, LIMIT_SECONDS, ROOT, in_terminal, keep

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Host, Run, Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.sqlite import SqliteLedger
from ansible_collections.patchfleet.windows.plugins.module_utils._model.outcomes import Outcome
from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase
from ansible_collections.patchfleet.windows.plugins.module_utils._report.table import columns_of

RUN = "20261114T220000Z-7f3a"
HOSTS = 60


@pytest.fixture
def ledger(tmp_path: Path) -> SqliteLedger:
    """A run at work: 20 of 60 hosts have ended, 25 are at work."""
    ledger, now = SqliteLedger(str(tmp_path / "ledger.sqlite")), time.time()
    run = Run(
        run_id=RUN,
        opened_at=now - 3600,
        operation="install",
        snapshot_id="11111111-2222-4333-8444-555555555555",
        settings={"batch_size": 25, "expected_seconds": 2400.0},
        controller={"host": "ops1", "pid": 1, "user": "deploy"},
        heartbeat_at=now,
    )
    rows = [Host(RUN, f"i-{at:017x}", f"dev-{at:02}", at, "ec2", wave=1) for at in range(HOSTS)]
    assert ledger.open_run(run, rows, take_over=False).held == {}
    for at, host in enumerate(rows[:45]):
        ledger.begin_phase(RUN, host.key, Phase.PATCH, now - 3000 + 60 * at)
    for at, host in enumerate(rows[:20]):
        outcome = Outcome.FAILED if at % 10 == 3 else Outcome.PATCHED
        ledger.end_phase(RUN, host.key, Phase.PATCH, now - 600, outcome is Outcome.PATCHED)
        ledger.set_outcome(RUN, host.key, Verdict(outcome, Phase.PATCH, None, "KB5031364 failed with 0x80070643. " * 4))
    return ledger


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


def test_in_a_terminal_it_stands_still_until_the_run_has_ended(ledger: SqliteLedger, tmp_path: Path) -> None:
    environment = {**os.environ, "TERM": "xterm-256color", "PATCHFLEET_CLOCK": ""}
    closed: list[bool] = []

    def on_screen(lines: list[str]) -> None:
        if not closed and "Problems" in lines:
            keep("status-at-work", lines)
            text = "\n".join(lines)
            assert "20 of 60 done, 33 %" in text
            assert "At work: 25 patch" in lines
            assert "  … 1 more, which started later" in lines
            assert text.count("Run 20261114T220000Z-7f3a") == 1
            end_the_run(ledger)
            closed.append(True)

    last = in_terminal([*command(), "-e", f"patch_ledger={tmp_path}/ledger.sqlite"], environment, on_screen)
    keep("status-ended", last)
    text = "\n".join(last)
    assert closed
    assert text.count("Run 20261114T220000Z-7f3a") == 1, "the last drawing took the place of the first"
    assert "58 patched · 2 failed · 0 at work · 0 waiting" in last
    assert "It ended at " in text
    assert "failed=0" in text


@pytest.mark.parametrize("variable", ["NO_COLOR", "TERM"])
def test_in_a_pipe_it_prints_once(ledger: SqliteLedger, tmp_path: Path, variable: str) -> None:
    environment = {**os.environ, "PATCHFLEET_CLOCK": "", variable: "1" if variable == "NO_COLOR" else "dumb"}
    words = [*command(), "-e", f"patch_ledger={tmp_path}/ledger.sqlite"]
    ended = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    keep("status-in-a-pipe", ended.stdout.splitlines())
    assert ended.stdout.count(RUN) == 1
    assert "\x1b" not in ended.stdout
    assert "  dev-20    patch    since " in ended.stdout
    ours = ended.stdout.partition("PLAY RECAP")[0].splitlines()
    assert max(map(columns_of, ours)) <= COLUMNS
