# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proof that cannot be right is refused by name before anything is made, and what cannot be answered is never green."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from conftest import MakeLab
from lab.aws import ssm_patches
from prover_stage import ProverStage, different

Prepare = Callable[[ProverStage], object]


def nothing(_stage: ProverStage) -> None:
    """The account is as it is."""


def remove_the_nat_gateway(stage: ProverStage) -> None:
    stage.lab.ec2.delete_route(RouteTableId="rtb-0a1b2c3d4e5f60718", DestinationCidrBlock="0.0.0.0/0")


def put_a_file_there(stage: ProverStage) -> None:
    stage.folder.write_text("")


REFUSED: list[tuple[str, dict[str, Any], dict[str, Any], Prepare]] = [
    ("prove_subnet_id: ''", {"subnet_id": None}, {}, nothing),
    ("prove_subnet_id: 'subnet-1' is not valid. There is no such subnet in", {"subnet_id": "subnet-1"}, {}, nothing),
    ("has no way out, and its VPC lacks the endpoints", {}, {}, remove_the_nat_gateway),
    ("prove_instance_type: 't3.enormous'", {"instance_type": "t3.enormous"}, {}, nothing),
    ("prove_image_parameter: '/aws/service/none'", {"image_parameter": "/aws/service/none"}, {}, nothing),
    ("prove_instance_profile: 'nobody'", {"instance_profile": "nobody"}, {}, nothing),
    ("prove_hours: 0", {"hours": 0}, {}, nothing),
    ("prove_hours: 13", {"hours": 13}, {}, nothing),
    ("did you mean patch_manager.lags", {"beliefs": ["patch_manager.lag"]}, {}, nothing),
    ("prove_report_dir", {}, {}, put_a_file_there),
    ("The vCPU quota of eu-central-1 (L-1216C47A) is 3, 2 are in use", {}, {"vcpu_quota": 3}, nothing),
    ("prove_hourly_usd", {}, {"deny": ["pricing:GetProducts"]}, nothing),
    ("EC2 would not launch the instance", {}, {"deny": ["ec2:RunInstances"]}, nothing),
    ("security group 'sg-1' does not exist", {"security_group_ids": ["sg-1"]}, {}, nothing),
]


def launched(stage: ProverStage) -> int:
    calls = [call for call in stage.lab.trace() if call["operation"] == "RunInstances" and not call["error"]]
    return len(calls)


@pytest.mark.parametrize(("words", "options", "account", "prepare"), REFUSED)
def test_what_cannot_be_right_is_refused_by_name(
    make_lab: MakeLab, tmp_path: Path, words: str, options: dict[str, Any], account: dict[str, Any], prepare: Prepare
) -> None:
    stage = ProverStage(make_lab({"name": "a"}, account=account), tmp_path / "proof")
    prepare(stage)
    with pytest.raises(PatchFleetError) as refused:
        stage.do("planned", **options)
    assert words in refused.value.reason
    assert refused.value.reason.endswith("Nothing was made.")
    assert launched(stage) == 0


def test_an_earlier_proof_has_to_be_taken_away_first(make_lab: MakeLab, tmp_path: Path) -> None:
    stage = ProverStage(make_lab({"name": "a"}), tmp_path / "proof")
    stage.do("started")
    for state in ("planned", "started"):
        with pytest.raises(PatchFleetError, match=r"of an earlier proof .* Nothing was made"):
            stage.do(state)
    assert launched(stage) == 1
    assert stage.do("absent", check_mode=True)["lines"] != stage.do("absent")["lines"]
    stage.do("planned")


def test_without_a_confirmation_nothing_is_made(make_lab: MakeLab, tmp_path: Path) -> None:
    stage = ProverStage(make_lab({"name": "a"}), tmp_path / "proof")
    (_what, tags, cost, away) = stage.do("planned", confirmed=False)["lines"]
    assert ("patchfleet:expires" in tags, "0.58 USD" in cost, "prove_state=absent" in away) == (True, True, True)
    with pytest.raises(PatchFleetError, match="prove_confirmed: False is not valid"):
        stage.do("started", confirmed=False)
    assert stage.do("started", check_mode=True)["changed"]
    assert launched(stage) == 0
    assert stage.left == []


