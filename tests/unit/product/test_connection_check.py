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
from ansible_collections.patchfleet.windows.plugins.plugin_utils._connection_check import connection_trouble

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
    ("winrm", {**NTLM, "ansible_winrm_read_timeout_sec": "long"}, "refuses the settings of its connection winrm"),
    ("winrm", {**NTLM, "ansible_port": "https"}, "refuses the settings of its connection winrm"),
    (
        "winrm",
        {**NTLM, "ansible_become": True, "ansible_become_method": "my.own.method"},
        "finds no become plugin my.own",
    ),
    ("psrp", {"ansible_psrp_auth": "basic", "ansible_user": "patcher"}, "no password for basic"),
    ("psrp", {**KNOWN, "ansible_psrp_auth": "digest"}, "refuses the settings of its connection psrp"),
    ("my.own.winrm", NTLM, "finds no connection plugin my.own.winrm"),
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
