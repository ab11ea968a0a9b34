# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.patchfleet.windows.plugins.filter.awx_survey import FilterModule, awx_survey

QUESTIONS: list[dict[str, Any]] = [
    {"variable": "patch_exclude", "type": "text", "default": ""},
    {"variable": "patch_canary", "type": "integer", "default": 0, "min": 0, "max": 100},
    {"variable": "patch_sessions", "type": "multiplechoice", "default": "warn", "choices": ["warn", "defer"]},
    {"variable": "patch_take_over", "type": "multiplechoice", "default": "false", "choices": ["false", "true"]},
]
SURVEY = {"name": "", "description": "", "spec": QUESTIONS}


def defaults(survey: dict[str, Any]) -> dict[str, Any]:
    return {question["variable"]: question["default"] for question in survey["spec"]}


def test_what_holds_for_every_job_is_not_asked_for() -> None:
    assert "patch_exclude" not in defaults(awx_survey(SURVEY, {"patch_exclude": "db-1", "patch_ledger": "x"}, {}))


def test_without_a_question_there_is_no_survey() -> None:
    assert awx_survey(SURVEY, {question["variable"]: 1 for question in QUESTIONS}, {}) == {}


@pytest.mark.parametrize(
    ("name", "answer", "default"),
    [
        ("patch_exclude", ["a", "b"], "a, b"),
        ("patch_exclude", None, ""),
        ("patch_canary", "2", 2),
        ("patch_sessions", "defer", "defer"),
        ("patch_take_over", True, "true"),
    ],
)
def test_an_answer_becomes_a_default_of_the_type_that_awx_takes(name: str, answer: Any, default: Any) -> None:
    survey = awx_survey(SURVEY, {}, {name: answer, "patch_run_id": "of another survey"})
    assert defaults(survey) == {**defaults(SURVEY), name: default}
    assert type(defaults(survey)[name]) is type(default)


@pytest.mark.parametrize(
    ("name", "answer", "message"),
    [
        ("patch_canary", "two", "patch_canary: two is not valid. It must be a whole number"),
        ("patch_canary", 101, "patch_canary: 101 is not valid. It must be 0 to 100"),
        ("patch_sessions", "ask", "patch_sessions: ask is not valid. It must be one of warn, defer"),
    ],
)
def test_an_answer_that_awx_would_not_take_is_refused_by_name(name: str, answer: Any, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        awx_survey(SURVEY, {}, {name: answer})


def test_a_default_that_was_changed_in_awx_stays_unless_an_answer_names_it() -> None:
    before = awx_survey(SURVEY, {}, {"patch_canary": 2, "patch_sessions": "defer"})
    survey = awx_survey(SURVEY, {}, {"patch_canary": 3}, before)
    assert defaults(survey) == {**defaults(SURVEY), "patch_canary": 3, "patch_sessions": "defer"}
    assert awx_survey(SURVEY, {}, {"patch_canary": 3}, survey) == survey


def test_a_default_that_a_question_does_not_take_any_more_is_replaced() -> None:
    odd = [{"variable": "patch_sessions", "default": "ask"}, {"variable": "patch_canary"}, {"variable": "gone"}]
    assert defaults(awx_survey(SURVEY, {}, {}, {"spec": odd})) == defaults(SURVEY)


def test_plays_find_it_by_its_name() -> None:
    assert FilterModule().filters() == {"awx_survey": awx_survey}
