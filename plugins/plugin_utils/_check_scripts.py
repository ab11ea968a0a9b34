# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of a host, as a user writes them: which of them are for it, and the text of their scripts, which are files here."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption
from ansible_collections.patchfleet.windows.plugins.module_utils._model.checks import is_on
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.checks import read_checks, refuse_unfit_scripts

OPTION, FILE = "patch_checks", ".ps1"


def checks_of_host(given: Any, task_vars: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Those that are for the host of a task, with the text of their scripts.

    Raises:
        InvalidOption: a check or a script that cannot be right.
    """
    planned = task_vars.get("patch__host", {})
    words = {task_vars.get("inventory_hostname"), planned.get("key"), planned.get("name")}
    words |= set(task_vars.get("group_names", ()))
    checks = read_checks(OPTION, given)
    own = [entry for entry, check in zip(given, checks, strict=True) if is_on(check, set(filter(None, words)))]
    return [_with_script(entry) for entry in own]


def refuse_unreadable_scripts(of_hosts: Iterable[Mapping[str, Any]]) -> None:
    """Read the scripts of all hosts' checks. Checks that cannot be right are refused elsewhere, with their hosts.

    Raises:
        InvalidOption: a script that cannot be read, is too long, or ends with exit.
    """
    known: list[Any] = []
    for variables in of_hosts:
        given = variables.get(OPTION)
        if not given or given in known:
            continue
        known.append(given)
        try:
            read_checks(OPTION, given)
        except InvalidOption:
            continue
        refuse_unfit_scripts(OPTION, read_checks(OPTION, [_with_script(entry) for entry in given]))


def _with_script(entry: dict[str, Any]) -> dict[str, Any]:
    """What ends with .ps1 is a file, from the folder of ansible-playbook on; any other text is the script itself."""
    script = entry.get("script")
    if not isinstance(script, str) or not script.strip().lower().endswith(FILE):
        return entry
    path = os.path.abspath(os.path.expanduser(script.strip()))
    try:
        with open(path, encoding="utf-8-sig") as file:
            return {**entry, "script": file.read()}
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no UTF-8"
        right = f"It must be a file that can be read ({why}), or the text of the script. Nothing was touched."
        raise InvalidOption(f"{OPTION}: {entry.get('name')}: script", path, right) from error
