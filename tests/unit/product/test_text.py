# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import NoAnswer
from ansible_collections.patchfleet.windows.plugins.module_utils._base.text import JOINERS, clean_text, counted
from ansible_collections.patchfleet.windows.plugins.module_utils._fleet.claims import claim_of
from ansible_collections.patchfleet.windows.plugins.module_utils._fleet.discover import _from_instance
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.failures import failure_result
from ansible_collections.patchfleet.windows.plugins.plugin_utils._progress import progress_line

from .fakes import instance, tags
from .stage import Stage

BIDIRECTIONAL = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@given(st.text(alphabet=st.characters() | st.sampled_from(BIDIRECTIONAL + "\x1b\x07\r\n\t\x85\u2028")))
def test_clean_text_is_one_line_without_control_characters(text: str) -> None:
    clean = clean_text(text)
    assert [c for c in clean if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and c not in JOINERS] == []
    assert not set(clean) & set(BIDIRECTIONAL)
    assert clean_text(clean) == clean
    assert len(clean.splitlines()) <= 1


@pytest.mark.parametrize("text", ["dev-01", "Büro  Süd", "人", "मा\u200dज", "a & b <c>", ""])
def test_what_misleads_no_one_stays(text: str) -> None:
    assert clean_text(text) == text


FORGED = "gone\x1b[31m\r\nfatal: [other]: FAILED! \u202e"


def test_what_is_printed_while_a_host_works_is_one_clean_line() -> None:
    line = progress_line(FORGED, "patch", FORGED)
    assert line == clean_text(line)
    assert "fatal" in line


def test_the_reason_of_an_error_is_one_clean_line() -> None:
    error = NoAnswer(FORGED)
    assert (error.reason, str(error)) == (clean_text(FORGED), clean_text(FORGED))
    assert failure_result(error)["msg"] == clean_text(FORGED)


def test_a_name_from_a_tag_is_one_clean_line(stage: Stage) -> None:
    found = _from_instance(stage.aws, instance(Tags=tags(Name=FORGED)))
    assert found.name == clean_text(FORGED)


def test_what_a_tag_says_about_a_host_is_one_clean_line() -> None:
    claim = claim_of({"Schedule": FORGED}, {"scheduler_tag": "Schedule"})
    assert claim is not None
    assert claim[1] == clean_text(claim[1])


def test_a_long_text_is_cut_with_an_ellipsis() -> None:
    assert clean_text("x" * 30, 10) == "x" * 9 + "…"


@pytest.mark.parametrize(("number", "text"), [(0, "0 hosts"), (1, "1 host"), (2, "2 hosts")])
def test_one_thing_is_named_in_the_singular(number: int, text: str) -> None:
    assert counted(number, "host") == text
