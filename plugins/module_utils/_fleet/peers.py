# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many peers may be at work at the same time: hosts with the same value of a tag, in the same zone, of the same cluster.

A host takes its slots at the admission, before anything changes on it, and frees them when it is put back. A slot counts as long as
its run is not closed, or the host's power record is open: so a controller that dies leaves its slots to the playbook restore, or to
the run that takes the host over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from .._base.errors import Deferred, UnknownRun
from .._ledger.records import Host, Ledger, Run, Slot
from .._model.fact_values import ClusterNode
from .._model.host_facts import HostFacts
from .._model.outcomes import Outcome
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .peer_messages import peers_stuck, peers_timed_out, waiting_for_peers

RETRY_BUDGET_SECONDS = 3600.0


def slot_limits(facts: HostFacts) -> dict[str, int]:
    """The groups of peers of a host, with how many of each may be at work."""
    cluster = facts.get("cluster")
    return {**facts.get("peers", {}), **({cluster_group(cluster): 1} if cluster else {})}


def cluster_group(cluster: ClusterNode) -> str:
    """Of the nodes of one failover cluster."""
    return f"cluster {cluster['name']} ({cluster['id']})"


def wait_for_peers(context: OperationContext, run: Run, host: Host) -> None:
    """Take the host's slots; wait while others have them.

    Raises:
        Deferred: ``at_most``, where those who have them do not end, or cannot.
    """
    limits = slot_limits(host.facts)
    if not limits or context.check_mode:
        return
    blocking = blocking_slots(context, host, limits)
    if blocking:
        context.report_progress(waiting_for_peers(limits, blocking))
    timeout_seconds = run.settings["host_timeout_seconds"] + RETRY_BUDGET_SECONDS
    while blocking:
        blocking = _wait_for_change(context, host, limits, blocking, timeout_seconds)


def _wait_for_change(
    context: OperationContext, host: Host, limits: Mapping[str, int], before: list[Slot], timeout_seconds: float
) -> list[Slot]:
    """The slots that are in the way once they are others."""
    shown = [before]

    def has_changed() -> bool:
        shown.append(blocking_slots(context, host, limits))
        return shown[-1] != before

    if not context.wait_until(has_changed, context.clock.now() + timeout_seconds):
        raise Deferred(peers_timed_out(limits, before), Reason.AT_MOST)
    return shown[-1]


def release_slots(context: OperationContext, host: Host) -> None:
    """The host is put back, or was not started: its peers may start. One whose power record is open is at work still."""
    if slot_limits(host.facts) and not context.check_mode and context.ledger.power(host.key) is None:
        context.ledger.free_slots(host.run_id, host.key)


def blocking_slots(context: OperationContext, host: Host, limits: Mapping[str, int]) -> list[Slot]:
    """Take the host's slots, and free those that no run uses any more; those of other hosts that are in the way. Empty: taken.

    Raises:
        Deferred: ``at_most``, where they stay until a person or the playbook restore ends that.
    """
    slots = context.ledger.take_slots(host.run_id, host.key, limits)
    if slots:
        _Holders(context, host, limits).refuse_stuck(slots)
    return slots


def release_left(ledger: Ledger, hosts: Sequence[Host]) -> None:
    """Hosts that left their play, and need not be put back: nothing else of their run frees their slots."""
    for host in hosts:
        if slot_limits(host.facts) and ledger.power(host.key) is None:
            ledger.free_slots(host.run_id, host.key)


def _is_over(host: Host, *, is_open: bool) -> bool:
    """Whether it has its outcome and is put back: one that left its play frees no slots by itself. Outside EC2 nothing shows that,
    and the user's tasks may be at work still.
    """
    return host.kind == "ec2" and host.outcome is not None and not is_open


class _Holders:
    """Those that have the slots for which a host waits."""

    def __init__(self, context: OperationContext, host: Host, limits: Mapping[str, int]) -> None:
        self._context = context
        self._host = host
        self._limits = limits

    def refuse_stuck(self, slots: Sequence[Slot]) -> None:
        """Free slots that no run uses any more.

        Raises:
            Deferred: in some group as many hosts as may be at work stay so until a person or the playbook restore ends that.
        """
        stuck = [slot for slot in slots if self._is_stuck(slot)]
        counts = Counter(slot.name for slot in stuck)
        full = next((name for name in counts if counts[name] >= self._limits[name]), None)
        if full is not None:
            restore = self._context.command("restore")
            raise Deferred(peers_stuck(full, [slot for slot in stuck if slot.name == full], restore), Reason.AT_MOST)

    def _is_stuck(self, slot: Slot) -> bool:
        ledger, is_open = self._context.ledger, self._context.ledger.power(slot.host_key) is not None
        run = self._run(slot.run_id)
        if run is None or run.closed_at is not None:
            if not is_open:
                ledger.free_slots(slot.run_id, slot.host_key)
            return is_open and not self._is_ours(slot)
        if not run.is_active(self._context.clock.now()):
            return not self._is_ours(slot)
        for host in ledger.some_hosts(slot.run_id, [slot.host_key]):
            if _is_over(host, is_open=is_open):
                ledger.free_slots(slot.run_id, slot.host_key)
            elif host.outcome is Outcome.HELD:
                return True
        return False

    def _run(self, run_id: str) -> Run | None:
        try:
            return self._context.ledger.run(run_id)
        except UnknownRun:
            return None

    def _is_ours(self, slot: Slot) -> bool:
        """Whether this run holds the host: it takes it over at its turn."""
        return self._context.ledger.fence(self._host.run_id, slot.host_key) is not None
