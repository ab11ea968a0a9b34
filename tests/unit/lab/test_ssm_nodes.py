# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Managed nodes: who is listed, when they ping, what a ping proves."""

from __future__ import annotations

from typing import Any

import pytest

from conftest import MakeLab
from virtual_lab import VirtualLab, error_of


def _nodes(lab: VirtualLab, name: str) -> list[dict[str, Any]]:
    filters = [{"Key": "InstanceIds", "Values": [lab.id(name)]}]
    nodes: list[dict[str, Any]] = lab.ssm.describe_instance_information(Filters=filters)["InstanceInformationList"]
    return nodes


def _status(lab: VirtualLab, name: str) -> str | None:
    """None for a node that is not listed."""
    return next((str(node["PingStatus"]) for node in _nodes(lab, name)), None)


def _connection(lab: VirtualLab, name: str) -> str:
    return str(lab.ssm.get_connection_status(Target=lab.id(name))["Status"])


def test_tags_of_hybrid_nodes_are_systems_managers_and_those_of_instances_are_not(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "store", "kind": "hybrid", "tags": {"Team": "sql"}}, {"name": "a"})
    answer = lab.ssm.list_tags_for_resource(ResourceType="ManagedInstance", ResourceId=lab.id("store"))
    assert {"Key": "Team", "Value": "sql"} in answer["TagList"]
    for identifier in (lab.id("a"), "mi-00000000000000000"):
        asked = {"ResourceType": "ManagedInstance", "ResourceId": identifier}
        assert error_of(lab.ssm.list_tags_for_resource, **asked) == "InvalidResourceId"


def test_stopped_nodes_are_not_listed(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "on"}, {"name": "off", "state": "stopped"})
    assert _status(lab, "on") == "Online"
    assert _status(lab, "off") is None
    lab.stop("on")
    lab.run_for(70)
    assert _status(lab, "on") is None


def test_the_first_ping_comes_after_the_boot_then_one_every_five_minutes(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "state": "stopped", "boot_seconds": 90, "agent_seconds": 30})
    lab.start("a")
    lab.run_for(100)
    assert _status(lab, "a") == "ConnectionLost"  # known from before
    assert _connection(lab, "a") == "notconnected"
    lab.run_for(21)
    node = _nodes(lab, "a")[0]
    first = node["LastPingDateTime"]
    assert node["PingStatus"] == "Online"
    assert first > lab.describe("a")["LaunchTime"]
    assert _connection(lab, "a") == "connected"
    lab.run_for(290)
    assert _nodes(lab, "a")[0]["LastPingDateTime"] == first
    lab.run_for(20)
    assert (_nodes(lab, "a")[0]["LastPingDateTime"] - first).total_seconds() == 300


def test_a_stale_node_is_online_from_before_and_stays_so(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "state": "stopped", "agent": "stale"})
    lab.start("a")
    lab.run_for(3600)
    node = _nodes(lab, "a")[0]
    assert node["PingStatus"] == "Online"
    assert node["LastPingDateTime"] < lab.describe("a")["LaunchTime"]
    assert _connection(lab, "a") == "notconnected"


def test_a_hybrid_node_whose_agent_is_gone_stays_in_the_list(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "kind": "hybrid", "agent": "never"})
    (node,) = lab.ssm.describe_instance_information()["InstanceInformationList"]
    assert (node["InstanceId"], node["PingStatus"]) == (lab.id("a"), "ConnectionLost")


@pytest.mark.parametrize("agent", ["never", "no_role"])
def test_a_node_that_never_registers(make_lab: MakeLab, agent: str) -> None:
    lab = make_lab({"name": "a", "agent": agent})
    lab.run_for(3600)
    assert _status(lab, "a") is None
    assert _connection(lab, "a") == "notconnected"
    assert lab.play.world.hosts["a"].guest.up


def test_an_agent_that_dies_is_seen_at_once_only_by_the_connection_status(make_lab: MakeLab) -> None:
    events = [
        {"at_seconds": 10, "host": "a", "do": "agent_dies"},
        {"at_seconds": 2000, "host": "a", "do": "agent_returns"},
    ]
    lab = make_lab({"name": "a"}, events=events)
    lab.run_for(11)
    assert (_status(lab, "a"), _connection(lab, "a")) == ("Online", "notconnected")
    lab.run_for(900)
    assert _status(lab, "a") == "ConnectionLost"
    lab.run_for(1100)
    assert (_status(lab, "a"), _connection(lab, "a")) == ("Online", "connected")


def test_a_reboot_revives_an_agent_that_an_event_ended(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"}, events=[{"at_seconds": 10, "host": "a", "do": "agent_dies"}])
    lab.run_for(11)
    lab.play.world.hosts["a"].guest.reboot()
    lab.run_for(200)
    assert _connection(lab, "a") == "connected"


def test_an_agent_that_a_reboot_loses(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "agent": "lost_after_reboot", "state": "stopped"})
    lab.start("a")
    lab.run_for(200)
    assert _connection(lab, "a") == "connected"
    lab.play.world.hosts["a"].guest.reboot()
    lab.run_for(2000)
    assert lab.play.world.hosts["a"].guest.up
    assert (_status(lab, "a"), _connection(lab, "a")) == ("ConnectionLost", "notconnected")


def test_ten_a_page_unless_asked_and_fifty_at_most(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "n-{01..60}"})
    first = lab.ssm.describe_instance_information()
    assert len(first["InstanceInformationList"]) == 10
    pages = list(lab.ssm.get_paginator("describe_instance_information").paginate(PaginationConfig={"PageSize": 50}))
    assert [len(page["InstanceInformationList"]) for page in pages] == [50, 10]
    assert error_of(lab.ssm.describe_instance_information, MaxResults=51) == "ValidationException"


def test_hybrid_nodes_have_no_instance(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "branch", "kind": "hybrid"}, {"name": "cloud"}, {"name": "hall", "kind": "winrm"})
    filters = [{"Key": "tag:PatchGroup", "Values": ["Windows"]}, {"Key": "ResourceType", "Values": ["ManagedInstance"]}]
    nodes = lab.ssm.describe_instance_information(Filters=filters)["InstanceInformationList"]
    assert [(node["InstanceId"], node["ResourceType"], node["Name"]) for node in nodes] == [
        (lab.id("branch"), "ManagedInstance", "branch")
    ]
    assert lab.id("branch").startswith("mi-")
    reservations = lab.ec2.describe_instances()["Reservations"]
    assert [entry["InstanceId"] for one in reservations for entry in one["Instances"]] == [lab.id("cloud")]
    assert lab.play.world.hosts["hall"].id is None
    assert lab.truth("branch")["volume_gib"] is None


def test_filters_of_nodes(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"}, {"name": "penguin", "platform": "linux"})
    older = [{"key": "PlatformTypes", "valueSet": ["Linux"]}]
    nodes = lab.ssm.describe_instance_information(InstanceInformationFilterList=older)["InstanceInformationList"]
    assert [node["InstanceId"] for node in nodes] == [lab.id("penguin")]
    unknown = [{"Key": "Colour", "Values": ["red"]}]
    assert error_of(lab.ssm.describe_instance_information, Filters=unknown) == "InvalidFilterKey"


def test_a_winrm_endpoint_can_go(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "kind": "winrm"}, {"name": "b", "kind": "winrm", "unreachable_after": 60})
    world = lab.play.world
    assert [world.hosts[name].reachable for name in ("a", "b")] == [True, True]
    lab.run_for(61)
    assert [world.hosts[name].reachable for name in ("a", "b")] == [True, False]
