# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation stack_set."""

from __future__ import annotations

from .._operation.operation import Operation, indented_lines
from .._setup.stack_set import deploy, remove

OPERATION = Operation(
    name="stack_set",
    arguments={
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "name": {"type": "str", "required": True},
        "stack_set": {"type": "dict", "required": True},
        "template": {"type": "str"},
        "parameters": {"type": "dict", "default": {}},
        "reset": {"type": "bool", "default": False},
        "confirmed": {"type": "bool", "default": False},
        "anyway": {"type": "bool", "default": False},
    },
    work={"present": deploy, "absent": remove},
    lines=indented_lines,
    rules={"required_if": [("state", "present", ("template",))]},
)
