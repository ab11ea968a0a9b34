# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of the answers of scripts on hosts that spoil them, or that lie.

A lying host answers with documents that can be read and are wrong: in types, ranges, lengths, depth and characters, with
errors that name faults of the transport. Whatever it says, it never admits that it has room.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from lab.agent import Outcome

Document = dict[str, Any]

PROFILE = "WARNING: The names of some imported commands include unapproved verbs.\r\n{}\r\n"
NO_ANSWER = "Loading personal and system profiles took 2134ms.\r\n"

TEXTS = (
    "\x1b[2J\x1b[1;31mPLAY RECAP: all hosts are done\x1b[0m",
    "{{ lookup('ansible.builtin.pipe', 'id') }}",
    "<script>alert(document.domain)</script>",
    "</td></tr></table><img src=x onerror=alert(1)>",
    "done\r\nok: [good-1] => {}\r\nfatal: [good-1]: FAILED! => {}",
    "invoice\u202egnp.exe\u2066",
    "a\x00b\x07c\x85d",
    "$(Get-Process); `whoami`; %PATH%",
    "|cell| **bold** [link](javascript:alert(1))",
    "0x80070005",
    "x" * 5_000,
)
# As Python's JSON writes what are no numbers: NaN, Infinity, -Infinity.
NUMBERS = (float("nan"), float("inf"), float("-inf"), -1, -(10**9), 10**12, 10**400, 1e308, -0.0)
TYPES: tuple[Any, ...] = (None, True, False, [], {}, [[]], {"value": 1}, "12", "", 0)
NO_ROOM = (float("nan"), float("-inf"), -5, 0, 0.25, "60", None, [60], {"gib": 60}, True)
ROOM = ("free_gib", "free_gib_after")
CATEGORIES = (
    "unreachable",
    "command_timeout",
    "credentials_expired",
    "credentials_too_short",
    "instance_gone",
    "leased",
    "no_time",
    "interrupted",
    "sessions",
    "answer_cut_off",
    "no_room",
    *TEXTS,
)
DEEP = 5_000
FORGED = (
    "\x1b[0m\r\nTASK [patchfleet.windows.patch : Install] ****\r\nchanged: [good-1]\r\nfatal: [good-2]: FAILED!\r\n"
)


def spoiled(outcome: Outcome, answers: str | None, source: random.Random) -> Outcome:
    """The outcome as a host with these ``answers`` gives it. ``source`` is used by one that lies."""
    if answers is None or answers == "well":
        return outcome
    return SPOILERS[answers](outcome, source)


def printed_first(answers: str | None) -> str:
    """What such a host prints before a script has said anything."""
    return PROFILE if answers == "noisy" else ""


def _noisy(outcome: Outcome, _source: random.Random) -> Outcome:
    return Outcome(outcome.exit_code, PROFILE + outcome.stdout, outcome.stderr)


def _truncated(outcome: Outcome, _source: random.Random) -> Outcome:
    return Outcome(outcome.exit_code, outcome.stdout[: len(outcome.stdout) // 2], outcome.stderr)


def _garbage(outcome: Outcome, _source: random.Random) -> Outcome:
    return Outcome(outcome.exit_code, NO_ANSWER, outcome.stderr)


def _hostile(outcome: Outcome, source: random.Random) -> Outcome:
    try:
        document = json.loads(outcome.stdout)
    except ValueError:
        return Outcome(outcome.exit_code, FORGED, FORGED)
    lie = source.choice((_lies, _lies, _lies, _blames, _digs, _pretends, _shouts))
    text = lie(document, source)
    forged = source.choice(("", FORGED))
    return Outcome(source.choice((0, 0, 0, 1)), forged + text + "\r\n", source.choice(("", FORGED)))


def _lies(document: Document, source: random.Random) -> str:
    """Values of other types, and beyond every range."""
    return json.dumps({**document, "ok": True, "error": None, "data": _twisted(document.get("data"), source, "")})


def _twisted(value: Any, source: random.Random, key: str) -> Any:
    if key in ROOM:
        return source.choice(NO_ROOM)
    if isinstance(value, dict) and source.random() < 0.9:
        return {name: _twisted(inner, source, name) for name, inner in value.items()}
    if isinstance(value, list) and source.random() < 0.7:
        return [_twisted(inner, source, key) for inner in value] * source.choice((1, 1, 300))
    lies = (source.choice(TEXTS), source.choice(NUMBERS), source.choice(TYPES))
    return source.choice(lies if isinstance(value, dict | list) else (value, value, *lies))


def _blames(document: Document, source: random.Random) -> str:
    """An error that is none of the script's."""
    error = {
        "category": source.choice(CATEGORIES),
        "hresult": source.choice((*TEXTS, *NUMBERS, None, "0x8024402C")),
        "message": source.choice((*TEXTS, *TYPES)),
        "error_id": source.choice((*TEXTS, *TYPES)),
    }
    return json.dumps({**document, "ok": source.choice((False, False, None, "false")), "data": None, "error": error})


def _digs(document: Document, source: random.Random) -> str:
    """Deeper than a parser that calls itself can go."""
    opening, closing = source.choice((("[", "]"), ('{"data":', "}")))
    deep = opening * DEEP + "1" + closing * DEEP
    name = json.dumps(document.get("script"))
    return f'{{"patchfleet":1,"script":{name},"ok":true,"error":null,"data":{deep}}}'


def _pretends(document: Document, source: random.Random) -> str:
    """The frame itself is wrong."""
    wrong: Document = source.choice(
        (
            {"data": source.choice(TEXTS)},
            {"data": [_twisted(document.get("data"), source, "")]},
            {"ok": "yes"},
            {"patchfleet": "1"},
            {"script": source.choice(TEXTS)},
            {"error": source.choice(TYPES), "ok": False},
        )
    )
    return json.dumps({**document, "data": _twisted(document.get("data"), source, ""), **wrong})


def _shouts(document: Document, source: random.Random) -> str:
    """More than the agent takes, with what is asked for somewhere in it."""
    data = _twisted(document.get("data"), source, "")
    return json.dumps({**document, "data": data, "more": source.choice(("\u00fc", "x")) * 40_000}, ensure_ascii=False)


SPOILERS: dict[str, Callable[[Outcome, random.Random], Outcome]] = {
    "noisy": _noisy,
    "truncated": _truncated,
    "garbage": _garbage,
    "hostile": _hostile,
}
