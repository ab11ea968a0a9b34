# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two callers of a module of the collection: the controller itself, and another machine to which the task is delegated."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from living_lab import LivingLab

ROOT = Path(__file__).parents[2]
COLLECTION = "patchfleet.windows."

# A machine that is not the controller by its name: what is delegated there is done by a module in a process of its own.
ELSEWHERE = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_shell_type": "sh"}
CALLERS: dict[str, dict[str, Any]] = {"inside": {}, "elsewhere": {"delegate_to": "jump-host"}}


class Caller:
    """Runs tasks of the collection's modules with one of the two callers."""

    def __init__(self, lab: LivingLab, name: str) -> None:
        self.lab, self.name = lab, name
        self.machines = lab.file("machines.yml", {"all": {"hosts": {"jump-host": ELSEWHERE}}})

    def task(self, module: str, check: bool = False, **options: Any) -> dict[str, Any]:
        return {f"{COLLECTION}{module}": options, "check_mode": check, **CALLERS[self.name]}

    def run(self, *tasks: dict[str, Any], **how: Any) -> list[dict[str, Any]]:
        return self.lab.tasks(*tasks, inventories=[self.lab.workplace.inventory, self.machines], **how)

    def id(self, name: str) -> str:
        """Of the host that is this caller's own."""
        return self.lab.id(f"{name}-{self.name}")

    def truth(self, name: str) -> dict[str, Any]:
        return self.lab.truth(f"{name}-{self.name}")


def file_of(role: str, name: str) -> str:
    """A script of a role, as a user's own play would name it."""
    return str(ROOT / "roles" / role / "files" / f"{name}.ps1")


def scripts(role: str, *names: str) -> dict[str, Any]:
    """Scripts of a role, as the option scripts takes them."""
    return {name: file_of(role, name) for name in names}


def failed(result: dict[str, Any], reason_code: str) -> str:
    """The message of a task that failed with that code."""
    assert result["failed"], result
    assert result["reason_code"] == reason_code, result
    return str(result["msg"])
