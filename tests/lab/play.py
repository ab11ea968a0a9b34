# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A scenario being played on a clock: world, account, events and trace, without HTTP and without threads.

:class:`lab.server.Lab` plays one in scaled real time behind a URL; a test plays one on a virtual clock and calls the
account directly, or through a server of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.aws.account import Account, Identity, Surroundings
from lab.aws.arns import ACCOUNT_ID
from lab.aws.logs import LogSink
from lab.aws.organizations import organization_of
from lab.aws.windows import openings_of
from lab.clock import Clock
from lab.events import Events
from lab.peers import AtWork
from lab.scenario import Scenario
from lab.sim import Simulation
from lab.trace import Trace
from lab.truth import truth
from lab.world import ROOT_DEVICE, World


class Play:
    """``is_recorded`` returns whether the ledger knows an instance id, ``on_controller`` is for the acts of events."""

    def __init__(
        self,
        scenario: Scenario,
        clock: Clock,
        trace_file: Path,
        logs: LogSink,
        is_recorded: Callable[[str], bool],
        on_controller: Callable[[str], None] | None = None,
    ) -> None:
        self.sim = Simulation(clock, scenario.seed)
        self.world = World(self.sim, scenario)
        self.trace = Trace(trace_file)
        self.at_work = AtWork(self.world)
        self.trace.listeners.append(self.at_work.note)
        around = Surroundings(self.trace, logs, is_recorded)
        first = scenario.account
        self.account = Account(Identity(ACCOUNT_ID, first), self.world.of_account(None), around)
        for member in first.accounts:
            further = Account(Identity.of_member(first, member), self.world.of_account(member.name), around)
            self.account.estate.append(further)
        for account in self.account.estate:
            account.estate = self.account.estate
        names = [(ACCOUNT_ID, "hub"), *((member.id, member.name) for member in first.accounts)]
        self.account.organization = organization_of(names)
        self._events = Events(scenario.events, self.world, self.account, on_controller)

    def begin(self) -> None:
        """Second 0: every host continues from the state in which the scenario finds it."""
        with self.sim.current():
            self.world.begin()
            self._events.begin()

    def truth(self) -> dict[str, Any]:
        """The content of ``state.json`` at the moment."""
        with self.sim.current():
            windows = openings_of(self.account.stacks, self.world.scenario.start, self.sim.time)
            return {**truth(self.world, self.trace, self.at_work, self._snapshots()), "windows": windows}

    def _snapshots(self) -> dict[str, list[str]]:
        """By host, what the snapshots are of that there are."""
        found: dict[str, list[str]] = {}
        for account in self.account.estate:
            for snapshot in account.snapshots.values():
                kind = "root" if snapshot.device == ROOT_DEVICE else "data"
                found.setdefault(account.world.by_volume_id[snapshot.volume_id].name, []).append(kind)
        return found
