# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host as what comes over WinRM finds it: the guest, and what programs leave on it between two commands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lab.guests import Guests
from lab.sim import Process, Simulation, Timer
from lab.winrm.options import Options
from lab.world import Host

if TYPE_CHECKING:
    from lab.winrm.update_task import UpdateTask

# (operation, its parameters, the host, an error code or None): a line of the trace.
Note = Callable[[str, dict[str, Any], Host, str | None], None]


class Machine:
    """``note`` writes into the trace what ran; what the lab does not know is written with an error, and fails the run."""

    def __init__(self, sim: Simulation, host: Host, note: Note, options: Options, guests: Guests) -> None:
        self.sim = sim
        self.host = host
        self.options = options
        self.guests = guests
        self.background: list[Process] = []
        self.update_tasks: dict[str, UpdateTask] = {}
        self.files: dict[str, bytes] = {}  # by their paths in lower case
        self.downloaded: set[str] = set()  # KBs
        self.jobs: dict[str, dict[str, Any]] = {}  # what async_status finds: files, which a reboot does not remove
        self.logon_ui = True  # the registry key that LogonUI makes when Windows is ready for people
        self._note = note
        self._shutdown: Timer | None = None
        host.guest.clock_skew += timedelta(seconds=options.clock_skew_seconds)
        if options.search_error:
            host.guest.updates.fault = options.search_error
        host.guest.add_listener(self)

    def ran(self, what: str, **params: Any) -> None:
        """Something that the lab knows runs."""
        self._note(what, params, self.host, None)

    def unknown(self, what: str) -> str:
        """Something that the lab does not know was asked for; returns a sentence that says so."""
        self._note(what, {}, self.host, "NotImplemented")
        return f"The lab's hosts do not know {what}."

    # ---- what shutdown.exe does

    @property
    def shutting_down(self) -> bool:
        return self._shutdown is not None

    def shut_down(self, after_seconds: float) -> None:
        """Reboot in ``seconds``."""
        self._shutdown = self.sim.after(after_seconds, self._reboot)

    def abort_shutdown(self) -> None:
        if self._shutdown:
            self._shutdown.cancel()
        self._shutdown = None

    def _reboot(self) -> None:
        self._shutdown = None
        self.host.guest.reboot()

    # ---- what the guest shows

    def guest_up(self, after_reboot: bool) -> None:
        """WinRM answers long before Windows has configured its updates and shows the logon screen."""
        self.sim.after(self.host.spec.agent_seconds, self._show_logon)

    def guest_down(self) -> None:
        self.logon_ui = False
        self.abort_shutdown()
        for process in self.background:
            process.stop()
        self.background.clear()
        self.update_tasks.clear()

    def _show_logon(self) -> None:
        self.logon_ui = self.host.guest.up
