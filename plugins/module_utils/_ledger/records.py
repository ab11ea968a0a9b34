# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the ledger remembers, and the interface that each of its backends has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

LEASE_SECONDS = 900.0
"""A run that gave no sign of life for so long holds its hosts no longer."""


@dataclass(frozen=True)
class Run:
    """One run. ``settings`` are the normalised variables; times are seconds since 1970."""

    run_id: str
    opened_at: float
    operation: str
    snapshot_id: str
    settings: dict[str, Any]
    controller: dict[str, Any]
    heartbeat_at: float
    closed_at: float | None = None
    breaker: str | None = None

    def is_alive(self, now: float) -> bool:
        """Whether its controller may still be at work."""
        return self.closed_at is None and now < self.heartbeat_at + LEASE_SECONDS


@dataclass(frozen=True)
class Host:
    """A host of a run. ``key`` is the instance id, or the inventory name where there is none; ``facts`` holds the rest of
    what the report says of it.
    """

    run_id: str
    key: str
    name: str
    position: int
    kind: str
    instance_id: str | None = None
    region: str | None = None
    wave: int | None = None
    outcome: str | None = None
    step: str | None = None
    reason_code: str | None = None
    reason: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PowerRecord:
    """The power state in which a host was found, until it is put back. The first writer wins.

    Attributes:
        original_state: running or stopped.
        start_requested_at: committed before StartInstances is called for it.
        launch_time: of the start that was ours, once AWS has shown it.
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


@dataclass(frozen=True)
class StepTime:
    """When a step of a host began and ended; ``ok`` is None while it goes on."""

    host_key: str
    step: str
    started_at: float
    finished_at: float | None
    ok: bool | None


class Ledger(Protocol):
    """The memory of runs outside their processes. Every method is one transaction, committed when it returns."""

    def open_run(self, run: Run, hosts: list[Host], take_over: bool) -> dict[str, str]:
        """Write down a run and lease its hosts; returns the hosts that another living run holds: key → its run id."""

    def runs(self) -> list[Run]:
        """All runs, the newest first."""

    def run(self, run_id: str) -> Run:
        """One run; PatchFleetError when there is none of that id."""

    def heartbeat(self, run_id: str, now: float) -> None:
        """A sign of life: keeps the leases of the run."""

    def holds_lease(self, run_id: str, key: str) -> bool:
        """Whether the host is leased to this run (and no other took it over)."""

    def take_over(self, run_id: str, keys: list[str], now: float, force: bool) -> dict[str, str]:
        """Lease hosts to a run; returns those that another living run keeps (none if ``force``)."""

    def open_breaker(self, run_id: str, reason: str) -> None:
        """Nothing new starts in this run any more; the first reason stays."""

    def close_run(self, run_id: str, now: float) -> None:
        """The run is over; its leases are free."""

    def hosts(self, run_id: str) -> list[Host]:
        """All hosts of a run in planned order."""

    def host(self, run_id: str, key: str) -> Host:
        """One host of a run."""

    def learn(self, run_id: str, key: str, facts: dict[str, Any]) -> None:
        """Add facts about a host."""

    def conclude(self, run_id: str, key: str, verdict: Verdict, overwrite: bool = False) -> bool:
        """Give a host its outcome; False if it has one already and ``overwrite`` is not set."""

    def outcome_counts(self, run_id: str) -> dict[str, int]:
        """How many hosts have each outcome; the key is "" for those that have none yet."""

    def begin_step(self, run_id: str, key: str, step: str, now: float) -> None:
        """A step begins."""

    def end_step(self, run_id: str, key: str, step: str, now: float, ok: bool) -> None:
        """The step that began last ends."""

    def steps(self, run_id: str) -> list[StepTime]:
        """All steps of a run in the order in which they began."""

    def record_power(self, record: PowerRecord) -> PowerRecord:
        """Open a record, or return the one that is open already, unchanged."""

    def power(self, host_key: str) -> PowerRecord | None:
        """The open record of a host."""

    def open_power(self) -> list[PowerRecord]:
        """All open records, oldest first."""

    def note_start(self, host_key: str, run_id: str, requested_at: float) -> None:
        """A start of ours is about to be requested."""

    def note_launch(self, host_key: str, launch_time: float | None) -> None:
        """AWS has shown the start (or, with None, refused it: then nothing was started)."""

    def close_power(self, host_key: str, how: str, now: float) -> None:
        """The host is as it was found, or somebody else's."""


@dataclass(frozen=True)
class Verdict:
    """How a host ended: an outcome of the report, with the step, reason code and sentence that belong to it."""

    outcome: str
    step: str | None = None
    reason_code: str | None = None
    reason: str | None = None
