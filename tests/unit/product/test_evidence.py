# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook `evidence`: what runs and Patch Manager know of an update or a host."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.evidence_info import OPERATION
from months import DAY, Months, missing
from operations import perform

from .fakes import START, client_error, moment
from .stage import Stage, a_host, a_run

BAD, GOOD = "i-0bad", "i-0900d"


class Records:
    """Patch Manager's records: the state of each update by node."""

    def __init__(self, stage: Stage, **rows: dict[str, str]) -> None:
        self.rows = {node.replace("_", "-"): states for node, states in rows.items()}
        stage.account.on("describe_instance_patch_states", self._states)
        stage.account.on("describe_instance_patches", self._patches)

    def _states(self, *, InstanceIds: list[str], **_params: Any) -> dict[str, Any]:  # noqa: N803
        return {"InstancePatchStates": [self._state(node) for node in InstanceIds if node in self.rows]}

    def _state(self, node: str) -> dict[str, Any]:
        return {
            "InstanceId": node,
            "PatchGroup": "Windows",
            "BaselineId": "pb-0123456789abcdef0",
            "Operation": "Scan",
            "OperationStartTime": moment(DAY - 60),
            "OperationEndTime": moment(DAY),
            "MissingCount": list(self.rows.get(node, {}).values()).count("Missing"),
            "FailedCount": 0,
        }

    def _patches(self, *, InstanceId: str, Filters: list[Any], **_params: Any) -> dict[str, Any]:  # noqa: N803
        kbs = [kb for entry in Filters for kb in entry["Values"]]
        rows = [
            {
                "KBId": kb,
                "State": state,
                "Title": kb,
                "Classification": "SecurityUpdates",
                "Severity": "Critical",
                "InstalledTime": moment(0 if state == "Installed" else -START),
            }
            for kb, state in self.rows.get(InstanceId, {}).items()
            if not kbs or kb in kbs
        ]
        return {"Patches": rows}


@pytest.fixture
def months(stage: Stage) -> Months:
    """Two hosts: one has the update, the other one misses it."""
    months = Months(stage.ledger)
    months.run(0, BAD, name="bad", **missing("KB1", failed_updates=[{"kb": "KB1", "hresult": "0x800F0922"}]))
    months.run(0, GOOD, name="good", facts={"missing": [], "installed": ["KB1"], "patch_commands": ["c-1", "c-2"]})
    stage.clock.sleep(30 * DAY)
    return months


def result_of(stage: Stage, **options: Any) -> dict[str, Any]:
    result = perform(OPERATION, stage.context(OPERATION, **options))
    assert result["changed"] is False
    return result


def lines(stage: Stage, **options: Any) -> str:
    return "\n".join(result_of(stage, **options)["lines"])


@pytest.mark.usefixtures("months")
def test_an_update_is_shown_on_each_host_that_knows_it(stage: Stage) -> None:
    Records(stage, i_0bad={"KB1": "Missing", "KB2": "Missing"}, i_0900d={"KB1": "Installed", "KB3": "Installed"})
    assert lines(stage, kbs=["kb1"]).splitlines() == [
        "bad (i-0bad), eu-central-1",
        "  KB1 (unspecified): missing since 2026-11-14, 30 days (0x800F0922).",
        "  Patch Manager: the last Scan ended 2026-11-15 22:00:00 UTC: 2 missing, 0 failed.",
        "  Patch Manager: KB1 (critical) is Missing.",
        "good (i-0900d), eu-central-1",
        (
            "  KB1 (unspecified): installed, proven 2026-11-14 23:00:00 UTC by run run-0-i-0900d; missing for 0 days. The "
            "run was started by somebody@controller. Its commands: c-1, c-2."
        ),
        "  Patch Manager: the last Scan ended 2026-11-15 22:00:00 UTC: 0 missing, 0 failed.",
        "  Patch Manager: KB1 (critical) is Installed on 2026-11-14 22:00:00 UTC.",
        "KB1: installed on 1, missing on 1 of 2 hosts.",
    ]


@pytest.mark.usefixtures("months")
def test_all_nodes_of_a_region_are_asked_for_in_one_call(stage: Stage) -> None:
    Records(stage, i_0bad={"KB1": "Missing"})
    lines(stage, kbs=["KB1"])
    assert [call.params["InstanceIds"] for call in stage.account.of("describe_instance_patch_states")] == [[BAD, GOOD]]
    assert [call.params["InstanceId"] for call in stage.account.of("describe_instance_patches")] == [BAD], (
        "never scanned"
    )


