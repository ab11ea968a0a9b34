# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Beliefs about rights: what the roles of the account's stack may do, by IAM's simulation and by real calls.

Sources: IAM user guide ("Testing IAM policies with the IAM policy simulator"), Service Authorization Reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .._aws.account_proof import assume_role
from .._aws.api import Aws
from .._aws.commands import send_command
from .._aws.connect import OptionsConnection
from .._aws.ec2 import refusal_to_start, refusal_to_stop
from .._aws.errors import DENIED, AwsError
from .._aws.iam import doubts_about, roles_of_instance_profile, simulate_policy
from .._aws.patches import patch_state
from .._disk.volume import root_volume
from .._host.run_command import SCRIPT_DOCUMENT
from .._host.scripts import PROBE, PROBE_SECONDS
from .._power.watchdog import runbook_of
from .belief import NotAnswered, Observation
from .prover import Prover

if TYPE_CHECKING:
    from mypy_boto3_iam.type_defs import ContextEntryTypeDef

DRY_RUN = "DryRunOperation"
ANY_EXECUTION = "00000000-0000-4000-8000-000000000000"


def controller_simulated(prover: Prover) -> Observation:
    prover.wait_for_state("running")  # before, EC2 may not show the volume
    volume = root_volume(prover.context.aws, prover.instance_id)["VolumeId"]
    volume_arn = prover.instance_arn.replace(f"instance/{prover.instance_id}", f"volume/{volume}")
    role = prover.role_arn("controller")
    on_instance = _denied(
        prover, role, ["ec2:StartInstances", "ec2:StopInstances", "ssm:SendCommand"], prover.instance_arn
    )
    denied = [*on_instance, *_denied(prover, role, ["ec2:ModifyVolume"], volume_arn)]
    return _rights("the controller's role", denied)


def scheduler_simulated(prover: Prover) -> Observation:
    role, name = prover.role_arn("scheduler"), runbook_of(prover.settings.setup_prefix)
    ssm = f"arn:{prover.partition}:ssm:{prover.aws.region}:{prover.account}"
    resources = [f"{ssm}:document/{name}", f"{ssm}:automation-execution/{ANY_EXECUTION}"]
    denied = [it for arn in resources for it in _denied(prover, role, ["ssm:StartAutomationExecution"], arn)]
    return _rights("the watchdog's scheduler role", denied)


def runbook_simulated(prover: Prover) -> Observation:
    role = prover.role_arn("stop-host")
    return _rights("the watchdog's runbook role", _denied(prover, role, ["ec2:StopInstances"], prover.instance_arn))


def window_simulated(prover: Prover) -> Observation:
    """The stack has the role only where its window starts runs: by an event for AWX, or by a command on the controller's node."""
    role, prefix = prover.role_arn("window"), prover.settings.setup_prefix
    here = f"{prover.aws.region}:{prover.account}"
    ssm, bus = f"arn:{prover.partition}:ssm:{here}", f"arn:{prover.partition}:events:{here}:event-bus/default"
    event = {"events:source": f"patchfleet.{prefix}", "events:detail-type": "Maintenance window open"}
    node = f"arn:{prover.partition}:ssm:{prover.aws.region}::document/AWS-ApplyAnsiblePlaybooks"
    automation = [f"{ssm}:document/{prefix}-start-run", f"{ssm}:automation-execution/{ANY_EXECUTION}"]
    try:
        by_awx = [it for arn in automation for it in _denied(prover, role, ["ssm:StartAutomationExecution"], arn)]
        by_awx += _denied(prover, role, ["events:PutEvents"], bus, event)
        by_node = _denied(prover, role, ["ssm:SendCommand"], node)
    except NoSuchRole:
        return Observation(True, "The stack has no window role: its window starts nothing.", {"denied": []})
    return _rights("the window's role", by_node if len(by_node) < len(by_awx) else by_awx)


def host_reads_no_parameters(prover: Prover) -> Observation:
    profile = prover.instance().get("IamInstanceProfile", {}).get("Arn", "").rpartition("/")[2]
    if not profile:
        raise NotAnswered(
            "The instance has no instance profile: Default Host Management Configuration gives it its role."
        )
    (role,) = roles_of_instance_profile(prover.aws, profile)
    parameter = f"arn:{prover.partition}:ssm:{prover.aws.region}:{prover.account}:parameter/patchfleet-proof"
    denied = _denied(prover, role["Arn"], ["ssm:GetParameter"], parameter)
    text = (
        "The host's role may not read parameters."
        if denied
        else "The host's role may read every parameter of the account."
    )
    return Observation(bool(denied), text, {"ssm:GetParameter": "denied" if denied else "allowed"})


