# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The messages of this package that are made of several facts. Each function makes whole sentences of codes and data."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from .._base.commands import in_text
from .._base.text import join_names, join_sentences
from .._host.cluster_answers import Cluster, DrainedNode, HostUse, OtherNode
from .._host.servicing import Overrun
from .._model.checks import COMPARED
from .._model.fact_values import UpdateSource
from .causes import UNKNOWN, Cause

MOST_ROLES = 5


def sessions_warning(count: int) -> str:
    return f"{_people(count)} logged on; a reboot will take their work"


def sessions_deferred(count: int) -> str:
    return f"{_people(count)} logged on (patch_sessions is defer)."


def sessions_waiting(count: int, timeout_seconds: float) -> str:
    return f"{_people(count)} logged on: waiting at most {timeout_seconds:.0f} s until no user is"


def sessions_timed_out(count: int, timeout_seconds: float) -> str:
    return (
        f"{_people(count)} still logged on after {timeout_seconds:.0f} s "
        "(patch_sessions is wait, patch_sessions_timeout_seconds)."
    )


def sessions_notified(count: int) -> str:
    return f"{_people(count)} logged on and saw the message"


def in_use(use: HostUse, roles: Sequence[str]) -> str:
    return join_sentences(
        "It is skipped (patch_skip_when).",
        f"These programs run: {join_names(list(use.processes), MOST_ROLES)}." if use.processes else None,
        f"It owns these roles of its failover cluster: {join_names(list(roles), MOST_ROLES)}." if roles else None,
        f"The script: {use.detail}" if use.detail is not None else None,
    )


def cluster_deferred(cluster: Cluster) -> str:
    return f"It is the node {cluster.node} of the failover cluster {cluster.name} (patch_clusters is defer)."


def cluster_busy(name: str, key: str) -> str:
    return f"Another node of the failover cluster {name} is at work: {key}. One node at a time is patched (patch_clusters)."


def cluster_troubles(cluster: Cluster, not_up: Iterable[OtherNode], *, own_state: str | None) -> list[str]:
    """Why a cluster cannot spare a node.

    Args:
        cluster: as the node shows it.
        not_up: the other nodes that are not up.
        own_state: of the node, where it is not as it must be.
    """
    troubles = [f"The node {node.name} is {node.state}." for node in not_up]
    if own_state is not None:
        troubles.append(f"The node {cluster.node} itself is {own_state}, and no run has drained it.")
    troubles += [f"The availability group {name} is not healthy." for name in cluster.unhealthy]
    if not cluster.nodes and own_state is None:
        troubles.append(f"The cluster {cluster.name} has no other node.")
    return troubles


def cluster_waiting(troubles: Iterable[str], timeout_seconds: float) -> str:
    return join_sentences(f"waiting at most {timeout_seconds:.0f} s until the cluster can spare the node.", *troubles)


def cluster_unhealthy(troubles: Iterable[str], timeout_seconds: float) -> str:
    return join_sentences(f"The failover cluster could not spare it within {timeout_seconds:.0f} s.", *troubles)


def draining(cluster: Cluster) -> str:
    roles = "1 role" if len(cluster.roles) == 1 else f"{len(cluster.roles)} roles"
    return f"draining the node {cluster.node} of the cluster {cluster.name}: {roles}"


def drain_failed(cluster: Cluster, error: str) -> str:
    return join_sentences(
        f"The node {cluster.node} of the cluster {cluster.name} could not be drained; it is not patched.", error
    )


def drain_unfinished(cluster: Cluster, drained: DrainedNode, timeout_seconds: float) -> str:
    return join_sentences(
        f"The drain of the node {cluster.node} of the cluster {cluster.name} had not ended within {timeout_seconds:.0f} s."
        if drained.drain == "inprogress"
        else f"The drain of the node {cluster.node} of the cluster {cluster.name} ended as {drained.drain}.",
        f"These roles are still on it: {join_names(list(drained.roles), MOST_ROLES)}." if drained.roles else None,
        "The host is not patched.",
    )


def node_paused(node: str, trouble: str | None, restore_command: str) -> str:
    return join_sentences(
        f"The node {node} was drained and is still paused: it takes no roles.",
        trouble,
        f"Run {restore_command}, or `Resume-ClusterNode -Name {node} -Failback Immediate` on a node of its cluster.",
    )


