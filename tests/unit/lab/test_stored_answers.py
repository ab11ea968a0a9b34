# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A conversation is run again only where it becomes another one."""

from __future__ import annotations

from typing import Any

from stored_answers import StoringPowerShell


class Echo:
    """Asks twice, and prints what it was answered."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def begin(self, script: str, _shell: str) -> Echo:
        self.heard = [script]
        return self

    def hear(self) -> dict[str, Any]:
        return {"ask": len(self.heard)} if len(self.heard) < 3 else {"output": str(self.heard)}

    def say(self, answer: dict[str, Any]) -> None:
        self.heard.append(answer["value"])

    def stop(self) -> None:
        """Nothing runs."""


def talk(powershell: StoringPowerShell, script: str, *values: int) -> list[dict[str, Any]]:
    conversation = powershell.begin(script)
    documents = [conversation.hear()]
    for value in values:
        conversation.say({"value": value})
        documents.append(conversation.hear())
    return documents


def test_the_same_answers_need_no_second_run() -> None:
    powershell = StoringPowerShell(Echo())
    first = talk(powershell, "a", 1, 2)
    assert first == [{"ask": 1}, {"ask": 2}, {"output": "['a', 1, 2]"}]
    assert talk(powershell, "a", 1, 2) == first
    assert powershell.runs == 1


def test_another_answer_or_script_is_run() -> None:
    powershell = StoringPowerShell(Echo())
    talk(powershell, "a", 1, 2)
    assert talk(powershell, "a", 1, 3)[-1] == {"output": "['a', 1, 3]"}
    assert talk(powershell, "b", 1, 2)[-1] == {"output": "['b', 1, 2]"}
    assert powershell.runs == 3
