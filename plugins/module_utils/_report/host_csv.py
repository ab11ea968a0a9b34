# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""report.csv: a line for each host and update; a host without an update has one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ansible_collections.patchfleet.windows.plugins.module_utils._report import _format as f
from ansible_collections.patchfleet.windows.plugins.module_utils._report._csv import csv_text

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
COLUMNS = ("run_id", *OF_THE_HOST, "kb", "state", "hresult")


def to_host_csv(report: f.Report) -> str:
    """The text of the file, with a line of headings; unknown is empty. ``state`` of an update is installed, missing or failed."""
    rows = (row for host in f.hosts_of(report) for row in _rows(report.get("run_id"), host))
    return csv_text(COLUMNS, rows)


def _rows(run_id: object, host: f.Host) -> Iterator[Mapping[str, object]]:
    known = {"run_id": run_id, **{name: host.get(name) for name in OF_THE_HOST}}
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
