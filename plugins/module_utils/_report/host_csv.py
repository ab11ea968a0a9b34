# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""report.csv: a line for each host and update; a host without an update has one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ansible_collections.patchfleet.windows.plugins.module_utils._report import _format as f
from ansible_collections.patchfleet.windows.plugins.module_utils._report._csv import csv_text
from ansible_collections.patchfleet.windows.plugins.module_utils._report._hosts import (
    describe_checks,
    describe_evidence,
)

OF_THE_HOST = (
    "host",
    "instance_id",
    "kind",
    "type",
    "account",
    "region",
    "outcome",
    "step",
    "reason_code",
    "reason",
    "original_state",
    "final_state",
    "reboots",
    "on_seconds",
    "on_usd",
    "idle_seconds",
    "verified_at",
)
COLUMNS = ("run_id", "started_by", *OF_THE_HOST, "checks", "evidence", "restore_point", "kb", "state", "hresult")


def to_host_csv(report: f.Report) -> str:
    """The text of the file, with a line of headings; unknown is empty. ``state`` of an update is installed, missing or failed."""
    of_the_run = {
        "run_id": report.get("run_id"),
        "started_by": f.describe_operator(report["by"]) if report.get("by") else None,
    }
    rows = (row for host in f.hosts_of(report) for row in _rows(of_the_run, host))
    return csv_text(COLUMNS, rows)


def _rows(of_the_run: Mapping[str, object], host: f.Host) -> Iterator[Mapping[str, object]]:
    known = {**of_the_run, **{name: host.get(name) for name in OF_THE_HOST}}
    known["checks"], known["evidence"] = describe_checks(host) or None, describe_evidence(host) or None
    known["restore_point"] = f.restore_point(host.get("restore_point"))
    codes = {failed["kb"]: failed["hresult"] for failed in host.get("failed_updates") or ()}
    missing = list(host.get("missing") or ())
    states = {
        **dict.fromkeys(codes, "failed"),
        **dict.fromkeys(host.get("installed") or (), "installed"),
        **dict.fromkeys(missing, "missing"),
    }
    for kb in sorted(states, key=f.natural_key):
        yield {**known, "kb": kb, "state": states[kb], "hresult": codes.get(kb)}
    if not states:
        yield known
