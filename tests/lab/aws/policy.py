# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM's decision about one action: statements with actions, resources and conditions.

Source: IAM user guide, "Policy evaluation logic" and "Condition operators". An operator that is not here is an error.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any


@dataclass(frozen=True)
class Need:
    """One action that a call needs on one resource. ``context`` are IAM's condition keys, whatever their case."""

    action: str
    resource: str
    context: Mapping[str, str]


def _strings(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in values]


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(text.replace("[", "[[]")))


def _like(wanted: str, found: str) -> bool:
    return bool(_pattern(wanted).match(found))


OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, found: wanted == found,
    "StringLike": _like,
    "ArnLike": _like,
    "ArnEquals": _like,
    "Bool": lambda wanted, found: wanted.lower() == found.lower(),
}

FOR_ALL_VALUES = {"ForAllValues:StringEquals": "StringEquals"}
"""For keys with several values, such as aws:TagKeys, which are joined by commas here."""


@dataclass(frozen=True)
class Statement:
    """One statement of a policy."""

    sid: str
    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...]

    def applies(self, need: Need) -> bool:
        return (
            any(_like(pattern.lower(), need.action.lower()) for pattern in self.actions)
            and any(_like(pattern, need.resource) for pattern in self.resources)
            and all(self._holds(need, *condition) for condition in self.conditions)
        )

    @staticmethod
    def _holds(need: Need, operator: str, key: str, wanted: tuple[str, ...]) -> bool:
        """A key that the call does not carry matches nothing, but for ``Null`` and ``ForAllValues``, which say so."""
        found = next((value for name, value in need.context.items() if name.lower() == key.lower()), None)
        if operator == "Null":
            return (found is None) == (wanted[0].lower() == "true")
        if operator in FOR_ALL_VALUES:
            each = OPERATORS[FOR_ALL_VALUES[operator]]
            return found is None or all(any(each(value, one) for value in wanted) for one in found.split(","))
        return found is not None and any(OPERATORS[operator](value, found) for value in wanted)


def statements_of(document: dict[str, Any] | str) -> list[Statement]:
    """The statements of a policy document; KeyError for a condition operator that the lab does not know."""
    policy = json.loads(document) if isinstance(document, str) else document
    found = []
    for raw in policy["Statement"]:
        conditions = [
            (operator, key, tuple(_strings(value)))
            for operator, keys in raw.get("Condition", {}).items()
            for key, value in keys.items()
        ]
        for operator, _key, _wanted in conditions:
            OPERATORS[FOR_ALL_VALUES.get(operator, "Bool" if operator == "Null" else operator)]
        found.append(
            Statement(
                sid=raw.get("Sid", ""),
                allows=raw["Effect"] == "Allow",
                actions=tuple(_strings(raw["Action"])),
                resources=tuple(_strings(raw.get("Resource", "*"))),
                conditions=tuple(conditions),
            )
        )
    return found


def deciding(statements: Iterable[Statement], need: Need) -> Statement | None:
    """The statement that allows it, or None: nothing does, or something denies it."""
    applying = [statement for statement in statements if statement.applies(need)]
    if any(not statement.allows for statement in applying):
        return None
    return applying[0] if applying else None
