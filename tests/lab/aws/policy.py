# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM's decision about one action: statements with actions, resources and conditions.

Source: IAM user guide, "Policy evaluation logic" and "Condition operators". An operator that is not here is an error.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any


@dataclass(frozen=True)
class Need:
    """One action that a call needs on one resource. ``context`` are IAM's condition keys, whatever their case."""

    action: str
    resource: str
    context: Mapping[str, str]

    def value(self, key: str) -> str | None:
        """Of a condition key; None where the call does not carry it."""
        return next((value for name, value in self.context.items() if name.lower() == key.lower()), None)


def _strings(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in values]


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(text.replace("[", "[[]")))


def _like(wanted: str, found: str) -> bool:
    return bool(_pattern(wanted).match(found))


def _in_network(wanted: str, found: str) -> bool:
    return ipaddress.ip_address(found) in ipaddress.ip_network(wanted, strict=False)


def _before(wanted: str, found: str) -> bool:
    return datetime.fromisoformat(found) < datetime.fromisoformat(wanted)


Test = Callable[[str, str], bool]
OPERATORS: dict[str, Test] = {
    "StringEquals": lambda wanted, found: wanted == found,
    "StringEqualsIgnoreCase": lambda wanted, found: wanted.lower() == found.lower(),
    "StringLike": _like,
    "ArnLike": _like,
    "ArnEquals": _like,
    "Bool": lambda wanted, found: wanted.lower() == found.lower(),
    "IpAddress": _in_network,
    "NumericEquals": lambda wanted, found: float(wanted) == float(found),
    "NumericLessThan": lambda wanted, found: float(found) < float(wanted),
    "NumericGreaterThan": lambda wanted, found: float(found) > float(wanted),
    "DateLessThan": _before,
    "DateGreaterThan": lambda wanted, found: _before(found, wanted),
}
NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotLike": "ArnLike",
    "ArnNotEquals": "ArnEquals",
    "NotIpAddress": "IpAddress",
    "NumericNotEquals": "NumericEquals",
}
"""These hold for a key that the call does not carry."""

VARIABLE = re.compile(r"\$\{([\w:/-]+)\}")
FOR_ALL, FOR_ANY, IF_EXISTS = "ForAllValues:", "ForAnyValue:", "IfExists"


def _resolved(wanted: str, need: Need) -> str:
    """A policy variable by its value (IAM user guide, "IAM policy elements: Variables"); one without a value matches nothing."""
    return VARIABLE.sub(lambda found: need.value(found[1]) or "", wanted)


@dataclass(frozen=True)
class Condition:
    """One operator with one key. A key with several values, such as aws:TagKeys, has them joined by commas."""

    operator: str
    key: str
    wanted: tuple[str, ...]

    @property
    def _test(self) -> tuple[str, bool]:
        """The plain operator, and whether it is negated."""
        name = self.operator.removeprefix(FOR_ALL).removeprefix(FOR_ANY).removesuffix(IF_EXISTS)
        return NEGATED.get(name, name), name in NEGATED

    def check(self) -> None:
        """Raises KeyError for an operator that the lab does not know."""
        if self.operator != "Null":
            OPERATORS[self._test[0]]

    def holds(self, need: Need) -> bool:
        found = need.value(self.key)
        if self.operator == "Null":
            return (found is None) == (self.wanted[0].lower() == "true")
        negated = self._test[1]
        resolved = replace(self, wanted=tuple(_resolved(wanted, need) for wanted in self.wanted))
        if resolved != self:
            return resolved.holds(need)
        if found is None:
            return negated or self.operator.endswith(IF_EXISTS) or self.operator.startswith(FOR_ALL)
        if self.operator.startswith(FOR_ALL):
            return all(self._matches(one) for one in found.split(","))
        if self.operator.startswith(FOR_ANY):
            return any(self._matches(one) for one in found.split(","))
        return self._matches(found)

    def _matches(self, found: str) -> bool:
        name, negated = self._test
        return any(OPERATORS[name](wanted, found) for wanted in self.wanted) != negated


@dataclass(frozen=True)
class Statement:
    """One statement of a policy. ``but_actions`` and ``but_resources`` are NotAction and NotResource."""

    sid: str
    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[Condition, ...]
    but_actions: bool = False
    but_resources: bool = False

    def concerns(self, need: Need) -> bool:
        """Whether action and resource are its, whatever its conditions say."""
        action = any(_like(pattern.lower(), need.action.lower()) for pattern in self.actions)
        resource = any(_like(pattern, need.resource) for pattern in self.resources)
        return action != self.but_actions and resource != self.but_resources

    def applies(self, need: Need) -> bool:
        return self.concerns(need) and all(condition.holds(need) for condition in self.conditions)

    def lacks_a_tag(self, need: Need) -> bool:
        """Whether it would apply, but for the tags of the resource."""
        failing = [condition for condition in self.conditions if not condition.holds(need)]
        of_tags = [condition for condition in failing if "resourcetag/" in condition.key.lower()]
        return self.concerns(need) and bool(of_tags) and of_tags == failing


def statements_of(document: dict[str, Any] | str) -> list[Statement]:
    """The statements of a policy document; KeyError for a condition operator that the lab does not know."""
    policy = json.loads(document) if isinstance(document, str) else document
    raws = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    return [_statement(raw) for raw in raws]


def _statement(raw: dict[str, Any]) -> Statement:
    conditions = [
        Condition(operator, key, tuple(_strings(value)))
        for operator, keys in raw.get("Condition", {}).items()
        for key, value in keys.items()
    ]
    for condition in conditions:
        condition.check()
    return Statement(
        sid=raw.get("Sid", ""),
        allows=raw["Effect"] == "Allow",
        actions=tuple(_strings(raw["NotAction"] if "NotAction" in raw else raw["Action"])),
        resources=tuple(_strings(raw["NotResource"] if "NotResource" in raw else raw.get("Resource", "*"))),
        conditions=tuple(conditions),
        but_actions="NotAction" in raw,
        but_resources="NotResource" in raw,
    )


def deciding(statements: Iterable[Statement], need: Need) -> Statement | None:
    """The statement that allows it, or None: nothing does, or something denies it."""
    applying = [statement for statement in statements if statement.applies(need)]
    if any(not statement.allows for statement in applying):
        return None
    return applying[0] if applying else None


def denying(statements: Iterable[Statement], need: Need) -> Statement | None:
    """The statement that denies it explicitly."""
    return next((it for it in statements if not it.allows and it.applies(need)), None)


def missing_keys(statements: Iterable[Statement], need: Need) -> list[str]:
    """The condition keys that statements about this action and resource ask for, and that the context lacks."""
    asked = {
        condition.key for statement in statements if statement.concerns(need) for condition in statement.conditions
    }
    return sorted(key for key in asked if need.value(key) is None)
