# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Windows host from the inside: it boots, people are logged on, it installs updates, it reboots, it loses power."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from lab.disk_image import DiskImage
from lab.guest_disk import SystemDisk
from lab.guest_services import Services
from lab.guest_servicing import NOTHING
from lab.guest_updates import WindowsUpdate
from lab.guest_workload import Workload
from lab.scenario import HostSpec
from lab.sim import Process, Simulation, Steps, Timer

# A host that runs at the start has been up for this time.
UP_SINCE = timedelta(days=9)


class GuestListener(Protocol):
    """What stands on the operating system: the SSM agent."""

    def guest_up(self, after_reboot: bool) -> None: ...

    def guest_down(self) -> None: ...


class Guest:
    """The operating system of one host. ``announce`` gets the words that events of a scenario wait for."""

    def __init__(
        self, sim: Simulation, spec: HostSpec, device_gib: Callable[[], float], announce: Callable[[str], None]
    ) -> None:
        self.spec = spec
        self._sim = sim
        self._announce = announce
        self.disk = SystemDisk(spec.disk, spec.windows, device_gib, sim.time)
        self.workload = Workload(spec.listens, spec.breaks)
        self.services = Services(sim, spec.windows, spec.name, self.workload.failing_services)
        self.updates = WindowsUpdate(sim, spec, self.disk, self.services, announce)
        self.sessions = spec.sessions
        self.messages: list[str] = []  # that people have seen
        self.old_caches: list[str] = []  # folders of Windows Update that a reset has put aside
        self.up = False
        self._has_system = True
        self.boot_time: datetime = sim.time - UP_SINCE
        self.clock_skew = timedelta(seconds=spec.clock_skew_seconds)  # by so much its clock is fast
        self.boots: list[datetime] = []  # those that this lab has seen
        self.reboots = 0
        self.cut_off = 0
        self.cut_off_by_us = 0
        self.stopped_while_pending = 0
        self.went_down_by_us = False  # the last time
        self._listeners: list[GuestListener] = []
        self._boot: Process | None = None
        self._shutdown: Timer | None = None

    @property
    def computer_name(self) -> str:
        """As Windows would have it: 15 characters that NetBIOS allows."""
        allowed = "".join(c if c.isascii() and c.isalnum() else "-" for c in self.spec.name.upper())
        return allowed[:15].strip("-") or "HOST"

    @property
    def build(self) -> str:
        """Of Windows Server 2022; each update raises the revision."""
        return f"20348.{2000 + len(self.updates.installed_in_scenario())}"

    def by_its_clock(self, moment: datetime) -> datetime:
        """What the host's own clock shows at that moment."""
        return moment + self.clock_skew

    def add_listener(self, listener: GuestListener) -> None:
        self._listeners.append(listener)

    def remove_listener(self, listener: GuestListener) -> None:
        self._listeners.remove(listener)

    def begin_up(self) -> None:
        """It has been running since before the scenario began."""
        self.up = self.spec.boots != "never"
        if self.up:
            self.services.begin_up()
            self.workload.boot()
            self.services.note_pending_reboot(bool(self.updates.pending_reboot))

    def power_on(self) -> None:
        self._boot = self._sim.spawn(self._boot_up(after_reboot=False))

    def _boot_up(self, after_reboot: bool) -> Steps[None]:
        if self.spec.boots == "never" or not self._has_system:
            return
        yield self.spec.boot_seconds
        self.up = True
        self.boot_time = self._sim.time
        self.boots.append(self.boot_time)
        self.disk.rescan()
        self.services.boot()
        self.workload.boot()
        self.updates.boot()
        self.services.note_pending_reboot(bool(self.updates.pending_reboot))
        self._announce("booted")
        for listener in self._listeners:
            listener.guest_up(after_reboot)

    def power_off(self, by_us: bool) -> None:
        """Power goes, or Windows is shut down from outside; that may cut off what the servicing stack does."""
        self.stopped_while_pending += by_us and self.updates.servicing_in_progress != NOTHING
        self._go_down(by_us)

    def _go_down(self, by_us: bool) -> None:
        self.went_down_by_us = by_us
        if self._shutdown:
            self._shutdown.cancel()
            self._shutdown = None
        if self._boot:
            self._boot.stop()
        if self.updates.power_off():
            self.cut_off += 1
            self.cut_off_by_us += by_us
        self.services.power_off()
        self.workload.power_off()
        self.sessions = 0
        if self.up:
            self.up = False
            for listener in self._listeners:
                listener.guest_down()

    def image(self) -> DiskImage:
        """What is on the root volume at the moment."""
        return DiskImage.of(self.updates, self.disk, self.services, self.old_caches)

    def load(self, image: DiskImage | None) -> None:
        """Another root volume is attached while it is off; without an image nothing boots from it."""
        self._has_system = image is not None
        if image is not None:
            image.load(self.updates, self.disk, self.services)
            self.old_caches = list(image.old_caches)
            self.disk.rescan()

    def replace_system(self, change: Callable[[], None]) -> None:
        """EC2 replaces the root volume of the running instance: Windows goes down, and comes up with what ``change`` loads."""
        self.reboots += 1
        self._go_down(by_us=True)
        change()
        self._boot = self._sim.spawn(self._boot_up(after_reboot=True))

    def reboot_in(self, seconds: float) -> None:
        """What shutdown.exe /r /t does."""
        self._sim.after(seconds, self.reboot)

    def reboot(self) -> None:
        """A program that we have sent reboots Windows, as the patch baseline does after an installation."""
        if self._shutdown:
            return
        self.reboots += 1
        self._announce("rebooting")
        seconds = self.updates.begin_shutdown()
        if seconds:
            self._shutdown = self._sim.after(seconds + 1.0, self._reboot_now)
        else:
            self._reboot_now()

    def _reboot_now(self) -> None:
        self._shutdown = None
        self._go_down(by_us=True)
        self._boot = self._sim.spawn(self._boot_up(after_reboot=True))
