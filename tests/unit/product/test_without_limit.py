# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.patchfleet.windows.plugins.filter.without_limit import without_limit


def test_without_a_limit_the_pattern_stays() -> None:
    assert without_limit("localhost") == "localhost"


def test_a_limit_is_refused_and_says_what_to_do_instead() -> None:
    with pytest.raises(AnsibleFilterError, match=r"--limit dev-1 .*patch_run_id"):
        without_limit("localhost", "dev-1")
