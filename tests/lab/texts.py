# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What no file of a run may hold: secrets, control characters, numbers that are none."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

_CHUNK_BYTES = 1 << 20
LOGS_AND_PAGES = ("*.log", "report.*", "step-*/report.*")
# Unicode's Bidi_Control: they turn the order of what is shown round.
BIDIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def text_problems(out: Path, secrets: Sequence[str]) -> Iterator[str]:
    """One line for each file that holds what it must not."""
    yield from _secret_problems(out, secrets)
    files = sorted({file for pattern in LOGS_AND_PAGES for file in out.glob(pattern)})
    for file in (file for file in files if file.is_file()):
        yield from _control_characters(file, str(file.relative_to(out)))
        if file.suffix == ".json":
            yield from _strict_json(file, str(file.relative_to(out)))


def _control_characters(file: Path, name: str) -> Iterator[str]:
    text = file.read_bytes().decode("utf-8", errors="replace")  # read_text would take carriage returns away
    for number, line in enumerate(text.split("\n"), 1):
        found = next((c for c in line if unicodedata.category(c) == "Cc" or c in BIDIRECTIONAL), None)
        if found is not None:
            yield f"always.control_characters.{name}: expected none, got U+{ord(found):04X} in line {number}"
            return


def _strict_json(file: Path, name: str) -> Iterator[str]:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(constant)

    try:
        json.loads(file.read_text(encoding="utf-8"), parse_constant=refuse)
    except ValueError as error:
        yield f"always.json.{name}: expected strict JSON, got {error}"


def _secret_problems(out: Path, secrets: Sequence[str]) -> Iterator[str]:
    """Names the file, never the secret."""
    wanted = {text.encode() for secret in secrets for text in (secret, json.dumps(secret)[1:-1]) if secret}
    if not wanted:
        return
    for file in sorted(path for path in out.rglob("*") if path.is_file()):
        if _holds_any(file, wanted):
            yield f"always.secrets: expected no secret in {file.relative_to(out)}, got one"


def _holds_any(file: Path, wanted: set[bytes]) -> bool:
    overlap = max(map(len, wanted)) - 1
    tail = b""
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            text = tail + chunk
            if any(secret in text for secret in wanted):
                return True
            tail = text[-overlap:] if overlap else b""
    return False
