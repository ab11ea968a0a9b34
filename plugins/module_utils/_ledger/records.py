# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the ledger remembers, and the interface that each of its backends has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypedDict

from .._model.account import AccountOption
from .._model.fact_values import StoredVerdict
from .._model.host_facts import HostFacts
from .._model.outcomes import Outcome
from .._model.phases import Phase
from .._model.reasons import ReasonCode, reason_of
from .._model.run_settings import Brake, RunSettings

LEASE_SECONDS = 900.0
"""The leases of a run expire this time after its last heartbeat.

It gives one each minute. With two controllers' clocks SKEW_SECONDS apart, ten minutes of silence are still needed before one
takes the other for dead, and who is taken over wrongly is stopped by the fencing number.
"""
SKEW_SECONDS = 300.0
"""By so much the clocks of two controllers may differ."""
DURATIONS_KEPT = 20
"""The number of durations that are kept of a host, the newest."""


class _Process(TypedDict):
    host: str
    pid: int
    user: str


class Controller(_Process, total=False):
    """The process that opened a run: its machine, its id and its user.

    Attributes:
        arn: of the AWS identity whose credentials it had, as STS names it; None where the run needs no AWS.
        launched_by: the user or the schedule of AWX that launched its job; None outside of AWX.
        job_id: of that job.
    """

    arn: str | None
    launched_by: str | None
    job_id: str | None


@dataclass(frozen=True)
class Run:
    """One run. Times are seconds since 1970."""

    run_id: str
    opened_at: float
    operation: str
    snapshot_id: str
    settings: RunSettings
    controller: Controller
    heartbeat_at: float
    closed_at: float | None = None
    breaker: str | None = None

    def is_active(self, now: float) -> bool:
        """Whether its controller may still be at work."""
        return self.closed_at is None and now < self.heartbeat_at + LEASE_SECONDS


@dataclass(frozen=True)
class Host:
    """A host of a run. ``key`` is the instance id, or the inventory name where there is none; ``facts`` holds the rest of
    what the report says of it. ``unreadable`` names what of its row is damaged and therefore missing here.
    """

    run_id: str
    key: str
    name: str
    position: int
    kind: str
    instance_id: str | None = None
    region: str | None = None
    wave: int | None = None
    outcome: Outcome | None = None
    phase: Phase | None = None
    reason_code: ReasonCode | None = None
    reason: str | None = None
    facts: HostFacts = field(default_factory=HostFacts)
    unreadable: str | None = None


@dataclass(frozen=True)
class PowerRecord:
    """The power state in which a host was found, until it is put back. The first writer wins.

    Attributes:
        original_state: running or stopped.
        start_requested_at: committed before StartInstances is called for it.
        launch_time: of the start that was ours, once AWS has shown it.
        account: what reaches its AWS account, where another role must be assumed for it.
    """

    host_key: str
    instance_id: str
    region: str
    name: str
    original_state: str
    recorded_at: float
    run_id: str
    start_requested_at: float | None = None
    started_by: str | None = None
    launch_time: float | None = None
    account: AccountOption | None = None


@dataclass(frozen=True)
class PhaseTime:
    """When a phase of a host began and ended; ``ok`` is None while it is active."""

    host_key: str
    phase: Phase
    started_at: float
    finished_at: float | None
    ok: bool | None


@dataclass(frozen=True)
class HostDurations:
    """How long each phase of a host's run took that came to its end, in seconds, for predicting the next run."""

    host_key: str
    run_id: str
    finished_at: float
    outcome: Outcome
    seconds: dict[Phase, float]

    @property
    def total_seconds(self) -> float:
        """From its admission, which it may have waited for, to its being put back."""
        return sum(seconds for phase, seconds in self.seconds.items() if phase != Phase.ADMIT)


@dataclass(frozen=True)
class Leased:
    """What the transaction that leases hosts has decided.

    Attributes:
        fences: the fencing number of each host that the caller holds now. It comes out of the transaction, because a number that
            is read later may be that of a rival for the same run.
        held: the hosts that another living run holds: key → its run id.
    """

    fences: dict[str, int]
    held: dict[str, str]


