# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backends of the ledger; each is held by the same tests."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Ledger
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.sqlite import SqliteLedger

from . import dynamodb_server

Opener = Callable[[], Ledger]
"""Opens the same ledger once more, as another process would."""


def _sqlite(folder: Path) -> Opener:
    return functools.partial(SqliteLedger, str(folder / "ledger.sqlite"))


def _dynamodb(_folder: Path) -> Opener:
    return functools.partial(dynamodb_server.ledger, dynamodb_server.new_table())


def _dynamodb_server(_folder: Path) -> Opener:
    return functools.partial(dynamodb_server.ledger, dynamodb_server.new_table(), dynamodb_server.server_url())


BACKENDS: dict[str, Callable[[Path], Opener]] = {"sqlite": _sqlite, "dynamodb": _dynamodb}
FOR_PROCESSES = {**BACKENDS, "dynamodb": _dynamodb_server}
"""What several processes can open."""
