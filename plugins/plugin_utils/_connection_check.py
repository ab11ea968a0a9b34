# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps Ansible from using a host's connection, found without a packet to the host: the plan says it before the run."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible import constants, context
from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.loader import become_loader, connection_loader
from jinja2.exceptions import UndefinedError

PACKAGES = {"winrm": ("winrm", "pywinrm"), "psrp": ("pypsrp", "pypsrp")}
"""The module that a connection plugin imports, and the package that brings it."""
WITHOUT_PASSWORD = frozenset({"kerberos", "certificate"})
"""Log-ons of winrm and psrp for which a ticket or a certificate is enough."""
READ_SECONDS, OPERATION_SECONDS = 30, 20
"""Defaults of pywinrm, which demands that the first is larger (winrm/protocol.py)."""

Options = Mapping[str, Any]


def connection_trouble(connection: str, variables: Mapping[str, Any], remote_user: str | None) -> str | None:
    """A sentence on the first thing that Ansible would refuse; None where nothing is known to be wrong.

    Args:
        connection: name of the plugin, as ``ansible_connection`` has it.
        variables: of the host.
        remote_user: of the command line.
    """
    try:
        return next(_troubles(connection, variables, remote_user), None)
    except (AnsibleError, UndefinedError, ValueError) as error:
        return f"Ansible refuses the settings of its connection {connection}: {error}"


def _troubles(connection: str, variables: Mapping[str, Any], remote_user: str | None) -> Iterator[str]:
    name = connection.rpartition(".")[2]
    module, package = PACKAGES.get(name, ("", ""))
    if module and importlib.util.find_spec(module) is None:
        yield f"Its connection {name} needs the Python package {package}, which {sys.executable} does not have."
    plugin = connection_loader.get(connection, class_only=True)
    if plugin is None:
        yield f"Ansible finds no connection plugin {connection}."
        return
    load_name = plugin._load_name  # noqa: SLF001 - by which ansible-core keeps the plugin's options
    keywords = {"remote_user": remote_user}
    options = constants.config.get_plugin_options("connection", load_name, keys=keywords, variables=variables)
    if name in CHECKS:
        yield from CHECKS[name](options, variables)
    yield from _of_become(variables, name)


def _of_winrm(options: Options, variables: Mapping[str, Any]) -> Iterator[str]:
    by_user = "kerberos" if "@" in str(options.get("remote_user") or "") else "basic"
    yield from _credentials("winrm", set(options.get("transport") or [by_user]), options)
    read = int(variables.get("ansible_winrm_read_timeout_sec") or READ_SECONDS)
    operation = int(variables.get("ansible_winrm_operation_timeout_sec") or OPERATION_SECONDS)
    if read <= operation:
        yield (
            f"ansible_winrm_read_timeout_sec is {read} and must be larger than ansible_winrm_operation_timeout_sec, "
            f"which is {operation}."
        )


def _of_psrp(options: Options, _variables: Mapping[str, Any]) -> Iterator[str]:
    if options.get("auth") != "negotiate":  # without a user, negotiate takes a ticket of Kerberos
        yield from _credentials("psrp", {str(options.get("auth"))}, options)


def _credentials(name: str, methods: set[str], options: Options) -> Iterator[str]:
    if methods & WITHOUT_PASSWORD:
        return
    if not options.get("remote_user"):
        yield f"Its connection {name} has no user for {', '.join(sorted(methods))}. Set ansible_user."
    if not options.get("remote_password") and not _asks_for_password():
        yield f"Its connection {name} has no password for {', '.join(sorted(methods))}. Set ansible_password."


def _asks_for_password() -> bool:
    return bool(context.CLIARGS.get("ask_pass") or context.CLIARGS.get("connection_password_file"))


def _of_ssh(options: Options, _variables: Mapping[str, Any]) -> Iterator[str]:
    program = str(options.get("ssh_executable") or "ssh")
    if shutil.which(program) is None:
        yield f"Its connection ssh needs the program {program}, which the controller does not have."
    by_sshpass = options.get("password_mechanism", "sshpass") == "sshpass"  # the only one before ansible-core 2.19
    if options.get("password") and by_sshpass and shutil.which("sshpass") is None:
        yield "Its connection ssh has a password, for which it needs the program sshpass, which the controller does not have."


CHECKS: dict[str, Callable[[Options, Mapping[str, Any]], Iterator[str]]] = {
    "winrm": _of_winrm,
    "psrp": _of_psrp,
    "ssh": _of_ssh,
}


def _of_become(variables: Mapping[str, Any], connection: str) -> Iterator[str]:
    """The run's scripts become SYSTEM by themselves; what Ansible refuses before any task is named here."""
    if not boolean(variables.get("ansible_become") or False, strict=False):
        return
    method = str(variables.get("ansible_become_method") or constants.DEFAULT_BECOME_METHOD)
    plugin = become_loader.get(method, class_only=True)
    if plugin is None:
        yield f"Ansible finds no become plugin {method}. On Windows ansible_become_method is runas."
    elif getattr(plugin, "require_tty", False) and connection != "ssh":
        yield f"The become plugin {method} needs a terminal. On Windows ansible_become_method is runas."
