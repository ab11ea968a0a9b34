# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be true of brakes, limits of hosts at work, restore points, roll-backs and nodes of clusters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ansible_collections.patchfleet.windows.plugins.module_utils._disk.restore_point import HOST, MARK, RUN
from lab.world import Host

if TYPE_CHECKING:
    from chaos.night import Night

ALARM_UNSEEN_SECONDS = 60.0
"""A run asks CloudWatch at most twice a minute (docs/brakes.md)."""


class Brakes:
    """Whether a run may start hosts, by what people and alarms did, whatever the ledger says of it."""

    def __init__(self, night: Night) -> None:
        self._night = night
        self._stopped: set[str] = set()

    def stop(self, run_ids: Iterable[str]) -> None:
        self._stopped.update(run_ids)

    def resume(self, run_ids: Iterable[str]) -> None:
        self._stopped.difference_update(run_ids)

    def reason_to_wait(self, run_id: str) -> str | None:
        """Why this run may start no host now; None where nothing keeps it."""
        if run_id in self._stopped:
            return "a person had stopped the run"
        now = self._night.play.sim.time
        for alarm in self._night.play.account.alarms.values():
            if alarm.state == "ALARM" and (now - alarm.since).total_seconds() > ALARM_UNSEEN_SECONDS:
                return f"the alarm {alarm.name} was in ALARM"
        return None


def has_restore_point(night: Night, host: Host) -> bool:
    """Whether there is a snapshot of ours, of whatever run."""
    return any(key == host.id for _run_id, key, _volume in _points(night))


def unknown_points(night: Night) -> Iterator[str]:
    """Restore points of which the ledger does not say that they were asked for, and those that were taken twice."""
    counts = Counter(_points(night))
    for (run_id, key, volume), count in counts.items():
        known = [host.facts.get("restore_point") for host in night.ledger.hosts(run_id) if host.key == key]
        name = night.host(key).name
        if not any(known):
            yield f"{name}: the ledger knows nothing of the restore point of {volume}"
        if count > 1:
            yield f"{name}: {count} restore points of {volume} in one run"


def _points(night: Night) -> Iterator[tuple[str, str, str]]:
    """The run, the host and the volume of each snapshot of ours."""
    for snapshot in night.play.account.snapshots.values():
        tags = snapshot.tags.latest
        if MARK in tags:
            yield tags[RUN], tags[HOST], snapshot.volume_id


def peers_at_work(night: Night, run_id: str, key: str, most: int) -> list[str]:
    """The other hosts at work in the zone of this one, where they are as many as its limit ``most`` or more.

    A host of a run that died is at work until it is put back, or another run has it.
    """
    zone = night.ledger.host(run_id, key).facts.get("az")
    oldest_first = reversed(night.ledger.runs())
    newest = {host.key: host for run in oldest_first for host in night.ledger.hosts(run.run_id)}
    at_work = [
        host.name
        for host in newest.values()
        if host.key != key and host.outcome is None and "deadline_at" in host.facts and host.facts.get("az") == zone
    ]
    return at_work if zone and len(at_work) >= most else []


def unfinished(night: Night, host: Host) -> str | None:
    """What is left undone on a host: its node is paused, or it has no root volume."""
    if host.state in {"terminated", "shutting-down"}:
        return None
    if host.node and host.node.paused:
        return "its node is still paused"
    if host.instance and host.root_volume is None:
        return "it has no root volume"
    return None
