# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof of an account: green in the lab, and a lab that differs in one belief is named by exactly that one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._proof.table import BELIEFS
from conftest import MakeLab
from lab import scripts_model
from lab.aws import launch, made_windows, scheduler, setup, ssm_nodes, ssm_output, ssm_patches
from lab.aws.account import OPERATIONS
from lab.aws.errors import AwsError
from lab.aws.policy import Need, deciding, statements_of
from lab.aws.request import Request, Result
from lab.guest_services import Services
from lab.instance import Instance
from lab.scripts_scene import Data, Scene
from lab.sim import Steps
from lab.world import Host
from prover_stage import ProverStage, different

POLICY: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "roles" / "prove_account" / "files" / "policy.json").read_text(encoding="utf-8")
)
NOT_USED_HERE = {("ReadDefaultHostManagement", "ssm:GetServiceSetting")}
"""Asked only where the instance profile does not exist."""
INSTANCE = "arn:aws:ec2:eu-central-1:123456789012:instance/i-1"
TAGGED = [{"Key": "patchfleet:proof", "Value": "1"}]
TARGET_TAG = {"aws:ResourceTag/PatchGroup": "Windows"}
RIGHTS = [belief.id for belief in BELIEFS if belief.id.startswith("rights.")]
Change = Callable[[pytest.MonkeyPatch], object]
UPDATE = {"kb": "KB5031364", "severity": "critical", "reboot": True, "seconds": 300}


def nothing(_patch: pytest.MonkeyPatch) -> None:
    """The lab as it is."""


def ends_with_an_error(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Services, "_end_by_itself", lambda self, name, _boot: self[name].end(exit_code=1))


def starts_show_late(patch: pytest.MonkeyPatch) -> None:
    start = Instance.start

    def late(instance: Instance, by_us: bool) -> None:
        lag = instance._lag  # noqa: SLF001 - the lab has one lag for all changes
        with pytest.MonkeyPatch.context() as slow:
            slow.setattr(lag, "visible_at", lambda: instance._sim.now + 140.0)  # noqa: SLF001
            start(instance, by_us)

    patch.setattr(Instance, "start", late)


def pending_is_not_counted(patch: pytest.MonkeyPatch) -> None:
    usual = ssm_patches.PatchRecord.count
    patch.setattr(
        ssm_patches.PatchRecord,
        "count",
        lambda record, state: 0 if state == "InstalledPendingReboot" else usual(record, state),
    )


def aws_writes_the_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ssm_patches, "_by_its_clock", lambda _host, moment: moment.replace(microsecond=0))


def foreign_reboots_are_counted(patch: pytest.MonkeyPatch) -> None:
    usual = ssm_patches._state  # noqa: SLF001

    def counting(request: Request, host: Host, record: ssm_patches.PatchRecord) -> dict[str, Any]:
        state: dict[str, Any] = usual(request, host, record)
        waits = "windows_update" in host.guest.updates.pending_reboot and not state["InstalledPendingRebootCount"]
        return {**state, "InstalledPendingRebootCount": 1} if waits else state

    patch.setattr(ssm_patches, "_state", counting)


def commands_are_listed_late(patch: pytest.MonkeyPatch) -> None:
    """Where commands are searched; by its id a command is found at once."""
    usual = OPERATIONS["ssm"]["ListCommandInvocations"]

    def late(request: Request) -> Result:
        found = usual(request)
        if "CommandId" in request.params:
            return found
        before = request.sim.time - timedelta(seconds=200)
        return {"CommandInvocations": [row for row in found["CommandInvocations"] if row["RequestedDateTime"] < before]}

    patch.setitem(OPERATIONS["ssm"], "ListCommandInvocations", late)


def no_start_is_in_the_log(patch: pytest.MonkeyPatch) -> None:
    usual = scripts_model.SCRIPTS["inspect_boot"]

    def without(scene: Scene) -> Steps[Data]:
        found = yield from usual(scene)
        return {**found, "boots": [] if found["boots"] else found["boots"]}

    patch.setitem(scripts_model.SCRIPTS, "inspect_boot", without)


def simulates(role: str, action: str, decision: str) -> Change:
    """IAM's simulation says something else of one action of a role; what is really allowed stays."""
    usual = OPERATIONS["iam"]["SimulatePrincipalPolicy"]

    def other(request: Request) -> Result:
        answer = usual(request)
        if f":role/{role}" in request.params["PolicySourceArn"]:
            for result in answer["EvaluationResults"]:
                if result["EvalActionName"] == action:
                    result["EvalDecision"] = decision
        return answer

    return lambda patch: patch.setitem(OPERATIONS["iam"], "SimulatePrincipalPolicy", other)


def window_starts_runs(by: dict[str, str]) -> Change:
    """The set-up has a window that starts runs."""
    usual = setup._common  # noqa: SLF001 - what the lab gives the template

    def common(*given: Any) -> dict[str, str]:
        return {**usual(*given), **by}

    return lambda patch: patch.setattr(setup, "_common", common)


