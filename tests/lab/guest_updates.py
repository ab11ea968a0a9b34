# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows Update on a host: services, what is offered, installing, history, and what is broken about it."""

from __future__ import annotations

import copy
import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lab import policies
from lab.guest_disk import SystemDisk
from lab.guest_services import TRUSTED_INSTALLER, Services
from lab.guest_servicing import NOTHING, WAITS_FOR_REBOOT, WORKS, Servicing, ServicingJob
from lab.scenario import HostSpec, Update
from lab.sim import Process, Signal, Simulation, Steps
from lab.windows_messages import (
    CANCELLED,
    DISK_FULL,
    NO_ERROR,
    SERVICE_DISABLED,
    SERVICE_STOP,
    START_FAILED,
    exception_of,
)

SEARCH_ERRORS = {
    "service_stopped": SERVICE_DISABLED,
    "service_disabled": SERVICE_DISABLED,
    "cache_corrupt": "0x80248007",
    "no_route": "0x8024402C",
    "unrepairable": "0x8024FFFF",
}
NO_REPAIR_SOURCE = 0x800F0906 - 2**32  # CBS_E_DOWNLOAD_FAILURE, as exit codes are signed
DONE_AFTER_REBOOT = 3010  # ERROR_SUCCESS_REBOOT_REQUIRED
DONE = (0, DONE_AFTER_REBOOT)
INSTALL_ERRORS = {"components_corrupt": "0x80073712"}
# A search or an installation that cannot work gives up after this time.
GIVES_UP_AFTER_SECONDS = 15.0
CLEANING_SECONDS = 120.0
NOTHING_TO_CLEAN_SECONDS = 10.0
RESTORING_HEALTH_SECONDS = 600.0

APPROVED_CLASSES = ("critical", "security")

COMPONENT_BASED_SERVICING, WINDOWS_UPDATE = "component_based_servicing", "windows_update"

ON_DISK = (
    "fault",
    "hidden",
    "states",
    "installed_at",
    "history",
    "pending_reboot",
    "components_flagged",
    "_waits_for_second_boot",
    "_boots_left",
)
# What waits for its reboot on a host with `pending_reboot`: installed before the scenario began.
EARLIER_UPDATE = Update(kb="KB5020000", severity="important", update_class="security", reboot=True)

# Microsoft Defender's: https://learn.microsoft.com/defender-endpoint/microsoft-defender-antivirus-updates
DEFINITIONS = Update(kb="KB2267602", severity="unspecified", update_class="definition", gib=0.1, seconds=30)


class WindowsUpdateError(Exception):
    """What the Update agent answers instead of a result."""

    def __init__(self, hresult: str, language: str = "en") -> None:
        super().__init__(exception_of(hresult, language))
        self.hresult = hresult


class UpdateState(enum.Enum):
    """Where an update is that this host has: its reboot may still be due."""

    INSTALLED = "Installed"
    PENDING_REBOOT = "InstalledPendingReboot"


@dataclass
class HistoryEntry:
    """One installation in the host's update history; ``hresult`` is for the finished ones."""

    kb: str
    result: str
    hresult: str
    at: datetime

    @property
    def title(self) -> str:
        return f"Security Update for Windows ({self.kb})"


@dataclass
class Installation:
    """Updates being installed one after the other; it continues when no caller waits for it any more."""

    done: Signal
    started: dict[str, HistoryEntry] = field(default_factory=dict)
    installed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    reported_failed: list[str] = field(default_factory=list)
    stopping: bool = False

    def stop_after_current(self) -> None:
        """Do not begin another update; Windows finishes what it has started."""
        self.stopping = True


