# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Patch Manager shows after a scan: whether it is of that scan, and what it says.

The counts of the patch state are the verdict; the rows only name the updates, and may come later (they are another inventory
type behind another API). No clock proves that a state is of our scan, for its times are the host's, whose clock may differ from
ours by minutes. Two witnesses do: the state is another one than before; or the compliance items name the command of our scan, and
the state agrees with them in every count.
Sources: SSM API reference (DescribeInstancePatchStates, DescribeInstancePatches, ListComplianceItems), Patch Manager user guide
("Patch compliance state values").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .._aws.errors import AwsError
from .._aws.patches import missing_patches, patch_items
from .._base.clock import iso
from .._model.severities import severity_of
from .._operation.channel import Scan
from .._operation.context import OperationContext
from .._operation.polled import polled_patch_state
from .messages import definitions_left_out, updates_held_back
from .policies import held_back

if TYPE_CHECKING:
    from mypy_boto3_ssm.type_defs import ComplianceItemTypeDef, InstancePatchStateTypeDef, PatchComplianceDataTypeDef

    from .._host.invocations import Invocation

STATE_LAG_SECONDS = 300.0
ROWS_LAG_SECONDS = 600.0
SHOWN = "patch_states_shown"
DEFINITIONS = "DefinitionUpdates"
"""The classification of the updates with which Microsoft Defender finds malware, such as KB2267602 (SSM API, PatchFilter)."""
ITEM_STATES = ("Installed", "InstalledOther", "InstalledPendingReboot", "InstalledRejected", "Missing", "Failed")
"""The states of updates that have a compliance item. What is not applicable has none."""


def store_state(context: OperationContext, instance_id: str) -> None:
    """Asked before a scan: the state that is shown then is not the scan's."""
    state = polled_patch_state(context, instance_id)
    if state is not None:
        _shown(context).add(_identity(state))


def wait_for_state(
    context: OperationContext, instance_id: str, snapshot_id: str, scan: Invocation
) -> InstancePatchStateTypeDef | None:
    """The state that the scan has left; None when none appears in STATE_LAG_SECONDS and none is proven by the items.

    A search that failed leaves MissingCount -1 and times of 1970, which may be those of the last failure: it is believed only
    where the command failed, too, and one that cannot be distinguished from the last only when no other state has come.
    """
    latest: list[InstancePatchStateTypeDef] = []

    def state_of_scan() -> InstancePatchStateTypeDef | None:
        state = polled_patch_state(context, instance_id)
        if state is None:
            return None
        latest[:] = [state]
        is_new = _identity(state) not in _shown(context)
        return state if is_new and _may_be_of(scan, snapshot_id, state) else None

    found = context.wait(state_of_scan, context.clock.now() + STATE_LAG_SECONDS)
    if found is not None:
        _shown(context).add(_identity(found))
        return found
    if not latest:
        return None
    is_failed_search = latest[0]["MissingCount"] < 0 and scan.status == "Failed"
    return latest[0] if is_failed_search or _agrees_with_items(context, instance_id, scan, latest[0]) else None


def _agrees_with_items(
    context: OperationContext, instance_id: str, scan: Invocation, state: InstancePatchStateTypeDef
) -> bool:
    """Whether the items are of this scan, and as many in each state of updates as the patch state counts.

    Items may be shown before the patch state of their scan, so an older one has to agree with all of them. Without items, or
    without the right to read them, nothing is proven.
    """
    if state["Operation"] != "Scan":  # an installation does not count what is missing
        return False
    items = _items_of(context, instance_id, scan)
    if not items:
        return False
    states = (str(item.get("Details", {}).get("PatchState")) for item in items)
    shown = Counter(state.replace("_", "").casefold() for state in states)  # Missing, MISSING, INSTALLED_OTHER
    counts = {name.casefold(): state.get(f"{name}Count", 0) for name in ITEM_STATES}
    return shown == Counter({name: count for name, count in counts.items() if count})


def _items_of(context: OperationContext, instance_id: str, scan: Invocation) -> list[ComplianceItemTypeDef]:
    """The compliance items, if all are of this scan; empty without the right to read them, which an earlier set-up lacks."""
    try:
        items = patch_items(context.aws, instance_id)
    except AwsError as error:
        if not error.is_denied:
            raise
        return []
    commands = {item.get("ExecutionSummary", {}).get("ExecutionId") for item in items}
    return items if commands == {scan.command_id} else []


def _may_be_of(scan: Invocation, snapshot_id: str, state: InstancePatchStateTypeDef) -> bool:
    if state["MissingCount"] < 0:
        return scan.status == "Failed"
    return state["Operation"] == "Scan" and state.get("SnapshotId", snapshot_id) == snapshot_id


