# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of an update or a host: from all runs of the ledger, and from Patch Manager's own records of the node."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

from ansible_collections.patchfleet.windows.plugins.module_utils._report._format import describe_operator
from ansible_collections.patchfleet.windows.plugins.module_utils._report.build import operator_of_run
from ansible_collections.patchfleet.windows.plugins.module_utils._report.fields import ReportOperator

from .._aws.patches import patch_state, patch_states, recorded_patches
from .._base.clock import iso
from .._base.errors import Failed, PatchFleetError
from .._base.text import join_sentences
from .._model.account import account_from
from .._model.outcomes import Outcome
from .._model.reasons import Reason
from .._model.severities import severity_of
from .._operation.context import OperationContext
from .build import HistoryUpdate, update_row
from .hosts import HostSummary, summaries
from .spans import severities_of, spans_of
from .visits import Visit, by_host, read_visits

if TYPE_CHECKING:
    from mypy_boto3_ssm.type_defs import InstancePatchStateTypeDef, PatchComplianceDataTypeDef

    from .._ledger.records import Run

RUN_COMMAND_KINDS = frozenset({"ec2", "hybrid"})
"""Kinds of hosts that are managed nodes: Patch Manager has records of no others."""
FIRST_INSTALLATION = 86400.0 * 365
"""Rows of updates that are not installed have a time of 1970 or earlier."""


class EvidenceVisit(TypedDict):
    """A run of a host; docs/history.md says what its fields mean."""

    run_id: str
    opened_at: str | None
    by: ReportOperator
    outcome: Outcome | None
    reason_code: str | None
    reason: str | None
    proven_at: str | None
    missing: list[str] | None
    installed: list[str]
    command_ids: list[str]


class EvidenceUpdate(HistoryUpdate):
    """An update on a host, with the commands of the run that proved its state, and who started that run."""

    proven_with: list[str]
    started_by: str | None


class RecordedUpdate(TypedDict):
    """An update in Patch Manager's records; ``state`` is a PatchComplianceDataState of SSM."""

    kb: str
    state: str
    severity: str
    installed_at: str | None


class PatchManagerRecord(TypedDict):
    """Patch Manager's records of a node: of its last operation. ``trouble`` says why they are not known."""

    operation: str | None
    ended_at: str | None
    missing: int | None
    failed: int | None
    updates: list[RecordedUpdate]
    trouble: str | None


class HostEvidence(TypedDict):
    """A host; ``patch_manager`` is None for one that is no managed node."""

    host: str
    instance_id: str | None
    kind: str
    account: str | None
    region: str | None
    visits: list[EvidenceVisit]
    updates: list[EvidenceUpdate]
    patch_manager: PatchManagerRecord | None


def evidence(
    context: OperationContext, runs: Sequence[Run], kbs: Collection[str], target: str | None
) -> list[HostEvidence]:
    """All that is known of these updates (of all where none is named) on the target (on each host where none is named).

    Raises:
        Failed: ``unknown_host`` for a target that no run has had.
    """
    visits = read_visits(context.ledger, list(runs))
    severities = severities_of(visits)
    found = [host for host in summaries(by_host(visits)) if target is None or _is_meant(host, target)]
    if target is not None and not found:
        raise _unknown_host(target, visits)
    now, rows = context.clock.now(), list[HostEvidence]()
    operators = {run.run_id: operator_of_run(run) for run in runs}
    states = _states(context, [host.last for host in found])
    for host in found:
        spans = [span for span in spans_of(host.visits, severities) if not kbs or span.kb in kbs]
        last = host.last
        rows.append(
            {
                "host": last.name,
                "instance_id": last.instance_id,
                "kind": last.kind,
                "account": last.account,
                "region": last.region,
                "visits": [_visit(visit, operators[visit.run_id]) for visit in host.visits]
                if target is not None
                else [],
                "updates": [_update(update_row(host, span, {}, now), host.visits, operators) for span in spans],
                "patch_manager": _patch_manager(context, last, sorted(kbs), states),
            }
        )
    return rows


def knows(host: HostEvidence) -> bool:
    """Whether a run or Patch Manager knows one of the updates that were asked for, or Patch Manager's records cannot be read."""
    record = host["patch_manager"]
    return bool(host["updates"] or (record and (record["updates"] or record["trouble"])))


