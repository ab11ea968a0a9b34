# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Alarms that stop a run: found before anything is touched, and asked for by the admission once a round."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._fleet.hosts import FleetHost
from ansible_collections.patchfleet.windows.plugins.module_utils._model.account import Account
from ansible_collections.patchfleet.windows.plugins.module_utils._model.run_settings import StopAlarm
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_admission import OPERATION as ADMISSION
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.poller import Poller
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.stop_alarms import find_stop_alarms
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import read
from operations import perform

from .fakes import FakeAccount, client_error, instance, moment, reservations
from .stage import RUN, Stage, a_host

ARN = "arn:aws:cloudwatch:us-east-1:{}:alarm:checkout: errors"
MEMBER = "222222222222"
ROLE = f"arn:aws:iam::{MEMBER}:role/patcher"
DENIED = client_error("AccessDenied", "You are not authorized.", "DescribeAlarms", 403)
ERRORS: StopAlarm = {"name": "errors", "region": "eu-central-1", "account": None, "composite": False}
HOSTS = [a_host(f"i-{number:017x}", position=number, name=f"dev-{number}") for number in range(3)]


class CloudWatch:
    """Alarms by name, of an account or a member of it. ``composite`` are composite ones, which some credentials do not see."""

    def __init__(self, account: FakeAccount, states: dict[str, str], composite: tuple[str, ...] = ()) -> None:
        self.states, self.composite, self.sees_composite = states, composite, True
        account.on("describe_alarms", self.describe)

    def describe(self, *, AlarmNames: list[str], AlarmTypes: list[str], **_more: Any) -> dict[str, Any]:  # noqa: N803
        if "CompositeAlarm" in AlarmTypes and not self.sees_composite:
            raise DENIED
        rows: dict[str, list[dict[str, Any]]] = {"MetricAlarms": [], "CompositeAlarms": []}
        for name in AlarmNames:
            kind = "CompositeAlarm" if name in self.composite else "MetricAlarm"
            if name in self.states and kind in AlarmTypes:
                row = {"AlarmName": name, "StateValue": self.states[name], "StateReason": "Threshold\tCrossed."}
                rows[f"{kind}s"].append({**row, "StateTransitionedTimestamp": moment(-60)})
        return rows


def found(stage: Stage, *named: str, hosts: tuple[FleetHost, ...] = (), **variables: Any) -> Any:
    settings = read({"patch_stop_alarms": list(named), **variables})
    return find_stop_alarms(stage.context(OPERATION, state="planned"), settings, hosts)


def refusal(stage: Stage, named: str, **variables: Any) -> str:
    with pytest.raises(InvalidOption) as caught:
        found(stage, named, **variables)
    assert repr(named) in caught.value.reason
    return caught.value.reason


# Before anything is touched


def test_without_the_variable_nothing_is_asked(stage: Stage) -> None:
    assert found(stage) == ([], [])
    assert stage.account.calls == []


@pytest.mark.parametrize(
    ("state", "sentences"),
    [
        ("OK", []),
        ("INSUFFICIENT_DATA", ["The alarm errors (eu-central-1) is in INSUFFICIENT_DATA, which stops no run."]),
        (
            "ALARM",
            [
                "The alarm errors (eu-central-1) is in ALARM since 2026-11-14T21:59:00Z. As long as it is, no host starts."
            ],
        ),
    ],
)
def test_the_plan_says_how_an_alarm_is(stage: Stage, state: str, sentences: list[str]) -> None:
    CloudWatch(stage.account, {"errors": state})
    assert found(stage, "errors", "errors") == ([ERRORS], sentences)
    assert len(stage.account.calls) == 1


def test_a_name_is_searched_in_the_first_region(stage: Stage) -> None:
    CloudWatch(stage.account, {"errors": "OK"})
    ((alarm,), _sentences) = found(stage, "errors", patch_regions=["eu-west-1", "eu-north-1"])
    assert (alarm["region"], stage.account.calls[0].region) == ("eu-west-1", "eu-west-1")


