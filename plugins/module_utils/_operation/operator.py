# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The person behind an operation, for the ledger: the user of AWX's job, else that of this machine."""

from __future__ import annotations

import getpass
import socket
from typing import NamedTuple

from .._base.text import clean_text
from .context import OperationContext

LONGEST = 200
"""Characters of a name that comes from outside, such as of a user or a job of AWX."""


class Operator(NamedTuple):
    """Who works, and from which machine."""

    by: str
    machine: str


def operator_of(context: OperationContext) -> Operator:
    """Of an operation that takes the option ``by``."""
    return Operator(clean_text(context.params.get("by") or getpass.getuser(), LONGEST), socket.gethostname())
