# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a modelled script has before it: the host, its parameters, and as whom it runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lab.guest import Guest
from lab.guest_logon import Logon
from lab.guest_services import SERVICE_SECONDS
from lab.guest_updates import WindowsUpdate, WindowsUpdateError
from lab.sim import Steps
from lab.windows_messages import ACCESS_DENIED, message_of
from lab.world import Host

Data = dict[str, Any]
LIMIT_SECONDS = 120.0


class ScriptError(Exception):
    """An error that is data: the script ends with exit code 0 and reports it in its document."""

    def __init__(self, category: str, message: str, hresult: str | None = None, error_id: str | None = None) -> None:
        super().__init__(message)
        self.category = category
        self.hresult = hresult
        self.error_id = error_id


def gib(value: float) -> float:
    """As scripts round it."""
    return round(float(value), 3)


@dataclass(frozen=True)
class Scene:
    """One run of a script."""

    host: Host
    data: Data
    logon: Logon

    @property
    def guest(self) -> Guest:
        return self.host.guest

    @property
    def updates(self) -> WindowsUpdate:
        return self.host.guest.updates

    @property
    def time(self) -> datetime:
        """What the host's own clock shows."""
        return self.guest.by_its_clock(self.host.now)

    def iso(self, moment: datetime | None) -> str | None:
        """As the host's own clock has it."""
        return self.guest.by_its_clock(moment).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None

    def servicing(self) -> Data:
        """The prelude's Get-PatchFleetServicing."""
        updates = self.updates
        busy: bool | None = False if updates.agent_error() else updates.installing
        if self.logon is Logon.NETWORK:
            busy = None
        return {
            "busy": busy,
            "servicing": updates.servicing_in_progress,
            "installing": True if updates.servicing_in_progress == 2 else busy,
            "pending_reboot": sorted(updates.pending_reboot),
        }

    def is_refused(self) -> bool:
        """Whether the Update agent's API is denied to this logon."""
        return self.logon is Logon.NETWORK and self.guest.spec.windows.update_api_over_network == "refused"

    def agent_error(self) -> str | None:
        """The HRESULT with which the Update agent refuses to answer at all."""
        return ACCESS_DENIED if self.is_refused() else self.updates.agent_error()

    def message_of(self, hresult: str) -> str:
        """In the language of its Windows."""
        return message_of(hresult, self.guest.spec.windows.language)

    def refused(self, hresult: str) -> ScriptError:
        """What an HRESULT of the Update agent's becomes that no script catches."""
        return ScriptError("script_failed", self.message_of(hresult), hresult, "COMException")

    def search(self) -> Steps[None]:
        """A search of the host's own; WindowsUpdateError."""
        yield from self.updates.own_search()

    def stop_service(self, name: str, limit_seconds: float = LIMIT_SECONDS) -> Steps[str | None]:
        """The prelude's Stop-PatchFleetService; what it says where the service does not stop."""
        if self.guest.services[name].status == "stopped":
            return None
        service = self.guest.services.ask_to_stop(name)
        stuck = service.status != "stopped"
        yield limit_seconds if stuck else SERVICE_SECONDS
        return f"The service {name} did not stop within {limit_seconds:.0f} s: Time out has expired." if stuck else None

    def start_service(self, name: str, limit_seconds: float = LIMIT_SECONDS) -> Steps[str | None]:
        """The prelude's Start-PatchFleetService; what it says where the service does not start."""
        service, trouble = self.guest.services[name], "Time out has expired."
        if service.status == "running":
            return None
        try:
            self.updates.start_service(name)
        except WindowsUpdateError as error:
            trouble = self.message_of(error.hresult)
        else:
            if service.status == "running":
                yield SERVICE_SECONDS
                return None
            yield limit_seconds
        return f"The service {name} did not start: {trouble}"