def test_an_arn_says_region_and_account(stage: Stage) -> None:
    CloudWatch(stage.account, {"checkout: errors": "OK"})
    ((alarm,), _sentences) = found(stage, ARN.format("123456789012"))
    assert alarm == {"name": "checkout: errors", "region": "us-east-1", "account": None, "composite": False}
    assert stage.account.of("describe_alarms")[0].region == "us-east-1"


@pytest.mark.parametrize("by_host", [False, True], ids=["patch_accounts", "an account of the organization"])
def test_an_alarm_of_another_account_is_read_with_its_role(stage: Stage, by_host: bool) -> None:
    member = stage.account.accounts[MEMBER] = FakeAccount(stage.clock)
    CloudWatch(member, {"checkout: errors": "OK"})
    account = Account(MEMBER, "shop", ROLE)
    host = FleetHost(key="i-1", name="a", kind="ec2", instance_id="i-1", region="eu-central-1", account=account)
    accounts = [{"name": "shop", "role_arn": ROLE}]
    given = {"hosts": (host,)} if by_host else {"patch_accounts": accounts}
    ((alarm,), _sentences) = found(stage, ARN.format(MEMBER), **given)
    assert alarm["account"] == {"id": MEMBER, "name": "shop", "role_arn": ROLE}


def test_an_account_that_the_run_does_not_reach_is_refused(stage: Stage) -> None:
    assert f"no account {MEMBER}" in refusal(stage, ARN.format(MEMBER))
    assert stage.account.of("describe_alarms") == []


@pytest.mark.parametrize(
    "named", ["arn:aws:sns:us-east-1:123456789012:topic", "arn:aws:cloudwatch:us-east-1:1:alarm:a"]
)
def test_what_is_no_alarm_is_refused(stage: Stage, named: str) -> None:
    assert "or its ARN (arn:aws:cloudwatch:REGION:ACCOUNT:alarm:NAME)" in refusal(stage, named)


def test_an_alarm_that_does_not_exist_is_refused(stage: Stage) -> None:
    CloudWatch(stage.account, {"errors": "OK"})
    assert "eu-central-1 has no alarm of that name. Nothing was touched." in refusal(stage, "eror")


def test_a_composite_alarm_is_asked_for_as_one(stage: Stage) -> None:
    CloudWatch(stage.account, {"shop": "OK"}, composite=("shop",))
    ((alarm,), _sentences) = found(stage, "shop")
    assert alarm["composite"] is True
    kinds = [call.params["AlarmTypes"] for call in stage.account.of("describe_alarms")]
    assert kinds == [["MetricAlarm"], ["MetricAlarm", "CompositeAlarm"]]


def test_who_may_not_see_composite_alarms_is_given_the_right(stage: Stage) -> None:
    CloudWatch(stage.account, {"shop": "OK"}, composite=("shop",)).sees_composite = False
    assert 'cloudwatch:DescribeAlarms on "*" (StopAlarms=all in setup_aws)' in refusal(stage, "shop")


def test_without_the_right_the_run_is_refused(stage: Stage) -> None:
    stage.account.on("describe_alarms", DENIED)
    with pytest.raises(PatchFleetError, match="cloudwatch:DescribeAlarms") as caught:
        found(stage, "errors")
    assert caught.value.code == "access_denied"


# At the admission


@pytest.fixture
def shop(stage: Stage) -> CloudWatch:
    def answer(*, InstanceIds: list[str]) -> dict[str, Any]:  # noqa: N803
        return reservations(instance("stopped", InstanceId=InstanceIds[0]))

    stage.account.on("describe_instances", answer)
    return CloudWatch(stage.account, {"errors": "OK", "shop": "OK"}, composite=("shop",))


def admit(stage: Stage, number: int = 0, poller: Poller | None = None, **params: Any) -> dict[str, Any]:
    context = stage.context(ADMISSION, run_id=RUN, host=HOSTS[number].key, **params)
    context.poller = poller
    return perform(ADMISSION, context)


def test_a_run_without_alarms_asks_for_none(stage: Stage, shop: CloudWatch) -> None:
    stage.open_run(*HOSTS)
    assert admit(stage)["admitted"] is True
    assert stage.account.of("describe_alarms") == []


