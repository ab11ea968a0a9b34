# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user writes for a parameter of the template, and what CloudFormation gets."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.patchfleet.windows.plugins.filter.stack_parameters import stack_parameters
from lab.aws.cloudformation.template import load
from lab.aws.setup import TEMPLATE

BODY = TEMPLATE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("true", "true"),
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (["KB1", "KB2"], "KB1,KB2"),
        ([], ""),
        (None, ""),
        ("a,b", "a,b"),
    ],
)
def test_a_value_becomes_a_text(value: Any, text: str) -> None:
    assert stack_parameters({"RejectedPatches": value}, BODY) == {"RejectedPatches": text}


def test_every_parameter_of_the_template_is_known() -> None:
    given = dict.fromkeys(load(BODY)["Parameters"], "x")
    assert stack_parameters(given, BODY) == given


@pytest.mark.parametrize(("name", "nearest"), [("TagKye", "TagKey"), ("Resources", ""), ("Type", "")])
def test_a_name_that_the_template_does_not_have(name: str, nearest: str) -> None:
    with pytest.raises(AnsibleFilterError, match=rf"no parameter {name}\. Did you mean {nearest}"):
        stack_parameters({name: "x"}, BODY)


def test_a_template_without_parameters() -> None:
    with pytest.raises(AnsibleFilterError, match=r"no parameter A\. Nothing"):
        stack_parameters({"A": "x"}, "Resources: {}\n")


def test_what_is_not_named_keeps_the_value_that_it_has_in_the_stack() -> None:
    before = {"LedgerTable": "create", "AwxToken": "****", "OfAnEarlierTemplate": "x"}
    assert stack_parameters({"LedgerTable": "none"}, BODY, before) == {
        "LedgerTable": "none",
        "AwxToken": {"use_previous_value": True},
    }
