# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import LEASE_SECONDS, Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_report import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.commands import playbook_command
from operations import perform

from .fakes import ID, START
from .stage import RUN, Stage, a_host

OTHER = "i-0fedcba9876543210"
FILES = ["report.csv", "report.html", "report.json", "report.md"]


def write(stage: Stage, folder: Path, *, check_mode: bool = False, **params: Any) -> dict[str, Any]:
    return perform(OPERATION, stage.context(OPERATION, check_mode=check_mode, report_dir=str(folder), **params))


def set_outcome(stage: Stage, outcome: str, code: str | None = None) -> None:
    stage.ledger.set_outcome(RUN, ID, Verdict(outcome, None, code, "Because."))


def test_three_files_are_written_where_the_user_wants_them(stage: Stage, tmp_path: Path) -> None:
    stage.open_run(targets={})
    set_outcome(stage, "patched")
    result = write(stage, tmp_path / "new" / "folder")
    folder = tmp_path / "new" / "folder"
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert json.loads((folder / "report.json").read_text()) == result["report"]
    assert result["files"] == {name: str(folder / name) for name in FILES}
    assert result["changed"] is True
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o644}
    assert all(len(line) <= 100 for line in result["table"])


def test_without_a_folder_it_lies_in_the_users_state_folder(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    stage.open_run()
    perform(OPERATION, stage.context(OPERATION, run_id=RUN))
    assert (tmp_path / "patchfleet" / "reports" / RUN / "report.json").exists()


def test_a_report_is_replaced_whole(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("the one of yesterday")
    stage.open_run()
    write(stage, tmp_path)
    write(stage, tmp_path)
    assert json.loads((tmp_path / "report.json").read_text())["run_id"] == RUN
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".report")] == []


def test_a_folder_that_cannot_be_written_is_reported_with_its_option(stage: Stage, tmp_path: Path) -> None:
    stage.open_run()
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InvalidOption) as caught:
        write(stage, tmp_path / "file" / "reports")
    assert caught.value.reason.startswith(
        f"patch_report_dir: '{tmp_path}/file/reports' is not valid. It must be a folder"
    )


@pytest.fixture
def state_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "patchfleet" / "reports" / RUN


def test_a_run_keeps_its_verdicts_and_its_table_when_the_folder_is_lost(
    stage: Stage, tmp_path: Path, state_home: Path
) -> None:
    """A disk that fills up in the night must not decide about hosts."""
    stage.open_run()
    set_outcome(stage, "failed")
    (tmp_path / "file").write_text("no folder")
    result = write(stage, tmp_path / "file" / "reports", must_write=False)
    assert (result["verdicts"], len(result["table"]) > 0) == ({ID: "failed: Because."}, True)
    assert result["files"] == {name: str(state_home / name) for name in FILES}
    (warning,) = result["warnings"]
    assert f"The report is in {state_home}." in warning
    again = playbook_command(
        "report", None, {"patch_run_id": RUN, "patch_report_dir": str(tmp_path / "file" / "reports")}
    )
    assert warning.endswith(f"write it again: `{again}`.")


def test_a_run_keeps_its_verdicts_when_there_is_no_folder_at_all(
    stage: Stage, tmp_path: Path, state_home: Path
) -> None:
    stage.open_run()
    set_outcome(stage, "failed")
    (tmp_path / "state").write_text("no folder")
    result = write(stage, tmp_path / "state" / "reports", must_write=False)
    assert (result["verdicts"], result["files"], result["changed"]) == ({ID: "failed: Because."}, {}, False)
    assert f"Nor could it be written to {state_home}" in result["warnings"][0]


def test_check_mode_writes_nothing(stage: Stage, tmp_path: Path) -> None:
    stage.open_run()
    stage.clock.sleep(LEASE_SECONDS)
    result = write(stage, tmp_path / "reports", check_mode=True)
    assert (result["changed"], result["files"], (tmp_path / "reports").exists()) == (True, {}, False), (
        "it would write them"
    )
    assert stage.ledger.host(RUN, ID).outcome is None


# Which run


def test_the_newest_run_is_reported_unless_one_is_named(stage: Stage, tmp_path: Path) -> None:
    stage.open_run()
    stage.clock.sleep(60)
    stage.open_run(a_host("i-2", "second"), run_id="second")
    assert write(stage, tmp_path)["run_id"] == "second"
    assert write(stage, tmp_path, run_id=RUN)["run_id"] == RUN


def test_an_empty_ledger_has_nothing_to_report(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(PatchFleetError, match="holds no run yet") as caught:
        write(stage, tmp_path)
    assert caught.value.code == "no_run"


def test_a_run_whose_controller_died_is_reported_as_what_its_hosts_reached(stage: Stage, tmp_path: Path) -> None:
    stage.open_run()
    stage.ledger.begin_phase(RUN, ID, "patch", START)
    assert write(stage, tmp_path)["report"]["hosts"][0]["outcome"] is None
    stage.clock.sleep(LEASE_SECONDS)
    result = write(stage, tmp_path)
    assert result["report"]["hosts"][0]["reason_code"] == "interrupted"
    assert result["report"]["totals"] == {"failed": 1}


def test_a_controller_that_is_known_to_be_dead_is_not_waited_for(stage: Stage, tmp_path: Path) -> None:
    stage.open_run()
    assert write(stage, tmp_path, take_over=True)["report"]["totals"] == {"deferred": 1}


# The verdict


@pytest.mark.parametrize(
    ("outcome", "code", "strict", "fails"),
    [
        ("patched", None, True, False),
        ("compliant", None, True, False),
        ("noncompliant", None, True, False),
        ("excluded", "spot", True, False),
        ("failed", "no_room", False, True),
        ("held", "still_stopping", False, True),
        ("deferred", "no_capacity", False, True),
        ("deferred", "no_time", False, False),
        ("deferred", "no_time", True, True),
    ],
)
def test_a_run_fails_for_hosts_that_did_not_make_it(
    stage: Stage, tmp_path: Path, outcome: str, code: str | None, strict: bool, fails: bool
) -> None:
    stage.open_run(a_host(ID), a_host(OTHER), fail_on_deferred=strict)
    set_outcome(stage, outcome, code)
    stage.ledger.set_outcome(RUN, OTHER, Verdict("patched"))
    verdicts = write(stage, tmp_path)["verdicts"]
    assert verdicts == ({ID: f"{outcome}: Because."} if fails else {})


@pytest.mark.parametrize(("outcome", "code"), [("excluded", "no_way_in"), ("deferred", "no_time")])
def test_a_run_that_started_none_of_its_hosts_fails_for_all(
    stage: Stage, tmp_path: Path, outcome: str, code: str
) -> None:
    """The user asked for these hosts, and none was patched."""
    stage.open_run()
    set_outcome(stage, outcome, code)
    verdicts = write(stage, tmp_path)["verdicts"]
    assert verdicts == {ID: f"{outcome}: Because. This run started none of its hosts."}
