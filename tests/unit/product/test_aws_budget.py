# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API budget: how many calls of AWS a run makes a second, over all workers of a controller."""

from __future__ import annotations

import math
import random
from bisect import bisect_left

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.budget import (
    PART_OF_LIMITS,
    Budget,
    Pace,
    limit_of,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.ec2 import describe_instances, start_instance
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import LeaseLost
from ansible_collections.patchfleet.windows.plugins.module_utils._model.account import Account
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.managed_node_wait import OPERATION as WAIT
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.call_budget import CallBudget
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.poller import (
    Answer,
    PacedCaller,
    Poller,
    Question,
)

from .fakes import ID, START, client_error, shown
from .stage import RUN, Stage

REGION = "eu-central-1"
CALLS = ["ec2.describe_instances", "ec2.start_instances", "ec2.create_tags", "ssm.send_command", "ssm.list_commands"]


def moments(budget: Budget, call: str, number: int, account: Account | None = None) -> list[float]:
    """When calls are made that are all asked for at once."""
    return [budget.reserve(account, REGION, call, START) for _call in range(number)]


def most_within(times: list[float], seconds: float) -> int:
    ordered = sorted(times)
    return max(bisect_left(ordered, at + seconds - 1e-6) - number for number, at in enumerate(ordered))


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("seconds", [1.0, 60.0])
def test_an_operation_stays_within_a_third_of_awss_limit(call: str, seconds: float) -> None:
    limit = limit_of(call)
    assert limit
    most = most_within(moments(Budget(Pace()), call, 600), seconds)
    assert most <= max(limit.burst / 3, 1.0) + limit.per_second / 3 * seconds
    assert most >= limit.per_second / 3 * seconds - 1  # and no more than that is given away


def test_calls_that_come_slowly_never_wait() -> None:
    budget = Budget(Pace())
    assert [budget.reserve(None, REGION, "ec2.start_instances", START + 2.0 * at) for at in range(9)] == [0.0] * 9


def test_services_whose_limits_are_far_away_are_paced_by_the_number_alone() -> None:
    assert moments(Budget(Pace()), "scheduler.create_schedule", 99) == [0.0] * 99
    assert moments(Budget(Pace(4.0)), "scheduler.create_schedule", 5) == pytest.approx([0.0, 0.25, 0.5, 0.75, 1.0])


def test_a_number_holds_for_all_operations_of_an_account_and_region_together() -> None:
    budget, other = Budget(Pace(2.0)), Account("222222222222", role_arn="arn:aws:iam::222222222222:role/Patch")
    assert [budget.reserve(None, REGION, call, START) for call in CALLS] == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.0])
    assert budget.reserve(other, REGION, CALLS[0], START) == 0.0
    assert budget.reserve(None, "eu-west-1", CALLS[0], START) == 0.0


@pytest.mark.parametrize(("rate", "late_seconds"), [(None, 0.0), (0.5, 0.0), (3.0, 5 / 3.0)])
def test_shares_add_up_to_the_whole(rate: float | None, late_seconds: float) -> None:
    """Of two limits that both have less than one call at once, the slower one gets whole turns of the faster one."""
    whole, share = (moments(Budget(Pace(rate, part)), "ec2.start_instances", 9) for part in (1.0, 0.2))
    apart = 5 * (whole[-1] - whole[-2])
    assert apart - 1e-6 <= share[-1] - share[-2] <= apart + late_seconds + 1e-6


