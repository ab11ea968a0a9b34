# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan names the hosts that the last run had and it has not, and Windows instances that no run patches."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._fleet.hosts import FleetHost
from ansible_collections.patchfleet.windows.plugins.module_utils._model.account import Account
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.estate import (
    since_last_run,
    unpatched_windows,
    windows_elsewhere,
    without_targets,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import read

from .fakes import ID, START, client_error, instance, reservations, tags
from .stage import RUN, Stage, a_host

TARGETS = {"tag": "PatchGroup=Windows", "hosts": None, "regions": [], "missing_accounts": [], "count": 1}
LAST = f"the last run ({RUN}, closed at 2026-11-14T22:00:00Z)"


def target(key: str = ID, name: str = "dev-01", **more: Any) -> FleetHost:
    values: dict[str, Any] = {"kind": "ec2", "instance_id": key, "region": "eu-central-1", "by_tag": True, **more}
    return FleetHost(key=key, name=name, **values)


def context(stage: Stage, *inventory: str) -> OperationContext:
    return stage.context(OPERATION, state="planned", inventory=list(inventory))


def closed_run(stage: Stage, *hosts: Any, **settings: Any) -> None:
    stage.open_run(*hosts, **{"targets": TARGETS, **settings})
    stage.ledger.close_run(RUN, START)


def compared(stage: Stage, *hosts: FleetHost, inventory: tuple[str, ...] = (), **variables: Any) -> list[str]:
    return since_last_run(context(stage, *inventory), hosts or (target(),), read(variables))


def test_hosts_of_the_last_run_that_are_gone_are_named_with_what_aws_says_of_them(stage: Stage) -> None:
    closed_run(stage, a_host(ID), *(a_host(f"i-{number}", name=f"dev-0{number}") for number in range(2, 6)))
    shown = [
        instance("running", InstanceId="i-2", Tags=tags(PatchGroup="Windows")),
        instance("terminated", InstanceId="i-3"),
        instance("running", InstanceId="i-5", Tags=tags(PatchGroup="windows")),
    ]
    stage.account.on("describe_instances", reservations(*shown))
    (sentence,) = compared(stage)
    assert sentence.removeprefix(f"In {LAST} and not in this plan: ") == (
        "dev-02 (no longer a target), dev-03 (terminated), dev-04 (terminated), dev-05 (no longer tagged PatchGroup=Windows)."
    )
    assert len(stage.account.of("describe_instances")) == 1


def test_what_aws_does_not_say_is_left_open(stage: Stage) -> None:
    closed_run(stage, a_host("i-2", name="dev-02"))
    stage.account.on("describe_instances", client_error("UnauthorizedOperation", operation="DescribeInstances"))
    assert compared(stage)[0] == f"In {LAST} and not in this plan: dev-02."


def test_hosts_that_the_last_run_had_not_are_new(stage: Stage) -> None:
    closed_run(stage, a_host(ID))
    assert compared(stage, target(), target("i-8", "new-1")) == [f"New since {LAST}: new-1."]


def test_a_limit_makes_no_host_disappear(stage: Stage) -> None:
    closed_run(stage, a_host(ID), a_host("i-2", name="dev-02"))
    assert compared(stage, inventory=("i-2",)) == []
    assert compared(stage, inventory=("dev-02",)) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"targets": {**TARGETS, "tag": "PatchGroup=Linux"}},
        {"targets": {**TARGETS, "hosts": "web"}},
        {"slice": {"of": "41", "failure_budget": 1, "hosts": 1}},
    ],
)
def test_a_run_of_other_hosts_is_not_compared(stage: Stage, settings: dict[str, Any]) -> None:
    closed_run(stage, a_host("i-2", name="dev-02"), **settings)
    assert compared(stage) == []


def test_a_run_that_is_not_closed_is_not_compared(stage: Stage) -> None:
    stage.open_run(a_host("i-2", name="dev-02"), targets=TARGETS)
    assert compared(stage) == []


ROLES = {name: f"arn:aws:iam::{name * 12}:role/patcher" for name in "23"}
ACCOUNTS = [
    {"name": "shop", "role_arn": ROLES["2"], "regions": ["eu-central-1", "eu-north-1"]},
    {"name": "lab", "role_arn": ROLES["3"]},
]


def test_regions_and_accounts_without_a_host_are_named() -> None:
    here = read({"patch_regions": ["eu-central-1", "eu-west-1"]})
    assert without_targets([target()], here) == ["No host of this plan is in eu-west-1."]
    assert without_targets([target(), target("i-2", region="eu-west-1")], here) == []
    assert without_targets([target()], read({})) == []
    assert without_targets([target(by_tag=False)], here) == [], "the inventory names the hosts"
    several = read({"patch_regions": ["eu-central-1"], "patch_accounts": ACCOUNTS})
    shop = Account("222222222222", "shop", ROLES["2"])
    assert without_targets([target(account=shop)], several) == [
        "No host of this plan is in eu-north-1 of account shop (222222222222), the account lab (333333333333)."
    ]


