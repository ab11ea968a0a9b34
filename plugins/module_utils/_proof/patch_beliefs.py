# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Beliefs about Patch Manager: when its answers appear, whose clock they carry, and what two runs do to each other.

Sources: SSM API reference (DescribeInstancePatchStates, DescribeInstancePatches, ListComplianceItems), Patch Manager user guide.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._aws.account_proof import patch_rows
from .._aws.patches import patch_items, patch_state
from .._base.errors import Failed
from .._host.answers import MarkedPending, ShiftedClock
from .._host.run_command import Command, send, wait_for_end
from .._host.update_answers import ServicingState
from .._model.reasons import Reason
from .._update.patch_baseline import DOCUMENT, GAP_SECONDS, run_baseline
from .._update.patch_verdict import ROWS_LAG_SECONDS, STATE_LAG_SECONDS
from .belief import NotAnswered, Observation
from .prover import Prover

if TYPE_CHECKING:
    from mypy_boto3_ssm.type_defs import InstancePatchStateTypeDef

ITEMS = ("Installed", "InstalledOther", "InstalledPendingReboot", "InstalledRejected", "Missing", "Failed")
SCAN_SECONDS = 3600
INSTALL_SECONDS = 5400
SHOWN_SECONDS = 1200.0
SHIFT_SECONDS = 180
"""Signatures of the agent's calls to AWS allow five minutes."""
POLL_SECONDS = 5.0
SECOND_RUN_AFTER_SECONDS = 10.0
UPLOADED_SECONDS = 120.0


@dataclass(frozen=True)
class Scanned:
    """A scan of the proof. ``ended_at`` is by the prover's clock, the lags count from there; None: it was never shown.

    ``has_items``: it knows of updates, without which there are no compliance items.
    """

    state: InstancePatchStateTypeDef
    ended_at: float
    states_lag: float | None
    rows_lag: float | None
    items_lag: float | None
    has_items: bool


def scan(prover: Prover) -> Scanned:
    """One scan, and how long after its end each of the three APIs shows it.

    Raises:
        PatchFleetError: the scan failed, or no state of it appears.
    """
    prover.be_ready()
    context, snapshot = prover.context, str(uuid.uuid4())
    _keep_apart(prover)
    ended = run_baseline(context, prover.instance_id, "Scan", snapshot, SCAN_SECONDS)
    ended_at = prover.patch_run_ended_at = context.clock.now()
    states: list[InstancePatchStateTypeDef] = []

    def state_shown() -> bool:
        state = patch_state(prover.aws, prover.instance_id)
        states[:] = [state] if state and state.get("SnapshotId") == snapshot else []
        return bool(states)

    def rows_shown() -> bool:
        rows = patch_rows(prover.aws, prover.instance_id, ["Missing", "Failed"])
        counts = (states[0]["MissingCount"], states[0].get("FailedCount", 0))
        return (rows.count("Missing"), rows.count("Failed")) == counts

    def items_shown() -> bool:
        items = patch_items(prover.aws, prover.instance_id)
        return any(item.get("ExecutionSummary", {}).get("ExecutionId") == ended.command_id for item in items)

    states_lag = _shown_after(prover, state_shown, ended_at)
    if not states:
        raise Failed(
            f"The scan ended {ended.details}, and Patch Manager shows no state of it after {SHOWN_SECONDS:.0f} s.",
            Reason.NOT_PROVEN,
        )
    rows_lag = _shown_after(prover, rows_shown, ended_at)
    has_items = any(states[0].get(f"{name}Count", 0) for name in ITEMS)
    items_lag = _shown_after(prover, items_shown, ended_at) if has_items else None
    return Scanned(states[0], ended_at, states_lag, rows_lag, items_lag, has_items)


def _keep_apart(prover: Prover) -> None:
    """Two patch runs within two minutes are a belief of their own, and no other belief may meet that."""
    prover.context.pause(prover.patch_run_ended_at + GAP_SECONDS - prover.context.clock.now())


def _shown_after(prover: Prover, poll: Callable[[], bool], since: float) -> float | None:
    """Seconds since a moment until something is shown; None when it is not within SHOWN_SECONDS."""
    context = prover.context
    if not context.wait_until(poll, since + SHOWN_SECONDS, POLL_SECONDS, POLL_SECONDS):
        return None
    return round(max(context.clock.now() - since, 0.0), 1)


def first_scan(prover: Prover) -> Scanned:
    """The one that several beliefs read."""
    return scan(prover)


def patch_lags(prover: Prover) -> Observation:
    scanned = prover.once(first_scan)
    lags = {"states": scanned.states_lag, "patches": scanned.rows_lag, "items": scanned.items_lag}
    if not scanned.has_items:
        del lags["items"]
    limits = {"states": STATE_LAG_SECONDS, "patches": ROWS_LAG_SECONDS, "items": ROWS_LAG_SECONDS}
    late = [name for name, lag in lags.items() if lag is None or lag > limits[name]]
    shown = ", ".join(f"{name} {'never' if lag is None else f'after {lag:.0f} s'}" for name, lag in lags.items())
    return Observation(
        not late, f"Shown after the end of the scan: {shown}.", {f"{name}_seconds": lag for name, lag in lags.items()}
    )