BY_AWX = window_starts_runs({"StartRunBy": "awx", "AwxToken": "secret"})
BY_NODE = window_starts_runs({"StartRunBy": "controller-node", "PlaybookSource": '{"path": "https://s3"}'})


def window_puts_no_event(patch: pytest.MonkeyPatch) -> None:
    BY_AWX(patch)
    simulates("PatchFleet-window", "events:PutEvents", "implicitDeny")(patch)
    simulates("PatchFleet-window", "ssm:SendCommand", "implicitDeny")(patch)


def no_stop_of_a_session(patch: pytest.MonkeyPatch) -> None:
    """The simulation allows it, and the real call of the controller's session is refused."""
    usual = OPERATIONS["ec2"]["StopInstances"]

    def refused(request: Request) -> Result:
        if request.dry_run:
            raise AwsError("UnauthorizedOperation", "You are not authorized to perform this operation.")
        return usual(request)

    patch.setitem(OPERATIONS["ec2"], "StopInstances", refused)


DIFFERENCES: list[tuple[str, str, dict[str, Any], Change]] = [
    (
        "rights.controller.simulated",
        "differs",
        {},
        simulates("PatchFleet-controller", "ec2:ModifyVolume", "implicitDeny"),
    ),
    ("rights.controller.real", "differs", {}, no_stop_of_a_session),
    (
        "rights.scheduler.simulated",
        "differs",
        {},
        simulates("PatchFleet-scheduler", "ssm:StartAutomationExecution", "implicitDeny"),
    ),
    ("rights.runbook.simulated", "differs", {}, simulates("PatchFleet-stop-host", "ec2:StopInstances", "explicitDeny")),
    ("rights.window.simulated", "differs", {}, window_puts_no_event),
    ("rights.host.no_parameters", "differs", {}, simulates("PatchFleet-host", "ssm:GetParameter", "allowed")),
    ("windows.pending.fresh", "differs", {"windows": {"pending_by_others": True}}, nothing),
    ("windows.disk.fresh", "differs", {"disk": {"size_gib": 30, "free_gib": 12, "style": "mbr"}}, nothing),
    ("run_command.output", "differs", {}, lambda patch: patch.setattr(ssm_output, "STDOUT_BYTES", 48_000)),
    ("patch_manager.lags", "differs", {"patch_lag": {"states": 400}}, nothing),
    ("patch_manager.lags", "differs", {"patch_lag": {"patches": 700}}, nothing),
    ("patch_manager.lags", "differs", {"patch_lag": {"items": 2000}}, nothing),
    ("patch_manager.two_runs", "differs", {}, lambda patch: patch.setattr(ssm_patches, "TOO_CLOSE_SECONDS", 0.0)),
    ("patch_manager.clock", "differs", {}, aws_writes_the_end),
    ("patch_manager.pending.others", "differs", {}, foreign_reboots_are_counted),
    ("image.root_size", "differs", {}, lambda patch: patch.setattr(launch, "IMAGE_GIB", 50)),
    ("run_command.listed", "differs", {}, commands_are_listed_late),
    ("windows.starts", "differs", {}, no_start_is_in_the_log),
    ("ebs.growth", "differs", {"volume": {"result": "failed"}}, nothing),
    ("windows.services.fresh", "differs", {}, ends_with_an_error),
    ("patch_manager.pending", "differs", {}, pending_is_not_counted),
    ("ec2.stop.pending", "differs", {"updates": [{**UPDATE, "result": "vanishes"}]}, nothing),
    ("ec2.reads.start", "differs", {}, starts_show_late),
    (
        "ssm.stopped.unlisted",
        "differs",
        {},
        lambda patch: patch.setattr(ssm_nodes, "is_listed", lambda _request, host: host.agent.known),
    ),
    (
        "window.without_tasks",
        "differs",
        {},
        lambda patch: patch.setattr(made_windows, "EXECUTED_WITHOUT_TASKS", False),
    ),
    ("watchdog.fires", "differs", {}, lambda patch: patch.setattr(scheduler, "run", lambda *_schedule: iter(()))),
]


@pytest.fixture
def stage(make_lab: MakeLab, tmp_path: Path) -> ProverStage:
    """The prover's credentials have the rights of its policy, and no others."""
    lab = make_lab({"name": "a"})
    lab.play.account.roles.make("Prover", POLICY)
    lab.play.account.gate.admit_key("ASIAPROVER", "Prover")
    return ProverStage(lab, tmp_path / "proof", "ASIAPROVER")


def window(stage: ProverStage, tags: list[dict[str, str]]) -> str:
    """A maintenance window with the name of a proof's."""
    wanted = {"Name": "patchfleet-proof-1", "Schedule": "at(2026-12-01T00:00:00)", "Duration": 1, "Cutoff": 0}
    made = stage.lab.ssm.create_maintenance_window(**wanted, AllowUnassociatedTargets=True, Tags=tags)
    return str(made["WindowId"])


