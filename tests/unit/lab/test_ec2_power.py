# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2 power as aws-facts.md has it: transitional states, all-or-nothing calls, protections, capacity and quota."""

from __future__ import annotations

import pytest

from conftest import MakeLab
from virtual_lab import error_of


def test_a_start_takes_its_time(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "state": "stopped", "boot_seconds": 90, "agent_seconds": 30})
    lab.start("a")
    assert lab.state("a") == "pending"
    lab.run_for(19)
    assert lab.state("a") == "pending"  # a third of the boot, at most 20 s
    lab.run_for(2)
    assert lab.state("a") == "running"
    assert not lab.play.world.hosts["a"].guest.up
    lab.run_for(70)
    assert lab.play.world.hosts["a"].guest.up
    assert lab.truth("a")["starts"] == 1


def test_a_short_boot_is_pending_for_a_third_of_it(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "state": "stopped", "boot_seconds": 30})
    lab.start("a")
    lab.run_for(11)
    assert lab.state("a") == "running"


def test_a_stop_takes_its_time_and_shows_why(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "stop_seconds": 60})
    lab.stop("a")
    assert lab.state("a") == "stopping"
    lab.run_for(61)
    instance = lab.describe("a")
    assert instance["State"]["Name"] == "stopped"
    assert instance["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert instance["StateTransitionReason"].startswith("User initiated (")


def test_launch_time_is_new_at_each_start_but_not_at_a_reboot(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    first = lab.describe("a")["LaunchTime"]
    lab.play.world.hosts["a"].guest.reboot()
    lab.run_for(300)
    assert lab.describe("a")["LaunchTime"] == first
    lab.stop("a")
    lab.run_for(100)
    assert lab.describe("a")["LaunchTime"] == first
    lab.start("a")
    assert lab.describe("a")["LaunchTime"] > first


@pytest.mark.parametrize(
    ("state", "operation", "code"),
    [
        ("stopping", "start_instances", "IncorrectInstanceState"),
        ("pending", "stop_instances", "IncorrectInstanceState"),
    ],
)
def test_what_has_started_cannot_be_reversed(make_lab: MakeLab, state: str, operation: str, code: str) -> None:
    lab = make_lab({"name": "a", "state": state})
    assert error_of(getattr(lab.ec2, operation), InstanceIds=[lab.id("a")]) == code


def test_starting_what_runs_and_stopping_what_is_stopped_changes_nothing(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "on"}, {"name": "off", "state": "stopped"})
    lab.start("on")
    lab.stop("off")
    assert (lab.truth("on")["starts"], lab.truth("off")["stops"]) == (0, 0)
    assert (lab.state("on"), lab.state("off")) == ("running", "stopped")


def test_one_unknown_id_fails_the_whole_call(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "state": "stopped"})
    ids = [lab.id("a"), "i-00000000000000000"]
    assert error_of(lab.ec2.start_instances, InstanceIds=ids) == "InvalidInstanceID.NotFound"
    assert error_of(lab.ec2.start_instances, InstanceIds=[lab.id("a"), "a"]) == "InvalidInstanceID.Malformed"
    assert lab.state("a") == "stopped"


def test_an_instance_of_another_region_is_not_found(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "far", "region": "us-east-1"})
    assert error_of(lab.ec2.describe_instances, InstanceIds=[lab.id("far")]) == "InvalidInstanceID.NotFound"
    far = lab.client("ec2", "us-east-1").describe_instances()
    assert far["Reservations"][0]["Instances"][0]["InstanceId"] == lab.id("far")


def test_a_partly_protected_stop_stops_nothing(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"}, {"name": "kept", "stop_protected": True})
    ids = [lab.id("a"), lab.id("kept")]
    assert error_of(lab.ec2.stop_instances, InstanceIds=ids) == "OperationNotPermitted"
    assert lab.state("a") == "running"
    attribute = lab.ec2.describe_instance_attribute(InstanceId=lab.id("kept"), Attribute="disableApiStop")
    assert attribute["DisableApiStop"] == {"Value": True}


@pytest.mark.parametrize(
    ("keys", "operation", "code"),
    [
        ({"spot": True, "state": "stopped"}, "start_instances", "IncorrectSpotRequestState"),
        ({"spot": True}, "stop_instances", "UnsupportedOperation"),
        ({"instance_store": True}, "stop_instances", "UnsupportedOperation"),
        ({"managed_by_service": True}, "stop_instances", "OperationNotPermitted"),
        ({"managed_by_service": True, "state": "stopped"}, "start_instances", "OperationNotPermitted"),
    ],
)
def test_what_must_not_be_power_cycled(make_lab: MakeLab, keys: dict[str, object], operation: str, code: str) -> None:
    lab = make_lab({"name": "a", **keys})
    assert error_of(getattr(lab.ec2, operation), InstanceIds=[lab.id("a")]) == code


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"boots": "falls_back"}, "Client.VolumeLimitExceeded"),
        ({"kms": "denied"}, "Client.InternalError"),
    ],
)
def test_an_accepted_start_can_fall_back(make_lab: MakeLab, keys: dict[str, str], reason: str) -> None:
    lab = make_lab({"name": "a", "state": "stopped", **keys})
    lab.start("a")
    assert lab.state("a") == "pending"
    lab.run_for(21)
    instance = lab.describe("a")
    assert (instance["State"]["Name"], instance["StateReason"]["Code"]) == ("stopped", reason)
    assert (lab.truth("a")["starts"], lab.truth("a")["stops"]) == (1, 0)


