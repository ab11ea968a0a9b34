# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that a run would patch without the restore point for which the user asked."""

from __future__ import annotations

from collections.abc import Iterable

from .._base.text import join_names
from .._fleet.hosts import FleetHost
from .._model.settings import Settings
from .agreement import setting_of

NAMED = 10
"""The number of hosts that a warning names."""


def without_restore_point(settings: Settings, hosts: Iterable[FleetHost]) -> list[str]:
    """Warnings about hosts without EC2 that get no restore point, though one of the variables asks for it."""
    if settings["operation"] != "install":
        return []
    no_tasks, not_wanted = list[str](), list[str]()
    for host in hosts:
        is_wanted = setting_of(settings, host.inventory_name, "restore_point") != "none"
        has_tasks = bool(setting_of(settings, host.inventory_name, "restore_point_tasks"))
        if host.kind != "ec2" and is_wanted != has_tasks:
            (no_tasks if is_wanted else not_wanted).append(host.name)
    warnings = []
    if no_tasks:
        warnings.append(
            f"patch_restore_point takes no restore point of hosts without EC2: {join_names(no_tasks, NAMED)}. They are patched all "
            "the same. Set patch_restore_point_tasks for them, or leave them out with patch_exclude."
        )
    if not_wanted:
        warnings.append(
            f"patch_restore_point is 'none', so patch_restore_point_tasks do not run for {join_names(not_wanted, NAMED)}. Set "
            "it to root or all."
        )
    return warnings
