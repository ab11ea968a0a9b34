# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has a host on: the power calls of the trace, replayed."""

from __future__ import annotations

from collections.abc import Iterator

from lab.records import OTHER, Call, Run

OURS = "ours"
ON_STATES = ("pending", "running", "stopping")  # on because of us, where the start was ours
OFF_AT_START = ("stopped", "stopping")  # a stopping host was meant to be off
STARTS = ("StartInstances",)
STOPS = ("StopInstances", "TerminateInstances")


class Owners:
    """Per host, whose start holds it on: ``ours``, ``other``, or None (off, or on from before)."""

    def __init__(self, run: Run) -> None:
        self._on = {host.name: host.state not in OFF_AT_START for host in run.scenario.hosts}
        self._owner: dict[str, str | None] = dict.fromkeys(self._on)

    def owner(self, name: str) -> str | None:
        """Whose start holds ``name`` on, after the calls seen so far."""
        return self._owner.get(name)

    def see(self, call: Call) -> None:
        """Take a call into account; one that failed or was a DryRun changed nothing."""
        if call.error is not None or not (call.counts or call.caller == OTHER):
            return
        for name in call.hosts:
            if call.operation in STARTS and not self._on.get(name, False):
                self._on[name] = True
                self._owner[name] = OTHER if call.caller == OTHER else OURS
            elif call.operation in STOPS:
                self._on[name] = False
                self._owner[name] = None


def our_stops(run: Run) -> Iterator[tuple[Call, str, str | None]]:
    """Each host of each successful stop of ours, and who had it on just before."""
    owners = Owners(run)
    for call in run.trace:
        if call.counts and call.error is None and call.operation in STOPS:
            yield from [(call, name, owners.owner(name)) for name in call.hosts]
        owners.see(call)


def final_owners(run: Run) -> Owners:
    """Who has what on after the last call."""
    owners = Owners(run)
    for call in run.trace:
        owners.see(call)
    return owners
