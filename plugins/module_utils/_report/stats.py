# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ansible.builtin.set_stats keeps of a run: in AWX the artifacts of the job, which its notifications can show."""

from __future__ import annotations

from collections.abc import Mapping

from .._model.outcomes import FAILURES, Outcome
from . import _format as f

NAMED = 20
"""At most this number of hosts is named; the report has the others."""
LONGEST = 200
"""Characters of a sentence in ``look_at``, which is for notifications."""
LONGEST_REASON = 2000
"""Characters of a reason in ``failed``, which is for people who have the job and not its files."""
DETAILS = ("host", "instance_id", "outcome", "step", "reason_code", "missing", "failed_updates")
OUTCOMES_TO_CHECK = (Outcome.HELD, Outcome.FAILED, Outcome.DEFERRED)
"""Outcomes of hosts that a person should check, the worst first."""


def to_stats(report: f.Report) -> Mapping[str, object]:
    """One key for the run: of several slices AWX hands on a single value for each key, and makes it an extra variable of the
    jobs that follow, so it must be no variable of anybody's.
    """
    to_check = sentences_to_check(report)
    listed = to_check[:NAMED]
    return {
        f"patchfleet_{report['run_id'].replace('-', '_')}": {
            **{
                name: report[name] for name in ("run_id", "operation", "started_at", "finished_at", "breaker", "totals")
            },
            "look_at": listed,
            "more_to_look_at": len(to_check) - len(listed),
            "failed": [_details(host) for host in _hosts_to_check(report) if host["outcome"] in FAILURES][:NAMED],
        }
    }


def sentences_to_check(report: f.Report) -> list[str]:
    """A sentence for each host that a person should check, the worst first."""
    return [_sentence(host) for host in _hosts_to_check(report)]


def _hosts_to_check(report: f.Report) -> list[f.Host]:
    return [host for outcome in OUTCOMES_TO_CHECK for host in report["hosts"] if host["outcome"] == outcome]


def _sentence(host: f.Host) -> str:
    return _cut(f"{f.name_and_id(host)} {host['outcome']}: {host['reason'] or ''}", LONGEST)


def _details(host: f.Host) -> Mapping[str, object]:
    """What the report says of a host that failed or is held: a job's files are gone when the job ends."""
    return {**{name: host[name] for name in DETAILS}, "reason": _cut(host["reason"] or "", LONGEST_REASON)}


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
