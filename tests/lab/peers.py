# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many peers were at work at the same time: hosts with the same tag ``Role``, or nodes of one cluster.

A host is at work from the first change on it until the last command or change of the same controller, and while it is on because
of a start of ours. A node of a cluster is at work from the first change in its Windows, and while it is paused: the start of a node
that was off takes nothing from its cluster.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from lab.records import OTHER, WINRM, Call
from lab.touched import AROUND_A_START, changes
from lab.trace import Entry
from lab.world import Host, World

Interval = tuple[float, float]
COMMANDS = frozenset({"SendCommand", "GetCommandInvocation"})
POWER = frozenset({*AROUND_A_START, "StopInstances"})
ROLE = "Role"
SHORTEST_SECONDS = 0.001


class AtWork:
    """Listens to the trace, and keeps when each host was at work."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._spans: dict[str, dict[tuple[str, bool], list[float]]] = defaultdict(dict)
        self._starts: dict[str, list[float]] = defaultdict(list)

    def note(self, entry: Entry) -> None:
        """One call: it starts the span of its controller on the host, or moves its end."""
        if entry.caller == OTHER or entry.error or str(entry.params.get("DryRun", False)).lower() == "true":
            return
        call = Call(0, entry.t, entry.service, entry.operation, entry.params, entry.caller, None, tuple(entry.hosts))
        is_change, is_command = changes(call), entry.operation in COMMANDS or entry.service == WINRM
        if not is_change and not is_command:
            return
        for name in entry.hosts:
            if entry.operation == "StartInstances":
                self._starts[name].append(entry.t)
            for in_windows in (False, True):
                starts_span = is_change and not (in_windows and entry.operation in POWER)
                span = self._spans[name].get((entry.caller, in_windows))
                if span is not None:
                    span[1] = entry.t
                elif starts_span:
                    self._spans[name][entry.caller, in_windows] = [entry.t, entry.t]

    def at_once(self, host: Host) -> int:
        """The most peers of the host, itself included, that were at work at one moment."""
        of_role = [peer for peer in self._world.hosts.values() if _role(peer) == _role(host) is not None]
        of_cluster = host.node.cluster.nodes if host.node else []
        return max(
            _most_at_once(self._intervals(peer, in_windows=False) for peer in of_role or [host]),
            _most_at_once(self._intervals(node.host, in_windows=True) for node in of_cluster),
        )

    def _intervals(self, host: Host, *, in_windows: bool) -> list[Interval]:
        spans = self._spans[host.name].items()
        found = [(span[0], span[1]) for (_caller, inside), span in spans if inside == in_windows]
        now = self._world.sim.now
        if not in_windows:
            return [*found, *((at, _off_at(host, at, now)) for at in self._starts[host.name])]
        pauses = host.node.pauses if host.node else []
        return [*found, *((since, now if until is None else until) for since, until in pauses)]


def _role(host: Host) -> str | None:
    return host.spec.tags.get(ROLE)


def _off_at(host: Host, since: float, now: float) -> float:
    times = (entry["t"] for entry in host.history if entry.get("state") == "stopped" and entry["t"] > since)
    return min(times, default=now)


def _most_at_once(hosts: Iterable[list[Interval]]) -> int:
    changes_of_number = sorted(edge for intervals in hosts for edge in _edges(_union(intervals)))
    most = number = 0
    for _at, change in changes_of_number:
        number += change
        most = max(most, number)
    return most


def _edges(intervals: Iterable[Interval]) -> Iterator[tuple[float, int]]:
    for since, until in intervals:
        yield since, 1
        yield max(until, since + SHORTEST_SECONDS), -1  # sorted before a start at the same moment


def _union(intervals: list[Interval]) -> list[Interval]:
    """Without overlaps: a host counts once."""
    merged: list[Interval] = []
    for since, until in sorted(intervals):
        if merged and since <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], until))
        else:
            merged.append((since, until))
    return merged
