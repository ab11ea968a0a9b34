# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two accounts, of which one has a maintenance window of its own."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import iso
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._model.account import Account
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_admission import OPERATION as ADMISSION
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import read
from operations import perform

from .fakes import START, client_error, instance, reservations
from .stage import Stage, a_host
from .test_plan_window import HOUR, a_window, windows
from .test_run_open import a_target, all_rights

__all__ = ["all_rights"]

pytestmark = pytest.mark.usefixtures("all_rights")

ROLE = "arn:aws:iam::210987654321:role/PatchFleet-controller-us-east-1"
SALES = {"name": "sales", "role_arn": ROLE, "regions": ["us-east-1"], "maintenance_window": "nights"}
HUB_HOST = a_target("i-00000000000000001", "hub-1", account=Account("123456789012"))
SALES_HOST = a_target("i-00000000000000002", "sales-1", account=Account("210987654321", "sales", ROLE))
CLOSED = {"NextExecutionTime": "2026-11-21T22:00Z"}


@pytest.fixture
def estate(stage: Stage) -> Stage:
    """The role of the other account is assumed; its calls are answered like those of the first one."""
    stage.account.accounts["210987654321"] = stage.account
    return stage


def run(stage: Stage, state: str, missing: tuple[str, ...] = (), **variables: Any) -> dict[str, Any]:
    variables = {"patch_accounts": [SALES], "patch_regions": ["eu-central-1"], **variables}
    fleet = [host.as_result() for host in (HUB_HOST, SALES_HOST)]
    lost = [{"name": "sales", "id": account, "reason": "Its role cannot be assumed."} for account in missing]
    params = {"state": state, "settings": read(variables), "fleet": fleet, "missing_accounts": lost}
    return perform(OPERATION, stage.context(OPERATION, **params))


def text(result: dict[str, Any]) -> str:
    return " ".join(line.strip() for line in result["lines"])


def admit(stage: Stage, run_id: str, host: Any, account: dict[str, str]) -> dict[str, Any]:
    off = reservations(instance("stopped", InstanceId=host.key))
    stage.account.on("describe_instances", off)
    return perform(ADMISSION, stage.context(ADMISSION, run_id=run_id, host=host.key, account=account))


def test_the_window_is_searched_in_its_account_and_ends_only_the_time_of_its_hosts(estate: Stage) -> None:
    windows(estate, a_window(), opened_ago=5 * HOUR - 1800)  # 30 min until the cutoff
    opened = run(estate, "opened", patch_expected_seconds=5430)
    assert {call.region for call in estate.account.of("describe_maintenance_windows")} == {"us-east-1"}
    assert "of the account sales (210987654321) is open until" in text(opened)
    assert "By 2026-11-14T23:30:00Z there is time for about 0 of 1 hosts. Too late: sales-1." in text(opened)
    settings = estate.ledger.run(opened["run_id"]).settings
    assert (settings["deadline_at"], settings["account_limits"]["210987654321"]["deadline_at"]) == (None, START + 5400)
    estate.clock.sleep(60)
    refused = admit(estate, opened["run_id"], SALES_HOST, {"id": "210987654321"})
    assert refused["reason_code"] == "no_time"
    assert str(iso(START + 5400)) in refused["reason"]
    assert admit(estate, opened["run_id"], HUB_HOST, {"id": "123456789012"})["admitted"] is True


def test_in_the_cutoff_of_an_account_only_its_hosts_do_not_start(estate: Stage) -> None:
    windows(estate, a_window(), opened_ago=HOUR)
    opened = run(estate, "opened")
    estate.clock.sleep(4 * HOUR + 1)
    estate.ledger.heartbeat(opened["run_id"], estate.clock.now())
    refused = admit(estate, opened["run_id"], SALES_HOST, {"id": "210987654321"})
    assert refused["reason"].startswith("The window's cutoff has started: The maintenance window nights (mw-")
    assert admit(estate, opened["run_id"], HUB_HOST, {"id": "123456789012"})["admitted"] is True


@pytest.mark.parametrize("state", ["planned", "opened"])
def test_hosts_of_an_account_whose_window_is_closed_are_deferred(estate: Stage, state: str) -> None:
    windows(estate, a_window(**CLOSED))
    result = run(estate, state)
    assert {host["name"]: host["included"] for host in result["hosts"]} == {"hub-1": True, "sales-1": False}
    sentence = "of the account sales (210987654321) is closed; it opens next at 2026-11-21T22:00:00Z."
    assert sentence in text(result)
    if state == "opened":
        row = estate.ledger.host(result["run_id"], SALES_HOST.key)
        assert (row.outcome, row.reason_code) == ("deferred", "no_time")
        assert row.reason is not None
        assert row.reason.endswith(sentence)


def test_outside_all_windows_the_run_is_refused(estate: Stage) -> None:
    windows(estate, a_window(**CLOSED))
    with pytest.raises(PatchFleetError, match=r"sales .* is closed.*patch_outside_window_ok") as caught:
        run(estate, "opened", patch_maintenance_window="nights")
    assert caught.value.code == "outside_window"
    allowed = run(estate, "opened", patch_maintenance_window="nights", patch_outside_window_ok=True)
    assert all(host["included"] for host in allowed["hosts"])


def test_the_window_of_the_run_holds_for_accounts_without_their_own(estate: Stage) -> None:
    windows(estate, a_window(), opened_ago=HOUR)
    plain = {name: value for name, value in SALES.items() if name != "maintenance_window"}
    opened = run(estate, "opened", patch_maintenance_window="nights", patch_accounts=[plain])
    settings = estate.ledger.run(opened["run_id"]).settings
    assert (settings["deadline_at"], settings["account_limits"]) == (START + 5 * HOUR, {})


def test_the_own_deadline_of_an_account_is_no_later_than_patch_deadline(estate: Stage) -> None:
    windows(estate, a_window(), opened_ago=HOUR)
    opened = run(estate, "opened", patch_deadline=iso(START + 2 * HOUR))
    settings = estate.ledger.run(opened["run_id"]).settings
    assert settings["account_limits"]["210987654321"]["deadline_at"] == START + 2 * HOUR


def test_the_window_of_an_account_that_is_left_out_is_not_searched(estate: Stage) -> None:
    run(estate, "planned", missing=("210987654321",))
    assert estate.account.of("describe_maintenance_windows") == []


def test_a_window_that_the_account_does_not_have_is_refused_by_its_option(estate: Stage) -> None:
    windows(estate)
    estate.account.on("get_calendar_state", client_error("InvalidDocument"))
    with pytest.raises(InvalidOption, match=r"patch_accounts\[0\].maintenance_window"):
        run(estate, "planned")


def test_a_run_of_an_earlier_version_has_one_window(estate: Stage) -> None:
    estate.account.on("describe_instances", reservations(instance("stopped", InstanceId=HUB_HOST.key)))
    estate.open_run(a_host(HUB_HOST.key), deadline_at=START + 60)
    refused = perform(ADMISSION, estate.context(ADMISSION, run_id="20261114T220000Z-0001", host=HUB_HOST.key))
    assert refused["reason_code"] == "no_time"
