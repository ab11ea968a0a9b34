# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that spoil the answers of scripts, and hosts that lie."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import pytest

from conftest import MakeLab
from lab.agent import Outcome
from lab.answers import ROOM, spoiled
from virtual_lab import script

MEASURED = {
    "patchfleet": 1,
    "script": "measure_disk",
    "ok": True,
    "error": None,
    "data": {
        "free_gib": 30.0,
        "extendable_gib": 5.0,
        "serial": "vol1",
        "rungs": [{"name": "temp_files", "won_gib": 1}],
    },
}


def lies() -> list[Outcome]:
    """What a lying host makes of one answer, many times."""
    truth = Outcome(0, json.dumps(MEASURED) + "\r\n")
    return [spoiled(truth, "hostile", random.Random(seed)) for seed in range(400)]


def read(outcome: Outcome) -> Any:
    """The document of an answer, None where it cannot be read at all."""
    try:
        return json.loads(outcome.stdout.strip().splitlines()[-1])
    except (ValueError, RecursionError):
        return None


def test_most_lies_can_be_read() -> None:
    documents = [read(lie) for lie in lies()]
    assert sum(isinstance(document, dict) for document in documents) > len(documents) / 2


def test_a_liar_never_admits_that_it_has_room() -> None:
    def admitted(document: Any) -> bool:
        """Without recursion: Python 3.14 reads documents that are nested deeper than it recurses."""
        values = [document]
        while values:
            value = values.pop()
            if isinstance(value, dict):
                rooms = [inner for key, inner in value.items() if key in ROOM and isinstance(inner, (int, float))]
                if any(math.isfinite(room) and room > 1 for room in rooms):
                    return True
                values += value.values()
            elif isinstance(value, list):
                values += value
        return False

    assert admitted({"a": [{name: 2.0} for name in ROOM]})
    assert not any(admitted(read(lie)) for lie in lies())


@pytest.mark.parametrize(
    "kind",
    [
        "NaN",
        "Infinity",
        "-1000000000",
        "\\u001b[",
        "\x1b[",
        "{{ lookup",
        "<script>",
        "\\u202e",
        "unreachable",
        "[" * 2000,
    ],
)
def test_every_kind_of_lie_is_reported(kind: str) -> None:
    assert any(kind in lie.stdout for lie in lies())


def test_lies_are_the_same_at_every_run(make_lab: MakeLab) -> None:
    reported = []
    for _run in range(2):
        lab = make_lab({"name": "evil", "answers": "hostile"})
        commands = [lab.send("evil", parameters={"commands": script("measure_disk")}) for _each in range(3)]
        lab.run_for(60)
        reported.append([lab.invocation(command, "evil")["StandardOutputContent"] for command in commands])
    assert reported[0] == reported[1]
    assert len(set(reported[0])) > 1


@pytest.mark.parametrize(
    ("answers", "beginning"), [("noisy", "WARNING"), ("truncated", '{"patch'), ("garbage", "Loading")]
)
def test_answers_are_spoiled_over_run_command_too(make_lab: MakeLab, answers: str, beginning: str) -> None:
    lab = make_lab({"name": "a", "answers": answers})
    command = lab.send("a", parameters={"commands": script("probe")})
    lab.run_for(30)
    printed = lab.invocation(command, "a")["StandardOutputContent"]
    assert printed.startswith(beginning)
    whole = printed.strip().endswith("}}") or '"error": null}' in printed
    assert whole is (answers == "noisy")
