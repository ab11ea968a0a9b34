# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an operation reads while it waits: from the run's poller, and by itself where the poller gives no answer.

Reads right before a change do not use these functions. Nothing is concluded from what the poller does not show: that is read again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from .._aws.cloudwatch import AlarmState, alarm_states
from .._aws.ec2 import describe_instance
from .._aws.patches import patch_state
from .._aws.ssm import describe_node, document_parameters
from .._model.account import Account, account_from
from .context import OperationContext
from .poller import Answer, Question, Subject

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef
    from mypy_boto3_ssm.type_defs import (
        CommandInvocationTypeDef,
        InstanceInformationTypeDef,
        InstancePatchStateTypeDef,
    )

DOCUMENT_AGE_SECONDS = 86_400.0
ALARMS_AGE_SECONDS = 30.0
"""Hosts of one round ask within seconds of each other, and CloudWatch evaluates most alarms once a minute."""


def polled_instance(
    context: OperationContext, instance_id: str, max_age_seconds: float = 0.0
) -> InstanceTypeDef | None:
    """An instance as EC2 shows it; None where EC2 does not know it."""
    answer = _ask(context, Subject.INSTANCE, instance_id, max_age_seconds)
    if answer is None or answer.row is None:
        return describe_instance(context.aws, instance_id)
    return cast("InstanceTypeDef", answer.row)


def polled_node(context: OperationContext, node_id: str) -> InstanceInformationTypeDef | None:
    """A managed node; None while SSM does not list it."""
    answer = _ask(context, Subject.NODE, node_id)
    if answer is None:
        return describe_node(context.aws, node_id)
    return cast("InstanceInformationTypeDef | None", answer.row)


def polled_patch_state(context: OperationContext, node_id: str) -> InstancePatchStateTypeDef | None:
    """The counts of a node's last patch operation, read after this question; None for one that was never scanned."""
    answer = _ask(context, Subject.PATCH_STATE, node_id)
    if answer is None:
        return patch_state(context.aws, node_id)
    return cast("InstancePatchStateTypeDef | None", answer.row)


@dataclass(frozen=True)
class PolledCommand:
    """What the poller shows of a command of one node. Neither: it has failed, or the poller does not show it.

    Attributes:
        is_in_progress: on the node.
        worked: its row with its plugins, once it has succeeded.
    """

    is_in_progress: bool
    worked: CommandInvocationTypeDef | None


def polled_command(context: OperationContext, command_id: str, max_age_seconds: float = 0.0) -> PolledCommand | None:
    """A command of one node; None where there is no poller."""
    answer = _ask(context, Subject.COMMAND, command_id, max_age_seconds)
    if answer is None:
        return None
    row = answer.row or {}
    return PolledCommand("InProgress" in row, row.get("Ended"))


def is_associated(context: OperationContext, node_id: str, documents: Collection[str]) -> bool:
    """Whether an association of the region, for any node, runs one of these documents. True also where the poller does not know."""
    answer = _ask(context, Subject.ASSOCIATIONS, node_id)
    return answer is None or answer.row is None or not set(documents).isdisjoint(answer.row["Documents"])


def parameters_of(context: OperationContext, document: str) -> set[str]:
    """The names of what a document of AWS takes, as it was when the run first needed it."""
    answer = _ask(context, Subject.DOCUMENT, document, DOCUMENT_AGE_SECONDS)
    if answer is None or answer.row is None:
        return set(document_parameters(context.aws, document))
    return set(answer.row["Parameters"])


def polled_alarms(
    context: OperationContext, account: Account | None, region: str, names: Sequence[str], *, composite: bool
) -> Mapping[str, AlarmState]:
    """The states of those of these alarms that a region has, at most half a minute old; all hosts of a round share one call.

    Raises:
        AwsError, NotReached: they cannot be read.
    """
    question = Question(
        Subject.ALARMS, account, region, json.dumps([composite, list(names)], allow_nan=False), ALARMS_AGE_SECONDS
    )
    answer = _answer(context, question)
    if answer is None or answer.row is None:
        return alarm_states(context.aws_from_home(account, region), names, composite=composite)
    return cast("Mapping[str, AlarmState]", answer.row["Alarms"])


def _ask(context: OperationContext, subject: Subject, key: str, max_age_seconds: float = 0.0) -> Answer | None:
    """An answer that is as new as it must be; None without one."""
    if context.poller is None or not context.tracked_host:
        return None
    account = account_from(context.params.get("account"))
    return _answer(context, Question(subject, account, context.aws.region, key, max_age_seconds))


def _answer(context: OperationContext, question: Question) -> Answer | None:
    if context.poller is None or not context.tracked_host:
        return None
    before = context.clock.now()
    answer = context.poller.ask(question)
    is_new = answer is not None and answer.is_between(before - question.max_age_seconds, context.clock.now())
    return answer if is_new else None
