# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a proof makes, how it is found again, and how it is taken away: by its tags and names, never from memory.

Everything that the proof makes has a tag with the time of its expiry. Where the account has the runbook of the watchdog, a
schedule stops the instance at that time, also when the prover is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._aws import scheduler
from .._aws.account_proof import (
    delete_window,
    instances_with_tag,
    launch_instance,
    schedule_names,
    tags_of_window,
    terminate_instance,
)
from .._aws.ebs import describe_volumes
from .._aws.ec2 import describe_instance, tags_of
from .._aws.errors import AwsError
from .._aws.iam import caller_arn
from .._aws.ssm import describe_windows
from .._base.errors import Failed, InvalidOption, PatchFleetError
from .._host.instances import CONSISTENCY_SECONDS
from .._model.fact_values import WatchdogSchedule
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._power.watchdog import role_arn_of, schedule_of
from .preflight import NOTHING_MADE, Preflight
from .settings import NAME_PREFIX, PROOF_TAG, ProofSettings

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef, VolumeTypeDef

GONE_SECONDS = 900.0
GONE = frozenset({"shutting-down", "terminated"})


def make(context: OperationContext, preflight: Preflight) -> str:
    """Launch the instance; returns its id.

    Raises:
        InvalidOption: the user has not confirmed it.
    """
    settings = ProofSettings.of(context.params)
    if not settings.confirmed:
        right = f"Read what the proof makes and costs, then agree with -e prove_confirmed=true. {NOTHING_MADE}"
        raise InvalidOption("prove_confirmed", settings.confirmed, right)
    instance_id = launch_instance(context.aws, preflight.launch)
    proof_id = preflight.launch.tags[PROOF_TAG]
    context.report_progress(f"launched {instance_id}")
    now = context.clock.now()
    try:
        launched = (now - 600.0, preflight.expires_at)
        set_switch(context, instance_id, f"{NAME_PREFIX}{proof_id}-expiry", preflight.expires_at, launched)
    except AwsError as error:
        context.report_progress(f"nothing stops it by itself after its expiry: {error.reason}")
    return instance_id


def set_switch(
    context: OperationContext, instance_id: str, name: str, due_at: float, launched: tuple[float, float]
) -> None:
    """Have the account's own runbook stop the instance at a time, if its LaunchTime lies between two.

    Raises:
        AwsError: the account has no watchdog, or it may not be used.
    """
    settings = ProofSettings.of(context.params)
    switch: WatchdogSchedule = {
        "name": name,
        "group": settings.setup_prefix,
        "role_arn": role_arn_of(caller_arn(context.aws), settings.setup_prefix, context.aws.region),
        "due_at": due_at,
        "margin_seconds": 0.0,
        "launched": [int(launched[0]), int(launched[1])],
        "keep_tag": None,
    }
    scheduler.create_schedule(context.aws, schedule_of(instance_id, switch))


def find(context: OperationContext) -> InstanceTypeDef:
    """The instance of the proof. EC2 may show it some seconds after its launch.

    Raises:
        PatchFleetError: there is none, or there are several.
    """
    found: list[InstanceTypeDef] = []

    def poll() -> bool:
        found[:] = instances_with_tag(context.aws, PROOF_TAG)
        return bool(found)

    context.wait_until(poll, context.clock.now() + CONSISTENCY_SECONDS)
    if len(found) != 1:
        ids = ", ".join(sorted(instance["InstanceId"] for instance in found)) or "none"
        raise Failed(
            f"There must be one instance with the tag {PROOF_TAG} in {context.aws.region}; there is: {ids}.",
            Reason.INSTANCE_GONE,
        )
    return found[0]


@dataclass(frozen=True)
class TakenAway:
    """What was there of proofs, a line for each thing."""

    changed: bool
    lines: list[str]


def take_away(context: OperationContext) -> TakenAway:
    """Take away everything that proofs have made in the region, the instance first, since it costs most; in check mode only say
    what is there. What cannot be taken away keeps nothing else.

    Raises:
        PatchFleetError: something is still there, or could not be searched; the message has that and what was taken away.
    """
    results = [_try(context, part) for part in (_instances, _windows, _schedules, _volumes_left)]
    problems = [result for result in results if isinstance(result, PatchFleetError)]
    gone = [line for result in results if isinstance(result, list) for line in result]
    if problems:
        raise Failed(
            " ".join([*(problem.reason for problem in problems), *gone, "Run this again when that is fixed."]),
            problems[0].code,
        )
    return TakenAway(bool(gone), gone or [f"There is nothing of a proof in {context.aws.region}."])


def _try(context: OperationContext, part: Callable[[OperationContext], list[str]]) -> list[str] | PatchFleetError:
    try:
        return part(context)
    except PatchFleetError as error:
        return error


def _schedules(context: OperationContext) -> list[str]:
    group, lines = ProofSettings.of(context.params).setup_prefix, []
    for name in schedule_names(context.aws, group, NAME_PREFIX):
        if not context.check_mode:
            scheduler.delete_schedule(context.aws, group, name, name)
        lines.append(f"The schedule {name} {_will(context)} deleted.")
    return lines


def _windows(context: OperationContext) -> list[str]:
    lines = []
    for window in describe_windows(context.aws):
        if not window["Name"].startswith(NAME_PREFIX) or PROOF_TAG not in tags_of_window(context.aws, window):
            continue
        if not context.check_mode:
            delete_window(context.aws, window["WindowId"])
        lines.append(f"The maintenance window {window['Name']} ({window['WindowId']}) {_will(context)} deleted.")
    return lines


def _instances(context: OperationContext) -> list[str]:
    found = list(instances_with_tag(context.aws, PROOF_TAG))
    ids = [instance["InstanceId"] for instance in found]
    if not context.check_mode:
        for instance_id in ids:
            terminate_instance(context.aws, instance_id)
        for instance_id in ids:
            _wait_until_gone(context, instance_id)
    return [
        f"The instance {it['InstanceId']} (proof {tags_of(it)[PROOF_TAG]}) {_will(context)} terminated." for it in found
    ]


def _will(context: OperationContext) -> str:
    return "would be" if context.check_mode else "is"


def _wait_until_gone(context: OperationContext, instance_id: str) -> None:
    def poll() -> bool:
        instance = describe_instance(context.aws, instance_id)
        return instance is None or instance["State"]["Name"] == "terminated"

    if not context.wait_until(poll, context.clock.now() + GONE_SECONDS):
        raise Failed(
            f"The instance {instance_id} of the proof was not terminated within {GONE_SECONDS:.0f} s. Run this again.",
            Reason.STILL_ON,
        )


def _volumes_left(context: OperationContext) -> list[str]:
    """Volumes go a moment after their instance. Raises PatchFleetError where some stay."""
    left: list[VolumeTypeDef] = []

    def poll() -> bool:
        left[:] = describe_volumes(context.aws, [{"Name": "tag-key", "Values": [PROOF_TAG]}])
        return not left

    if not context.check_mode and not context.wait_until(poll, context.clock.now() + CONSISTENCY_SECONDS):
        ids = ", ".join(volume["VolumeId"] for volume in left)
        raise Failed(f"These volumes of the proof are still there in {context.aws.region}: {ids}.", Reason.STILL_ON)
    return []