def test_a_region_has_to_be_named(make_lab: MakeLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    stage = ProverStage(make_lab({"name": "a"}), tmp_path / "proof")
    for state in ("planned", "absent"):
        with pytest.raises(PatchFleetError, match="No AWS region is set"):
            stage.do(state, region=None)


def test_a_price_of_the_users_own_is_taken(make_lab: MakeLab, tmp_path: Path) -> None:
    stage = ProverStage(make_lab({"name": "a"}, account={"deny": ["pricing:GetProducts"]}), tmp_path / "proof")
    assert "costs at most 8.00 USD" in stage.do("planned", hourly_usd=2.0)["lines"][2]


@pytest.mark.parametrize(("instance_type", "expected"), [("t3.large", {"CpuCredits": "standard"}), ("m5.large", None)])
def test_the_price_of_a_burstable_type_is_all_that_it_costs(
    make_lab: MakeLab, tmp_path: Path, instance_type: str, expected: dict[str, str] | None
) -> None:
    stage = ProverStage(make_lab({"name": "a"}), tmp_path / "proof")
    stage.do("started", instance_type=instance_type)
    *_dry_runs, made = [call["params"] for call in stage.lab.trace() if call["operation"] == "RunInstances"]
    assert made.get("CreditSpecification") == expected
    assert made["MetadataOptions"]["HttpTokens"] == "required"
    assert made["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    assert "AssociatePublicIpAddress" not in str(made), "the subnet decides"


def test_a_lost_answer_launches_one_instance(make_lab: MakeLab, tmp_path: Path) -> None:
    lost = {"operation": "RunInstances", "answer": "lost", "with_host": False}
    stage = ProverStage(make_lab({"name": "a", "api_faults": [lost]}), tmp_path / "proof")
    stage.do("started")
    assert len(stage.lab.play.account.launched) == 1
    stage.do("absent")
    assert stage.left == []


def test_what_has_no_answer_is_not_green(make_lab: MakeLab, tmp_path: Path) -> None:
    stage = ProverStage(make_lab({"name": "a"}, defaults={"updates": []}), tmp_path / "proof")
    asked = stage.prove()
    assert different(asked) == {"patch_manager.pending": "not_answered", "ec2.stop.pending": "not_answered"}
    assert not asked["proven"]
    (row,) = [row for row in asked["beliefs"] if row["id"] == "patch_manager.pending"]
    assert (row["seen"], row["reason"][:39]) == (None, "No update was missing on the fresh imag")
    assert "## Not answered (2)" in (stage.folder / "beliefs.md").read_text()


def test_a_role_that_may_not_be_taken_leaves_its_belief_open(make_lab: MakeLab, tmp_path: Path) -> None:
    stage = ProverStage(make_lab({"name": "a"}, account={"deny": ["sts:AssumeRole"]}), tmp_path / "proof")
    asked = stage.prove(beliefs=["rights.controller.simulated", "rights.controller.real"])
    assert different(asked) == {"rights.controller.real": "not_answered"}
    assert "ControllerPrincipals" in asked["lines"][0]


def test_a_stack_without_the_roles_leaves_their_beliefs_open(make_lab: MakeLab, tmp_path: Path) -> None:
    stage = ProverStage(make_lab({"name": "a"}), tmp_path / "proof")
    own = {"setup_prefix": "Other", "instance_profile": "PatchFleet-host-eu-central-1"}
    rights = ["rights.controller.simulated", "rights.scheduler.simulated", "rights.runbook.simulated", "watchdog.fires"]
    asked = stage.prove(**own, beliefs=rights)
    assert different(asked) == dict.fromkeys(rights, "not_answered")
    assert stage.left == []


def test_an_answer_of_another_form_costs_its_own_belief_only(
    make_lab: MakeLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = ssm_patches._state  # noqa: SLF001 - a field that AWS always has is missing
    monkeypatch.setattr(
        ssm_patches,
        "_state",
        lambda *asked: {name: value for name, value in usual(*asked).items() if name != "MissingCount"},
    )
    stage = ProverStage(make_lab({"name": "a"}), tmp_path / "proof")
    asked = stage.prove(beliefs=["patch_manager.lags", "ebs.growth"])
    assert different(asked) == {"patch_manager.lags": "not_answered"}
    assert "KeyError" in asked["lines"][0]


def test_after_its_expiry_nothing_more_is_asked(make_lab: MakeLab, tmp_path: Path) -> None:
    stage = ProverStage(make_lab({"name": "a"}, defaults={"scan_seconds": 4000}), tmp_path / "proof")
    asked = stage.prove(hours=1, beliefs=["windows.disk.fresh", "patch_manager.lags", "ebs.growth"])
    found = different(asked)
    assert found["ebs.growth"] == "not_answered"
    assert "windows.disk.fresh" not in found
    assert stage.left == []


def test_what_cannot_be_taken_away_keeps_nothing_else(make_lab: MakeLab, tmp_path: Path) -> None:
    stage = ProverStage(make_lab({"name": "a"}, account={"deny": ["scheduler:ListSchedules"]}), tmp_path / "proof")
    stage.do("started")
    with pytest.raises(PatchFleetError, match=r"scheduler:ListSchedules.* is terminated\. Run this again") as failed:
        stage.do("absent")
    assert failed.value.code == "access_denied"
    assert [left for left in stage.left if left.startswith("i-")] == []


def test_a_node_that_never_comes_is_waited_for_once(make_lab: MakeLab, tmp_path: Path) -> None:
    stage = ProverStage(make_lab({"name": "a"}, defaults={"agent": "never"}), tmp_path / "proof")
    asked = stage.prove(beliefs=["image.root_size", "windows.disk.fresh", "run_command.output", "ebs.growth"])
    assert different(asked) == dict.fromkeys(["windows.disk.fresh", "run_command.output", "ebs.growth"], "not_answered")
    assert all("The SSM agent did not report" in line for line in asked["lines"][:3])
    seconds = [row["seconds"] for row in asked["beliefs"][1:]]
    assert seconds[0] > 1000 > max(seconds[1:])
    assert stage.left == []


def test_what_could_not_be_measured_is_not_measured_again(make_lab: MakeLab, tmp_path: Path) -> None:
    """An installation that ends otherwise than it should is not sent a second time."""
    fault = {"document": "AWS-RunPatchBaseline", "status": "AccessDenied", "times": "always"}
    stage = ProverStage(make_lab({"name": "a"}, defaults={"command_faults": [fault]}), tmp_path / "proof")
    asked = stage.prove(beliefs=["patch_manager.lags", "patch_manager.clock", "patch_manager.pending"])
    assert set(different(asked).values()) == {"not_answered"}
    sent = [call for call in stage.lab.trace() if call["params"].get("DocumentName") == "AWS-RunPatchBaseline"]
    assert len(sent) == 1


def test_default_host_management_does_without_an_instance_profile(make_lab: MakeLab, tmp_path: Path) -> None:
    stage = ProverStage(make_lab({"name": "a"}), tmp_path / "proof")
    setting = "/ssm/managed-instance/default-ec2-instance-management-role"
    stage.lab.ssm.update_service_setting(SettingId=setting, SettingValue="PatchFleet-host-eu-central-1")
    asked = stage.prove(setup_prefix="Other", beliefs=["rights.host.no_parameters", "windows.disk.fresh"])
    assert different(asked) == {"rights.host.no_parameters": "not_answered"}
    assert "Default Host Management Configuration" in asked["lines"][0]
    (launched_one,) = stage.lab.play.account.launched.values()
    assert launched_one.profile is None
