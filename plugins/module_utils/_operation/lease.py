# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lease of an operation's host: proven right before each change to it, renewed while the operation waits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .._base.errors import LeaseLost
from .._ledger import lenient
from .._ledger.records import LEASE_SECONDS
from .._model.phases import Phase
from .poller import Question, Subject

if TYPE_CHECKING:
    from .context import OperationContext

HEARTBEAT_SECONDS = 60.0
LONGEST_SILENCE_SECONDS = 300.0
"""A pause that is longer has a heartbeat in its middle."""
LEASE_AGE_SECONDS = LONGEST_SILENCE_SECONDS - HEARTBEAT_SECONDS
"""What the poller read of the leases is this old at most, where an operation only waits."""


class Lease:
    """That of the host of a context; of an operation without one, nothing is proven and nothing renewed."""

    def __init__(self, context: OperationContext) -> None:
        self._context = context
        self._next_heartbeat = self._next_proof = 0.0
        self._has_proof = False
        self._extends_abandoned = False

    def accept(self, fence: int | None) -> None:
        """A phase has started, and the ledger said in the same answer under which fencing number its run holds the host."""
        context = self._context
        if fence is None or context.fence not in (None, fence):
            return  # renew and prove say what is wrong
        context.fence = fence
        self._has_proof = True
        self._next_proof = context.clock.now() + LONGEST_SILENCE_SECONDS

    def prove(self) -> None:
        """That the host is still ours, read right before each change to it: EC2, SSM and Windows know no fencing numbers.

        No earlier read counts, however short ago it seems: a controller whose machine stood still may have a clock that does not
        show it. A caller without a ``fence`` works under the one that the run has when the operation starts.

        Raises:
            LeaseLost: another run, or another process for this one, took the host over.
        """
        context = self._context
        context.end_if_orphaned()
        context.clock.check()
        if not context.tracked_host:
            return
        current_fence = context.ledger.fence(*context.tracked_host)
        context.fence = current_fence if context.fence is None else context.fence
        if current_fence is None or current_fence != context.fence:
            raise LeaseLost(context.tracked_host[1])
        self._has_proof = True

    def renew(self) -> None:
        """Renew the lease, once a minute, and prove it.

        Where another operation of the run renews it, this one proves its own lease every LONGEST_SILENCE_SECONDS.

        Raises:
            LeaseLost: see prove.
        """
        context = self._context
        context.end_if_orphaned()
        context.clock.check()
        if not context.tracked_host or context.clock.now() < self._next_heartbeat:
            return
        context.on_heartbeat()
        is_due = self._heartbeat_is_due()
        if not is_due and self._is_proven_for_a_wait():
            self._next_heartbeat = context.clock.now() + HEARTBEAT_SECONDS
            return
        self.prove()
        now = context.clock.now()
        self._next_proof = now + LONGEST_SILENCE_SECONDS
        run_id, key = context.tracked_host
        if context.phase != Phase.RESTORE or lenient.is_active(context.recent_run, now):
            if is_due:
                context.ledger.heartbeat(run_id, now)
        else:  # a dead run stays dead; only this host is kept
            context.ledger.extend_lease(key, context.fence or 0, now + LEASE_SECONDS)
            self._extends_abandoned = True
        self._next_heartbeat = now + HEARTBEAT_SECONDS

    def _is_proven_for_a_wait(self) -> bool:
        """Whether a proof is no older than LONGEST_SILENCE_SECONDS. The poller reads the leases of all hosts at once."""
        context, now = self._context, self._context.clock.now()
        if now < self._next_proof:
            return True
        if not self._has_proof or context.poller is None or not context.tracked_host:
            return False
        key = json.dumps(context.tracked_host, allow_nan=False)
        answer = context.poller.ask(Question(Subject.LEASE, None, "", key, LEASE_AGE_SECONDS))
        if answer is None or answer.row is None or not answer.is_between(now - LEASE_AGE_SECONDS, context.clock.now()):
            return False
        self._next_proof = answer.read_at + LONGEST_SILENCE_SECONDS
        return bool(answer.row["Fence"] == context.fence)

    def _heartbeat_is_due(self) -> bool:
        """With a poller one operation a minute renews the lease of the whole run, without one each does."""
        poller = self._context.poller
        answer = poller.ask(Question(Subject.HEARTBEAT, None, "", "")) if poller else None
        return answer is None or answer.row is None or bool(answer.row["IsDue"])

    def send_heartbeat(self) -> None:
        """At the end of a host: renew the lease of the run, unless another operation does."""
        if self._heartbeat_is_due():
            self._context.ledger.heartbeat(self._context.required_run_id, self._context.clock.now())

    def release(self) -> None:
        """The end of an operation for a dead run: the host is free for others again."""
        context = self._context
        if self._extends_abandoned and context.tracked_host:
            context.ledger.extend_lease(context.tracked_host[1], context.fence or 0, None)
