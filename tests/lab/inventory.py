# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory of a scenario: hosts with groups, and all that AWS does not list as instances."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab.scenario import Scenario


def inventory(scenario: Scenario, variables: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """The inventory as Ansible's YAML plugin reads it; ``variables`` returns those of a host.

    A host is named as the scenario names it, whatever its Name tag says.
    """
    listed = [host for host in scenario.hosts if host.groups or host.kind != "ec2"]
    groups: dict[str, dict[str, Any]] = {}
    for host in listed:
        for group in host.groups:
            groups.setdefault(group, {"hosts": {}})["hosts"][host.name] = {}
    hosts = {host.name: variables(host.name) for host in listed}
    return {"all": {"hosts": hosts, "children": groups}}
