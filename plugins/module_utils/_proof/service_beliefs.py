# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Beliefs about maintenance windows and the watchdog.

Sources: Systems Manager user guide ("Maintenance Windows"), EventBridge Scheduler user guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._aws.account_proof import create_window_once, delete_window
from .._aws.errors import AwsError
from .._aws.ssm import describe_window_executions
from .._base.clock import iso
from .._base.errors import Failed
from .belief import NotAnswered, Observation
from .prover import Prover
from .resources import set_switch
from .settings import EXPIRES_TAG, NAME_PREFIX, PROOF_TAG

if TYPE_CHECKING:
    from mypy_boto3_ssm.type_defs import MaintenanceWindowExecutionTypeDef

OPENS_IN_SECONDS = 240.0
EXECUTED_SECONDS = 900.0
FIRES_IN_SECONDS = 180.0
STOPPED_SECONDS = 900.0
QUIET_SECONDS = 60.0


def window_without_tasks(prover: Prover) -> Observation:
    """The window is made for this question, opens once, and is deleted again."""
    context, now = prover.context, prover.context.clock.now()
    opens_at = now - now % 60.0 + OPENS_IN_SECONDS
    opens = str(iso(opens_at)).rstrip("Z")
    tags = {PROOF_TAG: prover.proof_id, EXPIRES_TAG: str(iso(prover.expires_at))}
    window_id = create_window_once(prover.aws, f"{NAME_PREFIX}{prover.proof_id}", opens, 1, tags)
    context.pause(opens_at - context.clock.now())
    found: list[MaintenanceWindowExecutionTypeDef] = []

    def poll() -> bool:
        found[:] = describe_window_executions(prover.aws, window_id, str(iso(now)))
        return bool(found)

    context.wait_until(poll, opens_at + EXECUTED_SECONDS)
    shown_at = context.clock.now()
    delete_window(prover.aws, window_id)
    if not found:
        return Observation(
            False, f"No execution within {EXECUTED_SECONDS:.0f} s after it had opened.", {"executions": 0}
        )
    started = found[0]["StartTime"].timestamp() - opens_at
    values = {
        "executions": len(found),
        "status": found[0].get("Status"),
        "started_after_seconds": round(started, 1),
        "shown_after_seconds": round(shown_at - opens_at, 1),
    }
    return Observation(
        True, f"An execution ({found[0].get('Status')}) that started {started:.0f} s after the opening.", values
    )


def switch_fires(prover: Prover) -> Observation:
    """The schedule and the runbook are the account's own, as a run uses them; the instance is stopped by them."""
    prover.be_ready()
    context, instance = prover.context, prover.instance()
    context.pause(QUIET_SECONDS)  # the runbook looks again half an hour later while a command is in progress
    launched = instance["LaunchTime"].timestamp()
    due_at = context.clock.now() + FIRES_IN_SECONDS
    try:
        set_switch(prover.context, prover.instance_id, f"{NAME_PREFIX}{prover.proof_id}", due_at, (launched, launched))
    except AwsError as error:
        raise NotAnswered(
            f"The account has no watchdog to try ({error.reason}) setup_aws makes it (parameter DeadManSwitch=true)."
        ) from error
    context.pause(due_at - context.clock.now())
    stopping = {"stopping", "stopped"}
    if not context.wait_until(lambda: prover.state() in stopping, due_at + STOPPED_SECONDS):
        text = f"The instance was still on {STOPPED_SECONDS:.0f} s after the schedule was due."
        return Observation(False, text, {"stopped_after_seconds": None})
    after = round(context.clock.now() - due_at, 1)
    try:
        prover.wait_for_state("stopped")
    except Failed as error:
        return Observation(False, f"The stop began and did not end: {error.reason}", {"stopped_after_seconds": after})
    return Observation(
        True, f"The instance was stopping {after:.0f} s after the schedule was due.", {"stopped_after_seconds": after}
    )
