# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables patch_checks and patch_evidence: what must work after a host was patched as it did before."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from .._base.errors import InvalidOption
from .._model.checks import FAILURE, KINDS, LEVELS, OFF, ONLY_REMARKS, REMARK, Check

WHAT = ("tcp", "http", "service", "script")
KEYS = ("name", *WHAT, "status", "text", "timeout_seconds", "on")
MOST_CHECKS = 50
LONGEST_NAME, LONGEST_TEXT = 64, 500
LONGEST_CHECKS = 20_000
"""As JSON, with the text of their scripts: a document of Run Command has 64 KB at most, with the content of its parameters (SSM API
reference, CreateDocument), and takes them as base64 beside our own script.
"""
TIMEOUT_SECONDS, LONGEST_TIMEOUT_SECONDS = 30, 300
NO_SERVICE = re.compile(r"[/\\*?\[\]]|[^\x20-\x7E]")
"""Service names have no slash (CreateServiceW, Microsoft Learn); PowerShell reads the others as wildcards."""
EXIT = re.compile(r"(?mi)(?:^|[;{(])\s*exit\b")
EXAMPLE = (
    "It must be a list of mappings, each with name and one of tcp, http, service and script, e.g. "
    '[{"name": "shop", "tcp": 443}].'
)
EVIDENCE_EXAMPLE = (
    'It must be a mapping of kinds to failure, remark or off, e.g. {"ports": "failure", "tasks": "remark"}.'
)


def read_checks(option: str, given: Any) -> list[Check]:
    """The checks, each with its defaults.

    Raises:
        InvalidOption: a value that cannot be right, or a name that is there twice.
    """
    if not isinstance(given, list):
        raise InvalidOption(option, given, EXAMPLE)
    if len(given) > MOST_CHECKS:
        raise InvalidOption(option, f"{len(given)} checks", f"At most {MOST_CHECKS} are possible.")
    checks = [_check(f"{option}[{number}]", entry) for number, entry in enumerate(given)]
    names = [check["name"] for check in checks]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidOption(option, twice, "Each name must be there once.")
    return checks


def read_evidence(option: str, given: Any) -> dict[str, str]:
    """The level of each kind of evidence that is named; a list names those that are failures.

    Raises:
        InvalidOption: an unknown kind, or a level that it cannot have.
    """
    if isinstance(given, str) and given in (FAILURE, REMARK):
        return {kind: REMARK if kind in ONLY_REMARKS else given for kind in KINDS}
    if isinstance(given, list):
        given = {str(kind): REMARK if kind in ONLY_REMARKS else FAILURE for kind in given}
    if not isinstance(given, dict):
        raise InvalidOption(option, given, EVIDENCE_EXAMPLE)
    return {str(kind): _level(option, str(kind), level) for kind, level in given.items()}


def refuse_unfit_scripts(option: str, checks: Sequence[Check]) -> None:
    """Checks whose scripts are read, and that do not fit into a command, or that end without a word.

    Raises:
        InvalidOption: such a script.
    """
    length = len(json.dumps(checks, allow_nan=False))
    if length > LONGEST_CHECKS:
        right = f"As JSON, with the text of the scripts, they must have {LONGEST_CHECKS:,} characters at most."
        raise InvalidOption(option, f"checks of {length:,} characters", right)
    for check in checks:
        if EXIT.search(check.get("script", "")):
            right = "It must not use exit: it fails by throw, by an error, or by returning $false as its last value."
            raise InvalidOption(f"{option}: {check['name']}", "exit", right)


def _level(option: str, kind: str, level: Any) -> str:
    if kind not in KINDS:
        nearest = difflib.get_close_matches(kind, KINDS, n=1, cutoff=0.0)[0]
        raise InvalidOption(option, kind, f"There is no such evidence. Did you mean {nearest}?")
    allowed = (REMARK, OFF) if kind in ONLY_REMARKS else LEVELS
    level = OFF if level is False else level  # YAML reads off as false
    if level not in allowed:
        raise InvalidOption(f"{option}.{kind}", level, f"It must be one of {', '.join(allowed)}.")
    return str(level)


