# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A night as data: what can be drawn, kept in a file and played again, whatever becomes of the drawing."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

PLAIN_KEYS = frozenset({"name", "kind", "state", "updates"})
"""Keys of a host with which nothing is wrong."""


@dataclass(frozen=True)
class Rival:
    """Another controller: it begins ``begins_seconds`` after the first, ``skew_seconds`` ahead of it. The first stands still
    for a while after its act ``freezes_after``, as a machine that is suspended. Acts of both take up to a second, by ``seed``.
    """

    begins_seconds: float
    playbook: str
    skew_seconds: float = 0.0
    dies_after: int | str | None = None
    freezes_after: int | str = 0
    freezes_seconds: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Recovery:
    """A controller after the first one: ``after_seconds`` of quiet, then this playbook, for ``host`` where it needs one."""

    after_seconds: float
    playbook: str
    dies_after: int | str | None = None
    host: str | None = None


@dataclass(frozen=True)
class Stop:
    """A person stops the run from another machine, and may let it continue ``resumes_after_seconds`` later."""

    at_seconds: float
    resumes_after_seconds: float | None = None


@dataclass(frozen=True)
class Watchdog:
    """Each start has its watchdog schedule. AWS delivers each of them ``late_seconds`` late, and ``times`` times."""

    late_seconds: float = 0.0
    times: int = 1


@dataclass(frozen=True)
class Window:
    """A maintenance window that has opened before the night begins; hours are as AWS has them."""

    opened_seconds_before: float
    duration_hours: int
    cutoff_hours: int = 0

    def times(self, start: float) -> tuple[float, float]:
        """When its cutoff begins and when it ends, in the same seconds as ``start``, the night's begin."""
        ends_at = start - self.opened_seconds_before + 3600.0 * self.duration_hours
        return ends_at - 3600.0 * self.cutoff_hours, ends_at


@dataclass(frozen=True)
class WrongClock:
    """The first controller's clock is ahead, and jumps by ``jumps_seconds`` after ``jumps_after`` acts. ``hides_freezes``: it
    stands still while its controller does, until another ``corrected_after`` acts are done.
    """

    ahead_seconds: float = 0.0
    jumps_after: int | None = None
    jumps_seconds: float = 0.0
    hides_freezes: bool = False
    corrected_after: int = 3


@dataclass(frozen=True)
class Remote:
    """What is wrong with a host of the kind winrm.

    Attributes:
        host: its name.
        cuts: for how many seconds its endpoint is gone when the host gets to a state; 0 breaks the connections.
        refuses_when: the state from which on it refuses each log-on; ``begin`` for the whole night.
        search_error: the HRESULT with which Windows Update fails.
        by_tasks: it is off, and tasks of the user's start and stop it.
        failing_tasks: ``start`` or ``stop``: these fail after they have done their work.
    """

    host: str
    cuts: dict[str, float] = field(default_factory=dict)
    refuses_when: str | None = None
    search_error: str | None = None
    by_tasks: bool = False
    failing_tasks: str | None = None


@dataclass(frozen=True)
class Drawn:
    """``keys`` are those of a scenario; ``dies_after`` is after which act the first controller is killed: how many it has done by
    then, or the name of the first of its kind (None: never);
    ``backend`` is that of the ledger, ``variables`` are the users' of the playbook patch; ``at_once`` is the number of hosts that
    a controller works on at a time. ``poller_answers`` is after how many answers the poller of each controller dies (None: there is
    no poller).
    """

    keys: dict[str, Any]
    recoveries: list[Recovery]
    dies_after: int | str | None = None
    backend: str = "sqlite"
    variables: dict[str, Any] = field(default_factory=dict)
    rival: Rival | None = None
    at_once: int = 1
    watchdog: Watchdog | None = None
    window: Window | None = None
    clock: WrongClock | None = None
    poller_answers: int | None = None
    remotes: list[Remote] = field(default_factory=list)
    stop: Stop | None = None

    @property
    def is_quiet(self) -> bool:
        """Whether no other user acts, and AWS and Windows do as they should."""
        account = set(self.keys.get("account", {})) <= {"lag_seconds", "throttle"}
        plain = all(set(host) <= PLAIN_KEYS and _installs(host) for host in self.keys["hosts"])
        sound = all(remote == Remote(remote.host, by_tasks=remote.by_tasks) for remote in self.remotes)
        return account and plain and sound and not self.keys.get("events") and self.clock is None and not self.stop

    def to_data(self) -> dict[str, Any]:
        """As a file holds it."""
        return {
            name: value
            for name, value in asdict(self).items()
            if value not in (None, {}, []) and (name, value) != ("at_once", 1)
        }


PARTS: dict[str, type[Rival | Stop | Watchdog | Window | WrongClock]] = {
    "rival": Rival,
    "stop": Stop,
    "watchdog": Watchdog,
    "window": Window,
    "clock": WrongClock,
}
"""What a night may have, each of its own class."""


def from_data(data: dict[str, Any]) -> Drawn:
    """The night that a file holds."""
    parts = {name: kind(**data[name]) for name, kind in PARTS.items() if data.get(name)}
    recoveries = [Recovery(**recovery) for recovery in data["recoveries"]]
    remotes = [Remote(**remote) for remote in data.get("remotes", ())]
    return Drawn(**{**data, "recoveries": recoveries, "remotes": remotes, **parts})


def _installs(host: dict[str, Any]) -> bool:
    return all(update.get("result", "ok") == "ok" for update in host.get("updates", ()))
