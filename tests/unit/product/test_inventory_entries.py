# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts as inventories describe them: other people's variables have our names, and some cannot be rendered."""

from __future__ import annotations

import socket
import threading
from typing import Any

import ansible.context
import pytest

from ansible_collections.patchfleet.windows.plugins.plugin_utils._inventory_entries import (
    inventory_entry,
    known_ids,
    resolve,
    with_addresses,
)

from .fakes import ID, Undefined


def entry(**variables: Any) -> dict[str, Any]:
    return inventory_entry("web", variables)


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"placement": {"region": "us-east-1"}, "region": "eu-west-1"}, "us-east-1"),
        ({"patch__region": "eu-west-2", "region": "eu-west-1"}, "eu-west-2"),
        ({"region": "us-gov-west-1"}, "us-gov-west-1"),
        ({"placement": "rack 12"}, None),
        ({"placement": "rack 12", "region": "eu-west-1"}, "eu-west-1"),
        ({"placement": ["rack", 12]}, None),
        ({"region": "emea"}, None),
        ({"region": ["eu-west-1", "us-east-1"]}, None),
        ({"region": 7}, None),
    ],
    ids=str,
)
def test_a_region_is_one_of_awss_and_everything_else_is_another_users_variable(
    variables: dict[str, Any], region: str | None
) -> None:
    assert entry(**variables)["region"] == region


@pytest.mark.parametrize(
    ("given", "instance_id"),
    [(ID, ID), ("mi-0123456789abcdef0", "mi-0123456789abcdef0"), (4711, ""), ("vm-12", ""), (None, ""), ({}, "")],
    ids=str,
)
def test_an_id_is_one_of_ec2s_or_of_systems_managers(given: Any, instance_id: str) -> None:
    assert entry(instance_id=given)["instance_id"] == instance_id


@pytest.mark.parametrize(
    ("variables", "port"),
    [
        ({}, None),
        ({"ansible_port": "5986"}, 5986),
        ({"ansible_winrm_port": 55986}, 55986),
        ({"ansible_port": "ssh"}, None),
    ],
    ids=str,
)
def test_a_port_may_be_text(variables: dict[str, Any], port: int | None) -> None:
    assert entry(**variables)["port"] == port


@pytest.mark.parametrize(
    ("configured", "given", "connection"),
    [
        ("winrm", None, "winrm"),
        ("ansible.builtin.psrp", None, "ansible.builtin.psrp"),
        ("winrm", "psrp", "psrp"),
        ("ssh", None, None),
        ("ssh", "ssh", "ssh"),
        (None, None, None),
    ],
)
def test_a_connection_may_come_from_the_users_configuration(
    monkeypatch: pytest.MonkeyPatch, configured: str | None, given: str | None, connection: str | None
) -> None:
    """ANSIBLE_TRANSPORT, transport in ansible.cfg, or -c; its default, ssh, says nothing of a host."""
    monkeypatch.setattr(ansible.context, "CLIARGS", {"connection": configured})
    assert entry(ansible_connection=given)["connection"] == connection


@pytest.mark.parametrize("name", ["instance_id", "ansible_host", "ansible_connection", "placement", "patch_transport"])
def test_a_variable_that_cannot_be_rendered_is_named(name: str) -> None:
    assert inventory_entry("web", Undefined(name)) == {
        "name": "web",
        "unreadable": f"Its variable {name} cannot be rendered: 'nowhere' is undefined",
    }


def test_other_hosts_of_the_inventory_need_not_be_readable() -> None:
    hostvars = {"web": {"instance_id": ID}, "odd": Undefined("instance_id"), "vm": {"instance_id": 4711}, "plain": {}}
    assert known_ids(hostvars, list(hostvars)) == {ID: "web"}


# Addresses of names


def test_names_lead_to_addresses_and_some_lead_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"hall.example.com": "10.0.0.5", "10.0.0.6": "10.0.0.6"}

    def getaddrinfo(name: str, *_args: Any, **_kwargs: Any) -> list[Any]:
        if name not in answers:
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers[name], 0))] * 2

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert resolve(["hall.example.com", "10.0.0.6", "nowhere"]) == {
        "hall.example.com": ["10.0.0.5"],
        "10.0.0.6": ["10.0.0.6"],
    }


def test_a_name_server_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()

    def wait(*_args: Any, **_kwargs: Any) -> list[Any]:
        never.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", wait)
    assert resolve(["slow.example.com"], seconds=0) == {}
    never.set()


def test_only_hosts_that_have_a_connection_alone_are_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda name, *_args, **_kwargs: asked.append(name) or [])
    by_connection = {"name": "hall", "address": "hall.example.com", "connection": "winrm"}
    with_addresses([{"name": "web", "instance_id": ID, "connection": "winrm"}, {"name": "x"}, by_connection])
    assert asked == ["hall.example.com"]
    with_addresses([by_connection])
    assert asked == ["hall.example.com"], "one host alone has no other name"
