# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All WinRM endpoints of a lab, and what an inventory has to say of them."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.play import Play
from lab.records import WINRM
from lab.trace import Entry
from lab.winrm.certificates import Authority
from lab.winrm.endpoint import Endpoint
from lab.winrm.http import Account
from lab.winrm.machine import Machine
from lab.winrm.options import Options
from lab.winrm.ssh import Keys
from lab.world import Host

USER = "Administrator"


class WinRm:
    """The endpoints of the hosts of the kind ``winrm``; all take the same user and password, made for this lab.

    ``options`` are those of hosts that are not as a scenario's are.
    """

    def __init__(self, play: Play, options: Mapping[str, Options] | None = None) -> None:
        self.account = Account(USER, secrets.token_urlsafe(20))
        self.endpoints: dict[str, Endpoint] = {}
        self._play = play
        hosts = [host for host in play.world.hosts.values() if host.spec.kind == "winrm"]
        if hosts:
            self._folder = tempfile.TemporaryDirectory(prefix="patchfleet-winrm-")
            self._make(hosts, dict(options or {}))

    def _make(self, hosts: list[Host], options: dict[str, Options]) -> None:
        folder = Path(self._folder.name)
        if any(own.connection == "ssh" for own in options.values()):
            self._keys = Keys(folder)
        self._authority, stranger = Authority(folder), Authority(folder, "Unknown")
        passwords = folder / "passwords"
        domains = ("", ".", *(host.guest.computer_name for host in hosts))
        lines = [f"{domain}:{self.account.user}:{self.account.password}\n" for domain in domains]
        passwords.write_text("".join(lines), encoding="utf-8")
        for host in hosts:
            own = options.get(host.name, Options())
            authority = stranger if own.certificate == "untrusted" else self._authority
            server = authority.server(own.certificate) if own.scheme == "https" and own.connection != "ssh" else None
            machine = Machine(self._play.sim, host, self._note, own, self._play.account.guests)
            self.endpoints[host.name] = Endpoint(
                machine, self.account, passwords, server, self._keys if own.connection == "ssh" else None
            )

    def start(self) -> None:
        self._play.world.listen(self._host_did)
        for endpoint in self.endpoints.values():
            endpoint.start()

    def stop(self) -> None:
        for endpoint in self.endpoints.values():
            endpoint.stop()
        if self.endpoints:
            self._folder.cleanup()

    def variables(self, name: str) -> dict[str, Any]:
        """The variables of a host for its connection plugin; none for a host of another kind."""
        endpoint = self.endpoints.get(name)
        if endpoint is None:
            return {}
        options = endpoint.options
        of_plugin = {"winrm": self._of_winrm, "psrp": self._of_psrp, "ssh": self._of_ssh}[options.connection]
        return {
            "ansible_host": "127.0.0.1",
            "ansible_port": endpoint.port,
            "ansible_connection": options.connection,
            **of_plugin(options),
        }

    @property
    def _credentials(self) -> dict[str, str]:
        return {"ansible_user": self.account.user, "ansible_password": self.account.password}

    def _of_ssh(self, _options: Options) -> dict[str, str]:
        return {
            "ansible_user": self._keys.user,
            "ansible_shell_type": "powershell",
            "ansible_ssh_private_key_file": str(self._keys.client),
            "ansible_ssh_common_args": self._keys.arguments,
        }

    def _of_winrm(self, options: Options) -> dict[str, str]:
        secure = {
            "ansible_winrm_server_cert_validation": "validate",
            "ansible_winrm_ca_trust_path": str(self._authority.file),
        }
        return {
            **self._credentials,
            "ansible_winrm_scheme": options.scheme,
            "ansible_winrm_transport": options.transport,
            **(secure if options.scheme == "https" else {}),
        }

    def _of_psrp(self, options: Options) -> dict[str, str]:
        secure = {"ansible_psrp_cert_validation": "validate", "ansible_psrp_ca_cert": str(self._authority.file)}
        return {
            **self._credentials,
            "ansible_psrp_protocol": options.scheme,
            "ansible_psrp_auth": options.transport,
            **(secure if options.scheme == "https" else {}),
        }

    def _host_did(self, host: Host, word: str) -> None:
        if host.name in self.endpoints:
            self.endpoints[host.name].host_did(word)

    def _note(self, what: str, params: dict[str, Any], host: Host, error: str | None) -> None:
        host.note_room()
        now = round(self._play.sim.now, 3)
        self._play.trace.write(Entry(now, WINRM, what, params, self.account.user, error, [host.name]))
