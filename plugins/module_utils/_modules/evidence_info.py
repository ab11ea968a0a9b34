# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation evidence_info."""

from __future__ import annotations

from .._base.errors import InvalidOption
from .._history.build import recent_runs
from .._history.evidence import HostEvidence, evidence, knows
from .._history.evidence_lines import evidence_lines
from .._history.evidence_table import to_evidence_csv
from .._host.answers import KB
from .._operation.context import OperationContext
from .._operation.operation import Operation, indented_lines
from .._operation.results import Result
from .._plan.variables import module_options
from .patch_history import no_run_of


class EvidenceResult(Result):
    """Each host with its runs, its updates and Patch Manager's records. ``csv`` is a text with a line for each host and update."""

    hosts: list[HostEvidence]
    csv: str
    lines: list[str]


def work(context: OperationContext) -> EvidenceResult:
    """Read what is known of an update or a host. Changes nothing.

    Returns:
        changed (false), hosts, csv (the text of a file), lines.

    Raises:
        InvalidOption: neither an update nor a host is named, or something that is no KB.
        NoRun: the ledger does not exist, or has no run of this time.
        Failed: no run has had the host.
    """
    kbs, target = [_kb(kb) for kb in context.params["kbs"]], context.params["host_name"] or None
    if not kbs and target is None:
        raise InvalidOption("patch_host", "", "Name a host (patch_host), or updates (patch_kbs), or both.")
    ledger, days = context.existing_ledger(), context.params["history_days"]
    runs = recent_runs(ledger, days, context.clock.now())
    if not runs:
        raise no_run_of(context, days)
    hosts = evidence(context, runs, frozenset(kbs), target)
    reported = hosts if target is not None else [host for host in hosts if knows(host)]
    return {
        "changed": False,
        "hosts": reported,
        "csv": to_evidence_csv(hosts, kbs),
        "lines": evidence_lines(hosts, kbs, target),
    }


def _kb(given: str) -> str:
    kb = str(given).strip().upper()
    kb = kb if kb.startswith("KB") else f"KB{kb}"
    if not KB.fullmatch(kb):
        raise InvalidOption("patch_kbs", given, "It must be the number of an update, e.g. KB5044281.")
    return kb


OPERATION = Operation(
    name="evidence_info",
    arguments={
        "ledger": {"type": "str"},
        "kbs": {"type": "list", "elements": "str", "default": []},
        "host_name": {"type": "str"},
        **module_options("evidence_info"),
    },
    work=work,
    lines=indented_lines,
)
