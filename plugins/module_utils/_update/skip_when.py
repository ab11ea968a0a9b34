# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variable patch_skip_when: what must not run on a host while it is patched."""

from __future__ import annotations

import os
import re
from typing import Any

from .._base.errors import InvalidOption
from .._model.skip_when import SkipWhen

KEYS = ("processes", "cluster_role", "script")
EXAMPLE = (
    "It must be a mapping with processes, cluster_role or script: {processes: [backup], cluster_role: [SQL Server], "
    "script: busy.ps1}."
)
WILDCARDS = re.compile(r"[*?\[\]]")
EXIT = re.compile(r"(?im)^\s*exit\b")
LONGEST_SCRIPT, LONGEST_NAME = 20_000, 256


def read_skip_when(name: str, given: Any) -> SkipWhen:
    """The conditions, with the text of the script, which is a file of the controller or a text of several lines.

    Raises:
        InvalidOption: a value that cannot be right, or a script that cannot be read.
    """
    if not isinstance(given, dict) or not given:
        raise InvalidOption(name, given, EXAMPLE)
    unknown = sorted(map(str, given.keys() - set(KEYS)))
    if unknown:
        raise InvalidOption(f"{name}.{unknown[0]}", given[unknown[0]], EXAMPLE)
    processes = [_process(f"{name}.processes", one) for one in _texts(f"{name}.processes", given.get("processes"))]
    roles = _texts(f"{name}.cluster_role", given.get("cluster_role"))
    script = None if given.get("script") is None else _script(f"{name}.script", given["script"])
    return {"processes": processes, "cluster_role": roles, "script": script}


def _texts(option: str, given: Any) -> list[str]:
    values = [] if given is None else [given] if isinstance(given, str) else given
    if not isinstance(values, list) or not all(isinstance(value, str) and value.strip() for value in values):
        raise InvalidOption(option, given, "It must be a name, or a list of names.")
    too_long = next((value for value in values if len(value) > LONGEST_NAME), None)
    if too_long is not None:
        raise InvalidOption(option, too_long, f"A name has {LONGEST_NAME} characters at most.")
    return [value.strip() for value in values]


def _process(option: str, name: str) -> str:
    if WILDCARDS.search(name):
        raise InvalidOption(option, name, "It must be the name of a program, without wildcards.")
    return re.sub(r"(?i)\.exe$", "", name)


def _script(option: str, given: Any) -> str:
    if not isinstance(given, str) or not given.strip():
        raise InvalidOption(option, given, "It must be a file of the controller, or a text of several lines.")
    text = given if "\n" in given else _file(option, os.path.abspath(os.path.expanduser(given.strip())))
    if len(text) > LONGEST_SCRIPT:
        raise InvalidOption(option, f"a script of {len(text):,} characters", f"It has {LONGEST_SCRIPT:,} at most.")
    if EXIT.search(text):
        raise InvalidOption(option, "exit", "It must not use exit: its last value says whether the host is skipped.")
    return text


def _file(option: str, path: str) -> str:
    try:
        with open(path, encoding="utf-8-sig") as file:
            return f"{file.read()}\n"
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no UTF-8"
        right = f"It must be a file that can be read ({why}), or a text of several lines. Nothing was touched."
        raise InvalidOption(option, path, right) from error
