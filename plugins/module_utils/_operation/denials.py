# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Why AWS denied a call for one host: the rights of the controller hold for the target tag, and the host may have lost it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from .._aws.ec2 import describe_instance, tags_of
from .._aws.errors import AwsError, Unanswered
from .._base.errors import Failed, NeedsAttention, PatchFleetError
from .._model.reasons import Reason

if TYPE_CHECKING:
    from .context import OperationContext


def explain_denial(context: OperationContext, error: PatchFleetError) -> PatchFleetError:
    """The error; one of the same outcome with ``tag_lost`` where the host has lost the tag on which the rights depend.

    Then IAM is not the cause, and a retry does not help.
    """
    host = context.host
    if "denied_action" not in error.facts or not host.instance_id or not context.facts.get("by_tag"):
        return error
    settings = context.ledger.run(host.run_id).settings
    key, value = str(settings["tag_key"]), str(settings["tag_value"])
    try:
        instance = describe_instance(context.aws, host.instance_id)
    except (AwsError, Unanswered):
        return error
    if instance is None or tags_of(instance).get(key) == value:
        return error
    tag = shlex.quote(f"Key={key},Value={value}")
    facts = {name: fact for name, fact in error.facts.items() if name != "denied_action"}
    sentence = (
        f"It has lost the tag {key}={value}, for which the rights of the controller hold. Tag it again: `aws ec2 create-tags "
        f"--region {host.region} --resources {host.instance_id} --tags {tag}`. Then run {context.command('restore')}."
    )
    return (NeedsAttention if isinstance(error, NeedsAttention) else Failed)(sentence, Reason.TAG_LOST, facts)
