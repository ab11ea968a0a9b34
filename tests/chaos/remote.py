# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WinRM hosts of a night: the lab's machine behind an endpoint that is cut off, refuses log-ons and goes down with Windows.

``NightConnection`` is what plugin_utils/_host_connection.py is in the controller, without Ansible, HTTP and threads: the channel
above it is the product's, the programs below it are those of the lab's WinRM hosts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import (
    CommandTimeout,
    LoginRefused,
    NoAnswer,
    Unreachable,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.logins import (
    REFUSALS_UNTIL_LOCKED,
    count_refusal,
    refuse_locked_account,
)
from chaos.drawn import Remote
from chaos.watch import Change
from lab.agent import Outcome
from lab.guest_logon import Logon
from lab.scripts_model import script_name
from lab.sim import Simulation, Steps
from lab.winrm import scripts, win_updates
from lab.winrm.machine import Machine
from lab.winrm.options import Options
from lab.winrm.payload import Payload
from lab.world import Host

if TYPE_CHECKING:
    from chaos.controller import Controller
    from chaos.night import Night

Data = dict[str, Any]
ACCOUNT = "patcher"
CONNECT_SECONDS = 20.0
FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS = 2.0, 30.0
SHUTDOWN_SECONDS = 2.0
MOST_ROUNDS = 5
"""ansible.windows.win_updates installs, reboots and searches again until nothing is left."""


class RemoteHost:
    """A host of the kind winrm. ``breaks`` counts how often its connections broke; ``started_at`` is when the user's tasks of a run
    started it, in lab seconds.
    """

    def __init__(self, night: Night, host: Host, remote: Remote) -> None:
        self.host, self.remote = host, remote
        self.breaks = 0
        self.started_at: float | None = None
        self._sim = night.play.sim
        self._refuses = remote.refuses_when == "begin"
        self._cut_until = 0.0
        options = Options(search_error=remote.search_error)
        self.machine = Machine(self._sim, host, self._note, options, night.play.account.guests)
        host.guest.add_listener(self)
        night.play.world.listen(self._host_did)

    def begin(self) -> None:
        """As the night finds it."""
        if self.remote.by_tasks:
            self.host.switch(on=False)

    @property
    def is_reachable(self) -> bool:
        return self.host.reachable and self._sim.now >= self._cut_until

    @property
    def refuses(self) -> bool:
        return self._refuses

    @property
    def is_on_because_of_us(self) -> bool:
        """Whether it has been on since the tasks of a run started it."""
        if self.started_at is None or self.host.state == "stopped":
            return False
        offs = [entry["t"] for entry in self.host.history if entry.get("state") == "stopped"]
        return not offs or offs[-1] <= self.started_at

    def start(self) -> None:
        """The user's tasks; they do nothing to a host that is on."""
        if self.host.state == "stopped":
            self.started_at = self._sim.now
            self.host.switch(on=True)

    def stop(self) -> None:
        self.host.switch(on=False)

    def guest_up(self, after_reboot: bool) -> None:
        """It answers again."""

    def guest_down(self) -> None:
        self.breaks += 1

    def _host_did(self, host: Host, word: str) -> None:
        if host is not self.host:
            return
        self._refuses |= word == self.remote.refuses_when
        seconds = self.remote.cuts.get(word)
        if seconds is not None:
            self.breaks += 1
            self._cut_until = self._sim.now + seconds

    def _note(self, what: str, _params: Data, host: Host, error: str | None) -> None:
        host.note_room()
        assert error is None, f"the lab does not know {what}"


class _Program:
    """Steps of a program in the host, and what they return."""

    def __init__(self, sim: Simulation, steps: Steps[Any]) -> None:
        self.result: Any = None
        self.process = sim.spawn(self._run(steps))

    def _run(self, steps: Steps[Any]) -> Steps[None]:
        self.result = yield from steps


class NightConnection:
    """A controller's connection to a host, for one operation. See HostConnection."""

    def __init__(self, controller: Controller, remote: RemoteHost, context: OperationContext) -> None:
        self._controller, self._remote, self._context = controller, remote, context
        self._logged_on_at_break: int | None = None

    def run_script(self, text: str, timeout_seconds: float) -> str:
        work = partial(scripts.run_script, self._remote.machine, text, Logon.SYSTEM)
        program = self._begin(f"script {script_name(text)}", {}, work)
        outcome: Outcome = self._wait(program, timeout_seconds)
        if outcome.stderr:
            raise NoAnswer(f"PowerShell could not run the script: {outcome.stderr}")
        return "\n".join(outcome.stdout.splitlines())

    def win_updates(self, options: Data, timeout_seconds: float) -> Data:
        """With its reboots, as its action does it."""
        deadline = self._context.clock.now() + timeout_seconds
        updates: Data = {}
        for rounds in range(MOST_ROUNDS):
            result = self._updates(options, deadline, continues=rounds > 0)
            updates |= {
                key: update for key, update in result["updates"].items() if key not in updates or update["installed"]
            }
            result["updates"] = updates if options["state"] == "installed" else result["updates"]
            if result["failed"] or not (options.get("reboot") and result["reboot_required"]):
                break
            rebooted = self._reboot(options["reboot_timeout"], deadline, continues=True)
            if rebooted.get("failed"):
                return {**result, **rebooted}
        return result

    def _updates(self, options: Data, deadline: float, *, continues: bool) -> Data:
        payload = Payload({}, "win_updates", {**options, "_operation_options": {"wait": True}}, "module", "", b"")
        work = partial(win_updates.run, self._remote.machine, payload)
        program = self._begin("win_updates", options, work, continues=continues)
        result: Data = self._wait(program, deadline - self._context.clock.now())
        return result

    def reboot(self, timeout_seconds: float) -> Data:
        return self._reboot(timeout_seconds, self._context.clock.now() + 2 * timeout_seconds, continues=False)

    def _reboot(self, timeout_seconds: float, deadline: float, *, continues: bool) -> Data:
        """In order, and until the host is ready again. That the connection breaks with it is no failure."""
        machine, boots = self._remote.machine, len(self._remote.host.guest.boots)
        machine.logon_ui = False
        self._begin("reboot", {}, self._shut_down, continues=continues)
        until = min(deadline, self._context.clock.now() + timeout_seconds)
        while len(self._remote.host.guest.boots) == boots or not (self._remote.is_reachable and machine.logon_ui):
            if self._context.clock.now() >= until:
                return {
                    "failed": True,
                    "msg": "Timed out waiting for the last boot time check",
                    "reboot_required": True,
                }
            self._pass(LONGEST_POLL_SECONDS)
        return {"rebooted": True}

    def _shut_down(self) -> Steps[None]:
        yield 0.0
        self._remote.machine.shut_down(SHUTDOWN_SECONDS)

    def _begin(self, what: str, params: Data, work: Callable[[], Steps[Any]], *, continues: bool = False) -> _Program:
        """A program in the host. ``continues``: within a call that has changed the host already."""
        refuse_locked_account(self._context, ACCOUNT)
        self._log_on()
        (self._context.lease.prove if continues else self._context.before_change)()
        night = self._controller.night
        change = Change(self._controller, "winrm", what, params, night.now(), host_key=self._remote.host.name)
        return self._controller.act(what, lambda: night.watch.call(change, lambda: _Program(night.play.sim, work())))

    def _wait(self, program: _Program, timeout_seconds: float) -> Any:
        """What a program returns that runs to its end."""
        deadline = self._context.clock.now() + timeout_seconds
        breaks, pause = self._remote.breaks, FIRST_POLL_SECONDS
        while program.process.alive:
            left = deadline - self._context.clock.now()
            if left <= 0:
                raise CommandTimeout(f"The host had not answered after {timeout_seconds:.0f} s.")
            self._pass(min(pause, left))
            pause = min(2 * pause, LONGEST_POLL_SECONDS)
            if self._remote.breaks != breaks:
                program.process.stop()
                raise Unreachable("The host cannot be reached over its connection: it was reset")
        return program.result

    def _log_on(self) -> None:
        remote = self._remote
        if not remote.is_reachable:
            self._pass(CONNECT_SECONDS)
        if not remote.is_reachable:
            raise Unreachable("The host cannot be reached over its connection: it did not answer")
        if self._logged_on_at_break == remote.breaks:
            return
        if remote.refuses:
            if count_refusal(self._context, ACCOUNT) < REFUSALS_UNTIL_LOCKED:
                raise Unreachable(f"The host refused the log-on of {ACCOUNT}")
            raise LoginRefused(ACCOUNT, "the credentials were rejected")
        self._logged_on_at_break = remote.breaks

    def _pass(self, seconds: float) -> None:
        """Time passes in a call; the product's timer renews the lease meanwhile, and ends the call when it is lost."""
        self._context.clock.sleep(seconds)
        self._context.lease.renew()
