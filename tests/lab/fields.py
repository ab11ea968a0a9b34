# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields of a host in ``report.json`` and in ``state.json``, as the contract names them."""

from __future__ import annotations

REPORT_FIELDS = (
    "host",
    "instance_id",
    "kind",
    "outcome",
    "step",
    "reason",
    "reason_code",
    "original_state",
    "final_state",
    "started_by_run",
    "installed",
    "missing",
    "failed_updates",
    "reboots",
    "free_gib_before",
    "free_gib_after",
    "grown_gib",
    "repaired",
    "verified_at",
    "seconds",
    "on_seconds",
    "on_usd",
    "idle_seconds",
    "account",
    "region",
    "restore_point",
    "checks",
    "evidence",
    "remarks",
    "verdicts",
)

TRUTH_FIELDS = (
    "instance_id",
    "state",
    "starts",
    "stops",
    "reboots",
    "installed",
    "missing",
    "volume_gib",
    "free_gib",
    "partition_gib",
    "on_seconds",
    "idle_seconds",
    "cut_off",
    "cut_off_by_us",
    "unrecorded_starts",
    "deleted_in_use",
    "stopped_while_pending",
    "start_types",
    "tags",
    "snapshots",
    "data_volumes_gib",
    "account",
    "cluster_outages",
    "at_once_with_peers",
)

OUTCOMES = ("patched", "compliant", "noncompliant", "failed", "deferred", "excluded", "held")
PROVEN = ("patched", "compliant", "noncompliant")  # by a scan
STEPS = ("plan", "admit", "start", "ready", "disk", "repair", "patch", "verify", "restore")
