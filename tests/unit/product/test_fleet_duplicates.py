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
from ansible_collections.patchfleet.windows.plugins.module_utils._fleet.hosts import FleetHost, Location

from .fakes import ID, node, shown
from .stage import Stage


def instance(key: str = "i-1", name: str = "web", address: str | None = "10.0.0.5", **more: Any) -> FleetHost:
    return FleetHost(
        key=key,
        name=name,
        kind="ec2",
        instance_id=key,
        inventory_name=name,
        private_address=address,
        by_tag=True,
        tags={"Name": name},
        **more,
    )


def by_connection(name: str, address: str | None = None, **more: Any) -> FleetHost:
    return FleetHost(key=name, name=name, kind="winrm", inventory_name=name, private_address=address, **more)


FULL = instance(public_address="203.0.113.7", other_addresses=("ip-10-0-0-5.eu-central-1.compute.internal",))
NODE = FleetHost(
    key="mi-1",
    name="WEB-1.corp.example.com",
    kind="hybrid",
    instance_id="mi-1",
    private_address="10.0.0.5",
    other_addresses=("WEB-1.corp.example.com",),
    by_tag=True,
)


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


@pytest.mark.parametrize(
    ("known", "host"),
    [
        (FULL, by_connection("hall", "203.0.113.7")),
        (FULL, by_connection("ip-10-0-0-5.eu-central-1.compute.internal")),
        (FULL, by_connection("hall", "IP-10-0-0-5.eu-central-1.compute.internal")),
        (FULL, by_connection("hall", "hall.example.com", other_addresses=("10.0.0.5",))),
        (instance(name="web-1"), by_connection("web-1.corp.example.com")),
        (instance(name="web-1"), by_connection("sql", "web-1.corp.example.com")),
        (NODE, by_connection("web-1")),
        (NODE, by_connection("hall", "10.0.0.5")),
    ],
    ids=[
        "public address",
        "private dns name",
        "its case",
        "looked up",
        "domain",
        "domain of address",
        "node",
        "node address",
    ],
)
def test_each_address_and_name_of_a_machine_is_known(known: FleetHost, host: FleetHost) -> None:
    (one,) = merge_duplicates([known, host])
    assert (one.key, one.name, one.by_tag) == (known.key, host.name, True)


@pytest.mark.parametrize(
    "host",
    [
        by_connection("web-1.other.example.com"),
        by_connection("web"),
        by_connection("web-1.1"),
        by_connection("hall", "10.0.0.9", other_addresses=("10.0.0.9",)),
    ],
    ids=["another domain", "another name", "no dns name", "another address"],
)
def test_a_name_that_is_only_alike_is_another_host(host: FleetHost) -> None:
    known = instance(name="web-1.corp.example.com")
    assert merge_duplicates([known, host]) == [known, host]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (by_connection("w-1", "10.0.0.5"), by_connection("w-1-alias", "10.0.0.5")),
        (by_connection("w-1", "10.0.0.5", port=5986), by_connection("w-1-alias", "10.0.0.5", port=22)),
        (by_connection("w-1", "10.0.0.5", port=55986), by_connection("w-1-alias", "10.0.0.5", port=55986)),
        (by_connection("w-1", "Hall.example.com"), by_connection("w-2", "hall.example.com")),
        (by_connection("w-1"), by_connection("w-1.corp.example.com")),
        (by_connection("w-1", "w-1.corp.example.com"), by_connection("old-name", "w-1")),
        (by_connection("a", other_addresses=("10.0.0.5",)), by_connection("b", "10.0.0.5")),
    ],
    ids=["address", "ports of WinRM and ssh", "forwarded port", "case", "domain", "dns names", "looked up"],
)
def test_two_names_for_one_machine_without_an_id_end_the_run(one: FleetHost, other: FleetHost) -> None:
    """amazon.aws#950: each would be patched, and one's reboot would come in the middle of the other's installation."""
    for hosts in ([one, other], [other, one]):
        with pytest.raises(PatchFleetError, match="leads to the same machine as") as caught:
            merge_duplicates(hosts)
        assert caught.value.code == "ambiguous_host"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (by_connection("w-1", "127.0.0.1", port=50001), by_connection("w-2", "127.0.0.1", port=50002)),
        (by_connection("w-1", "127.0.0.1", port=50001), by_connection("w-2", "127.0.0.1", port=5986)),
        (by_connection("w-1", "10.0.0.5"), by_connection("w-1.corp.example.com", "10.0.0.6")),
        (by_connection("w-1.corp.example.com"), by_connection("w-1.lab.example.com")),
        (by_connection("w.1"), by_connection("w.2")),
    ],
    ids=["forwarded ports", "a forwarded port and a standard one", "other addresses", "other domains", "no dns names"],
)
def test_machines_of_their_own_stay_so(one: FleetHost, other: FleetHost) -> None:
    assert merge_duplicates([one, other]) == [one, other]


def test_others_stay_as_they_are() -> None:
    hosts = [instance(), by_connection("hall", "10.0.0.9"), by_connection("other")]
    assert merge_duplicates(hosts) == hosts


@pytest.mark.parametrize(
    ("hosts", "words"),
    [
        ([instance(), instance("i-2"), by_connection("web")], "It could be i-1 or i-2."),
        ([instance(), by_connection("web", "10.0.0.9")], "whose address is 10.0.0.5 and not 10.0.0.9"),
        ([instance(), by_connection("a", "10.0.0.5"), by_connection("b", "10.0.0.5")], "It and a are both i-1."),
    ],
)
def test_what_is_not_clear_ends_it(hosts: list[FleetHost], words: str) -> None:
    with pytest.raises(PatchFleetError, match=words) as caught:
        merge_duplicates(hosts)
    assert caught.value.code == "ambiguous_host"


def test_a_host_whose_variables_cannot_be_read_is_set_aside_and_the_others_go_on(stage: Stage) -> None:
    entries = [{"name": "a", "connection": "winrm"}, {"name": "b", "unreadable": "Its variable ansible_host is odd."}]
    a, b = from_inventory(stage.aws, [Location(None, "eu-central-1")], entries)
    assert (a.exclusion, b.exclusion) == (None, ("connection_settings", "Its variable ansible_host is odd."))


def connection(stage: Stage, **entry: Any) -> str:
    (host,) = from_inventory(
        stage.aws, [Location(None, "eu-central-1")], [{"name": "a", "connection": "winrm", **entry}]
    )
    return host.transport


@pytest.mark.parametrize(
    ("entry", "transport"),
    [({}, "connection"), ({"transport": "auto"}, "connection"), ({"transport": "connection"}, "connection")],
)
def test_a_host_without_an_id_has_its_connection_alone(stage: Stage, entry: dict[str, Any], transport: str) -> None:
    assert connection(stage, **entry) == transport


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"transport": "ssm"}, "has no instance_id"),
        ({"transport": "smoke"}, "one of auto, ssm, connection"),
        ({"transport": "connection", "connection": "local"}, "needs a connection to Windows"),
    ],
)
def test_a_connection_that_does_not_exist_is_refused(stage: Stage, entry: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidOption, match=words):
        connection(stage, **entry)


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
    assert connection(stage, instance_id=ID, **entry) == transport