def unpatched(stage: Stage, *instances: dict[str, Any], **more: Any) -> list[str]:
    stage.account.on("describe_instances", reservations(*instances))
    return unpatched_windows(context(stage), [target(**more)], read({}))


def windows(number: int, **its_tags: str) -> dict[str, Any]:
    return instance("running", InstanceId=f"i-{number}", Tags=tags(Name=f"win-{number}", **its_tags))


def test_windows_without_the_tag_is_named_and_what_was_mistyped_comes_first(stage: Stage) -> None:
    found = [
        windows(1),
        windows(2, PatchGroup="windows"),
        windows(3, **{"Patch Group": "Windows "}),
        windows(4, Team="a"),
    ]
    (sentence,) = unpatched(stage, *found, instance("running", InstanceId=ID))
    assert sentence == (
        "No run patches 4 Windows instances in eu-central-1 without the tag PatchGroup=Windows: win-2 (PatchGroup=windows), "
        "win-3 (Patch Group=Windows ), win-1, win-4."
    )
    (call,) = stage.account.of("describe_instances")
    assert call.params["Filters"][0] == {"Name": "platform", "Values": ["windows"]}


def test_windows_that_must_not_be_patched_in_place_is_not_named(stage: Stage) -> None:
    of_group = windows(1, **{"aws:autoscaling:groupName": "web"})
    assert unpatched(stage, of_group, windows(2, PatchGroup="Windows")) == []


def test_a_plan_of_the_inventory_asks_for_no_tag(stage: Stage) -> None:
    assert unpatched(stage, windows(1), by_tag=False) == []
    assert stage.account.of("describe_instances") == []


def test_a_missing_right_is_a_remark(stage: Stage) -> None:
    stage.account.on("describe_instances", client_error("UnauthorizedOperation", operation="DescribeInstances"))
    (sentence,) = unpatched_windows(context(stage), [target()], read({}))
    assert sentence.startswith("Windows instances without the tag in eu-central-1 are unknown. ")


def elsewhere(stage: Stage, *regions: str, **variables: Any) -> list[str]:
    stage.account.on("describe_regions", {"Regions": [{"RegionName": name} for name in ("eu-central-1", *regions)]})
    return windows_elsewhere(context(stage), [target()], read(variables))


def test_windows_in_other_regions_is_named_with_the_tag_and_without_it(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations(windows(1), windows(2, PatchGroup="Windows")))
    tagged, untagged = elsewhere(stage, "eu-west-1")
    assert tagged == (
        "The region eu-west-1 is not searched, and has 1 Windows instance with the tag PatchGroup=Windows: win-2. See "
        "patch_regions."
    )
    assert untagged == ("No run patches 1 Windows instance in eu-west-1 without the tag PatchGroup=Windows: win-1.")
    assert [call.region for call in stage.account.of("describe_instances")] == ["eu-west-1"]


def test_a_region_that_was_searched_has_its_hosts_left_out_by_a_limit(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations(windows(2, PatchGroup="Windows")))
    assert elsewhere(stage, "eu-west-1", patch_regions=["eu-central-1", "eu-west-1"]) == []


def test_regions_that_give_no_answer_are_named_as_not_asked(stage: Stage) -> None:
    stage.account.on("describe_instances", client_error("UnauthorizedOperation", operation="DescribeInstances"))
    (sentence,) = elsewhere(stage, "eu-west-1", "us-east-1")
    assert sentence.startswith("Not asked for Windows instances: eu-west-1, us-east-1. The credentials lack the right")
    assert len(stage.account.of("describe_instances")) == 2


def test_where_regions_cannot_be_listed_the_plan_says_so(stage: Stage) -> None:
    stage.account.on("describe_regions", client_error("UnauthorizedOperation", operation="DescribeRegions"))
    (sentence,) = windows_elsewhere(context(stage), [target()], read({}))
    assert sentence.startswith("Other regions than eu-central-1 were not asked for Windows instances. ")


@pytest.mark.parametrize("variables", [{"patch_other_regions": False}, {"patch_filters": {"vpc-id": "vpc-1"}}])
def test_no_other_region_is_asked_where_that_is_not_wanted(stage: Stage, variables: dict[str, Any]) -> None:
    assert elsewhere(stage, "eu-west-1", **variables) == []
    assert stage.account.calls == []
