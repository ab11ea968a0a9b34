# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the beliefs are asked with: the proof's one instance, its scripts, its roles, and what was measured once for several."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .._aws.ec2 import describe_instance, start_instance, tags_of
from .._aws.iam import caller_arn
from .._base.errors import Failed, PatchFleetError
from .._host.answers import Answer, BootState
from .._host.guest_scripts import run_guest_script
from .._host.instances import CONSISTENCY_SECONDS
from .._host.nodes import wait_until_ready
from .._model.reasons import Reason
from .._operation.channel import NodeState
from .._operation.context import OperationContext
from .._update.channels import SsmChannel
from .resources import GONE
from .settings import PROOF_TAG, ProofSettings, expiry_of

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef

T = TypeVar("T")
A = TypeVar("A", bound=Answer)

READY_SECONDS = 1800.0
AGAIN_SECONDS = 120.0
STOPPED_SECONDS = 900.0
SCRIPT_SECONDS = 300


class Prover:
    """``instance`` is the proof's own, found by its tag."""

    def __init__(self, context: OperationContext, instance: InstanceTypeDef) -> None:
        self.context = context
        self.aws = context.aws
        self.settings = ProofSettings.of(context.params)
        self.instance_shown = instance
        self.instance_id = instance["InstanceId"]
        self.proof_id = tags_of(instance)[PROOF_TAG]
        self.expires_at = expiry_of(tags_of(instance))
        self.subnet_id = instance.get("SubnetId", "")
        self.patch_run_ended_at = 0.0
        self._timeout_seconds = READY_SECONDS
        self.node = NodeState()
        self._measured: dict[str, object] = {}
        context.params["instance_id"] = self.instance_id  # whom the channel reaches
        context.channel = SsmChannel(context)
        _arn, self.partition, _sts, _region, self.account, _caller = caller_arn(self.aws).split(":", 5)

    def once(self, measure: Callable[[Prover], T]) -> T:
        """What several beliefs need: measured by the first, and remembered, also that it failed."""
        name = measure.__name__
        if name not in self._measured:
            try:
                self._measured[name] = measure(self)
            except PatchFleetError as error:
                self._measured[name] = error
        measured = self._measured[name]
        if isinstance(measured, PatchFleetError):
            raise measured
        return cast("T", measured)

    # ---- the instance

    def instance(self) -> InstanceTypeDef:
        """As EC2 shows it now; some reads do not have a new one yet."""
        found = self.context.wait(
            lambda: describe_instance(self.aws, self.instance_id), self.context.clock.now() + CONSISTENCY_SECONDS
        )
        if found is None or found["State"]["Name"] in GONE:
            raise Failed(f"The instance {self.instance_id} of the proof is gone.", Reason.INSTANCE_GONE)
        return found

    @property
    def instance_arn(self) -> str:
        return f"arn:{self.partition}:ec2:{self.aws.region}:{self.account}:instance/{self.instance_id}"

    def be_ready(self) -> None:
        """The instance runs, and its node takes commands; it is started where it was stopped for an earlier belief.

        Raises:
            PatchFleetError: it does not come. Later beliefs do not wait for it as long again.
        """
        if self.state() in {"stopping", "stopped"}:
            self.wait_for_state("stopped")
            start_instance(self.aws, self.instance_id)
        timeout_seconds, self._timeout_seconds = self._timeout_seconds, AGAIN_SECONDS
        self.node = {**wait_until_ready(self.context, self.instance_id, timeout_seconds), **self.node}
        self._timeout_seconds = READY_SECONDS
        with contextlib.suppress(PatchFleetError):  # the belief about services says why
            self.once(first_boot)

    def state(self) -> str:
        return str(self.instance()["State"]["Name"])

    def wait_for_state(self, state: str) -> float:
        """Seconds until EC2 shows it; PatchFleetError when it does not within STOPPED_SECONDS."""
        began = self.context.clock.now()
        if not self.context.wait_until(lambda: self.state() == state, began + STOPPED_SECONDS):
            raise Failed(f"The instance was not {state} within {STOPPED_SECONDS:.0f} s.", Reason.STILL_STOPPING)
        return self.context.clock.now() - began

    def script(self, answer: type[A], **values: Any) -> A:
        """Run the script of this answer in the instance."""
        return run_guest_script(self.context, answer, SCRIPT_SECONDS, **values)

    # ---- roles of the account's stack

    def role_arn(self, name: str) -> str:
        """Of the stack's role ``PREFIX-name-REGION``."""
        role = f"{self.settings.setup_prefix}-{name}-{self.aws.region}"
        return f"arn:{self.partition}:iam::{self.account}:role/{role}"


def first_boot(prover: Prover) -> BootState:
    """The services of the fresh image, as soon as it takes commands."""
    return prover.script(BootState, since=None)