@pytest.mark.parametrize("state", ["OK", "INSUFFICIENT_DATA"])
def test_no_alarm_stops_nothing(stage: Stage, shop: CloudWatch, state: str) -> None:
    shop.states["errors"] = state
    stage.open_run(*HOSTS, stop_alarms=[ERRORS])
    assert admit(stage)["admitted"] is True
    assert stage.ledger.run(RUN).breaker is None


@pytest.mark.parametrize("name", ["errors", "shop"])
def test_in_an_alarm_no_other_host_starts(stage: Stage, shop: CloudWatch, name: str) -> None:
    stage.open_run(*HOSTS, stop_alarms=[ERRORS, {**ERRORS, "name": "shop", "composite": True}])
    assert admit(stage)["admitted"] is True
    shop.states[name] = "ALARM"
    for number in (1, 2):
        refused = admit(stage, number)
        assert (refused["admitted"], refused["outcome"], refused["reason_code"]) == (False, "deferred", "breaker")
    sentence = f"The alarm {name} (eu-central-1) is in ALARM since 2026-11-14T21:59:00Z. Threshold Crossed."
    assert refused["reason"] == f"No other host starts in this run. {sentence}"
    run = stage.ledger.run(RUN)
    assert run.breaker == sentence
    assert [(brake["kind"], brake["reason"]) for brake in run.settings["brakes"]] == [("alarm", sentence)]
    assert len(stage.account.of("describe_alarms")) == 2  # the open breaker is not asked about again


def test_an_alarm_that_was_deleted_stops_the_run(stage: Stage, shop: CloudWatch) -> None:
    stage.open_run(*HOSTS, stop_alarms=[ERRORS])
    del shop.states["errors"]
    assert admit(stage)["reason"].endswith("(eu-central-1) of patch_stop_alarms does not exist any more.")


def test_a_host_waits_for_no_alarm_that_cannot_be_read(stage: Stage, shop: CloudWatch) -> None:
    stage.open_run(*HOSTS, stop_alarms=[ERRORS])
    stage.account.on("describe_alarms", DENIED)
    refused = admit(stage)
    assert (refused["outcome"], refused["reason_code"]) == ("deferred", "breaker")
    assert "The alarms of patch_stop_alarms cannot be read" in refused["reason"]
    assert stage.ledger.run(RUN).breaker is None


def test_credentials_that_ended_are_the_reason(stage: Stage, shop: CloudWatch) -> None:
    stage.open_run(*HOSTS, stop_alarms=[ERRORS])
    stage.account.on("describe_alarms", client_error("ExpiredToken"))
    assert admit(stage)["reason_code"] == "credentials_expired"


def test_alarms_are_read_where_they_are_and_not_where_the_host_is(stage: Stage, shop: CloudWatch) -> None:
    member = stage.account.accounts[MEMBER] = FakeAccount(stage.clock)
    member.on("describe_instances", reservations(instance("stopped", InstanceId=HOSTS[0].key)))
    CloudWatch(member, {"theirs": "OK"})
    theirs: StopAlarm = {
        "name": "theirs",
        "region": "us-east-1",
        "account": {"id": MEMBER, "name": "shop", "role_arn": ROLE},
        "composite": False,
    }
    stage.open_run(*HOSTS, stop_alarms=[ERRORS, theirs])
    assert admit(stage, account={"id": MEMBER, "name": "shop", "role_arn": ROLE})["admitted"] is True
    assert [call.params["AlarmNames"] for call in stage.account.of("describe_alarms")] == [["errors"]]
    assert [call.region for call in member.of("describe_alarms")] == ["us-east-1"]


def test_the_hosts_of_a_round_share_one_answer(stage: Stage, shop: CloudWatch) -> None:
    poller = Poller(stage.aws.at, stage.clock)
    stage.open_run(*HOSTS, stop_alarms=[ERRORS])
    assert [admit(stage, number, poller)["admitted"] for number in (0, 1)] == [True, True]
    assert len(stage.account.of("describe_alarms")) == 1
    stage.clock.sleep(60)
    shop.states["errors"] = "ALARM"
    assert admit(stage, 2, poller)["admitted"] is False
    assert len(stage.account.of("describe_alarms")) == 2
