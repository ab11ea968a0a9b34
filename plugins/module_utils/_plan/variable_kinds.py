# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of variables: how a value from YAML, the command line or a survey is read, and what is refused."""

from __future__ import annotations

import re
from typing import Any

from .._base.clock import iso, parse_iso
from .._base.errors import InvalidOption
from .._base.webhook import hidden, is_webhook
from .._update.skip_when import read_skip_when
from .accounts import read_accounts
from .at_most import read_at_most
from .checks import read_checks, read_evidence
from .organization import read_organization
from .prices import read_prices
from .sla import read_sla_days
from .slices import read_slice
from .stack_set import read_stack_set
from .variable import Variable

LONGEST_LINE = 200
KB = re.compile(r"KB[0-9]{6,8}")
"""Of Microsoft's Knowledge Base, as Patch Manager and Windows write it."""
HIDDEN = "(not shown)"
PERCENTAGE = "The percentage must be above 0 and at most 100."


def convert(variable: Variable, given: Any) -> Any:
    """The value with the type of the variable's kind.

    Raises:
        InvalidOption: it is of another kind, out of bounds, none of the choices, or still a template.
    """
    _refuse_templates(variable.name, given, HIDDEN if variable.kind == "webhook" else given)
    converted = CONVERTERS[variable.kind](variable.name, given)
    chosen = converted if isinstance(converted, list) else [converted]
    if variable.choices and not set(chosen) <= set(variable.choices):
        among = "hold only" if isinstance(converted, list) else "be one of"
        raise InvalidOption(variable.name, given, f"It must {among} {', '.join(variable.choices)}.")
    if variable.minimum is not None:
        _refuse_less(variable.name, given, converted, variable.minimum)
    if variable.maximum is not None and float(converted) > variable.maximum:
        raise InvalidOption(variable.name, given, f"It must be at most {variable.maximum:g}.")
    return converted


def _refuse_less(name: str, given: Any, converted: Any, minimum: float) -> None:
    if str(converted).endswith("%"):
        if minimum and float(str(converted).rstrip("%")) == 0:
            raise InvalidOption(name, given, PERCENTAGE)
    elif float(converted) < minimum:
        raise InvalidOption(name, given, f"It must be at least {minimum:g}.")


def _refuse_templates(name: str, given: Any, shown: Any) -> None:
    if "{{" in str(given) or "{%" in str(given):
        raise InvalidOption(name, shown, "It must not hold a template ('{{' or '{%') once Ansible has rendered it.")


def _str(name: str, given: Any) -> str:
    if isinstance(given, (dict, list)):
        raise InvalidOption(name, given, "It must be text.")
    return str(given).strip()


def _line(name: str, given: Any) -> str:
    """msg.exe takes one line of at most 255 characters, and reads one that begins with a slash as an option of its own."""
    text = _str(name, given)
    if len(text) > LONGEST_LINE or not text.isprintable() or text.startswith("/"):
        right = f"It must be one line of at most {LONGEST_LINE} characters that does not begin with a slash."
        raise InvalidOption(name, given, right)
    return text


def _webhook(name: str, given: Any) -> str:
    """The URL is a secret. Settings hold what may be shown of it, and the tasks that need it take it from the variable."""
    url = str(given).strip()
    if not is_webhook(url):
        right = "It must be a URL that begins with https:// (or http:// on this machine), without blanks."
        raise InvalidOption(name, HIDDEN, right)
    return hidden(url)


def _int(name: str, given: Any) -> int:
    if isinstance(given, bool) or not re.fullmatch(r"-?\d+", str(given).strip()):
        raise InvalidOption(name, given, "It must be a whole number.")
    return int(given)


def _float(name: str, given: Any) -> float:
    if isinstance(given, bool) or not re.fullmatch(r"-?\d+(\.\d+)?", str(given).strip()):
        raise InvalidOption(name, given, "It must be a number.")
    return float(given)


def _bool(name: str, given: Any) -> bool:
    word = str(given).strip().lower()
    if word not in {"true", "yes", "on", "1", "false", "no", "off", "0"}:
        raise InvalidOption(name, given, "It must be true or false.")
    return word in {"true", "yes", "on", "1"}


def _list(name: str, given: Any) -> list[str]:
    parts = given.split(",") if isinstance(given, str) else given
    if not isinstance(parts, list) or any(isinstance(part, (dict, list)) for part in parts):
        raise InvalidOption(name, given, "It must be a list of texts.")
    return [str(part).strip() for part in parts if str(part).strip()]


def _kbs(name: str, given: Any) -> list[str]:
    numbers = [text.upper() for text in _list(name, given)]
    wrong = [number for number in numbers if not KB.fullmatch(number)]
    if wrong:
        right = f"{wrong[0]} is no number of an update: each must be KB and six to eight digits, such as KB5031364."
        raise InvalidOption(name, given, right)
    return list(dict.fromkeys(numbers))


def _dict(name: str, given: Any) -> dict[str, list[str]]:
    if not isinstance(given, dict):
        raise InvalidOption(name, given, 'It must be a mapping of EC2 filters, e.g. {"tag:Stage": [dev, test]}.')
    return {str(key): _list(name, value if isinstance(value, list) else [value]) for key, value in given.items()}


def _count_or_percent(name: str, given: Any) -> Any:
    text = str(given).strip()
    if isinstance(given, bool) or not re.fullmatch(r"-?\d+(\.\d+)?%|-?\d+", text):
        raise InvalidOption(name, given, "It must be a number of hosts (5) or a percentage of them (20%).")
    if text.endswith("%"):
        if not 0 <= float(text[:-1]) <= 100:
            raise InvalidOption(name, given, PERCENTAGE)
        return text
    return int(text)


def _datetime(name: str, given: Any) -> float:
    try:
        return parse_iso(str(given))
    except ValueError:
        raise InvalidOption(name, given, f"It must be an ISO 8601 time, e.g. {iso(1794697200)}.") from None


CONVERTERS = {
    "str": _str,
    "line": _line,
    "webhook": _webhook,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "list": _list,
    "kbs": _kbs,
    "dict": _dict,
    "count_or_percent": _count_or_percent,
    "datetime": _datetime,
    "accounts": read_accounts,
    "at_most": read_at_most,
    "checks": read_checks,
    "evidence": read_evidence,
    "organization": read_organization,
    "prices": read_prices,
    "skip_when": read_skip_when,
    "sla_days": read_sla_days,
    "slice": read_slice,
    "stack_set": read_stack_set,
}
