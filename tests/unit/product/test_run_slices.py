# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Slices of one job of AWX: runs of their own with one failure budget."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_admission import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._run.slices import kept_settings
from operations import perform

from .fakes import instance, reservations
from .stage import RUN, Stage, a_host

OTHER = "20261114T220000Z-0002"
KEYS = [f"i-{number:017x}" for number in range(6)]


@pytest.fixture(autouse=True)
def everything_is_stopped(stage: Stage) -> None:
    def answer(*, InstanceIds: list[str]) -> dict[str, Any]:  # noqa: N803
        return reservations(instance("stopped", InstanceId=InstanceIds[0]))

    stage.account.on("describe_instances", answer)


def deal(stage: Stage, budget: object, jobs: tuple[str | None, str | None] = ("41", "41")) -> None:
    """Six hosts dealt round robin to two slices, as AWX does."""
    for run_id, job, keys in zip((RUN, OTHER), jobs, (KEYS[::2], KEYS[1::2]), strict=True):
        hosts = [a_host(key, run_id, at, name=key) for at, key in enumerate(keys)]
        own = 0 if isinstance(budget, str) else budget
        stage.open_run(*hosts, run_id=run_id, failure_budget_hosts=own, **kept_settings(job, budget, len(hosts)))


def fail(stage: Stage, run_id: str, key: str) -> None:
    stage.ledger.set_outcome(run_id, key, Verdict("failed", "patch", "still_missing", "KB1 is missing."))


def admit(stage: Stage, run_id: str, key: str) -> dict[str, Any]:
    return perform(OPERATION, stage.context(OPERATION, run_id=run_id, host=key))


def test_failures_of_another_slice_count(stage: Stage) -> None:
    deal(stage, 1)
    fail(stage, RUN, KEYS[0])
    assert admit(stage, OTHER, KEYS[1])["admitted"] is True
    fail(stage, OTHER, KEYS[3])
    refused = admit(stage, OTHER, KEYS[5])
    assert (refused["admitted"], refused["reason_code"]) == (False, "breaker")
    assert stage.ledger.run(OTHER).breaker == "2 hosts failed, and patch_failure_budget tolerates 1."


def test_a_percentage_is_one_of_the_hosts_of_all_slices(stage: Stage) -> None:
    deal(stage, "34%")  # one of three, but two of six
    fail(stage, RUN, KEYS[0])
    fail(stage, RUN, KEYS[2])
    assert admit(stage, RUN, KEYS[4])["admitted"] is True
    fail(stage, OTHER, KEYS[1])
    assert admit(stage, OTHER, KEYS[3])["reason_code"] == "breaker"


def test_a_breaker_that_opened_in_one_slice_holds_in_all(stage: Stage) -> None:
    deal(stage, 3)
    stage.ledger.open_breaker(RUN, "The canary dev-00 failed.")
    refused = admit(stage, OTHER, KEYS[1])
    assert refused["reason"] == "No other host starts in this run. The canary dev-00 failed."
    assert stage.ledger.open_power() == []


@pytest.mark.parametrize("jobs", [("41", "42"), (None, "41"), ("41", None), (None, None)])
def test_runs_of_different_jobs_have_nothing_to_do_with_each_other(
    stage: Stage, jobs: tuple[str | None, str | None]
) -> None:
    deal(stage, 0, jobs)
    fail(stage, RUN, KEYS[0])
    assert admit(stage, OTHER, KEYS[1])["admitted"] is True
