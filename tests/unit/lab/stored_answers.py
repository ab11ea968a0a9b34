# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PowerShell that runs each conversation once.

What a script says next follows from its text and from what it was answered so far: the lab plays everything else that it could
ask, its clock included. So the same answers need no second run, and a run begins only where an answer is a new one.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import Any, Protocol

from lab.powershell.process import Conversation, PowerShell


class Runner(Protocol):
    """What begins a script: a PowerShell, or what stands in for one."""

    def begin(self, script: str, shell: str) -> Any: ...

    def stop(self) -> None: ...


class StoringPowerShell:
    """Stands in for a :class:`PowerShell`, and counts the scripts that were really run."""

    def __init__(self, powershell: Runner | None = None) -> None:
        self._powershell: Runner = powershell or PowerShell()
        self.documents: dict[Hashable, dict[str, Any]] = {}
        self.runs = 0

    def begin(self, script: str, shell: str = "ok") -> StoredConversation:
        """A script: it runs when its document is not stored."""
        return StoredConversation(self, script, shell)

    def run(self, script: str, shell: str) -> Any:
        """Really run it."""
        self.runs += 1
        return self._powershell.begin(script, shell)

    def stop(self) -> None:
        self._powershell.stop()


class StoredConversation:
    """The same as a :class:`Conversation`."""

    def __init__(self, powershell: StoringPowerShell, script: str, shell: str) -> None:
        self._powershell = powershell
        self._script = script
        self._shell = shell
        self._answers: list[dict[str, Any]] = []
        self._real: Conversation | None = None

    def hear(self) -> dict[str, Any]:
        """What the script says next."""
        key = (self._script, self._shell, tuple(json.dumps(answer, sort_keys=True) for answer in self._answers))
        if key not in self._powershell.documents:
            self._powershell.documents[key] = self._run()
        elif self._real:
            self._real.hear()  # or it would wait for a reader
        return self._powershell.documents[key]

    def _run(self) -> dict[str, Any]:
        """Really run it up to here, and hear what is new."""
        if self._real is None:
            self._real = self._powershell.run(self._script, self._shell)
            for answer in self._answers:
                self._real.hear()
                self._real.say(answer)
        return self._real.hear()

    def say(self, answer: dict[str, Any]) -> None:
        """Answer what it asked."""
        self._answers.append(answer)
        if self._real:
            self._real.say(answer)

    def abandon(self) -> None:
        """No caller listens to it any more."""
        if self._real:
            self._real.abandon()
