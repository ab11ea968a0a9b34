# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudWatch Logs: moto keeps the groups and streams, the lab writes the output of commands into them."""

from __future__ import annotations

from datetime import datetime

from moto.logs.models import LogsBackend, logs_backends

from lab.aws.arns import ACCOUNT_ID

LONGEST_MESSAGE = 200_000


class MotoLogs:
    """Writes past moto's PutLogEvents, which would refuse events that are not near the real time.

    moto keeps one state for the whole process, so a new lab empties it: one lab at a time.
    """

    def __init__(self) -> None:
        logs_backends.reset()

    def write(self, region: str, group: str, stream: str, at: datetime, text: str) -> None:
        backend: LogsBackend = logs_backends[ACCOUNT_ID][region]
        backend.ensure_log_group(group)
        backend.ensure_log_stream(group, stream)
        events = [
            {"timestamp": int(at.timestamp() * 1000), "message": text[start : start + LONGEST_MESSAGE]}
            for start in range(0, len(text), LONGEST_MESSAGE)
        ]
        backend.groups[group].put_log_events(stream, events)
