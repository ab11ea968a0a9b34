# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the hosts have in common for which a run starts no other host, and the variable that continues without them.

An update that fails on each of them, a reason, an account, a zone: the report of one host after the other shows none of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .._ledger.records import Host
from .._model.account import account_from
from .._model.outcomes import PROVEN
from .._model.phases import AFTER_UPDATES
from .._model.reasons import Reason
from .common_causes import LOST, BreakerCause, BreakerCode, spends_budget

BY_UPDATES = frozenset({Reason.STILL_MISSING, Reason.INSTALLATION_HUNG, Reason.INSTALL_TIMEOUT, *LOST})
"""Reasons for which the updates that a host was offered are what it failed for, where Windows named none."""

WITHOUT_REASON = frozenset({BreakerCode.BUDGET_SPENT, BreakerCode.CANARY_FAILED})
"""Breakers whose sentence does not say for which reason the hosts failed."""


@dataclass(frozen=True)
class SharedUpdate:
    """An update for which hosts failed: its number, the HRESULT where it was the same on all of them, and on how many hosts."""

    kb: str
    hresult: str | None
    hosts: int


@dataclass(frozen=True)
class CommonFacts:
    """What hosts that failed have in common.

    Attributes:
        failed: the names of the hosts.
        updates: those for which more than half of the hosts failed.
        reason: the reason code of all of them.
        attributes: what is the same on all of them and on no host whose state is proven, with some other host that differs.
        done: the number of hosts whose state is proven.
        exclude_kbs: the value of patch_exclude_kbs with which a run leaves out these updates, and those it left out before.
        exclude: the value of patch_exclude that leaves out the hosts with these attributes, and those that were left out before.
    """

    failed: tuple[str, ...]
    updates: tuple[SharedUpdate, ...] = ()
    reason: Reason | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    done: int = 0
    exclude_kbs: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


def common_facts(cause: BreakerCause, hosts: Sequence[Host]) -> CommonFacts:
    """What the failures of a breaker have in common.

    Args:
        cause: why the run starts no other host.
        hosts: all hosts of the run, and of the other slices of its job.
    """
    failed = [host for host in hosts if _shows(cause, host)]
    proven = [host for host in hosts if host.outcome in PROVEN]
    if not failed:
        return CommonFacts((), done=len(proven))
    updates = _shared_updates(failed)
    left_out = {kb for host in hosts for kb, verdict in host.facts.get("verdicts", {}).items() if verdict == "excluded"}
    attributes = _attributes(failed, proven, hosts)
    similar = [host for host in hosts if host.outcome not in PROVEN and _has_all(host, attributes)]
    by_user = [host.name for host in hosts if host.reason_code == Reason.EXCLUDED_BY_USER]
    reasons = {host.reason_code for host in failed}
    return CommonFacts(
        failed=tuple(host.name for host in failed),
        updates=updates,
        reason=next((code for code in reasons if isinstance(code, Reason)), None)
        if len(reasons) == 1 and cause.code in WITHOUT_REASON
        else None,
        attributes=attributes,
        done=len(proven),
        exclude_kbs=tuple(sorted({*left_out, *(one.kb for one in updates)})) if updates else (),
        exclude=(*by_user, *(host.name for host in similar)) if attributes and not updates else (),
    )


def _shows(cause: BreakerCause, host: Host) -> bool:
    """Whether the host is one of those for which the breaker opened."""
    if cause.code is BreakerCode.BUDGET_SPENT:
        return spends_budget(host)
    return host.name in cause.hosts


def _updates_of(host: Host) -> dict[str, str | None]:
    """The updates for which a host failed, with the HRESULT of each."""
    named = {update["kb"]: update["hresult"] for update in host.facts.get("failed_updates", ())}
    if named or host.reason_code not in BY_UPDATES:
        return named
    if host.reason_code in LOST and host.phase not in AFTER_UPDATES:
        return {}
    return dict.fromkeys(host.facts.get("missing", ()))


def _shared_updates(failed: Sequence[Host]) -> tuple[SharedUpdate, ...]:
    """The updates of most hosts. One of a few hosts may be at fault itself, and leaving out its update would help no other."""
    by_host = [_updates_of(host) for host in failed]
    counts = Counter(kb for updates in by_host for kb in updates)
    most = max(counts.values(), default=0)
    if most * 2 <= len(failed):
        return ()
    shared = []
    for kb in sorted(kb for kb, count in counts.items() if count == most):
        codes = {updates[kb] for updates in by_host if kb in updates}
        shared.append(SharedUpdate(kb, codes.pop() if len(codes) == 1 else None, most))
    return tuple(shared)


def _source(host: Host) -> str | None:
    source = host.facts.get("update_source")
    return (source["url"] or source["kind"]) if source else None


def _cluster(host: Host) -> str | None:
    cluster = host.facts.get("cluster")
    return cluster["name"] if cluster else None


ATTRIBUTES: dict[str, Callable[[Host], str | None]] = {
    "in the account": lambda host: str(account_from(host.facts.get("account"))) if host.facts.get("account") else None,
    "in the region": lambda host: host.region,
    "in the availability zone": lambda host: host.facts.get("az"),
    "of the instance type": lambda host: host.facts.get("type"),
    "with the operating system": lambda host: host.facts.get("os"),
    "in the failover cluster": _cluster,
    "with the update source": _source,
    "of the kind": lambda host: host.kind,
    "reached by": lambda host: host.facts.get("transport"),
    "found": lambda host: host.facts.get("original_state"),
}
"""What hosts may have in common besides their failure, in words that follow "All are"."""


def _attributes(failed: Sequence[Host], proven: Sequence[Host], hosts: Sequence[Host]) -> tuple[tuple[str, str], ...]:
    """Of one host, or where all hosts are alike, nothing can be concluded."""
    if len(failed) < 2:
        return ()
    found = []
    for words, read in ATTRIBUTES.items():
        values = {read(host) for host in failed}
        value = values.pop() if len(values) == 1 else None
        differing = {read(host) for host in hosts if host.wave is not None} - {value, None}
        if value is not None and differing and value not in {read(host) for host in proven}:
            found.append((words, value))
    return tuple(found)


def _has_all(host: Host, attributes: Sequence[tuple[str, str]]) -> bool:
    return host.wave is not None and all(ATTRIBUTES[words](host) == value for words, value in attributes)
