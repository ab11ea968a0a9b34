# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trace of a run: every API call as a line of JSON, in order, written as it happens."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One call: ``t`` in lab seconds, ``error`` its code, ``hosts`` the names that it touches, ``account`` an id."""

    t: float
    service: str
    operation: str
    params: dict[str, Any]
    caller: str
    error: str | None
    hosts: list[str]
    account: str | None = None


class Trace:
    """``trace.jsonl`` in the folder of the run, and the number of our calls (DryRun does not count)."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8", buffering=1)
        self._lock = threading.Lock()
        self.calls: Counter[str] = Counter()
        self.listeners: list[Callable[[Entry], None]] = []

    def write(self, entry: Entry) -> None:
        line = json.dumps(vars(entry), default=_plain, ensure_ascii=False)
        with self._lock:
            self._file.write(line + "\n")
            for listener in self.listeners:
                listener(entry)

    def count(self, service: str, operation: str) -> None:
        with self._lock:
            self.calls[f"{service}.{operation}"] += 1

    def close(self) -> None:
        self._file.close()


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
