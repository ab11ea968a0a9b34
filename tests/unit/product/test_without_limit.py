# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.patchfleet.windows.plugins.filter.without_limit import without_limit
from ansible_collections.patchfleet.windows.plugins.plugin_utils._invocation import JOB_FOLDER


def test_without_a_limit_the_pattern_stays() -> None:
    assert without_limit("localhost") == "localhost"


def test_a_limit_is_refused_and_says_what_to_do_instead() -> None:
    with pytest.raises(AnsibleFilterError, match=r"--limit dev-1 .*patch_run_id"):
        without_limit("localhost", "dev-1")


def test_in_a_job_of_awx_the_fields_of_its_template_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(JOB_FOLDER, "/runner")
    with pytest.raises(
        AnsibleFilterError, match=r"^The limit dev-1 of this job .*field Limit .*Prompt on launch"
    ) as said:
        without_limit("localhost", "dev-1")
    assert "--" not in str(said.value)
