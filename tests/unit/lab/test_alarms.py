# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudWatch's alarms in the lab: which are shown to whom, and how events change them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from conftest import MakeLab
from lab.aws.cloudformation.stacks import Stacks
from lab.aws.policy import Need, deciding
from lab.aws.setup import REGION, STACK, TEMPLATE, set_up
from lab.scenario import ScenarioError
from virtual_lab import VirtualLab, error_of

ALARMS = {"alarms": {"errors": "OK", "latency": "ALARM"}, "composite_alarms": {"shop": "INSUFFICIENT_DATA"}}
BOTH = ["MetricAlarm", "CompositeAlarm"]
ON_ALL_METRIC = "arn:aws:cloudwatch:*:123456789012:alarm:*"


@pytest.fixture
def lab(make_lab: MakeLab) -> VirtualLab:
    return make_lab({"name": "a"}, account=ALARMS)


def states(lab: VirtualLab, **given: Any) -> dict[str, str]:
    answer = lab.client("cloudwatch").describe_alarms(**given)
    rows = answer["MetricAlarms"] + answer["CompositeAlarms"]
    return {row["AlarmName"]: row["StateValue"] for row in rows}


def test_composite_alarms_are_shown_only_where_they_are_asked_for(lab: VirtualLab) -> None:
    assert states(lab) == {"errors": "OK", "latency": "ALARM"}
    assert states(lab, AlarmNames=["errors", "shop", "nothing"]) == {"errors": "OK"}
    assert states(lab, AlarmNames=["errors", "shop"], AlarmTypes=BOTH) == {"errors": "OK", "shop": "INSUFFICIENT_DATA"}
    assert states(lab, AlarmTypes=["CompositeAlarm"]) == {"shop": "INSUFFICIENT_DATA"}


def test_they_come_in_pages(lab: VirtualLab) -> None:
    cloudwatch = lab.client("cloudwatch")
    first = cloudwatch.describe_alarms(AlarmTypes=BOTH, MaxRecords=2)
    second = cloudwatch.describe_alarms(AlarmTypes=BOTH, MaxRecords=2, NextToken=first["NextToken"])
    assert [row["AlarmName"] for row in first["MetricAlarms"]] == ["errors", "latency"]
    assert ([row["AlarmName"] for row in second["CompositeAlarms"]], "NextToken" in second) == (["shop"], False)


def test_more_than_a_hundred_names_are_refused(lab: VirtualLab) -> None:
    names = [f"alarm-{number}" for number in range(101)]
    assert error_of(lab.client("cloudwatch").describe_alarms, AlarmNames=names) == "ValidationError"


def test_a_right_on_alarms_shows_no_composite_ones(lab: VirtualLab) -> None:
    """Source: CloudWatch API reference, DescribeAlarms."""
    statement = {"Effect": "Allow", "Action": "cloudwatch:DescribeAlarms", "Resource": ON_ALL_METRIC}
    account = lab.play.account
    account.roles.make("reader", {"Version": "2012-10-17", "Statement": [statement]})
    account.gate.admit_key("ASIAREADER", "reader")
    cloudwatch = lab.client("cloudwatch", access_key="ASIAREADER")
    assert cloudwatch.describe_alarms(AlarmNames=["errors"])["MetricAlarms"]
    assert error_of(cloudwatch.describe_alarms, AlarmNames=["shop"], AlarmTypes=BOTH) == "AccessDenied"


@pytest.mark.parametrize(("given", "resources"), [("none", []), ("metric", [ON_ALL_METRIC]), ("all", ["*"])])
def test_the_set_up_grants_what_its_parameter_says(lab: VirtualLab, given: str, resources: list[str]) -> None:
    stacks, world = Stacks(), lab.play.world
    body = TEMPLATE.read_text(encoding="utf-8")
    parameters = {"ControllerPrincipals": "arn:aws:iam::123456789012:root", "StopAlarms": given}
    stack = stacks.create(REGION, STACK, body, parameters, [], world.sim.time)
    role = stack.resources["ControllerRole"].physical_id
    rights = [it for it in stacks.statements_of_role(role) if "cloudwatch:DescribeAlarms" in it.actions]
    assert [resource for statement in rights for resource in statement.resources] == resources


def test_the_controller_of_a_scenario_sees_all(lab: VirtualLab) -> None:
    stacks = Stacks()
    role = set_up(stacks, lab.play.world.scenario, lab.play.world.sim.time)
    assert deciding(stacks.statements_of_role(role), Need("cloudwatch:DescribeAlarms", "*", {}))


def test_events_raise_an_alarm_and_clear_it(make_lab: MakeLab) -> None:
    raised = {"at_seconds": 60, "do": "set_alarm", "alarm": "errors"}
    cleared = {"at_seconds": 120, "do": "clear_alarm", "alarm": "errors"}
    lab = make_lab({"name": "a"}, account=ALARMS, events=[raised, cleared])
    begins = lab.play.world.scenario.start
    lab.play.sim.run_until(61)
    (row,) = lab.client("cloudwatch").describe_alarms(AlarmNames=["errors"])["MetricAlarms"]
    assert (row["StateValue"], row["StateTransitionedTimestamp"]) == ("ALARM", begins + timedelta(seconds=60))
    lab.play.sim.run_until(121)
    assert states(lab, AlarmNames=["errors"]) == {"errors": "OK"}


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ({"do": "set_alarm"}, r"events\[0\]: set_alarm needs an alarm"),
        ({"do": "set_alarm", "alarm": "eror"}, r"events\[0\].alarm: account.alarms has no 'eror'"),
        ({"do": "clear_alarm", "alarm": "errors", "host": "a"}, r"events\[0\].host: clear_alarm is about an alarm"),
        ({"do": "stop", "host": "a", "alarm": "errors"}, r"events\[0\].alarm: is for set_alarm and clear_alarm alone"),
    ],
)
def test_an_event_without_its_alarm_is_refused(tmp_path: Path, event: dict[str, Any], problem: str) -> None:
    with pytest.raises(ScenarioError, match=problem):
        VirtualLab(tmp_path, [{"name": "a"}], account=ALARMS, events=[{"at_seconds": 1, **event}])
