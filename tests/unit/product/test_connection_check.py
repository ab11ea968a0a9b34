# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps Ansible from using a host's connection is found while the run is planned, with its own plugins and no packet."""

from __future__ import annotations

import importlib.util
import shutil
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._fleet.discover import from_inventory
from ansible_collections.patchfleet.windows.plugins.plugin_utils._connection_check import (
    connection_trouble,
    refused_value,
)

from .fakes import Undefined

KNOWN = {"ansible_user": "patcher", "ansible_password": "secret"}
NTLM = {**KNOWN, "ansible_winrm_transport": "ntlm"}
FINE: list[tuple[str, dict[str, Any]]] = [
    ("winrm", NTLM),
    ("winrm", KNOWN),
    ("winrm", {"ansible_user": "patcher@EXAMPLE.COM"}),
    ("winrm", {"ansible_winrm_transport": "kerberos,ntlm"}),
    ("winrm", {"ansible_winrm_user": "patcher", "ansible_winrm_password": "secret", "ansible_winrm_transport": "ntlm"}),
    ("winrm", {"ansible_winrm_transport": "certificate"}),
    ("winrm", {**NTLM, "ansible_winrm_read_timeout_sec": 500, "ansible_winrm_operation_timeout_sec": 400}),
    ("winrm", {**NTLM, "ansible_become": True}),
    ("winrm", {**NTLM, "ansible_become": "yes", "ansible_become_method": "runas"}),
    ("psrp", {**KNOWN, "ansible_psrp_auth": "ntlm"}),
    ("psrp", {}),
    ("ssh", {"ansible_shell_type": "powershell"}),
]
REFUSED: list[tuple[str | None, dict[str, Any], str]] = [
    (
        "my.own.winrm",
        {},
        "ansible_connection: 'my.own.winrm' is not valid. Ansible finds no connection plugin my.own.winrm.",
    ),
    ("winrm", {"ansible_port": "https"}, "ansible_port: 'https' is not valid. It must be a whole number."),
    (None, {"ansible_port": "https"}, "ansible_port: 'https' is not valid. It must be a whole number."),
    ("winrm", {"ansible_become": "perhaps"}, "ansible_become: 'perhaps' is not valid. It must be true or false."),
    (None, {"ansible_become": "perhaps"}, "ansible_become: 'perhaps' is not valid. It must be true or false."),
    (
        "psrp",
        {"ansible_shell_type": "my.own.posh"},
        "ansible_shell_type: 'my.own.posh' is not valid. It must be powershell or cmd.",
    ),
    (
        None,
        {"ansible_become": True, "ansible_become_method": "no.ones"},
        "ansible_become_method: 'no.ones' is not valid.",
    ),
    ("psrp", {"ansible_psrp_auth": "digest"}, "values are: basic, certificate, negotiate"),
]
"""What ends each task of a host, also where AWS does the work; without a connection, the inventory names none."""
WRONG: list[tuple[str, dict[str, Any], str]] = [
    (
        "winrm",
        {"ansible_ssh_user": "patcher", "ansible_winrm_transport": "ntlm"},
        "no user for ntlm. Set ansible_user.",
    ),
    ("winrm", {"ansible_user": "patcher"}, "no password for basic. Set ansible_password."),
    (
        "winrm",
        {**NTLM, "ansible_winrm_read_timeout_sec": 20},
        "must be larger than ansible_winrm_operation_timeout_sec",
    ),
    (
        "winrm",
        {**NTLM, "ansible_winrm_read_timeout_sec": "long"},
        "ansible_winrm_read_timeout_sec: 'long' is not valid",
    ),
    ("winrm", {**NTLM, "ansible_winrm_port": "https"}, "refuses the settings of its connection winrm"),
    (
        "winrm",
        {**NTLM, "ansible_become": True, "ansible_become_method": "my.own.method"},
        "finds no become plugin my.own",
    ),
    ("psrp", {"ansible_psrp_auth": "basic", "ansible_user": "patcher"}, "no password for basic"),
    ("psrp", {**KNOWN, "ansible_psrp_auth": "digest"}, "refuses the settings of its connection psrp"),
    *((connection, {**NTLM, **variables}, words) for connection, variables, words in REFUSED if connection),
]


@pytest.mark.parametrize(("connection", "variables"), FINE)
def test_settings_that_can_work(connection: str, variables: dict[str, Any]) -> None:
    assert connection_trouble(connection, variables, None) is None


@pytest.mark.parametrize(("connection", "variables", "words"), WRONG)
def test_settings_that_cannot_work_are_named(connection: str, variables: dict[str, Any], words: str) -> None:
    trouble = connection_trouble(connection, variables, None)
    assert trouble is not None
    assert words in trouble
    assert "secret" not in trouble


@pytest.mark.parametrize(("connection", "variables", "words"), REFUSED)
def test_a_value_that_ansible_refuses_before_any_task_is_named(
    connection: str | None, variables: dict[str, Any], words: str
) -> None:
    refused = refused_value(connection, variables, None)
    assert refused is not None
    assert words in refused


@pytest.mark.parametrize(("connection", "variables"), [*FINE, (None, {}), ("psrp", {**KNOWN, "ansible_become": "no"})])
def test_values_that_ansible_takes(connection: str | None, variables: dict[str, Any]) -> None:
    assert refused_value(connection, variables, None) is None


def test_an_undefined_password_is_named() -> None:
    refused = refused_value("winrm", Undefined("ansible_password"), None)
    assert refused == "Its variable ansible_password cannot be rendered: 'nowhere' is undefined"


def test_the_user_of_the_command_line_counts() -> None:
    assert connection_trouble("winrm", {"ansible_password": "secret"}, "patcher") is None


@pytest.mark.parametrize(("connection", "package"), [("winrm", "pywinrm"), ("psrp", "pypsrp")])
def test_a_package_that_the_controller_does_not_have(
    monkeypatch: pytest.MonkeyPatch, connection: str, package: str
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert f"needs the Python package {package}" in str(connection_trouble(connection, NTLM, None))


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "needs the program ssh,"),
        ({"ansible_ssh_executable": "/opt/none/ssh"}, "needs the program /opt/none/ssh,"),
    ],
)
def test_a_program_that_the_controller_does_not_have(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, Any], words: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _program: None)
    assert words in str(connection_trouble("ssh", variables, None))


def test_a_host_whose_connection_cannot_be_used_is_out_and_the_others_go_on() -> None:
    trouble = "Its connection psrp needs the Python package pypsrp."
    entries: list[Any] = [
        {"name": "hall-01", "connection": "psrp", "unusable": trouble},
        {"name": "hall-02", "connection": "winrm"},
    ]
    first, second = from_inventory(None, [], entries)
    assert (first.exclusion, second.exclusion) == (("connection_settings", trouble), None)


def test_a_value_that_ansible_refuses_keeps_a_host_out_whatever_reaches_it() -> None:
    refused = "ansible_connection: 'winrmm' is not valid. Ansible finds no connection plugin winrmm."
    (host,) = from_inventory(None, [], [{"name": "hall-01", "connection": "winrmm", "refused": refused}])
    assert host.exclusion == ("connection_settings", refused)
