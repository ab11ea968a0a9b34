# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a managed node is really ready.

``Online`` may be five minutes old or from before the start, so three witnesses are asked: the instance runs, its agent has
pinged since the instance's launch, and a command that does nothing has come back.
Sources: SSM API reference (DescribeInstanceInformation), EC2 API reference (DescribeInstances).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._aws.ec2 import state_reason
from .._aws.errors import AwsError
from .._aws.ssm import describe_node
from .._base.errors import CommandTimeout, Deferred, Failed, InstanceGone
from .._model.reasons import Reason
from .._operation.channel import NodeState
from .._operation.context import OperationContext
from .._operation.polled import polled_node
from .instances import LaunchWitness
from .invocations import Invocation
from .powershell import refuse_unusable
from .run_command import SCRIPT_DOCUMENT, Command, run_command
from .scripts import PROBE, PROBE_SECONDS

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef
    from mypy_boto3_ssm.type_defs import InstanceInformationTypeDef

PROBE_PAUSE_SECONDS = 10.0
EC2_PAUSE_SECONDS = 60.0
"""EC2 is not asked more often once it shows that the instance runs: what is waited for then is the agent."""


class AgentSilent(Failed):
    """The SSM agent of the node has not reported in time."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, Reason.AGENT_SILENT)


class NoCommandRuns(Failed):
    """The SSM agent is Online, but no command came back in time."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, Reason.NO_COMMAND_RUNS)


class _Node:
    """A managed node as EC2 and SSM show it: ``instance`` (None for a hybrid node) and ``node`` are those of the last look."""

    def __init__(self, context: OperationContext, instance_id: str) -> None:
        self._context, self._id = context, instance_id
        self._witness = LaunchWitness(context)
        self._ask_ec2_at = context.clock.now()
        self.instance: InstanceTypeDef | None = None
        self.node: InstanceInformationTypeDef | None = None

    def is_online(self) -> bool:
        """Whether the instance runs, and its agent has pinged since the instance's launch.

        Raises:
            InstanceGone: EC2 does not know the instance any more.
            Failed: ``fell_back`` or ``instance_gone``, where it is off again.
        """
        self.node = None
        if not self.runs():
            return False
        self.node = polled_node(self._context, self._id)
        if self.node is None or self.node["PingStatus"] != "Online":
            return False
        return self.instance is None or self.node["LastPingDateTime"] > self.instance["LaunchTime"]

    def runs(self, *, at_once: bool = False) -> bool:
        """Whether the instance runs; ``at_once`` asks EC2 in any case. A hybrid node has none.

        Raises:
            InstanceGone: EC2 does not know the instance any more.
            Failed: ``fell_back`` or ``instance_gone``, where it is off again.
        """
        now = self._context.clock.now()
        if not self._id.startswith("i-") or (now < self._ask_ec2_at and not at_once):
            return True
        self.instance = self._witness.awaited(self._id)
        if self.instance is None:
            raise InstanceGone
        _refuse_fallen_back(self._context, self.instance)
        is_running = self.instance["State"]["Name"] == "running"
        self._ask_ec2_at = now + EC2_PAUSE_SECONDS if is_running else now
        return is_running


def wait_until_ready(context: OperationContext, instance_id: str, timeout_seconds: float) -> NodeState:
    """Wait for a node until it is ready.

    Returns:
        agent_version, computer_name, platform_name, last_ping_at (seconds), waited_seconds.

    Raises:
        AgentSilent, NoCommandRuns: the time is over.
        PatchFleetError: it is over (``no_instance_profile``), the instance fell back or is gone, or its PowerShell cannot run the
            scripts (see powershell.refuse_unusable).
    """
    started_at = context.clock.now()
    deadline = context.deadline(timeout_seconds)
    shown = _Node(context, instance_id)
    node: InstanceInformationTypeDef | None = None
    while node is None:
        if not context.wait_until(shown.is_online, deadline, longest=15.0):
            shown.runs(at_once=True)
            raise _silent(shown, timeout_seconds)
        ended = _probe(context, instance_id)
        trouble = _trouble(ended)
        if isinstance(ended, Invocation):
            refuse_unusable(ended.stdout, ended.stderr)
        if trouble is None:
            node = shown.node
        elif context.clock.now() >= deadline:
            raise NoCommandRuns(
                f"The SSM agent is Online, but no command came back within {timeout_seconds:.0f} s. {trouble}"
            )
        else:
            context.pause_until(min(context.clock.now() + PROBE_PAUSE_SECONDS, deadline))
    return {
        "agent_version": node.get("AgentVersion"),
        "computer_name": node.get("ComputerName"),
        "platform_name": node.get("PlatformName"),
        "last_ping_at": node["LastPingDateTime"].timestamp(),
        "waited_seconds": round(context.clock.now() - started_at, 1),
    }


