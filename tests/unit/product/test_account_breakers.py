# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Failures that end only the part of one account: its failure budget, and a right that only its hosts are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Host, Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._model.account import Account, AccountOption
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_admission import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._report.build import build_report
from ansible_collections.patchfleet.windows.plugins.module_utils._run.slices import kept_settings
from operations import perform

from .backends import BACKENDS
from .fakes import FakeAccount, instance, reservations
from .stage import RUN, Stage, a_host
from .test_run_open import a_target, all_rights, run

__all__ = ["all_rights"]

HUB: AccountOption = {"id": "123456789012"}
SALES: AccountOption = {
    "id": "210987654321",
    "name": "sales",
    "role_arn": "arn:aws:iam::210987654321:role/PatchFleet-controller-eu-central-1",
}
NAME = "sales (210987654321)"


def hosts_of(account: AccountOption, number: int, start: int, run_id: str = RUN) -> list[Host]:
    return [
        a_host(f"i-{at:017x}", run_id, at, name=f"dev-{at:02}", facts={"account": account})
        for at in range(start, start + number)
    ]


HUBS, SALESES = hosts_of(HUB, 4, 0), hosts_of(SALES, 4, 4)


@pytest.fixture(params=BACKENDS)
def estate(request: pytest.FixtureRequest, stage: Stage, tmp_path: Path) -> Stage:
    """Both accounts answer that their hosts are off; the ledger is one of each kind."""

    def answer(*, InstanceIds: list[str]) -> dict[str, Any]:  # noqa: N803
        return reservations(instance("stopped", InstanceId=InstanceIds[0]))

    other = FakeAccount(stage.clock)
    stage.account.accounts[SALES["id"]] = other
    for account in (stage.account, other):
        account.on("describe_instances", answer)
    stage.ledger = BACKENDS[request.param](tmp_path)()  # type: ignore[assignment]
    return stage


def start(stage: Stage, budget: object, **settings: Any) -> None:
    hosts = {HUB["id"]: len(HUBS), SALES["id"]: len(SALESES)}
    kept = {"failure_budget_hosts": 7, "included": 8, "account_failure_budget": budget, "account_hosts": hosts}
    stage.open_run(*HUBS, *SALESES, **{**kept, **settings})


def fail(stage: Stage, *hosts: Host, code: str = "still_missing", action: str | None = None) -> None:
    for host in hosts:
        stage.ledger.set_outcome(host.run_id, host.key, Verdict("failed", "patch", code, "KB1 is missing."))
        if action:
            stage.ledger.update_facts(host.run_id, host.key, {"denied_action": action})


def admit(stage: Stage, host: Host) -> dict[str, Any]:
    return perform(
        OPERATION, stage.context(OPERATION, run_id=host.run_id, host=host.key, account=host.facts["account"])
    )


@pytest.mark.parametrize(("budget", "tolerated"), [(1, 1), ("50%", 2), (0, 0)])
def test_more_failures_than_the_budget_defer_the_rest_of_that_account_only(
    estate: Stage, budget: object, tolerated: int
) -> None:
    start(estate, budget)
    fail(estate, *SALESES[:tolerated])
    assert admit(estate, SALESES[2])["admitted"] is True
    fail(estate, SALESES[tolerated])
    refused = admit(estate, SALESES[3])
    assert (refused["outcome"], refused["reason_code"]) == ("deferred", "breaker")
    failed = "1 host" if tolerated == 0 else f"{tolerated + 1} hosts"
    cause = f"{failed} of the account {NAME} failed, and patch_account_failure_budget tolerates {tolerated}."
    assert refused["reason"] == f"No other host of this account starts in this run. {cause}"
    assert admit(estate, HUBS[0])["admitted"] is True
    report = build_report(estate.ledger, RUN, estate.clock.now())
    assert (report["breaker"], report["account_breakers"]) == (None, {SALES["id"]: cause})


