# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A night as data: what can be drawn, kept in a file and played again, whatever becomes of the drawing."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

PLAIN_KEYS = frozenset({"name", "state", "updates"})
"""Keys of a host with which nothing is wrong."""


@dataclass(frozen=True)
class Rival:
    """Another controller, which begins so many seconds after the first and is ``skew_seconds`` ahead of it. The first stands still
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
    """A controller after the first one: ``after_seconds`` of quiet, then this playbook."""

    after_seconds: float
    playbook: str
    dies_after: int | str | None = None


@dataclass(frozen=True)
class Drawn:
    """``keys`` are those of a scenario; ``dies_after`` is after which act the first controller is killed: how many it has done by
    then, or the name of the first of its kind (None: never);
    ``backend`` is that of the ledger, ``variables`` are the users' of the playbook patch.
    """

    keys: dict[str, Any]
    recoveries: list[Recovery]
    dies_after: int | str | None = None
    backend: str = "sqlite"
    variables: dict[str, Any] = field(default_factory=dict)
    rival: Rival | None = None

    @property
    def is_quiet(self) -> bool:
        """Whether no other user acts, and AWS and Windows do as they should."""
        account = set(self.keys.get("account", {})) <= {"lag_seconds", "throttle"}
        plain = all(set(host) <= PLAIN_KEYS and _installs(host) for host in self.keys["hosts"])
        return account and plain and not self.keys.get("events")

    def to_data(self) -> dict[str, Any]:
        """As a file holds it."""
        return {name: value for name, value in asdict(self).items() if value not in (None, {})}


def from_data(data: dict[str, Any]) -> Drawn:
    """The night that a file holds."""
    rival = data.get("rival")
    return Drawn(
        **{
            **data,
            "recoveries": [Recovery(**recovery) for recovery in data["recoveries"]],
            "rival": Rival(**rival) if rival else None,
        }
    )


def _installs(host: dict[str, Any]) -> bool:
    return all(update.get("result", "ok") == "ok" for update in host.get("updates", ()))
