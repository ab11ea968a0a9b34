# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instances as they are now: EC2 may still show one as it was before a start of ours.

Sources: EC2 API reference ("Eventual consistency": a read may miss an earlier change); LaunchTime is new at each start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._aws.api import Aws
from .._aws.ec2 import describe_instance
from .._base.errors import InstanceGone
from .._operation.context import OperationContext
from .._operation.polled import polled_instance

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef

ON_STATES = frozenset({"pending", "running"})
CONSISTENCY_SECONDS = 120.0
"""EC2 may show the state from before a change for this time."""


def existing_instance(aws: Aws, instance_id: str) -> InstanceTypeDef:
    """The instance as EC2 shows it.

    Raises:
        InstanceGone: EC2 does not know it.
    """
    return _existing(describe_instance(aws, instance_id))


def awaited_instance(context: OperationContext, instance_id: str) -> InstanceTypeDef:
    """The instance as EC2 shows it, for a wait.

    Raises:
        InstanceGone: EC2 does not know it.
    """
    return _existing(polled_instance(context, instance_id))


def _existing(instance: InstanceTypeDef | None) -> InstanceTypeDef:
    if instance is None:
        raise InstanceGone
    return instance


class LaunchWitness:
    """Recognizes a stale view of an instance by its LaunchTime.

    ``launched_at`` is the newest LaunchTime that is known, in seconds since 1970: by default that of the start which the
    ledger has.
    """

    def __init__(self, context: OperationContext, launched_at: float | None = None) -> None:
        self._context = context
        self._launched_at = launched_at
        self._is_known = launched_at is not None or not context.tracked_host

    def _newest_launch(self) -> float | None:
        """Asks the ledger once, unless the host's facts have it."""
        if not self._is_known and self._context.tracked_host:
            self._launched_at = self._context.facts.get("launched_at")
            if self._launched_at is None:
                record = self._context.ledger.power(self._context.tracked_host[1])
                self._launched_at = record.launch_time if record else None
            self._is_known = True
        return self._launched_at

    def is_stale(self, instance: InstanceTypeDef) -> bool:
        """Whether it is shown as it was before a start that is known."""
        launched_at = self._newest_launch()
        return launched_at is not None and instance["LaunchTime"].timestamp() < launched_at - 1.0

    def describe(self, instance_id: str) -> InstanceTypeDef | None:
        """The instance; a stale view is read again until CONSISTENCY_SECONDS are over. None when EC2 does not know it."""
        shown: list[InstanceTypeDef | None] = []

        def is_fresh() -> bool:
            instance = describe_instance(self._context.aws, instance_id)
            shown[:] = [instance]
            return instance is None or not self.is_stale(instance)

        self._context.wait_until(is_fresh, self._context.clock.now() + CONSISTENCY_SECONDS)
        return shown[0]

    def awaited(self, instance_id: str, max_age_seconds: float = 0.0) -> InstanceTypeDef | None:
        """The same for a wait, from the run's poller. What ends the wait is read again."""
        instance = polled_instance(self._context, instance_id, max_age_seconds)
        if instance is None or self.is_stale(instance) or instance["State"]["Name"] not in ON_STATES:
            return self.describe(instance_id)
        return instance
