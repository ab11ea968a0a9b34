# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has a host on: the power calls of the trace, replayed, with what became of them by the truth."""

from __future__ import annotations

import math
from collections.abc import Iterator

from lab.history import history_of
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
        self._ran_before_us: set[str] = set()  # we stopped them, and others had them on

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
                is_ours = call.caller != OTHER and name not in self._ran_before_us
                self._owner[name] = OURS if is_ours else OTHER
                self._ran_before_us.discard(name)
            elif call.operation in STOPS:
                if self._on.get(name) and self._owner.get(name) != OURS and call.caller != OTHER:
                    self._ran_before_us.add(name)
                self.see_off(name)

    def see_off(self, name: str) -> None:
        """Its power is gone: it was stopped, or a start of it fell back."""
        self._on[name] = False
        self._owner[name] = None


def our_stops(run: Run) -> Iterator[tuple[Call, str, str | None]]:
    """Each host of each successful stop of ours, and who had it on just before."""
    owners = Owners(run)
    for moment in _moments(run):
        if isinstance(moment, str):
            owners.see_off(moment)
            continue
        if moment.counts and moment.error is None and moment.operation in STOPS:
            yield from [(moment, name, owners.owner(name)) for name in moment.hosts]
        owners.see(moment)


def final_owners(run: Run, until: float = math.inf) -> Owners:
    """Who has what on after the last call, or after those until then (lab seconds)."""
    owners = Owners(run)
    for moment in _moments(run, until):
        if isinstance(moment, str):
            owners.see_off(moment)
        else:
            owners.see(moment)
    return owners


def _moments(run: Run, until: float = math.inf) -> Iterator[Call | str]:
    """The calls in their order, and between them the names of hosts at the time at which their power was really gone."""
    gone = sorted((t, name) for name in run.truth for t in history_of(run, name).went_off())
    for call in run.trace:
        while gone and gone[0][0] <= min(call.t, until):
            yield gone.pop(0)[1]
        if call.t >= until:
            return
        yield call
    yield from (name for t, name in gone if t <= until)