def node_paused_and_off(node: str) -> str:
    return (
        f"The node {node} was drained, and does not run now. It is still paused, so it takes no roles when it runs again. Then run "
        f"Resume-ClusterNode -Name {node} -Failback NoFailback on a node of its cluster."
    )


def node_resumed(node: str, *, failback: bool) -> str:
    if failback:
        return f"the node {node} takes roles again, and its own come back"
    return f"the node {node} takes roles again"


def _people(count: int) -> str:
    return "1 person is" if count == 1 else f"{count} people are"


def installation_overdue(timeout_seconds: float, overrun: Overrun, error: str | None = None) -> str:
    """An installation that did not end in time.

    Args:
        timeout_seconds: its time.
        overrun: what the host shows of it.
        error: what the call that installs said, without a full stop.
    """
    return join_sentences(
        f"The installation had not ended after {timeout_seconds:.0f} s.",
        f"The call ended with an error: {error}." if error else None,
        f"It has made no progress since {overrun.no_progress_since}." if overrun.no_progress_since else None,
        f"The SSM agent has been silent since {overrun.agent_silent_since}: the host may not have come back from a reboot."
        if overrun.agent_silent_since
        else None,
        "It is not cut off; check the host.",
    )


def advice_on(cause: Cause, source: UpdateSource | None) -> str:
    """What to check, with the update source and the proxy if the cause is outside the host."""
    if not (cause.outside and source):
        return cause.advice
    proxy = f"WinHTTP uses the proxy {source['proxy']}." if source.get("proxy") else "WinHTTP uses no proxy."
    policies = source.get("policies")
    return join_sentences(
        f"Its source is {source.get('url') or source.get('kind')}.",
        "Configuration Manager has set this source." if source.get("kind") == "configmgr" else None,
        proxy if "proxy" in source else None,
        f"These policies are set: {', '.join(policies)}." if policies else None,
        cause.advice,
    )


def cause_and_advice(cause: Cause, source: UpdateSource | None) -> str:
    """Empty for an error whose cause is unknown: the error itself says all."""
    return "" if cause is UNKNOWN else join_sentences(cause.sentence, advice_on(cause, source))


def backup_kept(folders: Collection[str]) -> str | None:
    """None where no repair kept a folder of the old cache."""
    return f"The cache from before the repair is kept: {', '.join(folders)}." if folders else None


def search_failed(error: str, cause: Cause, source: UpdateSource | None) -> str:
    """A search for updates that Windows ended with this error."""
    return join_sentences(
        f"Windows could not search for updates: {error.rstrip('.')}.", cause_and_advice(cause, source)
    )


def windows_update_broken(hresult: str | None, message: str | None, searches: int) -> str:
    """What Windows Update answered; ``searches`` is 0 where the number of them says nothing."""
    words = ["Windows Update answered", hresult or "without an error code"]
    if searches:
        words += ["after", str(searches), "searches"]
    answered = " ".join(words)
    return f"{answered}: {message.rstrip('. ')}." if message else f"{answered}."


def definitions_left_out(kbs: Collection[str]) -> list[str]:
    """A remark about definition updates that are missing again; empty where none is."""
    if not kbs:
        return []
    return [f"Definition updates are not counted, since a new one comes out several times a day: {', '.join(kbs)}."]


def components_rebuilt(restore_health: str, system_files: int | None) -> str:
    """What the answer of repair_components proves. The scan after the next pass decides in each case."""
    component_store = {
        "repaired": "The damage of the component store that was known is gone.",
        "not_known": "DISM has rebuilt the component store. No damage was known before, so it may have had none.",
        "still_damaged": "DISM reports success, and Windows still marks the component store as damaged.",
    }[restore_health]
    files = f"sfc /scannow ended with exit code {system_files}, so system files may still be damaged (see CBS.log)."
    return join_sentences(component_store, files if system_files else None)


def updates_held_back(policies: Collection[str]) -> list[str]:
    """A remark about policies, as ``NAME=VALUE``, that hold updates back; empty without one."""
    if not policies:
        return []
    return [f"Policies of the host may hold updates back, which a scan does not find then: {', '.join(policies)}."]


def kbs_superseded(newer: Mapping[str, str]) -> list[str]:
    """A remark about updates that are not needed any more, each with the installed one that replaced it; empty without one."""
    if not newer:
        return []
    named = ", ".join(f"{kb} by {by}" for kb, by in sorted(newer.items()))
    return [f"Newer updates that are installed have replaced others: {named}."]


