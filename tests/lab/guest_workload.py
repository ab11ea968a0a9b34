# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is there for: ports, web pages, IIS, SQL Server and scheduled tasks, and what a reboot breaks of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

HTTP_PORTS = (80, 443, 8080)
OWN_NAMES = ("localhost", "127.0.0.1")
REFUSED = "No connection could be made because the target machine actively refused it."
NOT_HTTP = "The server committed a protocol violation."
SCHEMES = {"http": 80, "https": 443}


class NoConnection(Exception):
    """Nothing answers at the address."""


@dataclass(frozen=True)
class Page:
    """What a web server answers."""

    status: int
    text: str


@dataclass
class Iis:
    """Sites and application pools of IIS by their names, each ``Started`` or ``Stopped``."""

    sites: dict[str, str] = field(default_factory=dict)
    pools: dict[str, str] = field(default_factory=dict)


class Workload:
    """The programs of one host's owners. What ``breaks`` names works until the first reboot and never after it.

    Attributes:
        failing_services: those of ``breaks``.
        iis: None where IIS is not installed.
        databases: the state of each database, by the SQL Server instance.
        tasks: whether a scheduled task is enabled, by its path.
        errors: errors in the event logs since the boot: log and source.
    """

    def __init__(self, listens: tuple[int, ...], breaks: tuple[str, ...]) -> None:
        kinds = [item.split("/", 1) for item in breaks]
        self.failing_services = tuple(name for kind, name in kinds if kind == "service")
        self._broken_ports = {int(port) for kind, port in kinds if kind == "tcp"}
        self._broken_urls = {url for kind, url in kinds if kind == "http"}
        self._ports = {*listens, *self._broken_ports, *(_port_of(url) for url in self._broken_urls)}
        self._boots = 0
        self._rebooted = False
        self.iis: Iis | None = None
        self.databases: dict[str, dict[str, str]] = {}
        self.tasks: dict[str, bool] = {}
        self.errors: list[tuple[str, str]] = []

    def boot(self) -> None:
        self._boots += 1

    def power_off(self) -> None:
        self._rebooted |= self._boots > 0
        self.errors = []

    @property
    def ports(self) -> list[int]:
        """On which a program listens now."""
        return sorted(self._ports - (self._broken_ports if self._rebooted else set()))

    def connect(self, address: str, port: int) -> None:
        """NoConnection where no program of this host listens. The lab's hosts reach no other one."""
        if address not in OWN_NAMES or port not in self.ports:
            raise NoConnection(REFUSED)

    def get(self, url: str) -> Page:
        """What a GET is answered; NoConnection where no web server answers."""
        port = _port_of(url)
        self.connect(urlsplit(url).hostname or "", port)
        if port not in HTTP_PORTS:
            raise NoConnection(NOT_HTTP)
        if self._rebooted and url in self._broken_urls:
            return Page(503, "Service Unavailable")
        return Page(200, "It works.")


def _port_of(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or SCHEMES.get(parts.scheme, 80)