def test_a_pending_one_can_fall_back_too(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "state": "pending", "boots": "falls_back"})
    lab.run_for(21)
    assert lab.state("a") == "stopped"


def test_a_usable_key_does_not_hinder(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "state": "stopped", "kms": "usable"})
    lab.start("a")
    lab.run_for(21)
    assert lab.state("a") == "running"


def test_running_need_not_mean_that_windows_is_up(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "state": "stopped", "boots": "never"})
    lab.start("a")
    lab.run_for(3600)
    assert lab.state("a") == "running"
    status = lab.ec2.describe_instance_status(InstanceIds=[lab.id("a")])["InstanceStatuses"][0]
    assert status["InstanceStatus"]["Status"] == "initializing"


def test_a_hibernated_instance_is_stopped_with_a_reason_of_its_own(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "state": "stopped", "hibernated": True})
    assert lab.describe("a")["StateReason"]["Code"] == "Client.UserInitiatedHibernate"


def test_capacity_errors_fail_the_call_as_a_whole_and_pass(make_lab: MakeLab) -> None:
    fault = {"operation": "StartInstances", "error": "InsufficientInstanceCapacity", "times": 2, "with_host": True}
    lab = make_lab({"name": "full", "state": "stopped", "api_faults": [fault]}, {"name": "b", "state": "stopped"})
    both = [lab.id("full"), lab.id("b")]
    for _time in range(2):
        assert error_of(lab.ec2.start_instances, InstanceIds=both) == "InsufficientInstanceCapacity"
    assert lab.state("b") == "stopped"
    lab.start("full", "b")
    assert lab.state("b") == "pending"


def test_the_quota_counts_running_and_pending_and_requested_vcpus(make_lab: MakeLab) -> None:
    names = [f"big-{number}" for number in range(1, 5)]
    hosts = [{"name": name, "state": "stopped", "type": "m5.xlarge"} for name in names]
    lab = make_lab(*hosts, account={"vcpu_quota": 10})
    ids = [lab.id(name) for name in names]
    assert error_of(lab.ec2.start_instances, InstanceIds=ids[:3]) == "VcpuLimitExceeded"
    lab.start("big-1", "big-2")
    assert error_of(lab.ec2.start_instances, InstanceIds=ids[2:3]) == "VcpuLimitExceeded"
    lab.run_for(120)
    lab.stop("big-1")
    lab.start("big-3")  # stopping ones do not count
    quota = lab.client("service-quotas").get_service_quota(ServiceCode="ec2", QuotaCode="L-1216C47A")
    assert quota["Quota"]["Value"] == 10.0


def test_other_families_do_not_count_for_the_quota(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "gpu", "state": "stopped", "type": "g4dn.xlarge"}, account={"vcpu_quota": 0})
    lab.start("gpu")
    assert lab.state("gpu") == "pending"


def test_dry_run_says_whether_it_would_be_allowed(make_lab: MakeLab) -> None:
    fault = {"operation": "StartInstances", "error": "InsufficientInstanceCapacity", "times": "always"}
    lab = make_lab({"name": "a", "state": "stopped", "api_faults": [fault]})
    assert error_of(lab.ec2.start_instances, InstanceIds=[lab.id("a")], DryRun=True) == "DryRunOperation"
    assert lab.state("a") == "stopped"
    assert "ec2.StartInstances" not in lab.play.truth()["calls"]
    denied = make_lab({"name": "a", "state": "stopped"}, account={"deny": ["ec2:StartInstances"]})
    code = error_of(denied.ec2.start_instances, InstanceIds=[denied.id("a")], DryRun=True)
    assert code == "UnauthorizedOperation"


def test_a_terminated_instance_takes_its_root_volume_with_it(make_lab: MakeLab) -> None:
    """Who may do it, policies say: the controller's role may not (test_aws_limits.py)."""
    lab = make_lab({"name": "a"})
    volume = lab.describe("a")["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    for _again in range(2):
        lab.ec2.terminate_instances(InstanceIds=[lab.id("a")])
    lab.run_for(60)
    assert lab.state("a") == "terminated"
    assert volume not in [row["VolumeId"] for row in lab.ec2.describe_volumes()["Volumes"]]


def test_changes_are_seen_late_but_carried_out_at_once(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "state": "stopped", "boot_seconds": 300}, account={"lag_seconds": 20})
    answer = lab.ec2.start_instances(InstanceIds=[lab.id("a")])
    assert answer["StartingInstances"][0]["CurrentState"]["Name"] == "pending"
    before = lab.describe("a")
    assert before["State"]["Name"] == "stopped"
    lab.run_for(20.1)
    after = lab.describe("a")
    assert after["State"]["Name"] == "pending"
    assert after["LaunchTime"] > before["LaunchTime"]
