# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ledger: the memory of runs, outside their processes."""

from __future__ import annotations

import os

from .._errors import InvalidOption
from .records import Ledger
from .sqlite import SqliteLedger


def default_ledger() -> str:
    """The ledger's file in the user's state folder (XDG Base Directory Specification)."""
    return os.path.join(state_folder(), "ledger.sqlite")


def state_folder() -> str:
    """Where ledger and reports lie by default."""
    base = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(base, "patchfleet")


def open_ledger(where: str | None) -> Ledger:
    """The ledger at a path; the default one for None or an empty string.

    Raises:
        InvalidOption: it is not a file that can be written.
    """
    path = where or default_ledger()
    if "://" in path:
        raise InvalidOption(
            "patch_ledger", path, "It must be the path of an SQLite file, e.g. /var/lib/patchfleet/ledger.sqlite."
        )
    return SqliteLedger(os.path.expanduser(path))