def test_in_the_lab_every_belief_is_as_expected_and_nothing_is_left(stage: ProverStage) -> None:
    stage.do("started")
    asked = stage.do("asked")
    left_by_an_interruption, of_another_user = window(stage, TAGGED), window(stage, [])
    stage.do("absent")
    assert different(asked) == {}
    assert asked["proven"]
    assert [row["id"] for row in asked["beliefs"]] == [belief.id for belief in BELIEFS]
    written = json.loads((stage.folder / "beliefs.json").read_text())
    assert (written["schema"], written["complete"], written["beliefs"]) == (1, True, asked["beliefs"])
    assert written["totals"] == {"as_expected": len(BELIEFS), "differs": 0, "not_answered": 0}
    assert left_by_an_interruption not in stage.left
    assert stage.left == [of_another_user]
    assert stage.lab.truth("a")["stops"] == 0
    used = {(sid, action) for role, sid, action in stage.lab.play.account.gate.used if role == "Prover"}
    granted = {(right["Sid"], action) for right in POLICY["Statement"] for action in right["Action"]}
    assert granted - used == NOT_USED_HERE, "the policy grants what the proof uses, and no more"


def test_reads_that_are_stale_are_no_difference(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab({"name": "a"}, account={"lag_seconds": 20, "stale_reads": 0.3})
    stage = ProverStage(lab, tmp_path / "proof")
    assert different(stage.prove()) == {}
    assert stage.left == []


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("ec2:TerminateInstances", INSTANCE, TARGET_TAG),
        ("ec2:StopInstances", INSTANCE, TARGET_TAG),
        ("ec2:RunInstances", INSTANCE, {"aws:RequestTag/PatchGroup": "Windows"}),
        ("ec2:CreateTags", INSTANCE, {"aws:RequestTag/patchfleet:proof": "1"}),
        ("ec2:ModifyVolume", INSTANCE.replace("instance/i-", "volume/vol-"), TARGET_TAG),
        ("ssm:SendCommand", INSTANCE, {"ssm:resourceTag/PatchGroup": "Windows"}),
        ("ssm:DeleteMaintenanceWindow", "arn:aws:ssm:eu-central-1:123456789012:maintenancewindow/mw-1", {}),
        ("scheduler:DeleteSchedule", "arn:aws:scheduler:eu-central-1:123456789012:schedule/PatchFleet/i-1-run", {}),
        ("iam:PassRole", "arn:aws:iam::123456789012:role/Admin", {"iam:PassedToService": "ec2.amazonaws.com"}),
        ("sts:AssumeRole", "arn:aws:iam::123456789012:role/Admin", {}),
    ],
)
def test_the_prover_may_not_touch_what_is_no_proofs(action: str, resource: str, context: dict[str, str]) -> None:
    held = statements_of(POLICY)
    assert any(action in statement.actions for statement in held)
    assert not deciding(held, Need(action, resource, context))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (nothing, "The stack has no window role: its window starts nothing."),
        (BY_AWX, "IAM allows all of it to the window's role."),
        (BY_NODE, "IAM allows all of it to the window's role."),
    ],
    ids=["no role", "awx", "node"],
)
def test_what_starts_a_run_is_asked_of_the_windows_role(
    make_lab: MakeLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Change, words: str
) -> None:
    change(monkeypatch)
    stage = ProverStage(make_lab({"name": "a"}), tmp_path / "proof")
    (row,) = stage.prove(beliefs=["rights.window.simulated"])["beliefs"]
    assert (row["status"], row["seen"]) == ("as_expected", words)


def test_each_belief_has_a_lab_that_differs_in_it() -> None:
    assert {belief for belief, *_how in DIFFERENCES} == {belief.id for belief in BELIEFS}


@pytest.mark.parametrize(("belief", "status", "defaults", "change"), DIFFERENCES)
def test_a_lab_that_differs_in_one_belief_is_named_by_it(
    make_lab: MakeLab,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    belief: str,
    status: str,
    defaults: dict[str, Any],
    change: Change,
) -> None:
    change(monkeypatch)
    stage = ProverStage(make_lab({"name": "a"}, defaults=defaults), tmp_path / "proof")
    asked = stage.prove(beliefs=RIGHTS if belief in RIGHTS else [])  # those of rights need no installation
    assert different(asked) == {belief: status}
    assert not asked["proven"]
    page = (stage.folder / "beliefs.md").read_text()
    assert "**1 different, 0 not answered" in page
    assert page.index(belief.replace("_", "\\_")) < page.index("As expected")
    (line,) = [line for line in asked["lines"] if line.startswith(belief)]
    assert "Expected: " in line
    assert stage.left == []
