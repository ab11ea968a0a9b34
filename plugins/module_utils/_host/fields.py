# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the fields of a JSON object that a host has sent. The host is a stranger: each field has a type and a range.

A field that is not there, of another type or out of its range ends the script with ``invalid_answer``. Fields that the schema
does not name are ignored.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from .._base.clock import parse_iso
from .._base.errors import Failed
from .._base.text import clean_text
from .._model.reasons import Reason

T = TypeVar("T")

LONGEST_TEXT = 500
MOST_ITEMS = 1000
MOST_NUMBER = 2.0**53
"""The largest range of whole numbers that JSON readers agree on (RFC 8259, section 6)."""
FIRST_MOMENT, LAST_MOMENT = 0.0, 7_258_118_400.0
"""1970 and 2200, in seconds since 1970."""
HRESULT = re.compile(r"0[xX][0-9A-Fa-f]{8}")


class ScriptEnded(Failed):
    """A script has ended with an error: nothing of it continues in the host."""


def invalid_answer(source: str, field: str, wanted: str) -> ScriptEnded:
    """The error for an answer that is not what the script's schema says.

    Args:
        source: the name of the script.
        field: the path of the value in the answer.
        wanted: what the value must be, such as ``a whole number``.
    """
    return ScriptEnded(
        f"The answer of the script {source} is not valid: {field} must be {wanted}.", Reason.INVALID_ANSWER
    )


class Fields:
    """One JSON object of an answer.

    Args:
        source: the name of the script, for error messages.
        values: the object, or what is there instead.
        path: where the object is in the answer.
    """

    def __init__(self, source: str, values: object, path: str = "") -> None:
        if not isinstance(values, dict):
            raise invalid_answer(source, path.rstrip(".") or "data", "an object")
        self._source = source
        self._path = path
        self._values: dict[str, Any] = values

    def number(self, name: str, least: float = 0.0, most: float = MOST_NUMBER) -> float:
        """A finite number in this range."""
        value = self._values.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not self._is_in(value, least, most):
            raise self._invalid(name, f"a number from {least:g} to {most:g}")
        return float(value)

    def whole(self, name: str, least: int = 0, most: int = 2**31) -> int:
        """A whole number in this range; 2.0 is one, too."""
        value = self.number(name, least, most)
        if value != int(value):
            raise self._invalid(name, "a whole number")
        return int(value)

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self._values.get(name)
        if not isinstance(value, bool):
            raise self._invalid(name, "true or false")
        return value

    def text(self, name: str, limit: int = LONGEST_TEXT) -> str:
        """One line of visible text."""
        return self._text(name, self._values.get(name), limit)

    def choice(self, name: str, allowed: Collection[str]) -> str:
        """One of these words."""
        value = self._values.get(name)
        if not isinstance(value, str) or value not in allowed:
            raise self._invalid(name, f"one of {', '.join(sorted(allowed))}")
        return value

    def moment(self, name: str) -> float:
        """A time of ISO 8601, as seconds since 1970 by the host's own clock."""
        try:
            moment = parse_iso(self._values.get(name) or "")
        except (ValueError, AttributeError, OverflowError):
            moment = -1.0
        if not FIRST_MOMENT <= moment <= LAST_MOMENT:
            raise self._invalid(name, "a time")
        return moment

    def hresult(self, name: str) -> str | None:
        """An HRESULT such as 0x80070005; None for anything else."""
        value = self._values.get(name)
        return value if isinstance(value, str) and HRESULT.fullmatch(value) else None

    def texts(self, name: str, limit: int = LONGEST_TEXT) -> tuple[str, ...]:
        """A list of texts. A single text is one, as PowerShell unrolls lists."""
        return tuple(self._text(name, value, limit) for value in self._items(name))

    def choices(self, name: str, allowed: Collection[str]) -> tuple[str, ...]:
        """A list of these words."""
        values = self.texts(name)
        if not set(values) <= set(allowed):
            raise self._invalid(name, f"a list of {', '.join(sorted(allowed))}")
        return values

    def moments(self, name: str) -> tuple[float, ...]:
        """A list of times."""
        items = self._items(name)
        return tuple(Fields(self._source, {name: item}, self._path).moment(name) for item in items)

    def rows(self, name: str) -> tuple[Fields, ...]:
        """A list of objects."""
        return tuple(
            Fields(self._source, item, f"{self._path}{name}[{number}].")
            for number, item in enumerate(self._items(name))
        )

    def nested(self, name: str) -> Fields:
        """An object."""
        return Fields(self._source, self._values.get(name), f"{self._path}{name}.")

    def optional(self, read: Callable[..., T], name: str, *arguments: Any) -> T | None:
        """What one of the methods above reads, or None where the field is not there or null."""
        return read(name, *arguments) if self.has(name) else None

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._values.get(name) is not None

    def _items(self, name: str) -> list[Any]:
        value = self._values.get(name)
        items = [value] if isinstance(value, (str, dict)) else value
        if not isinstance(items, list) or len(items) > MOST_ITEMS:
            raise self._invalid(name, f"a list of at most {MOST_ITEMS} items")
        return items

    def _text(self, name: str, value: object, limit: int) -> str:
        if not isinstance(value, str):
            raise self._invalid(name, "a text")
        return clean_text(value, limit)

    @staticmethod
    def _is_in(value: float, least: float, most: float) -> bool:
        try:
            return math.isfinite(value) and least <= value <= most
        except OverflowError:  # an integer that no float can hold
            return False

    def _invalid(self, name: str, wanted: str) -> ScriptEnded:
        return invalid_answer(self._source, f"{self._path}{name}", wanted)