def _check(option: str, entry: Any) -> Check:
    if not isinstance(entry, dict):
        raise InvalidOption(option, entry, EXAMPLE)
    entry = {_key(option, key): value for key, value in entry.items() if value is not None}
    what = [key for key in WHAT if key in entry]
    if len(what) != 1:
        raise InvalidOption(option, what, "It must have exactly one of tcp, http, service and script.")
    name = _text(f"{option}.name", entry.get("name"), LONGEST_NAME)
    check = Check(name=name, on=_on(f"{option}.on", entry.get("on")), timeout_seconds=_timeout(option, entry))
    _read_what(f"{option}.{what[0]}", what[0], entry[what[0]], check)
    if what != ["http"] and {"status", "text"} & set(entry):
        raise InvalidOption(option, what[0], "Only a check with http may have status or text.")
    if what == ["http"]:
        check["status"] = _whole(f"{option}.status", entry.get("status", 200), 100, 599)
        if "text" in entry:
            check["text"] = _text(f"{option}.text", entry["text"], LONGEST_TEXT)
    return check


def _key(option: str, key: Any) -> str:
    if str(key).lower() == "true":  # YAML 1.1 reads the key on as true, and JSON makes a text of that
        return "on"
    if key not in KEYS:
        nearest = difflib.get_close_matches(str(key), KEYS, n=1, cutoff=0.0)[0]
        raise InvalidOption(option, key, f"A check has no such key. Did you mean {nearest}?")
    return str(key)


def _read_what(option: str, what: str, value: Any, check: Check) -> None:
    if what == "tcp":
        address, _colon, port = str(value).rpartition(":")
        check["port"] = _whole(option, port, 1, 65535)
        if address:
            check["address"] = _text(option, address.strip("[]"), 255)
    elif what == "http":
        check["http"] = _url(option, value)
    elif what == "service":
        check["service"] = _text(option, value, 256)
        if NO_SERVICE.search(check["service"]):
            raise InvalidOption(option, value, "It must be the name of one service, without wildcards.")
    else:
        check["script"] = str(value) if isinstance(value, str) and value.strip() else _text(option, value, 4096)


def _url(option: str, value: Any) -> str:
    text = _text(option, value, 2000)
    try:
        parts = urlsplit(text)
        is_right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_right = False
    if not is_right or parts.username is not None or " " in text:
        right = "It must be an address that begins with http:// or https://, without user and password."
        raise InvalidOption(option, value, right)
    return text


def _text(option: str, value: Any, limit: int) -> str:
    text = str(value).strip() if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""
    if not text or len(text) > limit or not text.isprintable():
        raise InvalidOption(option, value, f"It must be one line of at most {limit} characters.")
    return text


def _whole(option: str, value: Any, least: int, most: int) -> int:
    is_whole = not isinstance(value, bool) and re.fullmatch(r"\d{1,9}", str(value).strip())
    if not is_whole or not least <= int(value) <= most:
        raise InvalidOption(option, value, f"It must be a whole number from {least} to {most}.")
    return int(value)


def _timeout(option: str, entry: Mapping[str, Any]) -> int:
    given = entry.get("timeout_seconds", TIMEOUT_SECONDS)
    return _whole(f"{option}.timeout_seconds", given, 1, LONGEST_TIMEOUT_SECONDS)


def _on(option: str, given: Any) -> list[str]:
    if given is None:
        return []
    words = given.split(",") if isinstance(given, str) else given
    if not isinstance(words, list) or not words:
        raise InvalidOption(
            option, given, "It must be a list of names, groups, key=value of tags, or patterns such as web-*."
        )
    return [_text(option, word, 255) for word in words]
