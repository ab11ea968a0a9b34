# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others do in a scenario, and what the trace and the truth say of it."""

from __future__ import annotations

from typing import Any

import pytest

from conftest import MakeLab
from virtual_lab import UPDATE, VirtualLab


def _by_another_user(lab: VirtualLab) -> list[str]:
    return [entry["operation"] for entry in lab.trace() if entry["caller"] == "other"]


@pytest.mark.parametrize("word", ["starting", "booted", "online", "installing", "installed", "rebooting", "stopping"])
def test_each_state_that_an_event_can_wait_for(make_lab: MakeLab, word: str) -> None:
    events = [{"when": f"a {word}", "host": "a", "do": "log_on"}]
    lab = make_lab({"name": "a", "state": "stopped", "updates": [UPDATE]}, {"name": "b"}, events=events)
    states: list[str] = []
    lab.play.world.listen(lambda host, state: states.append(state) if host.name == "a" else None)
    lab.start("a")
    lab.run_for(200)
    lab.patch("a")
    lab.stop("a")
    lab.run_for(100)
    assert states == [
        "starting",
        "booted",
        "online",
        "searching",
        "searched",
        "installing",
        "installed",
        "rebooting",
        "booted",
        "online",
        "stopping",
    ]


def test_an_event_happens_once_and_in_the_order_of_the_list(make_lab: MakeLab) -> None:
    events = [
        {"at_seconds": 10, "do": "term_controller"},
        {"at_seconds": 10, "do": "kill_controller"},
        {"when": "a booted", "do": "kill_controller"},
    ]
    lab = make_lab({"name": "a", "state": "stopped"}, events=events)
    lab.run_for(20)
    assert lab.acts == ["term", "kill"]
    for _time in range(2):
        lab.start("a")
        lab.run_for(200)
        lab.stop("a")
        lab.run_for(100)
    assert lab.acts == ["term", "kill", "kill"]


def test_a_suspended_controller_is_resumed(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"}, events=[{"at_seconds": 10, "do": "suspend_controller", "seconds": 500}])
    lab.run_for(509)
    assert lab.acts == ["suspend"]
    lab.run_for(2)
    assert lab.acts == ["suspend", "resume"]


def test_another_user_stops_and_starts(make_lab: MakeLab) -> None:
    events = [{"at_seconds": 200, "host": "a", "do": "restart"}]
    lab = make_lab({"name": "a", "state": "stopped", "stop_seconds": 60}, events=events)
    lab.start("a")
    lab.run_for(199)
    before = lab.describe("a")["LaunchTime"]
    lab.run_for(200)
    assert lab.state("a") == "running"
    assert lab.describe("a")["LaunchTime"] > before
    assert {"StopInstances", "StartInstances"} == set(_by_another_user(lab))
    assert (lab.truth("a")["starts"], lab.truth("a")["stops"]) == (2, 1)
    assert lab.play.truth()["calls"]["ec2.StartInstances"] == 1


def test_another_user_waits_until_a_pending_one_can_be_stopped(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "state": "stopped"}, events=[{"when": "a starting", "do": "stop"}])
    lab.start("a")
    lab.run_for(200)
    assert lab.state("a") == "stopped"


def test_tags_change_meanwhile(make_lab: MakeLab) -> None:
    events: list[dict[str, Any]] = [
        {"at_seconds": 1, "host": "a", "do": {"retag": {"Stage": "prod", "PatchGroup": "Other"}}},
        {"at_seconds": 1, "host": "b", "do": "untag"},
        {"at_seconds": 1, "host": "c", "do": "join_asg"},
        {"at_seconds": 1, "host": "branch", "do": {"retag": {"Stage": "prod"}}},
    ]
    hosts = [{"name": name} for name in ("a", "b", "c")]
    lab = make_lab(*hosts, {"name": "branch", "kind": "hybrid"}, events=events)
    lab.run_for(2)
    tags = {name: {tag["Key"]: tag["Value"] for tag in lab.describe(name)["Tags"]} for name in ("a", "b", "c")}
    assert tags["a"] == {"Name": "a", "PatchGroup": "Other", "Stage": "prod"}
    assert tags["b"] == {"Name": "b"}
    assert "aws:autoscaling:groupName" in tags["c"]
    assert _by_another_user(lab) == ["CreateTags", "DeleteTags", "AttachInstances", "AddTagsToResource"]


