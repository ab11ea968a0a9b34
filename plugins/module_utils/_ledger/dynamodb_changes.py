# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Conditional changes of items, in the words of DynamoDB's API (expressions, their names and values).

No value and no attribute name is spliced into an expression; all go in as placeholders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .dynamodb_table import Item, Key, encode, encode_item

Path = tuple[str, ...]
Values = Mapping[Any, Any]
"""Path to value; not said more exactly, because a Mapping's keys cannot be of a narrower type than is asked for."""
Condition = tuple[str, Path, Any]
"""("exists" or "absent", path, None), or (an operator such as "=", path, value)."""


def exists(*path: str) -> Condition:
    """There is such an attribute."""
    return ("exists", path, None)


def absent(*path: str) -> Condition:
    """There is no such attribute."""
    return ("absent", path, None)


def holds(fence: int | None) -> list[Condition]:
    """The condition that the lease has this fencing number; none without a number."""
    return [] if fence is None else [("=", ("fence",), fence)]


class _Placeholders:
    def __init__(self) -> None:
        self._marks: dict[str, str] = {}
        self._values: dict[str, Any] = {}

    def path(self, path: Path) -> str:
        for part in path:
            self._marks.setdefault(part, f"#{len(self._marks)}")
        return ".".join(self._marks[part] for part in path)

    def value(self, value: Any) -> str:
        mark = f":{len(self._values)}"
        self._values[mark] = encode(value)
        return mark

    def condition(self, conditions: Sequence[Condition]) -> str:
        parts = []
        for kind, path, value in conditions:
            if kind == "exists":
                parts.append(f"attribute_exists({self.path(path)})")
            elif kind == "absent":
                parts.append(f"attribute_not_exists({self.path(path)})")
            else:
                parts.append(f"{self.path(path)} {kind} {self.value(value)}")
        return " AND ".join(parts)

    def as_request(self) -> dict[str, Any]:
        request: dict[str, Any] = {}
        if self._marks:
            request["ExpressionAttributeNames"] = {mark: name for name, mark in self._marks.items()}
        if self._values:
            request["ExpressionAttributeValues"] = self._values
        return request


def update(
    key: Key,
    values: Values,
    conditions: Sequence[Condition] = (),
    *,
    first: Values | None = None,
    add: Mapping[str, int | set[str]] | None = None,
    take: Mapping[str, set[str]] | None = None,
) -> dict[str, Any]:
    """Change some attributes of an item: ``values`` are set (None removes), ``first`` only where there is none yet,
    ``add`` is added to numbers and sets, ``take`` is taken out of sets.
    """
    marks = _Placeholders()
    setting = [f"{marks.path(path)} = {marks.value(value)}" for path, value in values.items() if value is not None]
    for path, value in (first or {}).items():
        at = marks.path(path)
        setting.append(f"{at} = if_not_exists({at}, {marks.value(value)})")
    removing = [marks.path(path) for path, value in values.items() if value is None]
    adding = [f"{marks.path((name,))} {marks.value(number)}" for name, number in (add or {}).items()]
    taking = [f"{marks.path((name,))} {marks.value(members)}" for name, members in (take or {}).items()]
    parts = [("SET", setting), ("REMOVE", removing), ("ADD", adding), ("DELETE", taking)]
    expression = " ".join(f"{word} {', '.join(clauses)}" for word, clauses in parts if clauses)
    condition = {"ConditionExpression": marks.condition(conditions)} if conditions else {}
    return {
        "Update": {"Key": _key(key), "UpdateExpression": expression, **condition, **marks.as_request()},
    }


def put(key: Key, item: Item, conditions: Sequence[Condition] = ()) -> dict[str, Any]:
    """Write a whole item."""
    marks = _Placeholders()
    condition = {"ConditionExpression": marks.condition(conditions)} if conditions else {}
    whole = encode_item({"pk": key[0], "sk": key[1], **item})
    return {"Put": {"Item": whole, **condition, **marks.as_request()}}


def delete(key: Key) -> dict[str, Any]:
    """Remove an item, if it is there."""
    return {"Delete": {"Key": _key(key)}}


def _key(key: Key) -> Item:
    return encode_item({"pk": key[0], "sk": key[1]})
