# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines for people at a terminal: progress while an operation works, and results that are text."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from ansible import constants
from ansible.utils.display import Display

from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import system_clock
from ansible_collections.patchfleet.windows.plugins.module_utils._base.text import clean_text
from ansible_collections.patchfleet.windows.plugins.module_utils._model.outcomes import FAILURES


def time_of_day() -> str:
    """The run's time in UTC, e.g. ``22:14:05``."""
    return datetime.datetime.fromtimestamp(system_clock().now(), datetime.timezone.utc).strftime("%H:%M:%S")


def progress_line(host: str, phase: str | None, text: str) -> str:
    """E.g. ``  22:14:05  dev-01  ready  the agent answered`` (UTC)."""
    return "  ".join(["", time_of_day(), f"{clean_text(host):<20}", f"{phase or '':<7}", clean_text(text)]).rstrip()


def color_of(text: str) -> str | None:
    """Of a line of progress: the end of a host that failed or is held is red where Ansible has colours."""
    return str(constants.COLOR_ERROR) if text.partition(":")[0] in FAILURES else None


def name_in_progress(task_vars: Mapping[str, Any]) -> str:
    """The host's name for people, with the inventory's name behind it where that is another, such as an instance id."""
    inventory_name = str(task_vars.get("inventory_hostname", ""))
    host = task_vars.get("patch__host")
    name = str(host["name"]) if isinstance(host, Mapping) and host.get("name") else inventory_name
    return name if name == inventory_name else f"{name} ({inventory_name})"


def display_lines(lines: Iterable[str]) -> None:
    """Print what people read of a result."""
    for line in lines:
        Display().display(clean_text(line).rstrip())
