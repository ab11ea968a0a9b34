# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A denial at a host that lost its tag is no missing right."""

from __future__ import annotations

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.errors import AwsError
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import (
    Failed,
    NeedsAttention,
    PatchFleetError,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._model.reasons import Reason
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.instance_power import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.denials import explain_denial

from .fakes import ID, client_error, shown
from .stage import RUN, Stage

DENIED = {"denied_action": "ec2:StopInstances", "step": "restore"}


def explain(stage: Stage, error: PatchFleetError, *, by_tag: bool = True) -> PatchFleetError:
    stage.open_run(tag_key="Patch Group", tag_value="A & B")
    if by_tag:
        stage.ledger.update_facts(RUN, ID, {"by_tag": True})
    return explain_denial(stage.context(OPERATION, run_id=RUN, host=ID, instance_id=ID, state="restored"), error)


@pytest.mark.parametrize("kind", [Failed, NeedsAttention])
def test_a_lost_tag_is_named_with_the_command_that_sets_it_again(stage: Stage, kind: type[PatchFleetError]) -> None:
    stage.account.on("describe_instances", shown("running"))
    error = explain(stage, kind("Denied.", Reason.ACCESS_DENIED, dict(DENIED)))
    assert (type(error), error.code, error.facts) == (kind, Reason.TAG_LOST, {"step": "restore"})
    assert "It has lost the tag Patch Group=A & B" in error.reason
    assert f"--resources {ID} --tags 'Key=Patch Group,Value=A & B'" in error.reason


def test_what_aws_itself_answers_is_explained_too(stage: Stage) -> None:
    """A start, a command or a growth that is denied raises AWS's own error."""
    stage.account.on("describe_instances", shown("running"))
    error = explain(stage, AwsError("ec2:StartInstances", "UnauthorizedOperation", "You are not authorized.", ID))
    assert (error.code, error.outcome, "denied_action" in error.facts) == (Reason.TAG_LOST, "failed", False)


def test_a_denial_stays_one_where_the_host_has_its_tag(stage: Stage) -> None:
    stage.account.on("describe_instances", shown("running", Tags=[{"Key": "Patch Group", "Value": "A & B"}]))
    error = Failed("Denied.", Reason.ACCESS_DENIED, dict(DENIED))
    assert explain(stage, error) is error


def test_a_denial_stays_one_where_the_tag_cannot_be_read(stage: Stage) -> None:
    stage.account.on("describe_instances", client_error("UnauthorizedOperation"))
    error = Failed("Denied.", Reason.ACCESS_DENIED, dict(DENIED))
    assert explain(stage, error) is error


def test_a_host_of_the_inventory_needs_no_tag(stage: Stage) -> None:
    error = Failed("Denied.", Reason.ACCESS_DENIED, dict(DENIED))
    assert explain(stage, error, by_tag=False) is error


def test_other_errors_are_left_as_they_are(stage: Stage) -> None:
    error = Failed("Throttled.", Reason.THROTTLED)
    assert explain(stage, error) is error
