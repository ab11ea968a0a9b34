# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a snapshot holds of a Windows: its updates, its files and its services' start types, and not what only runs."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.guest_disk import SystemDisk
    from lab.guest_services import Services
    from lab.guest_updates import WindowsUpdate


@dataclass(frozen=True)
class DiskImage:
    """The content of a root volume at one moment."""

    updates: dict[str, Any]
    disk: dict[str, Any]
    start_types: dict[str, str]
    old_caches: tuple[str, ...]

    @classmethod
    def of(cls, updates: WindowsUpdate, disk: SystemDisk, services: Services, old_caches: list[str]) -> DiskImage:
        return cls(
            updates.on_disk(),
            disk.on_disk(),
            {service.name: service.start_type for service in services},
            tuple(old_caches),
        )

    def load(self, updates: WindowsUpdate, disk: SystemDisk, services: Services) -> None:
        """Windows is off, and boots from this the next time."""
        for target, content in ((updates, self.updates), (disk, self.disk)):
            vars(target).update(copy.deepcopy(content))
        for name, start_type in self.start_types.items():
            services.find_or_add(name).start_type = start_type
