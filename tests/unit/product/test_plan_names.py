# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Words of patch_exclude that match no host protect none, so they are refused."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption
from ansible_collections.patchfleet.windows.plugins.module_utils._fleet.hosts import FleetHost
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.names import refuse_unmatched_exclusions
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import read

TAGS = {"Name": "Web server", "Stage": "prod"}
WEB = FleetHost(key="i-1", name="web-1", kind="ec2", inventory_name="web-one", tags=TAGS)
HALL = FleetHost(key="dev-09", name="dev-09", kind="winrm", inventory_name="dev-09")
INVENTORY = ["web-one", "dev-09", "dc-1"]


def check(words: list[str], **settings: Any) -> None:
    refuse_unmatched_exclusions({**read({"patch_exclude": words}), **settings}, [WEB, HALL], INVENTORY)


def test_each_name_and_tag_of_a_target_is_known() -> None:
    check(["i-1", "web-1", "web-one", "Web server", "Stage=prod", "Name=Web server", "dev-09"])


def test_a_host_of_the_inventory_that_is_no_target_may_be_named() -> None:
    """The same list often serves several runs."""
    check(["dc-1"])


@pytest.mark.parametrize(
    ("word", "nearest"),
    [
        ("dev-99", "dev-09"),
        ("web-2", "web-1"),
        ("Stage=prd", "Stage=prod"),
        ("dc1", "dc-1"),
        ("web server", "Web server"),
    ],
)
def test_a_word_that_matches_none_is_refused_with_the_nearest(word: str, nearest: str) -> None:
    with pytest.raises(InvalidOption, match=f"patch_exclude: '{word}' is not valid.* Did you mean {nearest}") as caught:
        check(["web-1", word])
    assert "Nothing was touched." in caught.value.reason


def test_a_word_that_is_like_no_other_gets_no_hint() -> None:
    with pytest.raises(InvalidOption) as caught:
        check(["xyzzy"])
    assert "Did you mean" not in caught.value.reason


def test_words_that_match_none_may_be_accepted() -> None:
    check(["dev-99"], exclude_missing_ok=True)


def test_a_slice_of_a_job_sees_a_part_of_the_targets_only() -> None:
    check(["dev-99"], slice_of="41")
