# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an operation reaches Windows in its host: through SSM Run Command, or over the host's own Ansible connection.

The channel is chosen once, when the context is made (Operation.open_channel); nothing asks later which one it is. Both
implementations are in _update/channels.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypedDict


@dataclass(frozen=True)
class ScriptOutput:
    """What a script printed, and how it ended. ``details`` is a StatusDetails of Run Command without blanks."""

    status: str
    details: str
    stdout: str
    stderr: str = ""


@dataclass(frozen=True)
class Scan:
    """What a fresh scan found.

    Attributes:
        missing: KBs.
        failed: KBs.
        pending_reboot: how many updates wait for a reboot.
        verified_at: when it was read, in seconds since 1970 by the controller's clock.
        unnamed: how many more are missing or failed by the count that decides, and are not named.
        verdicts: what became of updates that were named by their numbers, by KB.
    """

    missing: tuple[str, ...]
    failed: tuple[str, ...]
    pending_reboot: int
    verified_at: float
    unnamed: int = 0
    verdicts: Mapping[str, str] = field(default_factory=dict)

    @property
    def compliant(self) -> bool:
        return not (self.missing or self.failed or self.unnamed or self.pending_reboot)


class NodeState(TypedDict, total=False):
    """What SSM knows of a node that is ready; empty for a host without one. ``last_ping_at`` is in seconds since 1970."""

    agent_version: str | None
    computer_name: str | None
    platform_name: str | None
    last_ping_at: float
    waited_seconds: float


class HostChannel(Protocol):
    """Windows in one host. Time-outs are seconds of the context's clock."""

    def run_script(self, lines: list[str], timeout_seconds: int) -> ScriptOutput:
        """Run composed lines (scripts.compose); PatchFleetError with ``unreachable`` or ``command_timeout``."""

    def answers(self) -> bool:
        """Whether something at the host's address takes commands at this moment."""

    def wait_until_ready(self, timeout_seconds: float, *, may_boot: bool) -> NodeState:
        """Wait until the host takes commands; returns what is known of it.

        Args:
            timeout_seconds: how long at most.
            may_boot: whether this run started it or put it back. Where it did neither, an answer that does not come is
                Deferred: nothing was started.
        """

    def install(self, kbs: Sequence[str] = (), *, may_reboot: bool = True) -> None:
        """One pass: install what is missing and reboot as that asks for; search decides what became of it.

        Args:
            kbs: only these, by the names that a search gives them; empty for all that are approved.
            may_reboot: whether Windows may be rebooted.

        Raises:
            PatchFleetError: ``install_timeout``, ``installation_hung`` or ``agent_lost``. Nothing is cut off.
        """

    def reboot(self, timeout_seconds: float) -> None:
        """Reboot Windows in order and wait until it answers again; PatchFleetError where it does not."""

    def search(self) -> Scan:
        """A fresh search for what is approved; PatchFleetError with ``scan_failed`` or ``not_proven``."""

    def search_kbs(self, kbs: Sequence[str]) -> Scan:
        """A fresh search for these updates alone, approved or not, with a verdict for each; PatchFleetError as above."""


class HostConnection(Protocol):
    """The host's own Ansible connection. Only a controller has one."""

    def run_script(self, text: str, timeout_seconds: float) -> str:
        """What a script printed in the host; PatchFleetError with ``unreachable`` or ``command_timeout``."""

    def win_updates(self, options: dict[str, Any], timeout_seconds: float) -> dict[str, Any]:
        """The result of ansible.windows.win_updates; PatchFleetError as above."""

    def reboot(self, timeout_seconds: float) -> dict[str, Any]:
        """The result of ansible.windows.win_reboot; PatchFleetError as above."""