def test_failures_in_several_accounts_count_for_the_run_and_not_for_each_account(estate: Stage) -> None:
    start(estate, 1, failure_budget_hosts=1)
    fail(estate, HUBS[0], SALESES[0])
    assert admit(estate, HUBS[1])["reason"].endswith(
        "2 hosts failed, and patch_failure_budget tolerates 1. All 2 failed with the reason code still_missing. "
        "When the cause is fixed, continue: start the run again as before."
    )
    report = build_report(estate.ledger, RUN, estate.clock.now())
    assert report["account_breakers"] == {}


def test_without_a_budget_an_account_continues(estate: Stage) -> None:
    start(estate, None)
    fail(estate, *SALESES[:3])
    assert admit(estate, SALESES[3])["admitted"] is True


def test_what_is_no_fault_of_the_updates_spends_no_budget(estate: Stage) -> None:
    start(estate, 0)
    fail(estate, SALESES[0], code="restarted_by_others")
    assert admit(estate, SALESES[1])["admitted"] is True


def test_a_percentage_is_one_of_the_hosts_of_the_account_in_all_slices(estate: Stage) -> None:
    other = "20261114T220000Z-0002"
    for run_id, first in ((RUN, 0), (other, 4)):
        kept = {"account_failure_budget": "34%", "account_hosts": {SALES["id"]: 3}, "included": 3}
        hosts = hosts_of(SALES, 3, first, run_id)
        estate.open_run(*hosts, run_id=run_id, **kept, **kept_settings("41", "100%", 3))
    ours, theirs = hosts_of(SALES, 3, 0), hosts_of(SALES, 3, 4, other)
    fail(estate, ours[0], theirs[0])
    assert admit(estate, ours[1])["admitted"] is True
    fail(estate, ours[1])
    assert admit(estate, theirs[1])["reason"].endswith(
        "3 hosts of the account " + NAME + " failed, and patch_account_failure_budget tolerates 2."
    )


def test_a_right_that_one_account_lacks_ends_that_account_only(estate: Stage) -> None:
    start(estate, None)
    fail(estate, *SALESES[:2], code="access_denied", action="ssm:SendCommand")
    refused = admit(estate, SALESES[2])
    assert refused["reason_code"] == "breaker"
    sentence = (
        f"Every host of the account {NAME} needs the right ssm:SendCommand, and AWS refused it for dev-04, dev-05."
    )
    assert refused["reason"].endswith(sentence)
    assert admit(estate, HUBS[0])["admitted"] is True


def test_one_refusal_in_each_of_two_accounts_ends_neither(estate: Stage) -> None:
    start(estate, None)
    fail(estate, HUBS[0], SALESES[0], code="access_denied", action="ssm:SendCommand")
    assert admit(estate, HUBS[1])["admitted"] is True
    assert admit(estate, SALESES[1])["admitted"] is True


def test_a_right_that_the_only_account_lacks_ends_the_run(estate: Stage) -> None:
    start(estate, None, account_hosts={HUB["id"]: 8})
    fail(estate, *HUBS[:2], code="access_denied", action="ssm:SendCommand")
    assert admit(estate, HUBS[2])["reason_code"] == "breaker"
    assert "ssm:SendCommand" in str(estate.ledger.run(RUN).breaker)


# The plan


def test_the_plan_says_the_budget_of_each_account_and_the_run_keeps_it(stage: Stage, all_rights: None) -> None:
    stage.account.accounts[SALES["id"]] = stage.account
    accounts = [Account(HUB["id"])] + [Account(SALES["id"], "sales", SALES["role_arn"])] * 3
    fleet = [a_target(f"i-{at:017x}", f"dev-{at}", account=account) for at, account in enumerate(accounts)]
    opened = run(stage, "opened", *fleet, patch_account_failure_budget="34%", patch_failure_budget=2)
    text = " ".join(line.strip() for line in opened["lines"])
    assert f"More failures than this in one account end only its part of the run: 123456789012: 0, {NAME}: 1." in text
    kept = stage.ledger.run(opened["run_id"]).settings
    assert kept["account_hosts"] == {HUB["id"]: 1, SALES["id"]: 3}
    assert kept["account_failure_budget"] == "34%"
