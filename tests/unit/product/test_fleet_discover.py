# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.errors import from_client_error
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import (
    Failed,
    InvalidOption,
    PatchFleetError,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._fleet.accounts import Search
from ansible_collections.patchfleet.windows.plugins.module_utils._fleet.hosts import FleetHost, Location
from ansible_collections.patchfleet.windows.plugins.module_utils._model.account import Account
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.fleet_info import OPERATION
from botocore_fields import NEEDS_HIDDEN_INSTANCES

from .fakes import ID, NODE_ID, VOLUME_ID, client_error, instance, listed, node, reservations, tags
from .stage import Stage

OTHER = "i-0fedcba9876543210"
DENIED = {"Error": {"Code": "UnauthorizedOperation", "Message": "You are not authorized."}}
UNPROTECTED = {"DisableApiStop": {"Value": False}}
HYBRID = node(InstanceId=NODE_ID, ResourceType="ManagedInstance", Name="onprem-1")


@pytest.fixture(autouse=True)
def no_nodes_and_no_protection(stage: Stage) -> None:
    stage.account.on("describe_instance_information", listed())
    stage.account.on("describe_instance_attribute", UNPROTECTED)


def find(stage: Stage, **params: Any) -> list[dict[str, Any]]:
    hosts: list[dict[str, Any]] = OPERATION.work(stage.context(OPERATION, **params))["hosts"]
    return hosts


def find_by_tag(stage: Stage, **params: Any) -> list[dict[str, Any]]:
    return find(stage, tag_key="PatchGroup", tag_value="Windows", **params)


def entry(name: str = "web", instance_id: str = ID, **more: Any) -> dict[str, Any]:
    return {"name": name, "instance_id": instance_id, "region": None, "connection": None, **more}


# By tag


def test_the_tag_is_searched_for_exactly_and_without_what_is_terminated(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations(instance()))
    (host,) = find_by_tag(stage)
    assert (host["key"], host["name"], host["kind"], host["by_tag"]) == (ID, "dev-01", "ec2", True)
    (call,) = stage.account.of("describe_instances")
    assert call.params["Filters"] == [
        {"Name": "tag:PatchGroup", "Values": ["Windows"]},
        {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
    ]


@NEEDS_HIDDEN_INSTANCES
def test_managed_instances_that_the_account_hides_are_asked_for(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations(instance(Operator={"Managed": True, "Principal": "ecs"})))
    (host,) = find_by_tag(stage)
    assert stage.account.of("describe_instances")[0].params["IncludeManagedResources"] is True
    assert host["exclusion_code"] == "managed_by_service"


def test_every_region_is_checked(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations(instance()), reservations(instance(InstanceId=OTHER)))
    hosts = find_by_tag(
        stage, regions=["eu-central-1", "us-east-1"]
    )  # at the same time, so that either may be asked first
    assert {host["key"] for host in hosts} == {ID, OTHER}
    assert {host["region"] for host in hosts} == {"eu-central-1", "us-east-1"}
    assert {call.region for call in stage.account.of("describe_instances")} == {"eu-central-1", "us-east-1"}


LOCATIONS = [Location(Account(f"{number:012d}"), "eu-central-1") for number in range(1, 5)]


def test_accounts_and_regions_are_searched_side_by_side_and_found_in_their_order() -> None:
    together, search = threading.Barrier(len(LOCATIONS), timeout=30.0), Search(missing_ok=True)
    ended = threading.Event()

    def find(location: Location) -> list[FleetHost]:
        together.wait()  # breaks where they are searched one after the other
        number = int(str(location.account and location.account.id))
        if number == 1:
            ended.wait(30.0)  # the first one is the last to answer
        if number in {2, 3}:
            raise from_client_error("ec2", "DescribeInstances", DENIED, None)
        ended.set()
        return [FleetHost(f"i-{number}", f"host-{number}", "ec2")]

    assert [host.key for host in search.each(LOCATIONS, find)] == ["i-1", "i-4"]
    assert [one.id for one in search.missing] == ["000000000002", "000000000003"]


def test_of_several_regions_that_cannot_be_searched_the_first_ends_the_plan() -> None:
    def find(location: Location) -> list[FleetHost]:
        raise from_client_error("ec2", "DescribeInstances", DENIED, str(location.account and location.account.id))

    with pytest.raises(Failed, match="of account 000000000001 cannot be searched"):
        Search().each(LOCATIONS, find)


def test_more_filters_are_added_and_leave_out_hybrid_nodes_which_have_none(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations())
    assert find_by_tag(stage, filters={"tag:Stage": ["dev", "test"]}) == []
    filters = stage.account.of("describe_instances")[0].params["Filters"]
    assert filters[-1] == {"Name": "tag:Stage", "Values": ["dev", "test"]}
    assert stage.account.of("describe_instance_information") == []


def test_a_tag_value_that_selects_more_than_it_says_is_refused(stage: Stage) -> None:
    """The Diskerase case in Google's SRE book: an empty selector read as "all"."""
    for value in ("", None, "*", "Win*", "Window?"):
        with pytest.raises(InvalidOption) as caught:
            find(stage, tag_key="PatchGroup", tag_value=value)
        assert caught.value.option == "patch_tag_value"
    assert stage.account.calls == []


def test_a_hybrid_node_with_the_tag_is_found_through_ssm(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations())
    stage.account.on("describe_instance_information", listed(HYBRID, node()))
    stage.account.on("list_tags_for_resource", tags_of_hybrid(PatchGroup="Windows", Team="sql"))
    (host,) = find_by_tag(stage)
    assert host["tags"] == {"PatchGroup": "Windows", "Team": "sql"}
    assert (host["key"], host["name"], host["kind"], host["by_tag"]) == (NODE_ID, "onprem-1", "hybrid", True)
    assert host["exclusion_code"] is None


def tags_of_hybrid(**tags: str) -> dict[str, Any]:
    """An answer of ListTagsForResource; DescribeInstanceInformation shows no tags."""
    return {"TagList": [{"Key": key, "Value": value} for key, value in tags.items()]}


def test_a_hybrid_node_that_is_gone_meanwhile_has_no_tags(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations())
    stage.account.on("describe_instance_information", listed(HYBRID))
    stage.account.on("list_tags_for_resource", client_error("InvalidResourceId"))
    assert find_by_tag(stage)[0]["tags"] == {}


def test_a_hybrid_node_that_is_no_windows_is_out(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations())
    stage.account.on("describe_instance_information", listed({**HYBRID, "PlatformType": "Linux"}))
    stage.account.on("list_tags_for_resource", tags_of_hybrid())
    assert find_by_tag(stage)[0]["exclusion_code"] == "not_windows"


def test_stop_protection_is_asked_only_of_stopped_hosts(stage: Stage) -> None:
    off = instance("stopped", InstanceId=OTHER, Tags=tags(Name="dev-02"))
    stage.account.on("describe_instances", reservations(instance(), off))
    stage.account.on("describe_instance_attribute", {"DisableApiStop": {"Value": True}})
    running, stopped = find_by_tag(stage)
    assert (running["exclusion_code"], stopped["exclusion_code"]) == (None, "stop_protected")
    (call,) = stage.account.of("describe_instance_attribute")
    assert call.params == {"InstanceId": OTHER, "Attribute": "disableApiStop"}


def test_stop_protection_is_not_asked_where_the_hosts_are_read_again(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations(instance("stopped")))
    assert find_by_tag(stage, stop_protection=False)[0]["exclusion_code"] is None
    assert stage.account.of("describe_instance_attribute") == []


def test_an_instance_that_goes_away_meanwhile_ends_nothing(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations(instance("stopped")))
    stage.account.on("describe_instance_attribute", client_error("InvalidInstanceID.NotFound"))
    assert find_by_tag(stage)[0]["exclusion_code"] is None


@pytest.mark.parametrize(
    ("method", "state"), [("describe_instance_attribute", "stopped"), ("describe_instance_information", "running")]
)
def test_a_right_to_read_that_is_missing_is_reported(stage: Stage, method: str, state: str) -> None:
    stage.account.on("describe_instances", reservations(instance(state)))
    stage.account.on(method, client_error("UnauthorizedOperation"))
    with pytest.raises(PatchFleetError, match="lack the right") as caught:
        find_by_tag(stage)
    assert caught.value.code == "access_denied"


def test_what_ssm_says_of_running_hosts_is_merged_in(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations(instance()))
    stage.account.on("describe_instance_information", listed(node(pinged=-60)))
    (host,) = find_by_tag(stage)
    assert host["node"] == {
        "ping_status": "Online",
        "last_ping_at": "2026-11-14T21:59:00Z",
        "agent_version": "3.3.2299.0",
        "platform_name": "Microsoft Windows Server 2022 Datacenter",
    }


def test_ids_that_are_not_registered_yet_are_hosts_without_a_node(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations(instance()))
    stage.account.on("describe_instance_information", client_error("InvalidInstanceId"))
    assert find_by_tag(stage)[0]["node"] == {}


def test_more_than_fifty_ids_are_asked_in_several_calls(stage: Stage) -> None:
    """botocore#993."""
    many = [instance(InstanceId=f"i-{number:017x}", Tags=tags(Name=f"h{number:03}")) for number in range(120)]
    stage.account.on("describe_instances", reservations(*many))
    assert len(find_by_tag(stage)) == 120
    calls = stage.account.of("describe_instance_information")
    asked = [call.params["Filters"][0]["Values"] for call in calls if call.params["Filters"][0]["Key"] == "InstanceIds"]
    assert [len(ids) for ids in asked] == [50, 50, 20]


# From the inventory


def test_a_host_of_the_inventory_keeps_its_name(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations(instance()))
    (host,) = find(stage, inventory_hosts=[entry("web")])
    assert (host["key"], host["name"], host["inventory_name"], host["by_tag"]) == (ID, "web", "web", False)


@pytest.mark.parametrize("inventory_name", [ID, "10.0.0.7", "ip-10-0-0-7.eu-central-1.compute.internal"])
def test_a_host_that_the_inventory_calls_by_its_id_or_address_is_shown_by_its_name(
    stage: Stage, inventory_name: str
) -> None:
    found = instance(PrivateIpAddress="10.0.0.7", PrivateDnsName="ip-10-0-0-7.eu-central-1.compute.internal")
    stage.account.on("describe_instances", reservations(found))
    (host,) = find(stage, inventory_hosts=[entry(inventory_name)])
    assert (host["name"], host["inventory_name"]) == ("dev-01", inventory_name)


def test_an_id_that_is_terminated_or_unknown_is_gone_and_fails_nothing_else(stage: Stage) -> None:
    """A known id that is missing: DescribeInstances is asked by filter, since an unknown id would fail the whole call."""
    stage.account.on("describe_instances", reservations(instance()))
    there, gone = find(stage, inventory_hosts=[entry("b", OTHER), entry("a")])
    assert (there["state"], gone["state"], gone["key"], gone["kind"]) == ("running", "gone", OTHER, "ec2")
    filters = stage.account.of("describe_instances")[0].params["Filters"]
    assert {"Name": "instance-id", "Values": [OTHER, ID]} in filters


def test_a_hybrid_host_of_the_inventory_is_searched_in_ssm_alone(stage: Stage) -> None:
    stage.account.on("describe_instance_information", listed(HYBRID))
    stage.account.on("list_tags_for_resource", tags_of_hybrid(Team="sql"))
    (host,) = find(stage, inventory_hosts=[entry("store-7", NODE_ID)], exclude=["Team=sql"])
    assert host["exclusion_code"] == "excluded_by_user", "its tags count as those of an instance do"
    assert (host["kind"], host["name"], host["state"]) == ("hybrid", "store-7", "running")
    assert stage.account.of("describe_instances") == []


def test_a_hybrid_node_that_ssm_does_not_know_is_gone(stage: Stage) -> None:
    stage.account.on("describe_instance_information", client_error("InvalidInstanceId"))
    (host,) = find(stage, inventory_hosts=[entry("store-7", NODE_ID)])
    assert (host["kind"], host["state"]) == ("hybrid", "gone")


def test_hosts_without_aws_need_no_aws_at_all(stage: Stage) -> None:
    stage.account.region = None
    winrm = entry("dc-1", "", connection="ansible.builtin.winrm")
    nowhere = entry("mystery", "", connection=None)
    dc, mystery = find(stage, inventory_hosts=[winrm, nowhere])
    assert (dc["kind"], dc["key"], dc["exclusion_code"]) == ("winrm", "dc-1", None)
    assert mystery["exclusion_code"] == "no_way_in"
    assert stage.account.calls == []


@pytest.mark.parametrize(
    ("shell_type", "code"),
    [("powershell", None), ("cmd", None), ("sh", "no_way_in"), ("", "no_way_in"), (None, "no_way_in")],
)
def test_ssh_leads_to_windows_only_where_the_inventory_names_its_shell(
    stage: Stage, shell_type: str | None, code: str | None
) -> None:
    (host,) = find(stage, inventory_hosts=[entry("hall", "", connection="ssh", shell_type=shell_type)])
    assert host["exclusion_code"] == code
    assert code is None or "ansible_shell_type" in host["exclusion_reason"]


def test_a_host_is_searched_for_in_its_own_region_or_else_in_each(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations())
    find(stage, inventory_hosts=[entry("a", region="us-east-1"), entry("b", OTHER)], regions=["eu-west-1", "eu-west-2"])
    asked = {call.region: call.params["Filters"][-1]["Values"] for call in stage.account.of("describe_instances")}
    assert asked == {"us-east-1": [ID], "eu-west-1": [OTHER], "eu-west-2": [OTHER]}


def test_the_tag_and_the_inventory_naming_one_host_make_one(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations(instance()))
    (host,) = find_by_tag(stage, inventory_hosts=[entry("web")])
    assert (host["name"], host["inventory_name"], host["by_tag"]) == ("web", "web", True)


def test_two_names_for_one_host_are_refused(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations(instance()))
    with pytest.raises(PatchFleetError, match=f"names {ID} twice: blue and green") as caught:
        find(stage, inventory_hosts=[entry("blue"), entry("green")])
    assert caught.value.code == "ambiguous_host"


def test_hosts_are_listed_by_name_with_those_that_the_user_leaves_out(stage: Stage) -> None:
    other = instance(InstanceId=OTHER, Tags=tags(Name="app-01", Stage="prod"))
    stage.account.on("describe_instances", reservations(instance(), other))
    first, second = find_by_tag(stage, exclude=["Stage=prod"])
    assert (first["name"], first["exclusion_code"]) == ("app-01", "excluded_by_user")
    assert (second["name"], second["exclusion_code"]) == ("dev-01", None)


def test_the_region_of_the_credentials_is_taken_where_none_is_given(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations())
    find_by_tag(stage)
    assert stage.account.calls[0].region == "eu-central-1"


def test_an_instance_without_a_name_is_called_by_its_id(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations(instance(Tags=[], IamInstanceProfile={})))
    (host,) = find_by_tag(stage)
    assert (host["name"], host["profile_arn"]) == (ID, None)


def test_what_plan_asks_of_an_instance(stage: Stage) -> None:
    shown = instance(VpcId="vpc-1", SubnetId="subnet-1", PublicIpAddress="192.0.2.1")
    bare = instance(InstanceId=OTHER, RootDeviceType="instance-store", BlockDeviceMappings=[])
    stage.account.on("describe_instances", reservations(shown, bare))
    facts = ("profile_arn", "vpc_id", "subnet_id", "public_address", "root_volume_id")
    found = {host["key"]: tuple(host[fact] for fact in facts) for host in find_by_tag(stage)}
    profile = "arn:aws:iam::123456789012:instance-profile/ssm"
    assert found == {
        ID: (profile, "vpc-1", "subnet-1", "192.0.2.1", VOLUME_ID),
        OTHER: (profile, None, None, None, None),
    }
