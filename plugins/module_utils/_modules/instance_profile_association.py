# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation instance_profile_association."""

from __future__ import annotations

from .._operation.operation import Operation
from .._setup.profiles import attach, detach

OPERATION = Operation(
    name="instance_profile_association",
    arguments={
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "instance_profile": {"type": "str"},
        "tag_key": {"type": "str", "no_log": False},
        "tag_value": {"type": "str"},
        "regions": {"type": "list", "elements": "str", "default": []},
        "add_policy": {"type": "bool", "default": False},
    },
    work={"present": attach, "absent": detach},
    rules={
        "required_if": [
            ("state", "present", ("tag_key", "tag_value")),
            ("state", "absent", ("instance_profile",)),
        ]
    },
)
