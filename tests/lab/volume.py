# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An EBS volume and its modifications: modifying, optimizing, completed or failed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from lab.disk_image import DiskImage
from lab.lagged import Lag, Lagged
from lab.scenario import HostSpec, Volume
from lab.sim import Simulation, Steps

DAY = timedelta(hours=24)
IN_PROGRESS = ("modifying", "optimizing")


PROGRESS = {"modifying": 0, "optimizing": 50, "completed": 100, "failed": 0}


@dataclass(frozen=True)
class Stage:
    """How far a modification is."""

    state: str
    ended_at: datetime | None = None


@dataclass
class Modification:
    """One ModifyVolume; sizes in GiB. Readers of the account see it from ``visible_at`` on (lab seconds)."""

    original_gib: int
    target_gib: int
    started_at: datetime
    visible_at: float
    stages: Lagged[Stage] = field(default_factory=lambda: Lagged(Stage("modifying")))

    @property
    def state(self) -> str:
        return self.stages.latest.state


@dataclass(frozen=True)
class Speed:
    """IOPS and MiB/s that were asked for; None is what the type has."""

    iops: int | None = None
    throughput: int | None = None


class EbsVolume:
    """A volume of one host. The device has its new size from ``optimizing`` on.

    Attributes:
        device: where it is attached; None while it is available.
        image: what Windows finds on it, while it is not attached as the root volume.
        origins: the volumes whose content it goes back to, its own id among them.
        source: the snapshot that it was made from.
        ready_from: the lab second from which a new or detached volume can be used.
    """

    def __init__(
        self,
        sim: Simulation,
        volume_id: str,
        device: str,
        size_gib: int,
        spec: Volume,
        host: HostSpec,
        lag: Lag,
    ) -> None:
        self.id = volume_id
        self.device: str | None = device
        self.speed = Speed()
        self.image: DiskImage | None = None
        self.origins = {volume_id}
        self.source = ""
        self.az = host.az
        self.ready_from = 0.0
        self.is_new = False  # made from a snapshot, and never attached
        self.delete_on_termination = False  # of the root volume with which the instance came it is true
        self.sizes = Lagged(size_gib)
        self.spec = spec
        self.encrypted = host.kms != "none"
        self.tags = Lagged(dict(host.tags) if spec.tagged else {})
        self.created_at = sim.time - timedelta(days=200)
        self._sim = sim
        self._lag = lag
        self.modifications = [self._earlier(number) for number in range(spec.modifications_24h)]

    def _earlier(self, number: int) -> Modification:
        """One that was made, and ended, in the hours before the scenario began."""
        start = self._sim.time - timedelta(hours=20) + timedelta(hours=4 * number)
        end = start + timedelta(hours=1)
        return Modification(self.size_gib, self.size_gib, start, 0.0, Lagged(Stage("completed", end)))

    def copy_from(self, image: DiskImage | None, source: str, origins: set[str]) -> None:
        """It was made from this snapshot just now."""
        self.image, self.source, self.is_new = image, source, True
        self.origins = {self.id, *origins}
        self.created_at = self._sim.time
        self.modifications = []
        self.spec = replace(self.spec, modifications_24h=0)

    @property
    def size_gib(self) -> int:
        return self.sizes.latest

    @property
    def serial(self) -> str:
        """As Windows shows it for an NVMe disk."""
        return f"{self.id.replace('-', '')}_00000001."

    @property
    def modification_in_progress(self) -> Modification | None:
        last = self.modifications[-1] if self.modifications else None
        return last if last and last.state in IN_PROGRESS else None

    def modified_in_last_day(self) -> int:
        return sum(modification.started_at > self._sim.time - DAY for modification in self.modifications)

    def modify(self, target_gib: int) -> Modification:
        """Begin a modification; whether it is allowed is for the caller to know."""
        modification = Modification(self.size_gib, target_gib, self._sim.time, self._lag.visible_at())
        self.modifications.append(modification)
        self._sim.spawn(self._carry_out(modification))
        return modification

    def _carry_out(self, modification: Modification) -> Steps[None]:
        yield self.spec.modifying_seconds
        if self.spec.result == "failed":
            modification.stages.set(Stage("failed", self._sim.time), self._sim.now)
            return
        self.sizes.set(modification.target_gib, self._sim.now)
        modification.stages.set(Stage("optimizing"), self._sim.now)
        yield self.spec.optimizing_seconds
        modification.stages.set(Stage("completed", self._sim.time), self._sim.now)
