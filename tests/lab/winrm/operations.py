# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WS-Management's operations on the shells of one host, whatever kind of shell they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from lab.agent import Outcome
from lab.sim import Simulation, Steps
from lab.winrm import wsman
from lab.winrm.wsman import Request

# Runs a command line with its whole input; the flag says whether cmd.exe runs it.
Run = Callable[[str, bytes, bool], Steps[Outcome]]


class Operations(ABC):
    """Answers the requests for one kind of shell, which ``resource`` names."""

    resource: ClassVar[str]

    def __init__(self, sim: Simulation, run: Run) -> None:
        self._sim = sim
        self._run = run
        self._work: dict[str, Callable[[Request], str]] = {
            wsman.CREATE: self._create,
            wsman.COMMAND: self._command,
            wsman.SEND: self._send,
            wsman.RECEIVE: self._receive,
            wsman.SIGNAL: self._signal,
            wsman.DELETE: self._delete,
        }

    def knows(self, request: Request) -> bool:
        return request.action in self._work and request.resource == self.resource

    def answer(self, request: Request) -> bytes:
        """The answer to a request that it knows; Fault when it cannot be done."""
        return wsman.answer(request, self._work[request.action](request))

    @abstractmethod
    def close(self) -> None:
        """Windows goes down, and all that runs in its shells."""

    @abstractmethod
    def _create(self, request: Request) -> str: ...

    @abstractmethod
    def _command(self, request: Request) -> str: ...

    @abstractmethod
    def _send(self, request: Request) -> str: ...

    @abstractmethod
    def _receive(self, request: Request) -> str: ...

    @abstractmethod
    def _signal(self, request: Request) -> str: ...

    @abstractmethod
    def _delete(self, request: Request) -> str: ...
