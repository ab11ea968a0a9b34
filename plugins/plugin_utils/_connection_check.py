# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps Ansible from using a host's connection, found without a packet to the host: the plan says it before the run.

Ansible reads the variables of a host's connection before each of its tasks, also before those that AWS does for it. So a value that
Ansible refuses ends the work on any host; what a connection lacks on the controller, only that on hosts which are reached by it.
"""

from __future__ import annotations

import importlib.util
import itertools
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible import constants, context
from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.loader import become_loader, connection_loader, shell_loader
from jinja2.exceptions import UndefinedError

from ansible_collections.patchfleet.windows.plugins.plugin_utils._inventory_entries import Unreadable, value_of

PACKAGES = {"winrm": ("winrm", "pywinrm"), "psrp": ("pypsrp", "pypsrp")}
"""The module that a connection plugin imports, and the package that brings it."""
WITHOUT_PASSWORD = frozenset({"kerberos", "certificate"})
"""Log-ons of winrm and psrp for which a ticket or a certificate is enough."""
KEYWORDS = ("ansible_user", "ansible_password", "ansible_become", "ansible_become_user", "ansible_become_method")
"""Variables that ansible-core renders for each task (lib/ansible/constants.py, MAGIC_VARIABLE_MAPPING)."""
READ_TIMEOUT, OPERATION_TIMEOUT = "ansible_winrm_read_timeout_sec", "ansible_winrm_operation_timeout_sec"
READ_SECONDS, OPERATION_SECONDS = 30, 20
"""Defaults of pywinrm, which demands that the first is larger (winrm/protocol.py)."""

Options = Mapping[str, Any]


def refused_value(connection: str | None, variables: Mapping[str, Any], remote_user: str | None) -> str | None:
    """A sentence on the first variable that Ansible refuses before any task of the host; None where there is none.

    Args:
        connection: name of the plugin, as ``ansible_connection`` has it; None where the inventory names none.
        variables: of the host.
        remote_user: of the command line.
    """
    try:
        return next(_refusals(connection, variables, remote_user), None)
    except Unreadable as error:
        return str(error)
    except (AnsibleError, UndefinedError) as error:
        return (
            f"Ansible refuses the settings of its connection{' ' + connection if connection else ''}: {_in_full(error)}"
        )


def connection_trouble(connection: str, variables: Mapping[str, Any], remote_user: str | None) -> str | None:
    """A sentence on the first thing that Ansible would refuse or lack when it connects; None where nothing is known to be wrong.

    Args:
        connection: name of the plugin, as ``ansible_connection`` has it.
        variables: of the host.
        remote_user: of the command line.
    """
    refused = refused_value(connection, variables, remote_user)
    if refused:
        return refused
    name = connection.rpartition(".")[2]
    options = _options_of(connection, variables, remote_user)
    return next(itertools.chain(_of_package(name), CHECKS[name](options, variables) if name in CHECKS else ()), None)


def _refusals(connection: str | None, variables: Mapping[str, Any], remote_user: str | None) -> Iterator[str]:
    for variable in KEYWORDS:
        value_of(variables, variable)
    yield from _of_numbers(variables, "ansible_port")
    yield from _of_become(variables, (connection or "ssh").rpartition(".")[2])
    shell = value_of(variables, "ansible_shell_type")
    if shell and shell_loader.find_plugin(str(shell)) is None:
        yield f"ansible_shell_type: {shell!r} is not valid. It must be powershell or cmd."
    if connection is None:
        return
    if connection_loader.find_plugin(connection) is None:
        yield f"ansible_connection: {connection!r} is not valid. Ansible finds no connection plugin {connection}."
        return
    _options_of(connection, variables, remote_user)


def _in_full(error: Exception) -> str:
    """The error's words; ansible-core 2.19 and later keep the values that would be right apart from them."""
    help_text = getattr(error, "_help_text", None)
    return f"{error} {help_text}" if help_text and help_text not in str(error) else str(error)


def _of_numbers(variables: Mapping[str, Any], *names: str) -> Iterator[str]:
    for name in names:
        value = variables.get(name)
        if value is not None and not str(value).strip().isdecimal():
            yield f"{name}: {str(value)!r} is not valid. It must be a whole number."


def _options_of(connection: str, variables: Mapping[str, Any], remote_user: str | None) -> Options:
    plugin = connection_loader.get(connection, class_only=True)
    load_name = plugin._load_name  # noqa: SLF001 - by which ansible-core keeps the plugin's options
    keywords = {"remote_user": remote_user}
    found: Options = constants.config.get_plugin_options("connection", load_name, keys=keywords, variables=variables)
    return found


def _of_package(name: str) -> Iterator[str]:
    module, package = PACKAGES.get(name, ("", ""))
    if module and importlib.util.find_spec(module) is None:
        yield f"Its connection {name} needs the Python package {package}, which {sys.executable} does not have."


def _of_winrm(options: Options, variables: Mapping[str, Any]) -> Iterator[str]:
    by_user = "kerberos" if "@" in str(options.get("remote_user") or "") else "basic"
    yield from _credentials("winrm", set(options.get("transport") or [by_user]), options)
    yield from _of_numbers(variables, READ_TIMEOUT, OPERATION_TIMEOUT)
    read = int(variables.get(READ_TIMEOUT) or READ_SECONDS)
    operation = int(variables.get(OPERATION_TIMEOUT) or OPERATION_SECONDS)
    if read <= operation:
        yield (f"{READ_TIMEOUT} is {read} and must be larger than {OPERATION_TIMEOUT}, which is {operation}.")


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
    given = variables.get("ansible_become")
    try:
        if not boolean("" if given is None else given, strict=given is not None):
            return
    except TypeError:
        yield f"ansible_become: {str(given)!r} is not valid. It must be true or false."
        return
    method = str(variables.get("ansible_become_method") or constants.DEFAULT_BECOME_METHOD)
    plugin = become_loader.get(method, class_only=True)
    if plugin is None:
        yield f"ansible_become_method: {method!r} is not valid. Ansible finds no become plugin {method}. On Windows it is runas."
    elif getattr(plugin, "require_tty", False) and connection != "ssh":
        yield f"The become plugin {method} needs a terminal. On Windows ansible_become_method is runas."