def wait_for_node(context: OperationContext, node_id: str, timeout_seconds: float, *, may_boot: bool) -> NodeState:
    """wait_until_ready for a host of a run.

    Raises:
        Deferred: ``host_off`` or ``unreachable``, where a host that was not started for this run does not answer: nothing
            was started.
        PatchFleetError: as wait_until_ready.
    """
    context.report_progress("waiting for the SSM agent")
    try:
        return wait_until_ready(context, node_id, timeout_seconds)
    except (AgentSilent, NoCommandRuns) as error:
        if may_boot:
            raise
        code = Reason.HOST_OFF if isinstance(error, AgentSilent) else Reason.UNREACHABLE
        raise Deferred(f"Nothing was started: {error.reason}", code) from error


def node_answers(context: OperationContext, node_id: str) -> bool:
    """Whether a node runs commands at this moment; SSM may call one ``Online`` for minutes after its end."""
    node = describe_node(context.aws, node_id)
    return node is not None and node["PingStatus"] == "Online" and _trouble(_probe(context, node_id)) is None


def _probe(context: OperationContext, instance_id: str) -> Invocation | str:
    """Run a command that changes nothing; where it did not end, a sentence about what became of it."""
    command = Command(
        SCRIPT_DOCUMENT,
        {"commands": PROBE, "executionTimeout": [str(PROBE_SECONDS)]},
        execution_seconds=PROBE_SECONDS,
        delivery_seconds=60,
        comment="patchfleet: probe",
    )
    try:
        return run_command(context, instance_id, command)
    except CommandTimeout:
        return "The last command was never done."
    except AwsError as error:
        if error.aws_code != "InvalidInstanceId":
            raise
        return "The last command could not be sent."


def _trouble(ended: Invocation | str) -> str | None:
    """None for a probe that came back, else a sentence."""
    if isinstance(ended, str):
        return ended
    return None if ended.status == "Success" else f"The last command ended {ended.details}."


def _refuse_fallen_back(context: OperationContext, instance: InstanceTypeDef) -> None:
    state = instance["State"]["Name"]
    if state in {"stopped", "stopping", "terminated", "shutting-down"}:
        context.update_facts(off_at=context.clock.now())
        raise Failed(
            f"The instance is {state} instead of running: {state_reason(instance)}.",
            Reason.FELL_BACK if state.startswith("stop") else Reason.INSTANCE_GONE,
        )


def _silent(shown: _Node, timeout_seconds: float) -> Failed:
    waited = f"within {timeout_seconds:.0f} s"
    if shown.instance is not None and not shown.instance.get("IamInstanceProfile"):
        return Failed(
            f"The SSM agent did not report {waited}, and the instance has no instance profile; attach one with "
            "AmazonSSMManagedInstanceCore, or use Default Host Management Configuration.",
            Reason.NO_INSTANCE_PROFILE,
        )
    if shown.node is None:
        return AgentSilent(f"The SSM agent did not report {waited}; the host may not have booted.")
    return AgentSilent(
        f"The SSM agent has not reported since the start {waited} "
        f"(last ping {shown.node['LastPingDateTime']:%Y-%m-%d %H:%M:%S}, {shown.node['PingStatus']})."
    )
