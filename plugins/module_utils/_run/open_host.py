# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that a run left open, as the role restore_state gets it."""

from __future__ import annotations

from typing import TypedDict

from .._model.account import AccountOption


class FoundHost(TypedDict):
    """What restoring it needs; ``run_id`` is the run for which it is restored, ``unreadable`` what of its rows cannot be read."""

    key: str
    name: str
    kind: str
    transport: str
    instance_id: str
    region: str | None
    run_id: str
    unreadable: str | None


class OpenHost(FoundHost, total=False):
    """A host with a power record has ``account`` and ``ours``, whether a run started it; one that is leased has its ``fence``.

    One that a person lets go of has ``let_go``.
    """

    account: AccountOption | None
    ours: bool
    fence: int
    let_go: bool
