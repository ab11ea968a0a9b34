# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file is no memory where the disk is thrown away with the job."""

from __future__ import annotations

import os

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_settings import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._plan import environment
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.environment import (
    BY_FILE,
    BY_VARIABLE,
    refuse_thrown_away,
    thrown_away,
)
from operations import perform

from .stage import Stage


@pytest.fixture(autouse=True)
def a_plain_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*BY_VARIABLE, environment.EPHEMERAL_OK_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "exists", lambda path: False)


def test_a_machine_that_stays_may_have_a_file() -> None:
    assert thrown_away() is None
    refuse_thrown_away(None, ephemeral_ok=False)


@pytest.mark.parametrize("name", sorted(BY_VARIABLE))
def test_jobs_and_containers_are_known_by_their_variables(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "/runner")
    with pytest.raises(InvalidOption) as caught:
        refuse_thrown_away("/runner/ledger.sqlite", ephemeral_ok=False)
    reason = caught.value.reason
    assert reason.startswith(f"patch_ledger: '/runner/ledger.sqlite' is not valid. This is {BY_VARIABLE[name]}. ")
    assert "patch_ledger=dynamodb://TABLE" in reason
    assert "patch_ledger_ephemeral_ok=true" in reason


@pytest.mark.parametrize("file", sorted(BY_FILE))
def test_containers_are_known_by_their_files(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "exists", lambda path: path == file)
    with pytest.raises(InvalidOption, match=BY_FILE[file]):
        refuse_thrown_away(None, ephemeral_ok=False)


def test_a_table_may_be_used_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWX_PRIVATE_DATA_DIR", "/runner")
    refuse_thrown_away("dynamodb://patchfleet", ephemeral_ok=False)


def test_who_says_that_the_file_stays_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWX_PRIVATE_DATA_DIR", "/runner")
    refuse_thrown_away("/data/ledger.sqlite", ephemeral_ok=True)
    monkeypatch.setenv(environment.EPHEMERAL_OK_VARIABLE, "true")
    refuse_thrown_away("/data/ledger.sqlite", ephemeral_ok=False)


@pytest.mark.parametrize("partial", [False, True])
def test_every_playbook_asks_when_it_checks_its_variables(
    stage: Stage, partial: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWX_PRIVATE_DATA_DIR", "/runner")
    with pytest.raises(InvalidOption, match="a job of AWX"):
        perform(OPERATION, stage.context(OPERATION, variables={"patch_ledger": "/runner/l.sqlite"}, partial=partial))
    message = {"patch_ledger": "/runner/l.sqlite", "patch_ledger_ephemeral_ok": "true"}
    perform(OPERATION, stage.context(OPERATION, variables=message, partial=partial))
