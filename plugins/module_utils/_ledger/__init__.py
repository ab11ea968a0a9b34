# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ledger: the memory of runs, outside their processes.

Decides nothing about hosts, and calls nothing of AWS but its own table.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from .._aws.api import Aws
from .._aws.connect import OptionsConnection
from .._base.clock import Clock, system_clock
from .._base.errors import NoRun
from .dynamodb import DynamoDbLedger
from .dynamodb_table import Table, parse_url
from .records import Ledger
from .sqlite import SqliteLedger


def default_ledger() -> str:
    """The ledger's file in the user's state folder (XDG Base Directory Specification)."""
    return os.path.join(state_folder(), "ledger.sqlite")


def state_folder() -> str:
    """Where ledger and reports lie by default."""
    base = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(base, "patchfleet")


def open_ledger(where: str | None, options: Mapping[str, object] | None = None, clock: Clock | None = None) -> Ledger:
    """The ledger at a path or of a table (``dynamodb://TABLE``); the default one for None or an empty string.

    ``options`` are those of amazon.aws's connection. The region among them is the host's, so the table's is that of the URL,
    of the environment or of the profile.

    Raises:
        InvalidOption: it is neither a file that can be written nor a table.
    """
    path = where or default_ledger()
    if is_table(path):
        url = parse_url(path)
        connection = OptionsConnection({**(options or {}), "region": None})
        clock = clock or system_clock()
        return DynamoDbLedger(Table(url, Aws(connection, clock, url.region), clock))
    return SqliteLedger(os.path.expanduser(path))


def is_table(where: str | None) -> bool:
    """Whether a ledger is a table, and not a file."""
    return "://" in (where or "")


def describe_ledger(where: str | None) -> str:
    """The ledger as messages name it: a path or a URL."""
    return os.path.expanduser(where or default_ledger()) if not is_table(where) else str(where)


def refuse_missing_ledger(where: str | None) -> None:
    """For playbooks that only read the ledger, which must not make an empty one.

    Raises:
        NoRun: for a file that does not exist.
    """
    path = describe_ledger(where)
    if not is_table(path) and not os.path.exists(path):
        raise NoRun(
            f"There is no ledger {path}, so whether hosts are on because of a run is unknown here. Name the ledger of the run "
            "(patch_ledger), or run this where the run was started. If it is lost, see docs/runbook.md, The ledger is lost."
        )