def updates_excluded(kbs: Collection[str]) -> str:
    """Of a host that is complete but for updates that patch_exclude_kbs leaves out."""
    return f"Left out on purpose (patch_exclude_kbs), and missing: {', '.join(sorted(kbs))}."


def updates_unnamed(number: int, excluded: Collection[str]) -> str:
    """Of a host that misses more than is named, so that what it is, is unknown."""
    updates = "1 update is" if number == 1 else f"{number} updates are"
    return join_sentences(
        f"By Patch Manager's count {updates} still missing or failed, and it does not name them. Run it again; if that does not "
        "help, see the node in Patch Manager.",
        updates_excluded(excluded) if excluded else None,
    )


def reboot_to_come(excluded: Collection[str], started_with: str | None) -> str:
    """Of a host that must not be rebooted now (patch_reboot); with the command that started the run, where it can be repeated."""
    again = "patch_operation=reboot"
    return join_sentences(
        "Everything is installed, and Windows waits for its reboot (patch_reboot is never). To do it: "
        + (in_text(f"{started_with} -e {again}") if started_with else f"start the run again as before, with {again}")
        + ".",
        updates_excluded(excluded) if excluded else None,
    )


def services_disabled(names: Collection[str]) -> str:
    return f"Disabled by policy: {', '.join(names)}."


def repair_forbidden(kinds: Collection[str]) -> str | None:
    """None where patch_repair allows all that would be needed; ``kinds`` are its names of repairs."""
    return f"patch_repair does not allow the repair of {' and '.join(kinds)}." if kinds else None


def updates_missing(
    kbs: Iterable[str],
    causes: Iterable[Cause],
    source: UpdateSource | None,
    not_allowed: Collection[str],
    folders: Collection[str],
) -> str:
    """Updates that are missing after the last pass, why they failed, and what a repair has left behind."""
    return join_sentences(
        f"Still missing after the last installation and a fresh scan: {', '.join(kbs)}.",
        *(join_sentences(cause.sentence, advice_on(cause, source)) for cause in causes),
        repair_forbidden(not_allowed),
        backup_kept(folders),
    )


NAMED = 20
"""Items of one kind that a message names; the others are counted."""


def checks_failed(checks: Mapping[str, str | None]) -> str:
    """Checks with what is wrong, as the host says it."""
    return join_sentences(
        f"Everything is installed, but these checks fail, which passed before: {', '.join(_failed_checks(checks))}.",
        "patch_checks_settle_seconds says how long they may fail.",
    )


def _failed_checks(checks: Mapping[str, str | None]) -> Iterable[str]:
    return (f"{name} ({detail.rstrip('.')})" if detail else name for name, detail in checks.items())


def gone_since(evidence: Mapping[str, Sequence[str]]) -> str:
    """What patch_evidence calls a failure."""
    return f"Everything is installed, but what was there before is not there any more: {_gone(evidence)}."


def gone_remarks(evidence: Mapping[str, Sequence[str]]) -> list[str]:
    return [f"It was there before and is not there any more: {_gone(evidence)}."] if evidence else []


def _gone(evidence: Mapping[str, Sequence[str]]) -> str:
    named = (f"{COMPARED[kind]} {join_names(list(items), NAMED)}" for kind, items in evidence.items())
    return "; ".join(named).rstrip(".")


def unknown_items(trouble: str | None) -> str:
    """In place of the items of a kind that could not be taken."""
    return f"unknown ({trouble.rstrip('.')})" if trouble else "unknown"


def failed_before(name: str, detail: str | None) -> str:
    why = f" ({detail.rstrip('.')})" if detail else ""
    return f"The check {name} failed before the host was patched{why}, so that it decides nothing."


def new_errors(items: Sequence[str]) -> list[str]:
    return [f"New sources of errors in the event logs since the boot: {join_names(items, NAMED)}."] if items else []


def not_taken(kind: str, trouble: str | None) -> str:
    return f"The evidence {kind} could not be taken: {(trouble or 'no answer').rstrip('.')}."


def not_asked_before(trouble: str) -> str:
    return (
        f"The checks could not be run before the host was patched, so that they decide nothing: {trouble.rstrip('.')}."
    )
