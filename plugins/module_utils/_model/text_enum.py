# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""An Enum whose members are texts, and its values where others read them."""

from __future__ import annotations

from enum import Enum
from typing import Any


class TextEnum(str, Enum):
    """Its members format as their values on every Python, as those of enum.StrEnum do, which is new in Python 3.11."""

    def __str__(self) -> str:
        return str(self.value)


def plain(value: Any) -> Any:
    """A result as Ansible and JSON want it: lists, dicts and texts of the built-in types, without members of enums."""
    if isinstance(value, dict):
        return {plain(key): plain(content) for key, content in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(content) for content in value]
    return str(value) if isinstance(value, str) else value
