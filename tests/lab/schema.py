# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenario schema, and its violations in words: the key, what is wrong, what would be right."""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import jsonschema
from jsonschema.exceptions import ValidationError

SCHEMA_FILE = Path(__file__).parents[1] / "scenarios" / "scenario.schema.json"

Problem = tuple[str, str]  # (key such as hosts[0].disk.free_gib, what is wrong and what would be right)

_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text in quotes",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}


@functools.cache
def schema() -> dict[str, Any]:
    """The schema of a scenario."""
    loaded: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return loaded


@functools.cache
def _validator() -> Any:
    return jsonschema.Draft202012Validator(schema())


def schema_problems(document: Any) -> list[Problem]:
    """All violations of the schema in ``document``, in its order."""
    problems = [problem for error in _validator().iter_errors(document) for problem in _words(error)]
    return list(dict.fromkeys(problems))


def key_path(parts: Iterable[str | int]) -> str:
    """``("hosts", 0, "disk")`` → ``hosts[0].disk``."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def nearest(word: str, known: Iterable[str]) -> str:
    """`` (did you mean X?)`` for the known word that resembles ``word`` most, or nothing."""
    found = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {found[0]}?)" if found else ""


def _words(error: ValidationError) -> list[Problem]:
    key = key_path(error.absolute_path)
    rule, got = error.validator, cast("Any", error.instance)
    part, wanted = cast("dict[str, Any]", error.schema), cast("Any", error.validator_value)
    if rule == "additionalProperties" and wanted is False:
        known = _properties(part, error.absolute_path)
        unknown = [name for name in got if name not in part.get("properties", {})]
        return [
            (
                key_path([*error.absolute_path, str(name)]),
                f"unknown key{nearest(str(name), known)}; allowed are {', '.join(known)}",
            )
            for name in unknown
        ]
    if rule == "required":
        missing = [name for name in wanted if name not in got]
        return [(key, f"{' and '.join(missing)} must be given")]
    if rule == "not" and "required" in wanted:
        return [(key_path([*error.absolute_path, name]), "must not be given here") for name in wanted["required"]]
    if rule in ("anyOf", "oneOf"):
        return _branch_words(error)
    if rule == "pattern" and "propertyNames" in error.absolute_schema_path:
        return [(key, f"the name {got!r} must match {wanted}")]
    return [(key, f"expected {_wish(part)}, got {json.dumps(got, ensure_ascii=False, default=str)}")]


def _properties(part: dict[str, Any], path: Iterable[str | int]) -> list[str]:
    """The keys that ``part`` allows at ``path``: `defaults` takes all of a host but its name."""
    return [name for name in part.get("properties", {}) if name != "name" or [*path] != ["defaults"]]


def _branch_words(error: ValidationError) -> list[Problem]:
    """Of several allowed forms the one that was meant speaks; where none resembles, all are named."""
    branches = cast("list[dict[str, Any]]", error.validator_value)
    if error.validator == "oneOf" and isinstance(error.instance, dict):
        required = [set(branch["required"]) for branch in branches]
        common = set.intersection(*required)
        given = [index for index, keys in enumerate(required) if (keys - common) & {*error.instance}]
        if len(given) != 1:
            either = " or ".join(" and ".join(sorted(keys - common)) for keys in required)
            return [(key_path(error.absolute_path), f"expected either {', and '.join([either, *sorted(common)])}")]
    else:
        given = [index for index, branch in enumerate(branches) if _same_form(branch, error.instance)]
        given = [index for index in given if _has_such_keys(branches[index], error.instance)] or given
    if len(given) == 1:
        inner = [each for each in error.context or () if each.relative_schema_path[0] == given[0]]
        return [problem for each in inner for problem in _words(each)]
    wishes = " or ".join(_wish(branch) for branch in branches)
    got = json.dumps(error.instance, ensure_ascii=False, default=str)
    return [(key_path(error.absolute_path), f"expected {wishes}, got {got}")]


def _same_form(branch: dict[str, Any], value: Any) -> bool:
    if isinstance(value, dict):
        return branch.get("type") == "object"
    if isinstance(value, list):
        return branch.get("type") == "array"
    return False


def _has_such_keys(branch: dict[str, Any], value: Any) -> bool:
    """Whether a key of the mapping ``value`` is one of the branch, or resembles one."""
    known = branch.get("properties", {})
    return isinstance(value, dict) and any(key in known or nearest(str(key), known) for key in value)


def _wish(part: dict[str, Any]) -> str:
    """What ``part`` of the schema allows, in words."""
    if "const" in part:
        return json.dumps(part["const"])
    if "enum" in part:
        return "one of " + ", ".join("null" if value is None else str(value) for value in part["enum"])
    if "anyOf" in part:
        return " or ".join(_wish(branch) for branch in part["anyOf"])
    kinds = part.get("type", [])
    text = " or ".join(_KINDS[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds)) or "something else"
    if "exclusiveMinimum" in part:
        text += f" above {part['exclusiveMinimum']}"
    elif "minimum" in part:
        text += f" of at least {part['minimum']}"
    if "maximum" in part:
        text += f", at most {part['maximum']}"
    if "pattern" in part:
        text += f" that matches {part['pattern']}"
    if "minItems" in part:
        text += f" of at least {part['minItems']}"
    return text + (f" ({part['description']})" if "description" in part else "")