def two_runs(prover: Prover) -> Observation:
    """Two scans, ten seconds apart. Which of them left the state is seen by its snapshot."""
    prover.be_ready()
    context = prover.context
    _keep_apart(prover)
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    first_id = send(context, prover.instance_id, _scan_command(first))
    context.pause(SECOND_RUN_AFTER_SECONDS)
    second_id = send(context, prover.instance_id, _scan_command(second))
    deadline = context.clock.now() + SCAN_SECONDS
    ended = [wait_for_end(context, prover.instance_id, command, deadline) for command in (first_id, second_id)]
    ended_at, names = context.clock.now(), {first: "the first", second: "the second"}

    def left_by() -> str:
        state = patch_state(prover.aws, prover.instance_id)
        return names.get(str(state.get("SnapshotId")) if state else "", "neither")

    _shown_after(prover, lambda: left_by() != "neither", ended_at)
    context.pause(UPLOADED_SECONDS)  # the other one may still replace it
    prover.patch_run_ended_at = context.clock.now()
    whose = left_by()
    values = {"first": ended[0].details, "second": ended[1].details, "state_of": whose.removeprefix("the ")}
    text = f"The first ended {ended[0].details}, the second {ended[1].details}; the state is that of {whose}."
    return Observation(ended[1].status == "Success" and whose == "the first", text, values)


def _scan_command(snapshot: str) -> Command:
    parameters = {"Operation": ["Scan"], "SnapshotId": [snapshot], "RebootOption": ["NoReboot"]}
    return Command(DOCUMENT, parameters, execution_seconds=SCAN_SECONDS, comment="patchfleet: proof")


def installed_without_reboot(prover: Prover) -> tuple[tuple[str, ...], int]:
    """What Windows and Patch Manager say of a pending reboot after an installation that did not reboot.

    Raises:
        NotAnswered: nothing was missing, or what was installed needs no reboot.
    """
    missing = prover.once(first_scan).state["MissingCount"]
    if not missing:
        raise NotAnswered("No update was missing on the fresh image. Ask again some weeks after AWS's last image.")
    prover.be_ready()
    context, snapshot = prover.context, str(uuid.uuid4())
    _keep_apart(prover)
    parameters = {"Operation": ["Install"], "SnapshotId": [snapshot], "RebootOption": ["NoReboot"]}
    command = Command(DOCUMENT, parameters, execution_seconds=INSTALL_SECONDS, comment="patchfleet: proof")
    command_id = send(context, prover.instance_id, command)
    wait_for_end(context, prover.instance_id, command_id, context.clock.now() + INSTALL_SECONDS)
    ended_at = prover.patch_run_ended_at = context.clock.now()
    states: list[InstancePatchStateTypeDef] = []

    def state_shown() -> bool:
        state = patch_state(prover.aws, prover.instance_id)
        states[:] = [state] if state and state.get("SnapshotId") == snapshot else []
        return bool(states)

    if _shown_after(prover, state_shown, ended_at) is None:
        raise Failed("Patch Manager shows no state of the installation.", Reason.NOT_PROVEN)
    pending = prover.script(ServicingState).pending_reboot
    counted = states[0].get("InstalledPendingRebootCount", 0)
    if not pending and not counted:
        raise NotAnswered("What was installed needs no reboot.")
    return pending, counted


def pending_is_counted(prover: Prover) -> Observation:
    pending, counted = prover.once(installed_without_reboot)
    text = f"Windows says {', '.join(pending) or 'nothing'}; updates that wait for a reboot by Patch Manager's count: {counted}."
    return Observation(bool(pending) and counted > 0, text, {"windows": list(pending), "patch_manager": counted})


def fresh_is_not_pending(prover: Prover) -> Observation:
    prover.be_ready()
    pending = prover.script(ServicingState).pending_reboot
    text = f"It waits for a reboot: {', '.join(pending)}." if pending else "It waits for none."
    return Observation(not pending, text, {"pending": list(pending)})


def foreign_reboot(prover: Prover) -> Observation:
    """Windows Update's own mark is set without an update, and taken away after a scan."""
    prover.be_ready()
    pending = prover.script(MarkedPending, pending=True).pending_reboot
    try:
        counted = scan(prover).state.get("InstalledPendingRebootCount", 0)
    finally:
        prover.script(MarkedPending, pending=False)
    text = f"Windows says {', '.join(pending) or 'nothing'}; updates that wait for a reboot by Patch Manager's count: {counted}."
    return Observation(bool(pending) and not counted, text, {"windows": list(pending), "patch_manager": counted})


def whose_clock(prover: Prover) -> Observation:
    """Two scans, the second with the host's clock three minutes fast. The end of which clock, the difference of both shows."""
    first = _end_against_ours(prover.once(first_scan))
    prover.be_ready()
    prover.script(ShiftedClock, seconds=SHIFT_SECONDS)
    try:
        second = _end_against_ours(scan(prover))
    finally:
        prover.script(ShiftedClock, seconds=-SHIFT_SECONDS)
    moved = round(second - first, 1)
    clock = "the host's" if moved > SHIFT_SECONDS / 2 else "AWS's"
    text = f"OperationEndTime moved by {moved:.0f} s when the host's clock was set forward by {SHIFT_SECONDS} s: it is {clock}."
    return Observation(clock == "the host's", text, {"moved_seconds": moved, "clock": clock})


def _end_against_ours(scanned: Scanned) -> float:
    """OperationEndTime minus the end by the prover's clock, in seconds."""
    return scanned.state["OperationEndTime"].timestamp() - scanned.ended_at
