# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.patchfleet.windows.plugins.module_utils._base.text import JOINERS, clean_text

BIDIRECTIONAL = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@given(st.text(alphabet=st.characters() | st.sampled_from(BIDIRECTIONAL + "\x1b\x07\r\n\t\x85\u2028")))
def test_clean_text_is_one_line_without_control_characters(text: str) -> None:
    clean = clean_text(text)
    assert [c for c in clean if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and c not in JOINERS] == []
    assert not set(clean) & set(BIDIRECTIONAL)
    assert clean_text(clean) == clean
    assert len(clean.splitlines()) <= 1


@pytest.mark.parametrize("text", ["dev-01", "Büro  Süd", "人", "मा\u200dज", "a & b <c>", ""])
def test_what_misleads_nobody_stays(text: str) -> None:
    assert clean_text(text) == text


def test_a_long_text_is_cut_with_an_ellipsis() -> None:
    assert clean_text("x" * 30, 10) == "x" * 9 + "…"
