# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: awx_survey
short_description: A survey of AWX without the questions that are answered for every job
version_added: 1.0.0
author: Patch Fleet contributors
description:
  - AWX lays the default of each question of a survey over the variables of the template, so a question would undo a variable that
    is set for every job. This filter takes such questions out, and gives the others the defaults that the administrator wants.
options:
  _input:
    description: The survey, as AWX's API takes it.
    type: dict
    required: true
  fixed:
    description: Variables that are set for every job.
    type: dict
    required: true
  answers:
    description: Other defaults, by the variables' names. Those that this survey does not ask for are left out.
    type: dict
    required: true
  before:
    description:
      - The survey that AWX has. A question without an answer keeps its default, if the question still takes it.
    type: dict
"""

EXAMPLES = r"""
- name: Ask for no batch size, and offer two canaries
  ansible.builtin.set_fact:
    survey: "{{ survey | patchfleet.windows.awx_survey({'patch_batch_size': 10}, {'patch_canary': 2}) }}"
"""

RETURN = r"""
_value:
  description: The survey, or an empty dictionary where nothing is left to ask for.
  type: dict
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ansible.errors import AnsibleFilterError


def awx_survey(
    survey: Mapping[str, Any],
    fixed: Mapping[str, Any],
    answers: Mapping[str, Any],
    before: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The survey with what is left to ask for.

    Raises:
        AnsibleFilterError: an answer that AWX would not take.
    """
    asked = [question for question in survey["spec"] if question["variable"] not in fixed]
    answers = {**_kept(asked, before or {}), **answers}
    spec = [
        {**question, "default": _default(question, answers[question["variable"]])}
        if question["variable"] in answers
        else question
        for question in asked
    ]
    return {**survey, "spec": spec} if spec else {}


def _kept(asked: Sequence[Mapping[str, Any]], before: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults of the survey that is there, as far as the questions still take them."""
    kept: dict[str, Any] = {question["variable"]: question.get("default") for question in before.get("spec", ())}
    answers = {}
    for question in asked:
        if question["variable"] in kept:
            with suppress(AnsibleFilterError):
                answers[question["variable"]] = _default(question, kept[question["variable"]])
    return answers


def _default(question: Mapping[str, Any], answer: Any) -> Any:
    """The answer as a survey holds it: numbers as such, everything else as text."""
    if question["type"] == "integer":
        try:
            number = int(answer)
        except (TypeError, ValueError):
            raise _refused(question, answer, "a whole number") from None
        if not question["min"] <= number <= question["max"]:
            raise _refused(question, answer, f"{question['min']} to {question['max']}")
        return number
    text = _as_text(answer)
    if question["type"] == "multiplechoice" and text not in question["choices"]:
        raise _refused(question, answer, f"one of {', '.join(question['choices'])}")
    return text


def _as_text(answer: Any) -> str:
    if isinstance(answer, bool):
        return str(answer).lower()
    if isinstance(answer, list):
        return ", ".join(str(word) for word in answer)
    return "" if answer is None else str(answer)


def _refused(question: Mapping[str, Any], answer: Any, valid: str) -> AnsibleFilterError:
    return AnsibleFilterError(
        f"awx_job_templates_answers: {question['variable']}: {answer} is not valid. It must be {valid}."
    )


class FilterModule:
    """The collection's filter for surveys of AWX."""

    def filters(self) -> dict[str, Callable[..., dict[str, Any]]]:
        return {"awx_survey": awx_survey}