def _is_meant(host: HostSummary, target: str) -> bool:
    """By the name that any run knew, the instance id, or the key."""
    return target in {host.key, *(visit.name for visit in host.visits), *(visit.instance_id for visit in host.visits)}


def _unknown_host(target: str, visits: Sequence[Visit]) -> Failed:
    near = difflib.get_close_matches(target, sorted({visit.name for visit in visits}), n=1, cutoff=0.5)
    question = f"Did you mean {near[0]}?" if near else None
    reason = f"patch_host: no run of the ledger has had a host {target!r}."
    return Failed(join_sentences(reason, question), Reason.INVALID_OPTION)


def _visit(visit: Visit, by: ReportOperator) -> EvidenceVisit:
    return {
        "run_id": visit.run_id,
        "opened_at": iso(visit.opened_at),
        "by": by,
        "outcome": visit.outcome,
        "reason_code": visit.reason_code,
        "reason": visit.reason,
        "proven_at": iso(visit.verified_at),
        "missing": None if visit.missing is None else sorted(visit.missing),
        "installed": sorted(visit.installed),
        "command_ids": list(visit.command_ids),
    }


def _update(row: HistoryUpdate, visits: Sequence[Visit], operators: Mapping[str, ReportOperator]) -> EvidenceUpdate:
    proven_by = row["proven_by"]
    commands = [command for visit in visits if visit.run_id == proven_by for command in visit.command_ids]
    operator = operators.get(proven_by or "")
    return {**row, "proven_with": commands, "started_by": describe_operator(operator) if operator else None}


def _states(context: OperationContext, visits: Sequence[Visit]) -> dict[str, InstancePatchStateTypeDef | None]:
    """The state of each node that can be asked for together with others; None for one that was never scanned.

    Where an account and region does not answer for all of its nodes at once, each is asked for alone, so that one does not hide
    others.
    """
    groups: dict[tuple[str | None, str | None], list[Visit]] = {}
    for visit in visits:
        if visit.kind in RUN_COMMAND_KINDS and visit.instance_id:
            groups.setdefault((visit.account, visit.region), []).append(visit)
    states: dict[str, InstancePatchStateTypeDef | None] = {}
    for group in groups.values():
        ids = [str(visit.instance_id) for visit in group]
        try:
            found = list(patch_states(context.aws_of(account_from(group[0].account_option), group[0].region), ids))
        except PatchFleetError:
            continue
        states |= dict.fromkeys(ids)
        states |= {state["InstanceId"]: state for state in found}
    return states


def _patch_manager(
    context: OperationContext,
    visit: Visit,
    kbs: Sequence[str],
    states: Mapping[str, InstancePatchStateTypeDef | None],
) -> PatchManagerRecord | None:
    """Asked of AWS now. What cannot be read is said, and the ledger's part stands."""
    if visit.kind not in RUN_COMMAND_KINDS or not visit.instance_id:
        return None
    try:
        aws = context.aws_of(account_from(visit.account_option), visit.region)
        known = visit.instance_id in states
        state = states[visit.instance_id] if known else patch_state(aws, visit.instance_id)
        rows = recorded_patches(aws, visit.instance_id, kbs) if state else []
    except PatchFleetError as error:
        return {**_record(None, []), "trouble": error.reason}
    return _record(state, rows)


def _record(state: InstancePatchStateTypeDef | None, rows: list[PatchComplianceDataTypeDef]) -> PatchManagerRecord:
    return {
        "operation": state["Operation"] if state else None,
        "ended_at": iso(state["OperationEndTime"].timestamp()) if state else None,
        "missing": state.get("MissingCount") if state else None,
        "failed": state.get("FailedCount") if state else None,
        "updates": [_recorded(row) for row in sorted(rows, key=lambda row: row["KBId"])],
        "trouble": None,
    }


def _recorded(row: PatchComplianceDataTypeDef) -> RecordedUpdate:
    installed_at = row["InstalledTime"].timestamp() if row.get("InstalledTime") else 0.0
    return {
        "kb": row["KBId"],
        "state": row["State"],
        "severity": severity_of(row.get("Severity")),
        "installed_at": iso(installed_at) if installed_at > FIRST_INSTALLATION else None,
    }
