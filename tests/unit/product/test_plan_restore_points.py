# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan names the hosts that are patched without the restore point for which the user asked."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._fleet.hosts import FleetHost
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.restore_points import without_restore_point
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import read

HOSTS = [
    FleetHost(key="i-1", name="cloud", kind="ec2", inventory_name="cloud"),
    FleetHost(key="mi-1", name="branch", kind="hybrid", inventory_name="branch"),
    FleetHost(key="hall", name="hall", kind="winrm", inventory_name="hall"),
]
TASKS = {"patch_restore_point_tasks": ["snapshot.yml"]}
WANTED = {"patch_restore_point": "root"}
NO_TASKS = "patch_restore_point takes no restore point of hosts without EC2: "


def warnings(given: dict[str, Any], of_hosts: dict[str, Any] | None = None) -> list[str]:
    settings: Any = {**read(given), "of_hosts": of_hosts or {}}
    return without_restore_point(settings, HOSTS)


@pytest.mark.parametrize("given", [{}, {**WANTED, **TASKS}, {**WANTED, "patch_operation": "scan"}])
def test_hosts_that_get_what_was_asked_for_are_not_named(given: dict[str, Any]) -> None:
    assert warnings(given) == []


def test_hosts_without_ec2_and_without_tasks_are_named() -> None:
    (line,) = warnings(WANTED)
    assert line.startswith(f"{NO_TASKS}branch, hall. They are patched all the same.")
    assert "Set patch_restore_point_tasks for them" in line


def test_each_host_counts_with_its_own_variables() -> None:
    (line,) = warnings(WANTED, {"hall": {"restore_point": "none"}})
    assert line.startswith(f"{NO_TASKS}branch. ")
    (line,) = warnings(WANTED, {"branch": {"restore_point_tasks": ["snapshot.yml"]}})
    assert line.startswith(f"{NO_TASKS}hall. ")


def test_tasks_that_do_not_run_are_named() -> None:
    (line,) = warnings({}, {"hall": {"restore_point_tasks": ["snapshot.yml"]}})
    assert line.startswith("patch_restore_point is 'none', so patch_restore_point_tasks do not run for hall.")
