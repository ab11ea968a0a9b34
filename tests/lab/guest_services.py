# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of a Windows host: which there are, who starts and ends them, and with which exit code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from lab.sim import Simulation
from lab.windows_spec import WindowsSpec

NEVER_STARTED = 1077  # ERROR_SERVICE_NEVER_STARTED
ENDS_BY_ITSELF_SECONDS = 600.0
SERVICE_SECONDS = 2.0  # a start or a stop
TRUSTED_INSTALLER = "TrustedInstaller"

# Services that every Windows starts by itself and that run while it does.
RUN_BY_THEMSELVES = (
    "AmazonSSMAgent",
    "CryptSvc",
    "EventLog",
    "LanmanServer",
    "LanmanWorkstation",
    "Schedule",
    "Winmgmt",
)
# Automatic by their start type, and yet Windows starts and ends them on triggers.
TRIGGERED = ("gpsvc", "sppsvc")
ON_DEMAND = ("wuauserv", "bits", TRUSTED_INSTALLER, "defragsvc", "UsoSvc", "DoSvc", "wlidsvc")
# Templates of which Windows makes a service for each logon; the suffix is the logon session's.
PER_USER = ("CDPUserSvc", "WpnUserService", "OneSyncSvc", "PimIndexMaintenanceSvc", "UnistoreSvc", "UserDataSvc")


@dataclass
class Service:
    """A Windows service. ``manual`` and stopped is normal: it is started on demand.

    Attributes:
        status: ``running``, ``stopped``, ``start_pending`` or ``stop_pending``.
        exit_code: of its last end, as Win32_Service.ExitCode has it.
        triggered: it has triggers.
        of_session: an instance of a per-user service.
    """

    name: str
    start_type: str = "manual"
    status: str = "stopped"
    exit_code: int = NEVER_STARTED
    triggered: bool = False
    of_session: bool = False

    @property
    def enabled(self) -> bool:
        return self.start_type != "disabled"

    @property
    def automatic(self) -> bool:
        return self.start_type == "automatic"

    def run(self) -> None:
        self.status, self.exit_code = "running", 0

    def end(self, exit_code: int = 0) -> None:
        self.status, self.exit_code = "stopped", exit_code


class Services:
    """All services of one host, by their names in any case."""

    def __init__(self, sim: Simulation, spec: WindowsSpec, name: str, broken: tuple[str, ...] = ()) -> None:
        self._sim = sim
        self._failing = (*spec.failing_services, *broken)
        self._spec = spec
        self._rebooted = False
        self._boots = 0
        self._by_name: dict[str, Service] = {}
        for automatic in (*RUN_BY_THEMSELVES, *TRIGGERED):
            self._add(Service(automatic, "automatic", triggered=automatic in TRIGGERED))
        for manual in ON_DEMAND:
            self._add(Service(manual))
        for own in (*spec.self_ending_services, *self._failing):
            self._add(Service(own, "automatic"))
        suffix = f"{sim.random(name, 'logon').randrange(0x10000, 0xFFFFF):x}"
        for number in range(spec.per_user_services):
            template = PER_USER[number % len(PER_USER)] + (
                str(number // len(PER_USER)) if number >= len(PER_USER) else ""
            )
            self._add(Service(f"{template}_{suffix}", "automatic", of_session=True))
        for name_of_its in filter(None, (spec.stuck_service, spec.hanging_start)):
            self.find_or_add(name_of_its)
        self.find_or_add("defragsvc").start_type = spec.defragsvc
        for purpose, start_type in spec.start_types.items():
            self.find_or_add(purpose).start_type = start_type
        self._apply_policies()

    def _apply_policies(self) -> None:
        """Windows applies a computer's policies when it starts."""
        for name in self._spec.policy_services:
            self.find_or_add(name).start_type = "disabled"

    def _add(self, service: Service) -> Service:
        return self._by_name.setdefault(service.name.lower(), service)

    def find_or_add(self, name: str) -> Service:
        return self._add(Service(name))

    def __getitem__(self, name: str) -> Service:
        return self._by_name[name.lower()]

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._by_name

    def __iter__(self) -> Iterator[Service]:
        return iter(self._by_name.values())

    def values(self) -> list[Service]:
        return list(self)

    # ---- what Windows does with them

    def begin_up(self) -> None:
        """Windows has been running since before the scenario began."""
        self._start_all()
        for name in self._spec.self_ending_services:
            self[name].end()

    def boot(self) -> None:
        """Windows has started. Of what ran before a reboot, not all comes back."""
        self._start_all()
        if self._rebooted:
            for name in self._failing:
                self[name].end(exit_code=1)
            for service in [service for service in self if service.of_session]:
                del self._by_name[service.name.lower()]

    def _start_all(self) -> None:
        self._boots += 1
        self._apply_policies()
        for service in self:
            if service.automatic and service.name != "sppsvc":
                service.run()
        if self._spec.stuck_service and self[self._spec.stuck_service].enabled:
            self[self._spec.stuck_service].run()
        for name in self._spec.self_ending_services:
            self._sim.after(ENDS_BY_ITSELF_SECONDS, partial(self._end_by_itself, name, self._boots))

    def _end_by_itself(self, name: str, boot: int) -> None:
        if boot == self._boots and self[name].status == "running":
            self[name].end()

    def power_off(self) -> None:
        """All of them end with Windows, also those that would not."""
        self._rebooted |= self._boots > 0
        self._boots += 1  # what was planned for this boot does not happen
        for service in self:
            service.status, service.exit_code = "stopped", NEVER_STARTED

    def note_pending_reboot(self, pending: bool) -> None:
        """TrustedInstaller stays at work while a transaction waits for its reboot, and goes back to Manual after it."""
        if not self._spec.trusted_installer_turns_manual:
            return
        installer = self[TRUSTED_INSTALLER]
        if pending:
            installer.start_type = "automatic"
            installer.run()
        else:
            installer.start_type = "manual"
            installer.end()

    # ---- what others ask of them

    def ask_to_stop(self, name: str) -> Service:
        """With what depends on it. Whether it has stopped is for the caller to look at."""
        service = self[name]
        if service.status == "running":
            if self._is_stuck(service):
                service.status = "stop_pending"
            else:
                service.end()
        return service

    def _is_stuck(self, service: Service) -> bool:
        return (self._spec.stuck_service or "").lower() == service.name.lower()

    def hangs_at_start(self, service: Service) -> bool:
        """Whether it would stay in StartPending."""
        return service.status != "running" and (self._spec.hanging_start or "").lower() == service.name.lower()

    def start_types(self, *names: str) -> dict[str, str]:
        return {name: self[name].start_type for name in names}
