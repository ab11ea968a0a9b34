# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What recorded answers of real accounts have in common, and how an answer of the lab differs from them.

`lab/aws/real/answers.json` has, by operation and by structure, each key that at least nine of ten real answers have in it, with the
formats of its values. A structure is written as the path to it, with [] after a list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from botocore.model import ListShape, MapShape, Shape, StructureShape

REAL = Path(__file__).parents[2] / "lab" / "aws" / "real"
HEX = "[0-9a-f]"
FORMATS = {
    "empty": "",
    "account": r"\d{12}",
    "arn": r"arn:aws:[a-z-]+::(\d{12}|aws):.+",
    "cidr": r"\d{1,3}(\.\d{1,3}){3}/\d{1,2}",
    "digits": r"\d+",
    "dotted": r"\d+(\.\d+){3}",
    "duration": r"PT\d+\.\d{1,3}S",
    "i-hex17": f"i-{HEX}{{17}}",
    "json": r"\{.+\}",
    "milliseconds": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
    "path": r"(/[a-z0-9]+)+",
    "percent": r"\d{1,3}%",
    "reason": r"User initiated \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d GMT\)",
    "regional arn": r"arn:aws:[a-z0-9-]+:[a-z]+(-[a-z]+)+-\d:\d{12}:.+",
    "snap-hex17": f"snap-{HEX}{{17}}",
    "text": r"(?s).+",
    "uuid": f"{HEX}{{8}}(-{HEX}{{4}}){{3}}-{HEX}{{12}}",
    "vol-hex17": f"vol-{HEX}{{17}}",
    "x-hex17": f"[a-z]+(-[a-z]+)*-{HEX}{{17}}",
}
"""Formats of texts, as patterns of a whole text. The others are types."""


def real_answers() -> dict[str, dict[str, Any]]:
    """By ``service.Operation``: ``answers``, how many there were; ``errors``; ``keys``."""
    answers: dict[str, dict[str, Any]] = json.loads((REAL / "answers.json").read_text(encoding="utf-8"))
    return answers


def differences() -> dict[str, dict[str, str]]:
    """By operation: what of the lab's answers differs on purpose, with the reason."""
    found: dict[str, dict[str, str]] = yaml.safe_load((REAL / "differences.yml").read_text(encoding="utf-8"))
    return found


def structures(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each structure of an answer, with the path to it."""
    if isinstance(value, dict):
        yield path, value
        for key, inner in value.items():
            yield from structures(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for item in value:
            yield from structures(item, f"{path}[]")


def deviations(keys: dict[str, dict[str, str]], answer: dict[str, Any]) -> set[str]:
    """The keys that the answer lacks or has in another format: ``PATH`` and what it is instead."""
    found = set()
    for path, structure in structures(answer):
        for key, formats in keys.get(path, {}).items():
            name = f"{path}.{key}" if path else key
            if key.endswith("[]"):
                wrong = [item for item in structure.get(key[:-2], ()) if not fits(item, formats)]
                found |= {f"{name} is not {formats}" for _item in wrong}
            elif key not in structure:
                found.add(f"{name} is missing")
            elif not fits(structure[key], formats):
                found.add(f"{name} is not {formats}")
    return found


def fits(value: Any, formats: str) -> bool:
    """Whether the value has one of the formats, which are divided by ``|``."""
    return any(_has(value, one) for one in formats.split("|"))


def _has(value: Any, wanted: str) -> bool:
    if wanted in FORMATS:
        return isinstance(value, str) and re.fullmatch(FORMATS[wanted], value) is not None
    if wanted == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    types: dict[str, type] = {"boolean": bool, "list": list, "object": dict, "policy": dict, "time": datetime}
    return isinstance(value, types[wanted])


def _is_word_of(shape: Shape, value: Any) -> bool:
    """Real answers write words small that the model has with capitals (``windows``), or leave them empty."""
    words = getattr(shape, "enum", None)
    return not words or not value or str(value).lower() in {word.lower() for word in words}


def unknown_words(shape: Shape | None, value: Any, path: str = "") -> Iterator[str]:
    """Values that the service's model does not have among the words that a key may be."""
    if isinstance(shape, StructureShape):
        for key, inner in value.items():
            if key in shape.members:
                yield from unknown_words(shape.members[key], inner, f"{path}.{key}" if path else key)
    elif isinstance(shape, ListShape):
        for item in value:
            yield from unknown_words(shape.member, item, f"{path}[]")
    elif isinstance(shape, MapShape):
        for inner in value.values():
            yield from unknown_words(shape.value, inner, f"{path}{{}}")
    elif shape is not None and not _is_word_of(shape, value):
        yield f"{path} is {value!r}"
