# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._model.outcomes import MOST_URGENT_FIRST, Outcome
from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase
from ansible_collections.patchfleet.windows.plugins.module_utils._model.reasons import (
    ForeignReason,
    Reason,
    Section,
    reason_of,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._model.text_enum import TextEnum, plain


@pytest.mark.parametrize("member", [Outcome.HELD, Phase.PATCH, Reason.NO_TIME])
def test_a_member_reads_as_its_value_in_each_text(member: TextEnum) -> None:
    value = member.value
    assert [str(member), f"{member}", f"{member:>3}", member.upper().lower()] == [value] * 4
    assert json.loads(json.dumps({member: member})) == {value: value}
    assert {member: 1}[value] == 1


def test_the_name_of_a_reason_is_its_code() -> None:
    assert [reason for reason in Reason if reason.name.lower() != reason.value] == []


def test_a_code_of_others_is_a_reason_of_its_own() -> None:
    foreign = reason_of("incorrect_instance_state")
    assert (type(foreign), foreign, foreign.retry_later) == (ForeignReason, "incorrect_instance_state", False)
    assert reason_of("no_time") is Reason.NO_TIME


def test_what_a_section_gives_a_host_is_what_its_reasons_give() -> None:
    assert Reason.SESSIONS.outcome is Section.DEFERRED.outcome is Outcome.DEFERRED
    assert Reason.INVALID_OPTION.outcome is None
    assert Section.UPDATE.anchor == "failed-windows-update"


def test_every_outcome_has_its_urgency() -> None:
    assert sorted(MOST_URGENT_FIRST) == sorted(Outcome)


def test_a_result_has_no_member_of_an_enum() -> None:
    result = plain({"outcome": Outcome.FAILED, "hosts": [{"code": ForeignReason("x")}], Phase.PATCH: 1, "none": None})
    assert result == {"outcome": "failed", "hosts": [{"code": "x"}], "patch": 1, "none": None}
    assert {type(result["outcome"]), type(result["hosts"][0]["code"]), *map(type, result)} == {str}
