# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands that messages print of a run: complete, and with the ledger where it is not the default one."""

from __future__ import annotations

import os
from collections.abc import Mapping

from .._base.commands import plain_command
from .._ledger import default_ledger, describe_ledger


def playbook_command(playbook: str, ledger: str | None, variables: Mapping[str, object] | None = None) -> str:
    """A command that runs a playbook of the collection.

    Args:
        playbook: its name, such as ``restore``.
        ledger: the path or URL of the run's ledger, None for the default one.
        variables: extra variables, in their order.
    """
    where = describe_ledger(ledger)
    where = where if "://" in where else os.path.abspath(where)
    given = {**(variables or {}), **({} if where == os.path.abspath(default_ledger()) else {"patch_ledger": where})}
    return plain_command(playbook, given)