class WindowsUpdate:
    """The Update agent and its world. ``announce`` gets a word when a search or an installation begins and ends."""

    def __init__(
        self,
        sim: Simulation,
        spec: HostSpec,
        disk: SystemDisk,
        services: Services,
        announce: Callable[[str], None],
    ) -> None:
        self._sim = sim
        self._spec = spec
        self._disk = disk
        self._announce = announce
        self.services = services
        self.servicing = Servicing(sim, spec.windows.tiworker_seconds)
        self.fault = spec.windows_update
        self.known = {update.kb: update for update in spec.updates}
        if spec.windows.definitions_every_seconds is not None:
            self.known[DEFINITIONS.kb] = DEFINITIONS
        self.hidden = {update.kb for update in spec.updates if update.hidden}
        self.states: dict[str, UpdateState] = {}
        self.installed_at: dict[str, datetime] = {}
        self.history: list[HistoryEntry] = []
        self.pending_reboot: set[str] = set()
        self.installation: Installation | None = None
        self._progress_at: datetime | None = None
        self._hangs = False
        self._worker: Process | None = None
        self._taken_gib = 0.0
        self.components_flagged = False
        self._search_faults = list(spec.windows.search_faults)
        if self.fault == "service_disabled":
            self.services["wuauserv"].start_type = self.services["bits"].start_type = "disabled"
        was_pending = spec.pending_reboot or spec.windows.pending_by_others
        self._waits_for_second_boot = was_pending and spec.state in ("pending", "stopped", "stopping")
        self._boots_left = spec.windows.reboots_per_transaction if was_pending else 0
        if spec.pending_reboot:
            self._record_earlier_update()
        if spec.windows.pending_by_others:
            self.pending_reboot.add(COMPONENT_BASED_SERVICING)

    def _record_earlier_update(self) -> None:
        self.known[EARLIER_UPDATE.kb] = EARLIER_UPDATE
        self.states[EARLIER_UPDATE.kb] = UpdateState.PENDING_REBOOT
        self.installed_at[EARLIER_UPDATE.kb] = self._sim.time
        self.pending_reboot.add(COMPONENT_BASED_SERVICING)

    def on_disk(self) -> dict[str, Any]:
        """A copy of what is written on the disk, by attribute; what an installation under way has not ended is not."""
        return copy.deepcopy({name: getattr(self, name) for name in ON_DISK})

    # ---- what is there

    @property
    def installing(self) -> bool:
        return self.installation is not None

    @property
    def last_progress_at(self) -> datetime | None:
        """When the servicing log was last written: all the time, but for an update that hangs."""
        works = (self.installing and not self._hangs) or self.servicing.working
        return self._sim.time if works else self._progress_at

    def processes(self) -> list[str]:
        """Of the servicing stack, those that run."""
        worker = ["TiWorker"] if self.installing or self.servicing.worker_is_awake else []
        return [*worker, *(["Dism"] if self.servicing.working else [])]

    @property
    def waits_for_reboot(self) -> bool:
        """The servicing stack has a transaction that the next boot ends."""
        return COMPONENT_BASED_SERVICING in self.pending_reboot

    @property
    def servicing_in_progress(self) -> int:
        """The registry's ServicingInProgress."""
        if self.installing or self.servicing.working:
            return WORKS
        return WAITS_FOR_REBOOT if self.waits_for_reboot else NOTHING

    @property
    def patch_manager_sees_pending(self) -> bool:
        """Whether an update that Patch Manager knows of waits for a reboot."""
        return UpdateState.PENDING_REBOOT in self.states.values()

    def is_approved(self, update: Update) -> bool:
        """By the baseline of its account, and Defender's definitions where it says so; over WinRM nothing filters by severity."""
        if update is DEFINITIONS:
            return self._spec.kind != "winrm"
        if update.update_class not in APPROVED_CLASSES:
            return False
        return self._spec.kind == "winrm" or update.severity in self._spec.approved_severities

    def offered(self) -> list[Update]:
        """Offered and not in, approved or not."""
        if policies.is_paused(self._spec.windows):
            return []
        return [update for update in self.offered_or_hidden() if update.kb not in self.hidden]

    def offered_or_hidden(self) -> list[Update]:
        """The same, with those that a person has hidden."""
        return [
            update
            for update in self.known.values()
            if (update.kb not in self.states or self._is_out_again(update))
            and (update.needs is None or self.states.get(update.needs) is UpdateState.INSTALLED)
            and update.kb not in self._superseded()
        ]

    def _superseded(self) -> set[str | None]:
        """Updates that an installed one has replaced."""
        return {self.known[kb].supersedes for kb in self.states}

    def listed(self, state: UpdateState) -> set[str]:
        """What Windows itself lists in this state: what was replaced is not among them, and only the history has its number."""
        return {kb for kb, found in self.states.items() if found is state} - self._superseded()

    def _is_out_again(self, update: Update) -> bool:
        """Whether a newer one has come out under the same number."""
        every = self._spec.windows.definitions_every_seconds
        if update is not DEFINITIONS or every is None:
            return False
        return (self._sim.time - self.installed_at[update.kb]).total_seconds() >= every

    def approved(self) -> list[Update]:
        """Approved, offered and not in, as a scan finds them."""
        return [update for update in self.offered() if self.is_approved(update)]

    def missing(self) -> list[Update]:
        """The same without Defender's definitions, of which a new one is always due."""
        return [update for update in self.approved() if update is not DEFINITIONS]

    def installed_in_scenario(self) -> list[str]:
        return [kb for kb in self.states if kb != EARLIER_UPDATE.kb]

    def failed(self) -> list[dict[str, str]]:
        """What its history calls failed, with the code, each pair once."""
        pairs = dict.fromkeys((entry.kb, entry.hresult) for entry in self.history if entry.result == "failed")
        return [{"kb": kb, "hresult": hresult} for kb, hresult in pairs]

    # ---- what can be asked of it

    def search_error(self) -> str | None:
        """The HRESULT that a search ends with at the moment."""
        if self.fault.startswith("0x"):
            return self.fault
        return (
            SEARCH_ERRORS.get(self.fault)
            or self._service_error("wuauserv", "cryptsvc")
            or policies.refusal(self._spec.windows)
        )

    def agent_error(self) -> str | None:
        """The HRESULT with which the agent itself refuses to answer."""
        return (
            SERVICE_DISABLED
            if self.fault in ("service_stopped", "service_disabled")
            else self._service_error("wuauserv")
        )

    def _service_error(self, *names: str) -> str | None:
        """What a service gives back that cannot be started on demand."""
        for service in (self.services[name] for name in names):
            if service.status == "stop_pending":
                return SERVICE_STOP
            if service.status == "start_pending" or (service.enabled and self.services.hangs_at_start(service)):
                return START_FAILED
            if not service.enabled and service.status != "running":
                return SERVICE_DISABLED
        return None

    def _error(self, hresult: str) -> WindowsUpdateError:
        return WindowsUpdateError(hresult, self._spec.windows.language)

    def own_search(self) -> Steps[None]:
        """A search by the host's own API; WindowsUpdateError when it cannot work, or when its source says no this time."""
        error = self.search_error()
        seconds = self._spec.windows.search_seconds
        if error:
            yield min(GIVES_UP_AFTER_SECONDS, seconds)
            raise self._error(error)
        yield seconds
        self.servicing.searched()
        self._ask_source()

    def _ask_source(self) -> None:
        """WindowsUpdateError where it says no this time."""
        if self._search_faults:
            raise self._error("0x" + self._search_faults.pop(0)[2:].upper())

    def search(self) -> Steps[list[Update]]:
        """One scan, for what is approved; WindowsUpdateError when it cannot work."""
        yield from self.scan()
        return self.approved()

    def scan(self, own: bool = False) -> Steps[None]:
        """The time that it takes to find out what is offered; WindowsUpdateError when it cannot work.

        One of its ``own`` is a search by the host's API, whose source may say no.
        The judge takes a search that has ended here, and nothing else, for a proof of what is missing.
        """
        self._announce("searching")
        error = self.search_error()
        if error:
            yield min(GIVES_UP_AFTER_SECONDS, self._spec.scan_seconds)
            raise self._error(error)
        yield self._spec.scan_seconds
        self.servicing.searched()
        if own:
            self._ask_source()
        self._announce("searched")

    def begin_installation(self, updates: list[Update]) -> Installation:
        """Install these in order; the caller may wait for ``done``. Never while another one is under way."""
        assert not self.installing
        self.installation = Installation(Signal(self._sim))
        self._announce("installing")
        self._worker = self._sim.spawn(self._install(self.installation, updates))
        return self.installation

    def _install(self, installation: Installation, updates: list[Update]) -> Steps[None]:
        yield from self.servicing.wait()
        for update in updates:
            if installation.stopping:
                break
            yield from self._install_one(installation, update)
        self.installation = None
        self._announce("installed")
        installation.done.fire()

    def _install_one(self, installation: Installation, update: Update) -> Steps[None]:
        entry = HistoryEntry(update.kb, "in_progress", NO_ERROR, self._sim.time)
        installation.started[update.kb] = entry
        self.history.append(entry)
        self._progress_at = self._sim.time
        error = self.search_error() or INSTALL_ERRORS.get(self.fault) or self._service_error(TRUSTED_INSTALLER)
        error = error or (self._service_error("bits") if self._spec.windows.bits_downloads else None)
        error = error or (None if self._take(update.gib) else DISK_FULL)
        if error:
            yield min(GIVES_UP_AFTER_SECONDS, update.seconds)
            self.components_flagged |= error == INSTALL_ERRORS["components_corrupt"]
            self._end(installation, entry, error)
            return
        self._hangs = update.result == "hangs"
        while self._hangs:
            yield 86400.0
        yield update.seconds
        self._give_back()
        if update.result.startswith("0x"):
            self._end(installation, entry, "0x" + update.result[2:].upper())
            return
        self.states[update.kb] = UpdateState.PENDING_REBOOT if update.reboot else UpdateState.INSTALLED
        self.installed_at[update.kb] = self._sim.time
        if update.reboot:
            self.pending_reboot |= {COMPONENT_BASED_SERVICING, WINDOWS_UPDATE}
            self._boots_left = self._spec.windows.reboots_per_transaction
            self.services.note_pending_reboot(True)
        if update.result == "reported_failed":
            installation.reported_failed.append(update.kb)
        self._end(installation, entry, NO_ERROR)

    def _end(self, installation: Installation, entry: HistoryEntry, hresult: str) -> None:
        entry.result = "succeeded" if hresult == NO_ERROR else "failed"
        entry.hresult = hresult
        entry.at = self._progress_at = self._sim.time
        if hresult == NO_ERROR:
            installation.installed.append(entry.kb)
        else:
            installation.failed[entry.kb] = hresult

    def _take(self, gib: float) -> bool:
        if not self._disk.take(gib):
            return False
        self._taken_gib = gib
        return True

    def _give_back(self) -> None:
        self._disk.give_back(self._taken_gib)
        self._taken_gib = 0.0

    # ---- what happens to it

    def power_off(self) -> bool:
        """Everything stops where it is; True when the servicing stack was cut off at work."""
        cut_off = self.servicing.power_off()
        if self.installation is None or self._worker is None:
            return cut_off
        self._worker.stop()
        self._give_back()
        for entry in self.installation.started.values():
            if entry.result == "in_progress":
                entry.result, entry.hresult = "failed", CANCELLED
        self.installation = None
        self._hangs = False
        return True

    def boot(self) -> None:
        """What waited for the reboot is done, and what does not survive it is gone.

        On a host that is off at the beginning, ``pending_reboot`` is what its next boot leaves: Windows' servicing may go on
        while it starts and ask for one more restart.
        """
        if self._waits_for_second_boot:
            self._waits_for_second_boot = False
            return
        if not self._transaction_can_end():
            return
        self._boots_left -= 1
        if self.pending_reboot and self._boots_left > 0:
            return
        for kb in list(self.states):
            if self.known[kb].result == "vanishes":
                del self.states[kb], self.installed_at[kb]
            else:
                self.states[kb] = UpdateState.INSTALLED
        if self.pending_reboot and self._spec.windows.servicing_after_boot_seconds:
            self.servicing.begin(self._spec.windows.servicing_after_boot_seconds, lambda: None, self._is_installing)
        self.pending_reboot.clear()
        self.services.note_pending_reboot(False)

    def _transaction_can_end(self) -> bool:
        """TrustedInstaller has to start by itself after the restart, where it has set itself to do so.

        Source: Microsoft, "Windows Update common errors and mitigation", 0x80070bc9.
        """
        turns = self._spec.windows.trusted_installer_turns_manual and self.waits_for_reboot
        return not turns or self.services[TRUSTED_INSTALLER].automatic

    def clean_component_store(self) -> ServicingJob:
        """Dism /StartComponentCleanup: it continues when its caller is gone."""
        seconds = self._spec.windows.clean_seconds
        if seconds is None:
            seconds = CLEANING_SECONDS if self._disk.component_store_gib else NOTHING_TO_CLEAN_SECONDS
        return self._dism(seconds, self._disk.clean_component_store)

    def restore_health(self) -> ServicingJob:
        """Dism /RestoreHealth, which continues as well. It needs a source for what is damaged."""
        damaged = self.fault == "components_corrupt"
        no_source = damaged and policies.has_no_repair_source(self._spec.windows)

        def effect() -> None:
            self.components_flagged = no_source
            if not no_source:
                self.repair("components_corrupt")

        job = self._dism(RESTORING_HEALTH_SECONDS, effect)
        if no_source:
            job.exit_code = NO_REPAIR_SOURCE
        return job

    def _dism(self, seconds: float, effect: Callable[[], object]) -> ServicingJob:
        exit_code = self._spec.windows.dism_exit_code

        def end() -> None:
            self._progress_at = self._sim.time
            if exit_code in DONE:
                effect()
            if exit_code == DONE_AFTER_REBOOT:
                self.pending_reboot.add(COMPONENT_BASED_SERVICING)
                self._boots_left = self._spec.windows.reboots_per_transaction
                self.services.note_pending_reboot(True)

        job = self.servicing.begin(seconds, end, self._is_installing)
        job.exit_code = exit_code
        return job

    def begin_shutdown(self) -> float:
        """What Windows does before it goes down with a transaction; returns for how many seconds."""
        seconds = self._spec.windows.servicing_before_shutdown_seconds if self.waits_for_reboot else 0.0
        if seconds:
            self.servicing.begin(seconds, lambda: None, self._is_installing)
        return seconds

    def _is_installing(self) -> bool:
        return self.installing

    def start_service(self, name: str) -> None:
        """An explicit start, which the service may never end; WindowsUpdateError for one that is disabled."""
        service = self.services[name]
        if not service.enabled:
            raise self._error(SERVICE_DISABLED)
        if service.status == "stop_pending":
            raise self._error(SERVICE_STOP)
        if self.services.hangs_at_start(service):
            service.status = "start_pending"
            return
        service.run()
        usable = self.services["wuauserv"].status == "running" and self.services["bits"].enabled
        if self.fault in ("service_stopped", "service_disabled") and usable:
            self.fault = "ok"

    def lose_cache(self) -> None:
        """Its folder is renamed: the service makes a new one, without the history and the marks of hidden updates in the old."""
        self.history.clear()
        self.hidden.clear()
        self.repair("cache_corrupt")

    def repair(self, fault: str) -> bool:
        """The remedy for ``fault`` was applied; False when that was not what is wrong."""
        if self.fault != fault:
            return False
        self.fault = "ok"
        return True
