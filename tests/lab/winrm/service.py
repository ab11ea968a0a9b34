# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All WinRM endpoints of a lab, and what an inventory has to say of them."""

from __future__ import annotations

import secrets
from typing import Any

from lab.play import Play
from lab.winrm.endpoint import Endpoint
from lab.winrm.http import Account
from lab.winrm.machine import Machine
from lab.world import Host

USER = "Administrator"


class WinRm:
    """The endpoints of the hosts of the kind ``winrm``; all take the same user and password, made for this lab."""

    def __init__(self, play: Play) -> None:
        self.account = Account(USER, secrets.token_urlsafe(20))
        self._play = play
        self.endpoints = {
            host.name: Endpoint(Machine(play.sim, host, self._note), self.account)
            for host in play.world.hosts.values()
            if host.spec.kind == "winrm"
        }

    def start(self) -> None:
        for endpoint in self.endpoints.values():
            endpoint.start()

    def stop(self) -> None:
        for endpoint in self.endpoints.values():
            endpoint.stop()

    def variables(self, name: str) -> dict[str, Any]:
        """The variables of a host for Ansible's winrm connection; none for a host of another kind."""
        endpoint = self.endpoints.get(name)
        if endpoint is None:
            return {}
        return {
            "ansible_host": "127.0.0.1",
            "ansible_port": endpoint.port,
            "ansible_connection": "winrm",
            "ansible_user": self.account.user,
            "ansible_password": self.account.password,
            "ansible_winrm_scheme": "http",
            "ansible_winrm_transport": "basic",
        }

    def _note(self, what: str, params: dict[str, Any], host: Host, error: str | None) -> None:
        self._play.account.note("winrm", what, params, host, error)
