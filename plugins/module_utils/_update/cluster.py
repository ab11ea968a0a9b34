# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nodes of Windows failover clusters: one at a time, drained before they are changed, and resumed when they are put back.

Which cluster a host belongs to is found in the host: of one that runs before anything changes on it, of one that was off after its
start. The drain is written down before it is asked for, so that a later restore resumes the node.
Source: Microsoft, "Draining Nodes for Planned Maintenance with Windows Server 2012"; Suspend-ClusterNode, Resume-ClusterNode.
"""

from __future__ import annotations

from collections.abc import Callable

from .._base.errors import Deferred, Failed, NeedsAttention, PatchFleetError, Unreachable
from .._fleet.peers import blocking_slots, cluster_group
from .._host.cluster_answers import Cluster, DrainedNode, InspectedCluster, ResumedNode
from .._host.guest_scripts import run_guest_script
from .._ledger.earlier import earlier_hosts
from .._ledger.records import Host
from .._model.fact_values import ClusterNode
from .._model.reasons import Reason
from .._operation.context import OperationContext
from . import messages

INSPECT_SECONDS = 300
JOIN_SECONDS = 300
RESUME_SECONDS = 600
SCRIPT_MARGIN_SECONDS = 120
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 30.0, 60.0
LEFT = "cluster_node_left"


class NodePaused(NeedsAttention):
    """A node that we drained does not take roles again."""


def prepare_node(context: OperationContext) -> bool:
    """What patch_clusters asks for before the host is changed; whether the node was drained.

    Raises:
        Deferred: ``cluster_node`` (the policy is defer), ``cluster_busy`` (another node is at work: the run tries the host again
            after the others), ``cluster_unhealthy`` (another node is not up), ``unreachable``.
        Failed: ``drain_failed``. The node is resumed when the host is put back.
    """
    policy = context.params["clusters"]
    if policy == "ignore":
        return False
    cluster = _first_inspected(context)
    if cluster is None:
        context.update_facts(cluster=None)
        return False
    if policy == "defer":
        raise Deferred(messages.cluster_deferred(cluster), Reason.CLUSTER_NODE)
    if context.check_mode:
        return True
    found_off = _was_off(context)
    if found_off:
        cluster = _once_joined(context, cluster)
        if not any(node.state == "up" for node in cluster.nodes):
            return False  # nothing depends on it: the whole cluster was off
    elif cluster.id is None:
        cluster = _wait_until_healthy(context, cluster, found_off=found_off)
    _take_slot(context, cluster, found_off=found_off)
    _drain(context, _wait_until_healthy(context, cluster, found_off=found_off))
    return True


def _once_joined(context: OperationContext, cluster: Cluster) -> Cluster:
    """After a boot the cluster's service needs a moment; without quorum it never answers."""
    shown = [cluster]

    def has_joined() -> bool:
        shown.append(_inspected(context) or cluster)
        return shown[-1].id is not None

    if cluster.id is None:
        context.wait_until(has_joined, context.deadline(JOIN_SECONDS), FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
    return shown[-1]


def _first_inspected(context: OperationContext) -> Cluster | None:
    try:
        return _inspected(context)
    except Unreachable as error:  # nothing was started yet
        raise Deferred(error.reason, error.code) from error


def _inspected(context: OperationContext) -> Cluster | None:
    return run_guest_script(context, InspectedCluster, INSPECT_SECONDS).cluster


def _was_off(context: OperationContext) -> bool:
    record = context.ledger.power(context.host_key or "") if context.tracked_host else None
    return record is not None and record.original_state == "stopped"


def _wait_until_healthy(context: OperationContext, cluster: Cluster, *, found_off: bool) -> Cluster:
    """The cluster once it can spare this node."""
    shown = [cluster]

    def can_spare_it() -> bool:
        shown.append(_inspected(context) or cluster)
        return not _trouble(context, shown[-1], found_off=found_off)

    trouble = _trouble(context, cluster, found_off=found_off)
    if not trouble:
        return cluster
    timeout_seconds = context.params["cluster_timeout_seconds"]
    context.report_progress(messages.cluster_waiting(trouble, timeout_seconds))
    deadline = context.deadline(timeout_seconds)
    if not context.wait_until(can_spare_it, deadline, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS):
        left = _trouble(context, shown[-1], found_off=found_off)
        raise Deferred(messages.cluster_unhealthy(left, timeout_seconds), Reason.CLUSTER_UNHEALTHY)
    return shown[-1]


def _trouble(context: OperationContext, cluster: Cluster, *, found_off: bool) -> list[str]:
    """Why the cluster cannot spare the node now, as sentences. A node that was off serves no one: one other node is enough."""
    not_up = [node for node in cluster.nodes if node.state != "up"]
    if found_off:
        not_up = not_up if len(not_up) == len(cluster.nodes) else []
    own = cluster.state
    is_ours = own == "paused" and bool(_drained_hosts(context))
    return messages.cluster_troubles(cluster, not_up, own_state=None if own == "up" or is_ours else own)


def _take_slot(context: OperationContext, cluster: Cluster, *, found_off: bool) -> None:
    """One node at a time. A host that was off waits where it is; one that was running is tried again after the others."""
    fact: ClusterNode = {"id": cluster.id or "", "name": cluster.name or "", "node": cluster.node}
    context.update_facts(cluster=fact)
    if not context.tracked_host:
        return
    run_id = context.tracked_host[0]
    limits = {cluster_group(fact): 1}
    blocking = blocking_slots(context, context.host, limits)
    if blocking and not found_off:
        raise Deferred(messages.cluster_busy(fact["name"], blocking[0].host_key), Reason.CLUSTER_BUSY)
    if blocking:
        context.report_progress(messages.cluster_busy(fact["name"], blocking[0].host_key))
        began = context.clock.now()
        timeout_seconds = context.ledger.run(run_id).settings["host_timeout_seconds"]
        free = context.wait_until(lambda: not blocking_slots(context, context.host, limits), began + timeout_seconds)
        if not free:
            raise Deferred(messages.cluster_busy(fact["name"], blocking[0].host_key), Reason.AT_MOST)
        deadline_at = context.facts.get("deadline_at")
        if deadline_at is not None:  # its time starts with its turn
            context.update_facts(deadline_at=deadline_at + context.clock.now() - began)


def _drain(context: OperationContext, cluster: Cluster) -> None:
    timeout_seconds = context.params["cluster_timeout_seconds"]
    context.update_facts(cluster_drained=True)
    context.report_progress(messages.draining(cluster))
    context.lease.prove()
    try:
        drained = run_guest_script(
            context, DrainedNode, timeout_seconds + SCRIPT_MARGIN_SECONDS, node=cluster.node, seconds=timeout_seconds
        )
    except PatchFleetError as error:
        if not isinstance(error, Failed):
            raise
        raise Failed(messages.drain_failed(cluster, error.reason), Reason.DRAIN_FAILED) from error
    if drained.drain != "completed" or drained.roles:
        raise Failed(messages.drain_unfinished(cluster, drained, timeout_seconds), Reason.DRAIN_FAILED)


def _drained_hosts(context: OperationContext) -> list[Host]:
    """The rows of this run and of those from which it took the host over that say that the node was drained."""
    if not context.tracked_host:
        return []
    run_id, key = context.tracked_host
    hosts = earlier_hosts(context.ledger, [run_id], key, context.row)
    return [host for host in hosts if host.facts.get("cluster_drained")]


def resume_node(
    context: OperationContext, *, failback: bool, finish: Callable[[OperationContext], object] | None = None
) -> bool:
    """Let a node that was drained take roles again; whether there was something to do.

    Args:
        context: of the host that is put back.
        failback: whether the roles that the drain moved shall come back.
        finish: waits for an installation that a dead run left, which would reboot the node with its roles.

    Raises:
        NodePaused: it does not answer, or does not come up.
    """
    hosts = _drained_hosts(context)
    if not hosts or context.check_mode:
        return bool(hosts)
    if finish is not None:
        finish(context)
    node = _node_name(context, hosts)
    try:
        answer = run_guest_script(
            context,
            ResumedNode,
            RESUME_SECONDS + SCRIPT_MARGIN_SECONDS,
            node=node,
            failback=failback,
            seconds=RESUME_SECONDS,
        )
    except Failed as error:
        raise NodePaused(
            messages.node_paused(node, error.reason, context.command("restore")), Reason.NODE_PAUSED
        ) from error
    if answer.state != "up":
        raise NodePaused(messages.node_paused(node, answer.trouble, context.command("restore")), Reason.NODE_PAUSED)
    for host in hosts:
        context.update_facts_in(host, {"cluster_drained": False})
    context.report_progress(messages.node_resumed(node, failback=failback))
    return True


def _node_name(context: OperationContext, hosts: list[Host]) -> str:
    known = [cluster["node"] for cluster in (host.facts.get("cluster") for host in hosts) if cluster]
    return known[0] if known else context.host.name


def resume_node_first(context: OperationContext) -> bool:
    """resume_node before the host is stopped, without its roles. If it fails, the host is stopped nevertheless."""
    if LEFT in context.cache:
        return False
    try:
        return resume_node(context, failback=False)
    except NodePaused as error:
        context.cache[LEFT] = error
        return False


def raise_if_node_left(context: OperationContext) -> None:
    """NodePaused where resume_node_first has failed."""
    if LEFT in context.cache:
        raise context.cache[LEFT]


def raise_if_node_is_off(context: OperationContext) -> None:
    """NodePaused where a drained node went off before it was resumed, as by a watchdog; it stays paused over its next start."""
    hosts = _drained_hosts(context)
    if hosts and not context.check_mode:
        raise NodePaused(messages.node_paused_and_off(_node_name(context, hosts)), Reason.NODE_PAUSED)