def test_people_log_on(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "sessions": 1}, events=[{"at_seconds": 1, "host": "a", "do": "log_on"}])
    lab.run_for(2)
    assert lab.script("a", "inspect_windows_update")["data"]["sessions"] == 2


def test_the_power_of_hosts_without_ec2(make_lab: MakeLab) -> None:
    events = [
        {"at_seconds": 1, "host": "branch", "do": "restart"},
        {"at_seconds": 1, "host": "hall", "do": "stop"},
        {"at_seconds": 400, "host": "hall", "do": "start"},
    ]
    hosts = [{"name": "branch", "kind": "hybrid"}, {"name": "hall", "kind": "winrm"}]
    lab = make_lab(*hosts, events=events)
    lab.run_for(2)
    assert (lab.truth("branch")["state"], lab.truth("hall")["state"]) == ("stopped", "stopped")
    assert not lab.play.world.hosts["hall"].reachable
    lab.run_for(300)
    assert lab.truth("branch")["state"] == "running"
    assert lab.ssm.get_connection_status(Target=lab.id("branch"))["Status"] == "connected"
    assert lab.truth("hall")["state"] == "stopped"
    lab.run_for(300)
    assert lab.play.world.hosts["hall"].reachable


# ---- trace and truth


def test_the_trace_has_every_call_with_its_error(make_lab: MakeLab) -> None:
    fault = {"operation": "StartInstances", "error": "InsufficientInstanceCapacity"}
    lab = make_lab({"name": "a", "state": "stopped", "api_faults": [fault]})
    for _time in range(2):
        try:
            lab.start("a")
        except lab.ec2.exceptions.ClientError:
            lab.run_for(5)
    entries = lab.trace()
    assert [(entry["t"], entry["error"]) for entry in entries] == [(0, "InsufficientInstanceCapacity"), (5, None)]
    assert {key: entries[1][key] for key in ("service", "operation", "params", "caller", "hosts")} == {
        "service": "ec2",
        "operation": "StartInstances",
        "params": {"InstanceIds": [lab.id("a")]},
        "caller": "ASIAVIRTUAL",
        "hosts": ["a"],
    }
    assert lab.play.truth()["calls"] == {"ec2.StartInstances": 2}


def test_starts_without_a_record_are_counted_even_when_they_fail(make_lab: MakeLab) -> None:
    fault = {"operation": "StartInstances", "error": "InsufficientInstanceCapacity"}
    lab = make_lab({"name": "a", "state": "stopped", "api_faults": [fault]}, {"name": "b", "state": "stopped"})
    lab.recorded.add(lab.id("b"))
    with pytest.raises(lab.ec2.exceptions.ClientError):
        lab.start("a")
    lab.start("b")
    with pytest.raises(lab.ec2.exceptions.ClientError):
        lab.ec2.start_instances(InstanceIds=[lab.id("a")], DryRun=True)
    assert (lab.truth("a")["unrecorded_starts"], lab.truth("b")["unrecorded_starts"]) == (1, 0)


def test_a_host_with_a_lost_agent_is_idle_after_its_reboot(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "state": "stopped", "updates": [UPDATE], "agent": "lost_after_reboot"})
    lab.start("a")
    lab.run_for(200)
    lab.start_patch("a")
    lab.run_for(5000)
    truth = lab.truth("a")
    assert truth["idle_seconds"] == pytest.approx(200 + 5000 - 5 - 60 - 300 - 90, abs=3)


def test_on_because_of_us(make_lab: MakeLab) -> None:
    lab = make_lab(
        {"name": "a", "state": "stopped", "boot_seconds": 90, "agent_seconds": 30, "stop_seconds": 60},
        {"name": "b", "state": "stopped"},
        {"name": "on"},
        events=[{"at_seconds": 100, "host": "b", "do": "start"}],
    )
    lab.start("a")
    lab.run_for(1000)
    lab.stop("a")
    lab.run_for(1000)
    assert lab.play.truth()["running_at_once"] == 1
    assert lab.truth("a")["on_seconds"] == 1060
    assert lab.truth("a")["idle_seconds"] == 1060
    for other in ("b", "on"):
        assert (lab.truth(other)["on_seconds"], lab.truth(other)["idle_seconds"]) == (None, None)


