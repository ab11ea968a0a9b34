# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection's variables as each host of a play has them.

``hostvars`` is not enough: it knows neither the variables of the play nor the defaults of the task's role, which come before and
after those of the inventory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.template import Templar

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variable import OWN_PREFIX, PREFIX


def is_variable(name: object) -> bool:
    """Whether it is the name of a variable that users set."""
    return isinstance(name, str) and name.startswith(PREFIX) and not name.startswith(OWN_PREFIX)


def variables_of_hosts(task: Any, hosts: Iterable[str], loader: Any) -> dict[str, dict[str, Any]]:
    """The variables of each host as this task would find them, rendered with the host's own variables.

    Raises:
        InvalidOption: one cannot be rendered.
    """
    return {name: rendered(name, variables_of_host(task, name), loader) for name in hosts}


def variables_of_host(task: Any, name: str) -> dict[str, Any]:
    """All variables of a host as this task would find them; templates are not rendered."""
    manager = task.get_variable_manager()
    host = manager._inventory.get_host(name)  # noqa: SLF001 - the variable manager asks it for hosts itself
    variables: dict[str, Any] = manager.get_vars(play=task.get_play(), host=host, task=task, include_hostvars=False)
    return variables


def variables_of_play(task: Any) -> dict[str, Any]:
    """What keywords of the play see: extra variables and those of the play, but none of the inventory."""
    variables: dict[str, Any] = task.get_variable_manager().get_vars(play=task.get_play(), include_hostvars=False)
    return variables


def rendered(host: str, variables: dict[str, Any], loader: Any) -> dict[str, Any]:
    """The variables of this collection among these, rendered with the others.

    Raises:
        InvalidOption: one cannot be rendered.
    """
    own = {str(name): _decrypt(host, name, value) for name, value in variables.items() if is_variable(name)}
    templates = {name: value for name, value in own.items() if "{" in str(value)}
    if templates:  # a templar costs more than all the rest
        templar = Templar(loader=loader, variables=variables)
        own |= {name: _render(host, name, value, templar) for name, value in templates.items()}
    return own


def _render(host: str, name: str, value: Any, templar: Any) -> Any:
    try:
        return templar.template(value)
    except AnsibleError as error:
        raise InvalidOption(name, value, f"It cannot be rendered for {host}: {error}") from error


def decrypted(value: Any) -> Any:
    """The value with the text of each !vault string in it, which Ansible itself decrypts when it is used as text.

    Raises:
        AnsibleError: no vault password fits.
    """
    if isinstance(value, Mapping):
        return {key: decrypted(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [decrypted(entry) for entry in value]
    # EncryptedString of ansible-core 2.19 and later, AnsibleVaultEncryptedUnicode of earlier ones
    return str(value) if not isinstance(value, str) and hasattr(value, "_ciphertext") else value


def _decrypt(host: str, name: str, value: Any) -> Any:
    try:
        return decrypted(value)
    except AnsibleError as error:
        raise InvalidOption(name, "!vault", f"It cannot be decrypted for {host}: {error}") from error