@pytest.mark.parametrize("rate", [None, 0.5, 2.0, 3.0])
@pytest.mark.parametrize("number", [2, 5, 7])
@pytest.mark.parametrize("call", CALLS)
def test_slices_together_stay_within_the_budget_from_their_first_call_on(
    call: str, number: int, rate: float | None
) -> None:
    """They start at any times, and call whenever they may: at once, and after a pause."""
    drawn, times = random.Random(number), list[float]()
    for slice_number in range(number):
        budget, now = Budget(Pace(rate, 1 / number, slice_number / number)), START + drawn.uniform(0.0, 3.0)
        for at in range(60):
            now += 40.0 if at == 30 else 0.0
            now += budget.reserve(None, REGION, call, now)
            times.append(now)
    limit = limit_of(call)
    assert limit
    for seconds in (1.0, 10.0, 60.0):
        of_aws = max(limit.burst / 3, 1.0) + limit.per_second / 3 * seconds
        assert most_within(times, seconds) <= min(of_aws, math.ceil(rate * seconds) if rate else of_aws) + 1e-6


def test_the_poller_is_not_asked_about_calls_that_never_wait(stage: Stage) -> None:
    class Refuses:
        def ask(self, question: Question) -> Answer | None:
            raise AssertionError(question)

    budget = CallBudget(Pace(), stage.clock, Refuses())
    for call in ("dynamodb.update_item", "scheduler.create_schedule", "cloudwatch.describe_alarms", "sts.assume_role"):
        assert budget.seconds_until(None, REGION, call) == 0.0
    with pytest.raises(AssertionError, match=r"ec2\.start_instances"):
        budget.seconds_until(None, REGION, "ec2.start_instances")


def test_after_a_clock_was_set_back_no_call_waits_for_its_old_time() -> None:
    budget = Budget(Pace(1.0))
    budget.reserve(None, REGION, CALLS[0], START)
    assert budget.reserve(None, REGION, CALLS[0], START - 7200.0) == 0.0


# ---- in an operation


@pytest.fixture
def context(stage: Stage) -> OperationContext:
    stage.open_run()
    stage.account.on("describe_instances", shown())
    return stage.context(WAIT, run_id=RUN, host=ID, instance_id=ID)


def test_each_attempt_of_a_call_takes_a_token_and_a_throttled_one_fails_no_host(
    stage: Stage, context: OperationContext
) -> None:
    stage.account.on("describe_instances", *[client_error("RequestLimitExceeded")] * 3, shown())
    context.budget = CallBudget(Pace(0.1), stage.clock, None)
    assert list(describe_instances(context.aws, []))
    times = [call.at for call in stage.account.of("describe_instances")]
    assert len(times) == 4
    assert most_within(times, 10.0) == 1


def test_a_change_that_waited_for_its_token_asks_for_its_lease_again(stage: Stage, context: OperationContext) -> None:
    context.budget = CallBudget(Pace(0.1), stage.clock, None)
    list(describe_instances(context.aws, []))
    stage.clock.at(5.0, lambda: stage.ledger.take_over(RUN, [ID], stage.clock.now(), True))
    with pytest.raises(LeaseLost):
        start_instance(context.aws, ID)
    assert stage.account.of("start_instances") == []


def test_the_poller_gives_the_tokens_to_all_workers_and_takes_its_own(stage: Stage) -> None:
    budget = Budget(Pace(0.5))
    poller = Poller(lambda _account, _region: stage.aws, stage.clock, budget)
    workers = [CallBudget(Pace(0.5, 1 / 3), stage.clock, poller) for _worker in range(3)]
    assert [worker.seconds_until(None, REGION, CALLS[0]) for worker in workers] == [0.0, 2.0, 4.0]
    PacedCaller(budget, stage.clock).before_attempt(None, REGION, CALLS[0])
    assert stage.clock.passed == 6.0


def test_without_a_poller_a_worker_has_its_share(stage: Stage) -> None:
    class Gone:
        def ask(self, _question: Question) -> Answer | None:
            return None

    for poller in (None, Gone(), Poller(lambda _account, _region: stage.aws, stage.clock)):
        worker = CallBudget(Pace(0.5, 1 / 4), stage.clock, poller)
        assert [worker.seconds_until(None, REGION, CALLS[0]) for _call in range(2)] == [0.0, 8.0]


def test_the_part_of_a_run_is_a_third() -> None:
    """The documentation says so."""
    assert pytest.approx(1 / 3) == PART_OF_LIMITS
