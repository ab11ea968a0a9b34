# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudWatch Logs: the output of commands that were sent with CloudWatchOutputEnabled."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class LogSink(Protocol):
    """Takes text for a stream; group and stream come to be when they are first written to."""

    def write(self, region: str, group: str, stream: str, at: datetime, text: str) -> None: ...