@dataclass(frozen=True)
class Slot:
    """A host that is at work for a run, in a group of peers with a limit: ``tag Role=web``, ``zone eu-west-1a``."""

    name: str
    host_key: str
    run_id: str


@dataclass(frozen=True)
class PhaseStart:
    """A host when a phase of it has started, and the fencing number under which its run holds it; None: it does not."""

    host: Host
    fence: int | None


class Ledger(Protocol):
    """The memory of runs outside their processes.

    Every method has been committed when it returns, and all of it or nothing of it has. Writes about a host take the
    ``fence``, the fencing number under which the writer holds the host: they are refused with LeaseLost once
    it is another's. None is for who only tidies up.
    """

    def check(self) -> list[str]:
        """Whether it can be used at all; returns warnings, raises InvalidOption. Asked once, when a playbook begins."""

    def schema_version(self) -> str:
        """The version of what is stored, as docs/support.md counts it."""

    def open_run(self, run: Run, hosts: list[Host], take_over: bool) -> Leased:
        """Write down a run and lease its hosts.

        A host that is taken over from a run that left something open knows it: fact ``adopted_from``, that run's id.
        """

    def runs(self) -> list[Run]:
        """All runs, the newest first."""

    def run(self, run_id: str) -> Run:
        """One run; PatchFleetError when there is none of that id."""

    def keep_settings(self, run_id: str, settings: RunSettings) -> None:
        """Replace the settings of a run: what is known only once its hosts are leased."""

    def begin_wave(self, run_id: str, wave: int, now: float) -> float:
        """When the first host of a wave asked to start, seconds since 1970: what the first caller of the wave says stays."""

    def heartbeat(self, run_id: str, now: float) -> None:
        """Renew the leases of the run."""

    def holds_lease(self, run_id: str, key: str) -> bool:
        """Whether the host is leased to this run (and no other took it over)."""

    def holder(self, key: str) -> str | None:
        """The run that leased the host last; it may be dead or closed."""

    def fence(self, run_id: str, key: str) -> int | None:
        """The fencing number under which this run holds the host: it grows with every take-over. None: it does not."""

    def fences(self, run_id: str) -> dict[str, int]:
        """The same for all hosts that the run holds."""

    def some_fences(self, run_id: str, keys: Iterable[str]) -> dict[str, int]:
        """The same for those of these hosts that the run holds, read alone."""

    def take_over(self, run_id: str, keys: list[str], now: float, force: bool) -> Leased:
        """Lease hosts of this run to the caller; processes that worked on them before lose them.

        The hosts are kept for LEASE_SECONDS also where the run is dead. ``held`` has those of a living process, if only
        one of this run's own (none if ``force``).
        """

    def extend_lease(self, key: str, fence: int, until: float | None) -> None:
        """Keep a host that was taken over until then, however dead its run is; None lets it go."""

    def change_breaker(
        self, run_id: str, before: str | None, after: str | None, brake: Brake, once: bool = False
    ) -> bool:
        """Replace the breaker, where it is still what it was before, and keep in the settings what did it; whether it was.

        With None nothing stops the run any more. A breaker may also stay, and the brake is kept; with ``once`` only where the run
        has none of its kind and account.
        """

    def close_run(self, run_id: str, now: float) -> None:
        """The run is over; its leases are free."""

    def delete_old_runs(self, before: float) -> int:
        """Delete runs that were closed before then, with all that belongs to them; returns how many.

        A run stays while a power record of one of its hosts is open. A table deletes old runs itself, and returns 0.
        """

    def hosts(self, run_id: str) -> list[Host]:
        """All hosts of a run in planned order."""

    def some_hosts(self, run_id: str, keys: Iterable[str]) -> list[Host]:
        """These hosts of a run in planned order, read alone; those that it does not have are left out."""

    def failed_hosts(self, run_id: str) -> list[Host]:
        """The hosts of a run that failed or are held, in planned order, read alone."""

    def host(self, run_id: str, key: str) -> Host:
        """One host of a run."""

    def host_and_phases(self, run_id: str, key: str) -> tuple[Host, list[PhaseTime]]:
        """One host of a run with its phases, in the order in which they began."""

    def update_facts(self, run_id: str, key: str, facts: HostFacts, fence: int | None = None) -> None:
        """Add facts about a host, each one whole; None forgets one."""

    def set_outcome(
        self, run_id: str, key: str, verdict: Verdict, overwrite: bool = False, has_none: bool = False
    ) -> bool:
        """Give a host its outcome; False if it has one already and ``overwrite`` is not set.

        ``has_none`` is whether it had none when the caller has just read it, which saves a table another read.
        A run that lost the host may still record that in its own rows. The first outcome stays.
        """

    def outcome_counts(self, run_id: str) -> dict[Outcome | None, int]:
        """How many hosts have each outcome; the key is None for those that have none yet."""

    def run_and_counts(self, run_id: str) -> tuple[Run, dict[Outcome | None, int]]:
        """One run and its outcome_counts, which are no newer."""

    def begin_phase(
        self, run_id: str, key: str, phase: Phase, now: float, fence: int | None = None
    ) -> PhaseStart | None:
        """A phase begins; None where the host's row is missing."""

    def end_phase(
        self,
        run_id: str,
        key: str,
        phase: Phase,
        now: float,
        ok: bool,
        facts: HostFacts | None = None,
        fence: int | None = None,
    ) -> bool:
        """The phase that began last ends; also in a run that lost the host meanwhile, which adds no ``facts`` then. Whether it held
        the host, where there are facts.
        """

    def phases(self, run_id: str, key: str | None = None) -> list[PhaseTime]:
        """All phases of a run, or of one host of it, in the order in which they began."""

    def record_power(self, record: PowerRecord, fence: int | None = None) -> PowerRecord:
        """Open a record, or return the one that is open already, unchanged."""

    def power(self, host_key: str) -> PowerRecord | None:
        """The open record of a host."""

    def open_power(self) -> list[PowerRecord]:
        """All open records that can be read, oldest first."""

    def found_stopped(self) -> set[str]:
        """The keys of the hosts with an open record that were found stopped, without the rest of the records."""

    def unreadable_power(self) -> list[str]:
        """A sentence for each open record that cannot be read: its host may be on because of a run."""

    def note_start(self, host_key: str, run_id: str, requested_at: float, fence: int | None = None) -> None:
        """A start of ours is about to be requested."""

    def note_launch(self, host_key: str, launch_time: float | None, fence: int | None = None) -> None:
        """AWS has shown the start (or, with None, refused it: then nothing was started)."""

    def close_power(
        self, host_key: str, how: str, now: float, fence: int | None = None, known: PowerRecord | None = None
    ) -> None:
        """The host is as it was found, or belongs to another user. ``known`` is the record as the caller has read it, which saves a
        table a read.
        """

    def take_slots(self, run_id: str, host_key: str, limits: Mapping[str, int]) -> list[Slot]:
        """Take a slot in each of these groups of peers, or in none; a slot that the host has already becomes this run's.

        Returns:
            The slots of the groups that have no room. Empty: the host has its slots.
        """

    def free_slots(self, run_id: str, host_key: str) -> None:
        """The host is put back: its slots of this run are free."""

    def slots(self) -> list[Slot]:
        """All slots that are taken."""

    def save_durations(self, durations: HostDurations) -> None:
        """Keep how long a workflow took. The oldest of the host beyond DURATIONS_KEPT are deleted."""

    def history(self, host_key: str) -> list[HostDurations]:
        """The durations of a host, the newest first."""

    def histories(self, host_keys: Iterable[str]) -> dict[str, list[HostDurations]]:
        """The same for many hosts; those without any are left out."""


@dataclass(frozen=True)
class Verdict:
    """How a host ended: an outcome of the report, with the phase, reason code and sentence that belong to it.

    Without an outcome the host has not ended: the run tries it again.
    """

    outcome: Outcome | None
    phase: Phase | None = None
    reason_code: ReasonCode | None = None
    reason: str | None = None


def verdict_from(stored: StoredVerdict) -> Verdict:
    """A verdict that was stored as a fact: outcome, phase, reason_code and reason as JSON has them."""
    code, phase = stored.get("reason_code"), stored.get("phase")
    return Verdict(
        Outcome(stored["outcome"]),
        Phase(phase) if phase else None,
        reason_of(code) if code else None,
        stored.get("reason"),
    )
