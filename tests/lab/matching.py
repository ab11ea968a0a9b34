# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an expected value compares with the real one."""

from __future__ import annotations

import json
from typing import Any

COMPARISONS = frozenset({"at_most", "at_least", "any_of", "has", "has_not"})


def matches(expected: Any, actual: Any) -> bool:
    """Whether ``actual`` is as ``expected`` says.

    ``{at_most, at_least, any_of}`` compare, ``{has, has_not}`` speak of what is in a list; other mappings must be contained;
    lists are sets; a list for what is no list names the values that are right.
    """
    if isinstance(expected, dict):
        if expected and expected.keys() <= COMPARISONS:
            return _compares(expected, actual)
        return isinstance(actual, dict) and all(
            key in actual and matches(value, actual[key]) for key, value in expected.items()
        )
    if isinstance(expected, list):
        if not isinstance(actual, list):
            return any(matches(value, actual) for value in expected)
        return all(any(matches(want, got) for got in actual) for want in expected) and all(
            any(matches(want, got) for want in expected) for got in actual
        )
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    return bool(expected == actual)


def _compares(expected: dict[str, Any], actual: Any) -> bool:
    if "any_of" in expected and not any(matches(value, actual) for value in expected["any_of"]):
        return False
    if {"has", "has_not"} & expected.keys() and not _holds(expected, actual):
        return False
    if not {"at_most", "at_least"} & expected.keys():
        return True
    if isinstance(actual, bool) or not isinstance(actual, int | float):
        return False
    return bool(expected.get("at_least", actual) <= actual <= expected.get("at_most", actual))


def _holds(expected: dict[str, Any], actual: Any) -> bool:
    """Whether a list has all of ``has`` and none of ``has_not``."""
    return isinstance(actual, list) and all(
        any(matches(value, each) for each in actual) is wanted
        for key, wanted in (("has", True), ("has_not", False))
        for value in expected.get(key, ())
    )


def wish(expected: Any) -> str:
    """``expected`` in words."""
    if isinstance(expected, dict) and expected and expected.keys() <= COMPARISONS:
        words = {
            "at_most": "at most",
            "at_least": "at least",
            "any_of": "any of",
            "has": "a list with",
            "has_not": "none of",
        }
        return " and ".join(f"{words[key]} {show(value)}" for key, value in expected.items())
    return show(expected)


def show(value: Any) -> str:
    """A value on one line: plain text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
