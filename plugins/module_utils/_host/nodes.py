# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a managed node is really ready.

``Online`` may be five minutes old or from before the start, so three witnesses are asked: the instance runs, its agent has
pinged since the instance's launch, and a command that does nothing has come back.
Sources: SSM API reference (DescribeInstanceInformation), EC2 API reference (DescribeInstances).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._aws.ec2 import state_reason
from .._aws.errors import AwsError
from .._aws.ssm import describe_node
from .._base.errors import CommandTimeout, Deferred, Failed, PatchFleetError
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .instances import LaunchWitness
from .run_command import SCRIPT_DOCUMENT, Command, run_command
from .scripts import PROBE, PROBE_SECONDS

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef
    from mypy_boto3_ssm.type_defs import InstanceInformationTypeDef

PROBE_PAUSE_SECONDS = 10.0


def wait_until_ready(context: OperationContext, instance_id: str, timeout_seconds: float) -> dict[str, Any]:
    """Wait for a node until it is ready.

    Returns:
        agent_version, computer_name, platform_name, last_ping_at (seconds), waited_seconds.

    Raises:
        PatchFleetError: the time is over (``agent_silent``, ``no_instance_profile``, ``no_command_runs``), or the instance
            fell back or is gone.
    """
    started_at = context.clock.now()
    deadline = context.deadline(timeout_seconds)
    is_instance = instance_id.startswith("i-")
    witness = LaunchWitness(context)
    last: dict[str, Any] = {}

    def poll() -> InstanceInformationTypeDef | None:
        instance = witness.describe(instance_id) if is_instance else None
        last.update(instance=instance, node=None)
        if is_instance and instance is None:
            raise Failed("The instance does not exist any more.", Reason.INSTANCE_GONE)
        if instance is not None and instance["State"]["Name"] != "running":
            _refuse_fallen_back(context, instance)
            return None
        node = describe_node(context.aws, instance_id)
        last["node"] = node
        if node is None or node["PingStatus"] != "Online":
            return None
        if instance is not None and node["LastPingDateTime"] <= instance["LaunchTime"]:
            return None
        return node

    while True:
        node = context.wait(poll, deadline, longest=15.0)
        if node is None:
            raise _silent(last, timeout_seconds)
        trouble = _probe(context, instance_id)
        if trouble is None:
            break
        if context.clock.now() >= deadline:
            raise Failed(
                f"The SSM agent is Online, but no command came back within {timeout_seconds:.0f} s. {trouble}",
                Reason.NO_COMMAND_RUNS,
            )
        context.pause(min(PROBE_PAUSE_SECONDS, max(deadline - context.clock.now(), 0.0)))
    return {
        "agent_version": node.get("AgentVersion"),
        "computer_name": node.get("ComputerName"),
        "platform_name": node.get("PlatformName"),
        "last_ping_at": node["LastPingDateTime"].timestamp(),
        "waited_seconds": round(context.clock.now() - started_at, 1),
    }


def wait_for_node(context: OperationContext, node_id: str, timeout_seconds: float, *, may_boot: bool) -> dict[str, Any]:
    """wait_until_ready for a host of a run.

    Raises:
        Deferred: ``host_off`` or ``unreachable``, where a host that was not started for this run does not answer: nothing
            was started.
        PatchFleetError: as wait_until_ready.
    """
    context.report_progress("waiting for the SSM agent")
    try:
        return wait_until_ready(context, node_id, timeout_seconds)
    except PatchFleetError as error:
        if may_boot or error.code not in {Reason.AGENT_SILENT, Reason.NO_COMMAND_RUNS}:
            raise
        raise Deferred(
            f"Nothing was started: {error.reason}",
            Reason.HOST_OFF if error.code == Reason.AGENT_SILENT else Reason.UNREACHABLE,
        ) from error


def node_answers(context: OperationContext, node_id: str) -> bool:
    """Whether a node runs commands at this moment; SSM may call one ``Online`` for minutes after its end."""
    node = describe_node(context.aws, node_id)
    return node is not None and node["PingStatus"] == "Online" and _probe(context, node_id) is None


def _probe(context: OperationContext, instance_id: str) -> str | None:
    """Run a command that does nothing; None when it came back, else a sentence about what became of it."""
    command = Command(
        SCRIPT_DOCUMENT,
        {"commands": PROBE, "executionTimeout": [str(PROBE_SECONDS)]},
        execution_seconds=PROBE_SECONDS,
        delivery_seconds=60,
        comment="patchfleet: probe",
    )
    try:
        ended = run_command(context, instance_id, command)
    except CommandTimeout:
        return "The last command was never done."
    except AwsError as error:
        if error.aws_code != "InvalidInstanceId":
            raise
        return "The last command could not be sent."
    return None if ended.status == "Success" else f"The last command ended {ended.details}."


def _refuse_fallen_back(context: OperationContext, instance: InstanceTypeDef) -> None:
    state = instance["State"]["Name"]
    if state in {"stopped", "stopping", "terminated", "shutting-down"}:
        context.update_facts(off_at=context.clock.now())
        raise Failed(
            f"The instance is {state} instead of running: {state_reason(instance)}.",
            Reason.FELL_BACK if state.startswith("stop") else Reason.INSTANCE_GONE,
        )


def _silent(last: dict[str, Any], timeout_seconds: float) -> PatchFleetError:
    instance, node = last.get("instance"), last.get("node")
    waited = f"within {timeout_seconds:.0f} s"
    if instance is not None and not instance.get("IamInstanceProfile"):
        return Failed(
            f"The SSM agent did not report {waited}, and the instance has no instance profile; attach one with "
            "AmazonSSMManagedInstanceCore, or use Default Host Management Configuration.",
            Reason.NO_INSTANCE_PROFILE,
        )
    if node is None:
        return Failed(f"The SSM agent did not report {waited}; the host may not have booted.", Reason.AGENT_SILENT)
    return Failed(
        f"The SSM agent has not reported since the start {waited} (last ping {node['LastPingDateTime']:%Y-%m-%d %H:%M:%S}, "
        f"{node['PingStatus']}).",
        Reason.AGENT_SILENT,
    )
