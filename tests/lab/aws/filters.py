# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2's filters: several are and-ed, the values of one are or-ed, with ``*`` and ``?`` as wildcards."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from lab.aws.errors import invalid_value

Item = TypeVar("Item")
Getter = Callable[[Item], Iterable[str]]


def matches(pattern: str, value: str) -> bool:
    """``*`` is any text, ``?`` one character, a backslash takes the meaning from either; case counts."""
    return _compiled(pattern).fullmatch(value) is not None


@functools.lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(part) or re.escape(part[-1]) for part in parts), re.DOTALL)


def select(
    items: Iterable[Item],
    filters: list[dict[str, Any]],
    getters: Mapping[str, Getter[Item]],
    tags_of: Callable[[Item], Mapping[str, str]],
) -> list[Item]:
    """Those that pass all ``filters``; InvalidParameterValue for a filter that AWS does not have."""
    tests = [(_getter(condition["Name"], getters, tags_of), condition.get("Values", [])) for condition in filters]
    return [
        item
        for item in items
        if all(any(matches(pattern, value) for pattern in values for value in getter(item)) for getter, values in tests)
    ]


def _getter(
    name: str, getters: Mapping[str, Getter[Item]], tags_of: Callable[[Item], Mapping[str, str]]
) -> Getter[Item]:
    if name.startswith("tag:"):
        key = name.removeprefix("tag:")
        return lambda item: [tags_of(item)[key]] if key in tags_of(item) else []
    if name == "tag-key":
        return lambda item: list(tags_of(item))
    if name not in getters:
        raise invalid_value(f"The filter '{name}' is invalid")
    return getters[name]
