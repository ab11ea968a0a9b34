# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The system drive of a Windows host: partition, free space, what cleaning wins, what stands in the way of growing."""

from __future__ import annotations

from collections.abc import Callable

from lab.scenario import Disk

# Windows cannot use more of a disk that is partitioned as MBR: 2^32 sectors of 512 bytes, less than a whole 2 TiB.
MBR_LIMIT_GIB = 2047.0
# The smallest piece of a disk that is worth an extension.
WORTH_EXTENDING_GIB = 0.01


class SystemDisk:
    """Drive C: and the disk below it, in GiB. ``device_gib`` tells how large the disk really is at the moment."""

    def __init__(self, spec: Disk, device_gib: Callable[[], float]) -> None:
        self.partition_gib = float(spec.size_gib)
        self.free_gib = float(spec.free_gib)
        self.temp_gib = float(spec.temp_gib)
        self.component_store_gib = float(spec.component_store_gib)
        self.old_windows_gib = 0.0  # what an upgrade of Windows left behind; no scenario has any
        self.recovery_partition = spec.recovery_partition
        self.style = spec.style
        self._device_gib = device_gib
        self.seen_gib = device_gib()

    def rescan(self) -> None:
        """Windows looks at the disk again; until then, and until it boots, it does not know of a new size."""
        self.seen_gib = self._device_gib()

    @property
    def extendable_gib(self) -> float:
        """Space directly behind C: that C: could take, as far as Windows knows the disk."""
        if self.recovery_partition:
            return 0.0
        usable = min(self.seen_gib, MBR_LIMIT_GIB) if self.style == "mbr" else self.seen_gib
        room = usable - self.partition_gib
        return room if room >= WORTH_EXTENDING_GIB else 0.0

    def extend(self) -> None:
        """Give C: all the room behind it."""
        room = self.extendable_gib
        self.partition_gib += room
        self.free_gib += room

    def clean_temp(self) -> float:
        """Empty the temp folders; returns what was won."""
        won, self.temp_gib = self.temp_gib, 0.0
        self.free_gib += won
        return won

    def clean_component_store(self) -> float:
        """Remove what newer components have replaced; returns what was won."""
        won, self.component_store_gib = self.component_store_gib, 0.0
        self.free_gib += won
        return won

    def clean_old_windows(self) -> float:
        """Remove what an upgrade of Windows left behind, as Disk Cleanup does; returns what was won."""
        won, self.old_windows_gib = self.old_windows_gib, 0.0
        self.free_gib += won
        return won

    def take(self, gib: float) -> bool:
        """Use up space; False, and nothing is used, when there is not enough."""
        if gib > self.free_gib:
            return False
        self.free_gib -= gib
        return True

    def give_back(self, gib: float) -> None:
        self.free_gib += gib