def test_only_hosts_that_know_the_update_are_returned(stage: Stage, months: Months) -> None:
    months.run(0, "i-0other", name="other", facts={"missing": [], "installed": []})
    Records(stage, i_0bad={"KB1": "Missing"}, i_0other={"KB2": "Installed"})
    result = perform(OPERATION, stage.context(OPERATION, kbs=["KB1"]))
    assert [host["host"] for host in result["hosts"]] == ["bad", "good"]
    assert result["lines"][-1] == "KB1: installed on 1, missing on 1, not known on 1 of 3 hosts."


@pytest.mark.usefixtures("months")
def test_an_update_that_neither_a_run_nor_patch_manager_knows_is_named(stage: Stage) -> None:
    Records(stage, i_0bad={"KB1": "Missing"}, i_0900d={"KB1": "Installed"})
    assert lines(stage, kbs=["KB777"]) == "KB777: not known on 2 of 2 hosts."


def test_a_host_is_shown_with_its_runs_and_what_it_misses(stage: Stage, months: Months) -> None:
    months.run(20, BAD, name="bad", outcome="failed", code="did_not_boot")
    Records(stage, i_0bad={"KB1": "Missing", "KB2": "Installed"})
    text = lines(stage, host_name="bad")
    assert "run run-0-i-0bad  failed (still_missing)  installed: nothing  missing: KB1" in text
    assert "run run-20-i-0bad  failed (did_not_boot)  installed: nothing  missing: not known" in text
    assert "KB1 (critical) is Missing." in text
    assert "KB2" not in text, "of a host only what is missing is named"
    assert "good" not in text
    assert "missing: nothing  commands: c-1, c-2  started by: somebody@controller" in lines(stage, host_name="good")
    assert lines(stage, host_name=BAD) == text


def test_the_table_has_a_line_for_each_host_and_update(stage: Stage, months: Months) -> None:
    months.run(20, BAD, name="bad", outcome="failed", code="did_not_boot")
    Records(stage, i_0bad={"KB1": "Missing"})
    rows = list(csv.DictReader(io.StringIO(result_of(stage, kbs=["KB1"])["csv"])))
    assert {row["host"]: (row["kb"], row["patch_manager_state"], bool(row["first_missing_at"])) for row in rows}[
        "bad"
    ] == (
        "KB1",
        "Missing",
        True,
    )
    proven = [row for row in rows if row["proven_by"]]
    assert proven
    assert {(row["started_by"], row["proven_with"]) for row in proven} == {("somebody@controller", "c-1, c-2")}
    unknown = list(csv.DictReader(io.StringIO(result_of(stage, kbs=["KB777"])["csv"])))
    assert {row["host"] for row in unknown} == {row["host"] for row in rows}
    assert {row["state"] + row["patch_manager_state"] for row in unknown} == {""}


def test_each_run_of_a_host_says_who_started_it(stage: Stage, months: Months) -> None:
    controller = {"user": "carol", "host": "tower", "arn": "arn:aws:sts::1:assumed-role/Patch/x", "job_id": "17"}
    Records(stage)
    run_id = "20261114T210000Z-cccc"
    stage.ledger.open_run(
        replace(a_run(run_id), controller=controller), [a_host("i-9", run_id, name="new")], take_over=True
    )
    stage.ledger.close_run(run_id, stage.clock.now())
    (line,) = [line for line in lines(stage, host_name="new").splitlines() if run_id in line]
    assert line.endswith("started by: carol@tower as arn:aws:sts::1:assumed-role/Patch/x, job 17 of AWX")


@pytest.mark.usefixtures("months")
def test_what_runs_know_is_shown_although_patch_manager_does_not_answer(stage: Stage) -> None:
    stage.account.on("describe_instance_patch_states", client_error("InvalidInstanceId"))
    text = lines(stage, host_name="bad")
    assert "KB1 (unspecified): missing since 2026-11-14" in text
    assert "Patch Manager's records cannot be read." in text


def test_a_host_without_a_managed_node_has_no_records(stage: Stage, months: Months) -> None:
    months.run(0, "hall", name="hall", kind="winrm", instance_id=None, region=None, **missing("KB1"))
    assert "Patch Manager has no records of hosts that are no managed nodes." in lines(stage, host_name="hall")


@pytest.mark.usefixtures("months")
def test_a_mistyped_host_is_refused_with_the_nearest_name(stage: Stage) -> None:
    with pytest.raises(
        PatchFleetError, match=r"patch_host: no run of the ledger has had a host 'baad'. Did you mean bad\?"
    ):
        lines(stage, host_name="baad")


@pytest.mark.parametrize(
    ("options", "words"),
    [({}, "Name a host"), ({"kbs": ["KB1; reboot"]}, "patch_kbs: 'KB1; reboot' is not valid. It must be the number")],
)
def test_bad_options_are_refused_by_name(stage: Stage, months: Months, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        lines(stage, **options)
    assert words in caught.value.reason
