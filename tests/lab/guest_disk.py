# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The system drive of a Windows host: partition, free space, what cleaning wins, what stands in the way of growing."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lab.guest_files import TempFiles
from lab.scenario import Disk
from lab.windows_spec import WindowsSpec

# Windows cannot use more of a disk that is partitioned as MBR: 2^32 sectors of 512 bytes, less than a whole 2 TiB.
MBR_LIMIT_GIB = 2047.0
# The smallest piece of a disk that is worth an extension.
WORTH_EXTENDING_GIB = 0.01
DATA_PARTITION_GIB = 50.0
GIB, MIB = 2**30, 2**20
RECOVERY_BYTES = 500 * MIB


def gib_behind(spec: WindowsSpec) -> float:
    """How much of the disk the gap and the data partition behind C: take."""
    return 0.0 if spec.gap_gib is None else spec.gap_gib + DATA_PARTITION_GIB


@dataclass(frozen=True)
class Partition:
    """A partition as Windows shows it, in bytes. ``kind`` is ``system``, ``recovery`` or ``data``."""

    kind: str
    offset: int
    size: int


class SystemDisk:
    """Drive C: and the disk below it, in GiB. ``device_gib`` returns how large the disk really is at the moment.

    Sizes of the partition are those of a scenario: the MiB before C: and the one behind it, which alignment and the second
    partition table take, count as its own.
    """

    def __init__(self, spec: Disk, windows: WindowsSpec, device_gib: Callable[[], float], now: datetime) -> None:
        self.partition_gib = float(spec.size_gib)
        self.free_gib = float(spec.free_gib)
        self.temp = TempFiles.make(float(spec.temp_gib), windows.live_temp, now)
        self.component_store_gib = float(spec.component_store_gib)
        self.old_windows_gib = 0.0  # what an upgrade of Windows left behind; no scenario has any
        self.base_was_reset = False  # installed updates cannot be removed any more
        self.recovery_partition = spec.recovery_partition
        self.style = spec.style
        self.data_offset_gib = None if windows.gap_gib is None else spec.size_gib + windows.gap_gib
        self.resize = windows.resize
        self.dynamic = windows.dynamic_disk
        self._device_gib = device_gib
        self.scanned_gib = device_gib()

    def on_disk(self) -> dict[str, Any]:
        """A copy of all that is on the disk, by attribute; its size is the volume's."""
        kept = {name: value for name, value in vars(self).items() if name not in ("_device_gib", "scanned_gib")}
        return copy.deepcopy(kept)

    def rescan(self) -> None:
        """Windows looks at the disk again; until then, and until it boots, it does not know of a new size."""
        self.scanned_gib = self._device_gib()

    @property
    def extendable_gib(self) -> float:
        """Space directly behind C: that C: could take, as far as Windows knows the disk."""
        if self.recovery_partition or self.dynamic:
            return 0.0
        usable = min(self.scanned_gib, MBR_LIMIT_GIB) if self.style == "mbr" else self.scanned_gib
        room = (self.data_offset_gib or usable) - self.partition_gib
        return room if room >= WORTH_EXTENDING_GIB else 0.0

    @property
    def blocked_by(self) -> str | None:
        """What lies behind C: and would keep it from what a larger volume brings."""
        if self.dynamic:
            return "unknown_layout"
        if self.recovery_partition:
            return "recovery_partition"
        return None if self.data_offset_gib is None else "other_partition"

    @property
    def partition_bytes(self) -> int:
        return int(self.partition_gib * GIB) - 2 * MIB

    def partitions(self) -> list[Partition]:
        """C: first, then what lies behind it."""
        found = [Partition("system", MIB, self.partition_bytes)]
        if self.recovery_partition:
            found.append(Partition("recovery", MIB + self.partition_bytes, RECOVERY_BYTES))
        if self.data_offset_gib is not None:
            found.append(Partition("data", int(self.data_offset_gib * GIB), int(DATA_PARTITION_GIB * GIB) - MIB))
        return found

    def extend(self) -> None:
        """Give C: all the room behind it."""
        room = self.extendable_gib
        self.partition_gib += room
        self.free_gib += room

    def delete(self, path: str) -> None:
        """Delete a temporary file, or a folder of them."""
        self.free_gib += self.temp.delete(path)

    def clean_temp(self, folder: str, before: datetime, now: datetime) -> None:
        """Delete the old files of a temporary folder, as the script clean_disk does."""
        self.free_gib += self.temp.delete_old(folder, before, now)

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
