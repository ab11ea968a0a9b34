# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user sees of the ledger: its runs, one of them, and all of one as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import LEASE_SECONDS, Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION
from operations import perform

from .fakes import ID, START
from .stage import RUN, Stage, a_host

OTHER = "i-0fedcba9876543210"


def run(stage: Stage, state: str, *, check_mode: bool = False, **params: Any) -> dict[str, Any]:
    return perform(OPERATION, stage.context(OPERATION, check_mode=check_mode, state=state, **params))


@pytest.fixture
def night(stage: Stage) -> Stage:
    """One host is patched, the other is still on."""
    stage.open_run(a_host(), a_host(OTHER, position=1, name="dev-02"))
    stage.record("stopped")
    stage.ledger.note_start(ID, RUN, START)
    stage.ledger.set_outcome(RUN, OTHER, Verdict("failed", "patch", "still_missing", "KB1 is missing."))
    stage.ledger.begin_phase(RUN, ID, "start", START)
    return stage


def test_an_empty_ledger_says_so(stage: Stage) -> None:
    assert run(stage, "listed") == {"changed": False, "runs": [], "lines": ["The ledger holds no run yet."]}


def test_runs_are_listed_with_how_they_stand(night: Stage) -> None:
    night.clock.sleep(LEASE_SECONDS)
    night.open_run(a_host("i-9", "second"), run_id="second")
    night.open_run(a_host("i-8", "third"), run_id="third")
    night.ledger.close_run("third", night.clock.now())
    listed = run(night, "listed", check_mode=True)
    assert [(one["run_id"], one["alive"], one["closed_at"]) for one in listed["runs"]] == [
        ("third", False, "2026-11-14T22:15:00Z"),
        ("second", True, None),
        (RUN, False, None),
    ]
    assert listed["lines"] == [
        "third  install  closed 2026-11-14T22:15:00Z  1 none yet",
        "second  install  is active  1 none yet",
        f"{RUN}  install  was cut off  1 failed, 1 none yet",
    ]


def test_a_run_is_shown_with_its_hosts_and_what_is_still_on(night: Stage) -> None:
    shown = run(night, "shown", run_id=RUN)
    assert shown["lines"][1:] == [
        "dev-01  no outcome yet  Still on because of this run.",
        "dev-02  failed  KB1 is missing.",
    ]
    assert [host["open"] for host in shown["hosts"]] == [True, False]
    with pytest.raises(PatchFleetError, match="knows no run"):
        run(night, "shown", run_id="nonsense")


def test_all_of_a_run_becomes_json(night: Stage, tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    export = run(night, "exported", run_id=RUN)["export"]
    assert run(night, "exported", run_id=RUN, dest=str(file), check_mode=True)["changed"] is True
    assert not file.exists()
    assert run(night, "exported", run_id=RUN, dest=str(file)) == {"changed": True, "dest": str(file)}
    assert run(night, "exported", run_id=RUN, dest=str(file))["changed"] is False
    assert json.loads(file.read_text()) == export
    assert export["run"]["run_id"] == RUN
    assert [host["key"] for host in export["hosts"]] == [ID, OTHER]
    assert export["steps"][0]["step"] == "start"
    assert export["open_power_records"][0]["original_state"] == "stopped"


def test_a_file_that_cannot_be_written_is_reported(night: Stage, tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="dest"):
        run(night, "exported", run_id=RUN, dest=str(tmp_path))
