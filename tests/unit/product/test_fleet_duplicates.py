# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One machine that the inventory and AWS both know is one host, and every host has one way in."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._fleet.discover import from_inventory
from ansible_collections.patchfleet.windows.plugins.module_utils._fleet.duplicates import merge_duplicates
from ansible_collections.patchfleet.windows.plugins.module_utils._fleet.hosts import FleetHost

from .fakes import ID, node, shown
from .stage import Stage


def instance(key: str = "i-1", name: str = "web", address: str | None = "10.0.0.5") -> FleetHost:
    return FleetHost(
        key=key, name=name, kind="ec2", instance_id=key, inventory_name=name, private_address=address, by_tag=True,
        tags={"Name": name},
    )  # fmt: skip


def by_connection(name: str, address: str | None = None) -> FleetHost:
    return FleetHost(key=name, name=name, kind="winrm", inventory_name=name, private_address=address)


@pytest.mark.parametrize(
    "host",
    [
        by_connection("hall", "10.0.0.5"),
        by_connection("WEB"),
        by_connection("web", "web.example.com"),
        by_connection("10.0.0.5"),
    ],
    ids=["address", "name", "name-and-dns", "address-as-name"],
)
def test_it_is_one_host_with_the_inventorys_name_and_the_tags_membership(host: FleetHost) -> None:
    (one,) = merge_duplicates([instance(), host])
    assert (one.key, one.kind, one.name, one.inventory_name, one.by_tag) == ("i-1", "ec2", host.name, host.name, True)


def test_others_stay_as_they_are() -> None:
    hosts = [instance(), by_connection("hall", "10.0.0.9"), by_connection("other")]
    assert merge_duplicates(hosts) == hosts


@pytest.mark.parametrize(
    ("hosts", "words"),
    [
        ([instance(), instance("i-2"), by_connection("web")], "it could be i-1 or i-2"),
        ([instance(), by_connection("web", "10.0.0.9")], "whose address is 10.0.0.5 and not 10.0.0.9"),
        ([instance(), by_connection("a", "10.0.0.5"), by_connection("b", "10.0.0.5")], "it and a are both i-1"),
    ],
)
def test_what_is_not_clear_ends_it(hosts: list[FleetHost], words: str) -> None:
    with pytest.raises(PatchFleetError, match=words) as caught:
        merge_duplicates(hosts)
    assert caught.value.code == "ambiguous_host"


def way_in(stage: Stage, **entry: Any) -> str:
    (host,) = from_inventory(stage.aws, ["eu-central-1"], [{"name": "a", "connection": "winrm", **entry}])
    return host.transport


@pytest.mark.parametrize(
    ("entry", "transport"),
    [({}, "connection"), ({"transport": "auto"}, "connection"), ({"transport": "connection"}, "connection")],
)
def test_a_host_without_an_id_has_its_connection_alone(stage: Stage, entry: dict[str, Any], transport: str) -> None:
    assert way_in(stage, **entry) == transport


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"transport": "ssm"}, "has no instance_id"),
        ({"transport": "smoke"}, "one of auto, ssm, connection"),
        ({"transport": "connection", "connection": "local"}, "needs a connection to Windows"),
    ],
)
def test_a_way_that_does_not_exist_is_refused(stage: Stage, entry: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidOption, match=words):
        way_in(stage, **entry)


@pytest.mark.parametrize(
    ("managed", "state", "entry", "transport"),
    [
        (True, "running", {}, "ssm"),
        (False, "running", {}, "connection"),
        (False, "running", {"connection": "local"}, "ssm"),
        (False, "stopped", {}, "ssm"),
        (True, "running", {"transport": "connection"}, "connection"),
        (False, "running", {"transport": "ssm"}, "ssm"),
    ],
)
def test_an_instance_goes_by_ssm_where_it_is_managed(
    stage: Stage, managed: bool, state: str, entry: dict[str, Any], transport: str
) -> None:
    stage.account.on("describe_instances", shown(state, Platform="windows"))
    stage.account.on("describe_instance_attribute", {})
    rows = [node()] if managed else []
    stage.account.on("describe_instance_information", {"InstanceInformationList": rows})
    assert way_in(stage, instance_id=ID, **entry) == transport