def controller_really(prover: Prover) -> Observation:
    """Start and stop are asked with DryRun; the reads and the command are real."""
    prover.be_ready()
    aws = _as_controller(prover)
    calls = {
        "ec2:StartInstances": _answer(refusal_to_start(aws, prover.instance_id)),
        "ec2:StopInstances": _answer(refusal_to_stop(aws, prover.instance_id)),
        "ssm:DescribeInstancePatchStates": _read_states(aws, prover.instance_id),
        "ssm:SendCommand": _send(aws, prover.instance_id),
    }
    denied = sorted(action for action, answer in calls.items() if answer != "allowed")
    text = (
        f"A session of the controller's role was refused: {', '.join(denied)}."
        if denied
        else "All four calls were allowed."
    )
    return Observation(not denied, text, dict(calls))


def _as_controller(prover: Prover) -> Aws:
    """AWS with a session of the controller's role."""
    try:
        keys = assume_role(prover.aws, prover.role_arn("controller"), prover.settings.external_id)
    except AwsError as error:
        if error.aws_code not in DENIED | {"NoSuchEntity"}:
            raise
        raise NotAnswered(
            f"The controller's role may not be taken with these credentials ({error.reason}) Name them in ControllerPrincipals "
            "of setup_aws, and give them sts:AssumeRole."
        ) from error
    options = {
        **prover.context.params,
        "access_key": keys["AccessKeyId"],
        "secret_key": keys["SecretAccessKey"],
        "session_token": keys["SessionToken"],
        "profile": None,
    }
    return Aws(OptionsConnection(options), prover.context.clock, prover.aws.region, prover.context)


def _answer(error: AwsError | None) -> str:
    if error is None or error.aws_code == DRY_RUN:
        return "allowed"
    return "denied" if error.aws_code in DENIED else error.aws_code


def _read_states(aws: Aws, instance_id: str) -> str:
    try:
        patch_state(aws, instance_id)
    except AwsError as error:
        return _answer(error)
    return "allowed"


def _send(aws: Aws, instance_id: str) -> str:
    parameters = {"commands": PROBE, "executionTimeout": [str(PROBE_SECONDS)]}
    try:
        send_command(aws, instance_id, SCRIPT_DOCUMENT, parameters, delivery_seconds=60, comment="patchfleet: proof")
    except AwsError as error:
        return _answer(error)
    return "allowed"


class NoSuchRole(NotAnswered):
    """The account does not have the role."""


def _denied(
    prover: Prover,
    role_arn: str,
    actions: Sequence[str],
    resource_arn: str,
    more_context: Mapping[str, str] | None = None,
) -> list[str]:
    """The actions that IAM would not allow the role on the resource.

    Raises:
        NotAnswered: there is no such role (NoSuchRole), or the simulation lacks what a real call has.
    """
    settings = prover.settings
    context = [
        _entry("aws:RequestedRegion", prover.aws.region),
        *(
            _entry(f"{prefix}/{settings.tag_key}", settings.tag_value)
            for prefix in ("aws:ResourceTag", "ec2:ResourceTag", "ssm:resourceTag")
        ),
        *(_entry(key, value) for key, value in (more_context or {}).items()),
    ]
    try:
        results = list(simulate_policy(prover.aws, role_arn, actions, resource_arn, context))
    except AwsError as error:
        if error.aws_code != "NoSuchEntity":
            raise
        name = role_arn.rpartition("/")[2]
        raise NoSuchRole(f"The account has no role {name}: setup_aws makes it (prove_setup_prefix).") from error
    denied = [result for result in results if result["EvalDecision"] != "allowed"]
    doubts = sorted({doubt for result in denied for doubt in doubts_about(result)})
    if doubts:
        raise NotAnswered(f"The simulation cannot tell, since it lacks: {', '.join(doubts)}.")
    return [f"{result['EvalActionName']} on {resource_arn.rpartition(':')[2]}" for result in denied]


def _entry(key: str, value: str) -> ContextEntryTypeDef:
    return {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}


def _rights(whose: str, denied: Sequence[str]) -> Observation:
    text = f"IAM denies {whose}: {', '.join(denied)}." if denied else f"IAM allows all of it to {whose}."
    return Observation(not denied, text, {"denied": list(denied)})
