# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of the product's scripts, and of the ledger's writes, each of which is an act of a controller."""

from __future__ import annotations

SCRIPTS = (
    "measure_disk",
    "missing_update_sizes",
    "clean_disk",
    "extend_partition",
    "servicing_state",
    "inspect_windows_update",
    "repair_services",
    "restore_services",
    "restart_windows",
    "reset_update_cache",
    "repair_components",
    "remove_old_update_cache",
    "inspect_boot",
    "inspect_cluster",
    "inspect_use",
    "inspect_sessions",
    "drain_cluster_node",
    "resume_cluster_node",
)
WRITES = frozenset(
    {
        "open_run",
        "heartbeat",
        "take_over",
        "extend_lease",
        "change_breaker",
        "close_run",
        "update_facts",
        "set_outcome",
        "begin_phase",
        "end_phase",
        "record_power",
        "note_start",
        "note_launch",
        "close_power",
        "save_durations",
    }
)
