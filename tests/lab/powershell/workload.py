# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Windows' commands answer about ports, web pages, IIS, SQL Server, scheduled tasks and errors in the event logs."""

from __future__ import annotations

from typing import Any

from lab.guest import Guest
from lab.guest_workload import Iis, NoConnection
from lab.powershell.refusals import FAILED, Refused

IIS_ASSEMBLY = "C:\\Windows\\System32\\inetsrv\\Microsoft.Web.Administration.dll"


class WorkloadCommands:
    """The operations of :class:`Windows` about what the host is there for."""

    _guest: Guest

    def error_events(self, log: str) -> list[str]:
        """The sources of the errors since the boot, one an event."""
        sources = [source for of_log, source in self._guest.workload.errors if of_log == log]
        if not sources:
            raise Refused(FAILED, "No events were found that match.", "NoMatchingEventsFound,Get-WinEvent")
        return sources

    def listening(self) -> list[int]:
        return self._guest.workload.ports

    def connect(self, address: str, port: int) -> None:
        try:
            self._guest.workload.connect(address, port)
        except NoConnection as error:
            raise Refused(FAILED, str(error), "SocketException") from error

    def web_page(self, url: str) -> dict[str, Any]:
        try:
            page = self._guest.workload.get(url)
        except NoConnection as error:
            raise Refused(FAILED, str(error), "WebCmdletWebResponseException") from error
        return {"status": page.status, "text": page.text}

    def scheduled_tasks(self) -> list[dict[str, str]]:
        tasks = [(path.rpartition("\\"), enabled) for path, enabled in self._guest.workload.tasks.items()]
        return [
            {"folder": f"{folder}\\", "name": name, "state": "Ready" if enabled else "Disabled"}
            for (folder, _slash, name), enabled in tasks
        ]

    def iis(self) -> dict[str, Any]:
        iis = self._guest.workload.iis or Iis()
        return {
            kind: [{"Name": name, "State": state} for name, state in states.items()]
            for kind, states in (("Sites", iis.sites), ("ApplicationPools", iis.pools))
        }

    def online_databases(self, connection: str) -> list[str]:
        server = connection.removeprefix("Server=(local)").partition(";")[0]
        databases = self._guest.workload.databases.get(server.removeprefix("\\") or "MSSQLSERVER", {})
        return [name for name, state in databases.items() if state == "ONLINE"]
