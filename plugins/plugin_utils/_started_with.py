# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command with which the user started this run, for messages that name the command to continue."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

from ansible import constants, context
from ansible.errors import AnsibleError
from ansible.parsing.splitter import parse_kv

from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import BY_NAME
from ansible_collections.patchfleet.windows.plugins.plugin_utils._invocation import in_job

OPTIONS = {"inventory": "-i", "forks": "-f", "vault_ids": "--vault-id", "vault_password_files": "--vault-password-file"}
SECRET_KINDS = frozenset({"webhook"})
DEFAULTS = {"forks": [str(constants.DEFAULT_FORKS)], "inventory": list(constants.DEFAULT_HOST_LIST)}


def started_with() -> str | None:
    """The command, ready for further options; None in a job of AWX, and where an extra variable may be a secret.

    Only variables of this collection are repeated. Another one may be a password, and the command is kept in the ledger.
    """
    if in_job() or not context.CLIARGS.get("args"):
        return None
    words = ["ansible-playbook", *context.CLIARGS["args"]]
    for name, option in OPTIONS.items():
        words += [word for value in _values(name) for word in (option, value)]
    if context.CLIARGS.get("subset"):
        words += ["-l", str(context.CLIARGS["subset"])]
    for given in context.CLIARGS.get("extra_vars") or ():
        if not _may_be_repeated(str(given)):
            return None
        words += ["-e", str(given)]
    return shlex.join(words)


def _values(name: str) -> Iterator[str]:
    given: Any = context.CLIARGS.get(name) or ()
    values = [str(value) for value in (given if isinstance(given, (list, tuple)) else (given,))]
    if values != DEFAULTS.get(name):
        yield from values


def _may_be_repeated(given: str) -> bool:
    """A file, or variables of this collection that are no secrets."""
    if given.startswith("@"):
        return True
    try:
        names = json.loads(given) if given.lstrip().startswith(("{", "[")) else parse_kv(given)
    except (ValueError, AnsibleError):
        return False
    known = [BY_NAME.get(name) for name in names]
    return all(variable is not None and variable.kind not in SECRET_KINDS for variable in known)