def _shown(context: OperationContext) -> set[tuple[str, ...]]:
    shown: set[tuple[str, ...]] = context.cache.setdefault(SHOWN, set())
    return shown


def _identity(state: InstancePatchStateTypeDef) -> tuple[str, ...]:
    """What no two operations on a node have in common."""
    times = (state.get("OperationStartTime"), state.get("OperationEndTime"))
    return (str(state.get("Operation")), str(state.get("SnapshotId")), *map(str, times))


def read_verdict(
    context: OperationContext, instance_id: str, state: InstancePatchStateTypeDef, scan: Invocation
) -> Scan:
    """The verdict of a state of this scan, with the missing updates that Patch Manager names within ROWS_LAG_SECONDS.

    Definition updates come out several times a day under one number, so that one is missing again after each installation. They are
    not counted, and the report mentions them.
    """
    counts = {"Missing": state["MissingCount"], "Failed": state.get("FailedCount", 0)}
    named = _named_rows(context, instance_id, counts) if any(counts.values()) else []
    kbs = _definitions(context, instance_id, scan) if any(map(_is_definition, named)) else set()
    definitions = [row for row in named if _is_definition(row) and row["KBId"] in kbs]
    counted = [row for row in named if row not in definitions]
    missing, failed = (_kbs(row for row in counted if _state(row) == name) for name in counts)
    found = Scan(
        missing=missing,
        failed=failed,
        pending_reboot=state.get("InstalledPendingRebootCount", 0),
        verified_at=context.clock.now(),
        unnamed=sum(counts.values()) - len(named),
    )
    context.note_facts(
        missing=sorted({*missing, *failed}),
        severities=_severities(context, counted),
        verified_at=iso(found.verified_at),
        remarks=[
            *_remarks(state),
            *definitions_left_out(_kbs(definitions)),
            *updates_held_back(held_back(context.facts.get("update_source"))),
        ]
        if found.compliant
        else [],
    )
    return found


def _named_rows(
    context: OperationContext, instance_id: str, counts: dict[str, int]
) -> list[PatchComplianceDataTypeDef]:
    """The rows, once they are as many as the counts; of a state that has too many, which are of an earlier operation, none."""
    rows: list[PatchComplianceDataTypeDef] = []

    def number(state: str) -> int:
        return sum(_state(row) == state for row in rows)

    def fit() -> bool:
        rows[:] = missing_patches(context.aws, instance_id)
        return all(number(state) == count for state, count in counts.items())

    context.wait_until(fit, context.clock.now() + ROWS_LAG_SECONDS, 10.0)
    return [row for row in rows if number(_state(row)) <= counts.get(_state(row), 0)]


def _is_definition(row: PatchComplianceDataTypeDef) -> bool:
    return _state(row) == "Missing" and row["Classification"] == DEFINITIONS


def _definitions(context: OperationContext, instance_id: str, scan: Invocation) -> set[str]:
    """The definition updates that the items of this scan call missing. Rows do not say which scan they are of; items do."""
    found: list[ComplianceItemTypeDef] = []

    def are_shown() -> bool:
        found[:] = _items_of(context, instance_id, scan)
        return bool(found)

    context.wait_until(are_shown, context.clock.now() + STATE_LAG_SECONDS, 10.0)
    return {
        item.get("Id", "")
        for item in found
        if item.get("Details", {}).get("Classification") == DEFINITIONS
        and str(item.get("Details", {}).get("PatchState")).casefold() == "missing"
    }


def _severities(context: OperationContext, rows: Iterable[PatchComplianceDataTypeDef]) -> dict[str, str]:
    """What the run knows of severities so far, and those of these rows."""
    known = context.facts.get("severities") or {}
    return {**known, **{row["KBId"]: severity_of(row.get("Severity")) for row in rows}}


def _state(row: PatchComplianceDataTypeDef) -> str:
    """As SSM writes it, ``Missing`` or ``Failed``; the service's own model has capitals."""
    return row["State"]


def _kbs(rows: Iterable[PatchComplianceDataTypeDef]) -> tuple[str, ...]:
    return tuple(sorted(row["KBId"] for row in rows))


def _remarks(state: InstancePatchStateTypeDef) -> Sequence[str]:
    """Why Patch Manager calls a node non-compliant although nothing is missing: no installation changes that."""
    counts = {
        "rejected by the baseline, but installed": state.get("InstalledRejectedCount", 0),
        "not compliant with severity Critical": state.get("CriticalNonCompliantCount", 0),
        "not compliant with classification Security": state.get("SecurityNonCompliantCount", 0),
        "not compliant for other reasons": state.get("OtherNonCompliantCount", 0),
    }
    listed = [f"{count} {words}" for words, count in counts.items() if count]
    return [f"Patch Manager calls it non-compliant: updates that are {', '.join(listed)}."] if listed else []
