# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the ledger keeps of each host in each run, in the order of time."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from .._base.clock import parse_iso
from .._ledger.records import Host, Ledger, Run
from .._model.account import AccountOption
from .._model.fact_values import FailedUpdate
from .._model.host_facts import HostFacts
from .._model.outcomes import UNTOUCHED, Outcome
from .._model.reasons import Reason, ReasonCode
from .._model.run_settings import ROLL_BACK
from .._update.selection import EXCLUDED

INTERRUPTED = frozenset({Reason.INTERRUPTED, Reason.RUN_INTERRUPTED})
"""The controller died: that is no failure of the host."""
NOT_COMPLETE = frozenset({Reason.STILL_MISSING, Reason.REBOOT_PENDING})
"""A scan names no missing update, and the host is not complete all the same."""


@dataclass(frozen=True)
class Visit:
    """A host in a run. Times are seconds since 1970.

    Attributes:
        missing: the KBs that the last scan of the run misses, those among them that were left out on purpose; None where no scan
            of it is known.
        searched: the only KBs of which that scan speaks (patch_kbs); None where it speaks of all.
        verified_at: when that scan was read.
        severities: of the updates that the run knows, by KB.
        account_option: what reaches the host's AWS account, where another role must be assumed for it.
        hresults: why Windows could not install an update, by KB.
        on_since, off_at: the time for which the host was on because of the run.
        is_rolled_back: whether the run gave it an earlier root volume.
        command_ids: of the commands of the run that scanned or installed.
    """

    run_id: str
    opened_at: float
    operation: str
    key: str
    name: str
    kind: str
    instance_id: str | None
    account: str | None
    region: str | None
    outcome: Outcome | None
    reason_code: ReasonCode | None
    reason: str | None
    installed: frozenset[str] = frozenset()
    missing: frozenset[str] | None = None
    searched: frozenset[str] | None = None
    verified_at: float | None = None
    severities: Mapping[str, str] = field(default_factory=dict)
    hresults: Mapping[str, str] = field(default_factory=dict)
    account_option: AccountOption | None = None
    on_since: float | None = None
    off_at: float | None = None
    is_rolled_back: bool = False
    command_ids: tuple[str, ...] = ()

    @property
    def proof(self) -> tuple[float, frozenset[str]] | None:
        """When a scan was read, and what it misses; None where no scan of the run is known."""
        return None if self.verified_at is None or self.missing is None else (self.verified_at, self.missing)

    @property
    def is_full_proof(self) -> bool:
        """Whether there is a scan that speaks of all updates."""
        return self.proof is not None and self.searched is None

    @property
    def is_complete(self) -> bool:
        """Whether the run's scan proves that nothing is missing."""
        return self.is_full_proof and not self.missing and self.reason_code not in NOT_COMPLETE

    @property
    def is_attempt(self) -> bool:
        """Whether the run tried to patch or scan the host, and its controller did not die meanwhile."""
        if self.operation == ROLL_BACK or self.reason_code in INTERRUPTED:
            return False
        return self.outcome is not None and self.outcome not in UNTOUCHED


def read_visits(ledger: Ledger, runs: list[Run]) -> list[Visit]:
    """The hosts of these runs, in the order in which the runs started."""
    in_order = sorted(runs, key=lambda run: run.opened_at)
    return [_visit(run, host) for run in in_order for host in ledger.hosts(run.run_id)]


def by_host(visits: list[Visit]) -> dict[str, list[Visit]]:
    """The visits by the key of their host."""
    found: dict[str, list[Visit]] = {}
    for visit in visits:
        found.setdefault(visit.key, []).append(visit)
    return found


def _visit(run: Run, host: Host) -> Visit:
    facts = host.facts
    missing, searched = _of_scan(facts, run.operation)
    return Visit(
        run_id=run.run_id,
        opened_at=run.opened_at,
        operation=run.operation,
        key=host.key,
        name=host.name,
        kind=host.kind,
        instance_id=host.instance_id,
        account=facts.get("account", {}).get("id"),
        region=host.region,
        outcome=host.outcome,
        reason_code=host.reason_code,
        reason=host.reason,
        installed=frozenset(facts.get("installed") or ()),
        missing=missing,
        searched=searched,
        verified_at=_verified_at(facts),
        severities=facts.get("severities") or {},
        hresults=_hresults(facts.get("failed_updates") or []),
        account_option=facts.get("account"),
        on_since=facts.get("on_since"),
        off_at=facts.get("off_at"),
        is_rolled_back=bool((plan := facts.get("roll_back")) and plan["is_made"]),
        command_ids=tuple(facts.get("patch_commands") or ()),
    )


def _of_scan(facts: HostFacts, operation: str) -> tuple[frozenset[str] | None, frozenset[str] | None]:
    """``missing`` and ``searched`` of a visit. Verdicts are there for patch_kbs, and for what patch_exclude_kbs has left out."""
    verdicts, found = facts.get("verdicts") or {}, facts.get("missing")
    excluded = {kb for kb, verdict in verdicts.items() if verdict == EXCLUDED}
    is_part = bool(facts.get("only_a_part")) and operation == "install"
    searched = frozenset(verdicts) if is_part or verdicts.keys() - excluded else None
    return (None if found is None else frozenset({*found, *excluded})), searched


def _verified_at(facts: HostFacts) -> float | None:
    with suppress(ValueError, TypeError):
        return parse_iso(str(facts["verified_at"])) if facts.get("verified_at") else None
    return None


def _hresults(updates: list[FailedUpdate]) -> dict[str, str]:
    return {update["kb"]: str(update["hresult"]) for update in updates if update.get("hresult")}
