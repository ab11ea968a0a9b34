# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""evidence.csv: a line for each host and update of the playbook `evidence`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ansible_collections.patchfleet.windows.plugins.module_utils._report._csv import csv_text

from .evidence import EvidenceUpdate, HostEvidence

COLUMNS = (
    "host",
    "instance_id",
    "kind",
    "account",
    "region",
    "kb",
    "severity",
    "state",
    "first_missing_at",
    "proven_at",
    "proven_by",
    "proven_with",
    "started_by",
    "patch_manager_state",
    "patch_manager_installed_at",
    "patch_manager_ended_at",
    "patch_manager_trouble",
)
"""``state`` to ``started_by`` are what runs know: the run that proved the update, its commands, and who started it."""


def to_evidence_csv(hosts: Iterable[HostEvidence], kbs: Sequence[str]) -> str:
    """The text of the file, with a line of headings; unknown is empty. An update that was asked for has a line on each host."""
    return csv_text(COLUMNS, (row for host in hosts for row in _rows(host, kbs)))


def _rows(host: HostEvidence, kbs: Sequence[str]) -> Iterator[dict[str, object]]:
    record = host["patch_manager"]
    recorded = {update["kb"]: update for update in record["updates"]} if record else {}
    known: dict[str, list[EvidenceUpdate | None]] = {}
    for update in host["updates"]:
        known.setdefault(update["kb"], []).append(update)
    of_host = {
        "host": host["host"],
        "instance_id": host["instance_id"],
        "kind": host["kind"],
        "account": host["account"],
        "region": host["region"],
        "patch_manager_ended_at": record["ended_at"] if record else None,
        "patch_manager_trouble": record["trouble"] if record else None,
    }
    for kb in sorted({*kbs, *known, *recorded}):
        found = recorded.get(kb)
        for span in known.get(kb) or [None]:
            yield {
                **of_host,
                "kb": kb,
                "severity": found["severity"] if found else None,
                **(_of_runs(span) if span else {}),
                "patch_manager_state": found["state"] if found else None,
                "patch_manager_installed_at": found["installed_at"] if found else None,
            }


def _of_runs(update: EvidenceUpdate) -> dict[str, object]:
    return {
        "severity": update["severity"],
        "state": update["state"],
        "first_missing_at": update["first_missing_at"],
        "proven_at": update["proven_at"],
        "proven_by": update["proven_by"],
        "proven_with": ", ".join(update["proven_with"]),
        "started_by": update["started_by"],
    }