def test_a_host_is_not_idle_while_something_of_ours_runs_on_it(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "state": "stopped", "updates": [UPDATE]})
    lab.start("a")
    lab.run_for(200)
    command = lab.start_patch("a")
    lab.run_for(2000)
    reported = lab.invocation(command, "a", "PatchWindows")
    took = float(reported["ExecutionElapsedTime"].strip("PTS"))
    truth = lab.truth("a")
    assert truth["on_seconds"] == 2200
    assert truth["idle_seconds"] == pytest.approx(2200 - took, abs=0.2)


def test_what_another_user_has_restarted_is_not_on_because_of_us(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "state": "stopped"}, events=[{"at_seconds": 500, "host": "a", "do": "restart"}])
    lab.start("a")
    lab.run_for(2000)
    assert lab.truth("a")["on_seconds"] == 560
    assert not lab.play.world.hosts["a"].on_because_of_us


@pytest.mark.parametrize(
    ("state", "later", "seconds"), [("pending", "running", 30), ("stopping", "stopped", 70), ("running", "running", 70)]
)
def test_hosts_go_on_from_the_state_in_which_the_scenario_finds_them(
    make_lab: MakeLab, state: str, later: str, seconds: float
) -> None:
    lab = make_lab({"name": "a", "state": state})
    assert lab.state("a") == state
    lab.run_for(seconds)
    assert lab.state("a") == later
    assert (lab.truth("a")["starts"], lab.truth("a")["stops"]) == (0, 0)


def test_the_history_of_a_host(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "state": "stopped"}, events=[{"at_seconds": 300, "host": "a", "do": "stop"}])
    lab.start("a")
    lab.run_for(400)
    assert [entry.get("event") or entry["state"] for entry in lab.truth("a")["history"]] == [
        "stopped",
        "pending",
        "starting",
        "running",
        "booted",
        "online",
        "stopping",
        "stopping",
        "stopped",
    ]
    assert [entry["t"] for entry in lab.truth("a")["history"]][-3:] == [300, 300, 360]


def test_the_truth_of_a_host_without_ec2(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "hall", "kind": "winrm", "updates": [UPDATE]})
    assert lab.truth("hall") == {
        "account": None,
        "instance_id": None,
        "tags": ["Name=hall", "PatchGroup=Windows"],
        "state": "running",
        "starts": 0,
        "stops": 0,
        "reboots": 0,
        "installed": [],
        "missing": ["KB5031361"],
        "volume_gib": None,
        "free_gib": 30.0,
        "partition_gib": 60.0,
        "on_seconds": None,
        "idle_seconds": None,
        "cut_off": 0,
        "cut_off_by_us": 0,
        "unrecorded_starts": 0,
        "deleted_in_use": 0,
        "stopped_while_pending": 0,
        "at_once_with_peers": 0,
        "snapshots": [],
        "cluster_outages": 0,
        "cluster_paused": False,
        "start_types": {"wuauserv": "manual", "bits": "manual", "cryptsvc": "automatic", "TrustedInstaller": "manual"},
        "base_was_reset": False,
        "old_windows_gib": 0,
        "doubled_installs": 0,
        "reboot_pending": False,
        "failed_updates": [],
        "data_volumes_gib": [],
        "free_gib_at": [(0, 30)],
        "history": [{"t": 0, "state": "running"}],
    }


def test_an_event_that_waits_after_a_state(make_lab: MakeLab) -> None:
    events = [{"when": "a booted", "after_seconds": 500, "do": "log_on"}]
    lab = make_lab({"name": "a", "state": "stopped", "boot_seconds": 60}, events=events)
    lab.start("a")
    lab.run_for(400)
    assert lab.play.world.hosts["a"].guest.sessions == 0
    lab.run_for(300)
    assert lab.play.world.hosts["a"].guest.sessions == 1
