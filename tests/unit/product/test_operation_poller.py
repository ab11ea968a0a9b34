# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One poller for all hosts of a run that wait, in this process and behind its socket."""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.api import Aws
from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import SystemClock
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import CommandTimeout, LeaseLost
from ansible_collections.patchfleet.windows.plugins.module_utils._host.run_command import (
    Command,
    run_command,
    send,
    wait_for_end,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._model.account import Account
from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.managed_node_wait import OPERATION as WAIT
from ansible_collections.patchfleet.windows.plugins.module_utils._operation import poller as module
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import (
    RUN_AGE_SECONDS,
    OperationContext,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.operation import begin
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.polled import (
    parameters_of,
    polled_instance,
    polled_node,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.poller import (
    Answer,
    Poller,
    Question,
    Subject,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.poller_socket import RemotePoller, Server
from ansible_collections.patchfleet.windows.plugins.module_utils._update.foreign_runs import Own, all_patch_runs

from .fakes import (
    ID,
    START,
    FakeAccount,
    Outcome,
    VirtualClock,
    client_error,
    instance,
    invocation,
    listed,
    moment,
    node,
    reservations,
    shown,
)
from .stage import RUN, Stage, a_host, a_run

REGION = "eu-central-1"
HOSTS = [f"i-{number:017x}" for number in range(24)]
COMMANDS = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(51)]
SCALE = 300.0


class HeldClock:
    """Its time passes when the test says so, and each thread that sleeps is counted."""

    def __init__(self) -> None:
        self._now, self._sleepers, self._changed = START, 0, threading.Condition()

    def now(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        with self._changed:
            until = self._now + seconds
            self._sleepers += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._now >= until, 0.01 if seconds <= module.FOLLOW_SECONDS else 30.0)

    def real_seconds(self, seconds: float) -> float:
        return seconds

    def advance(self, seconds: float, *, sleepers: int) -> None:
        """Once this number of threads sleeps."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._sleepers > sleepers, 30.0)  # the first question sleeps, too
            self._now += seconds
            self._changed.notify_all()


def asked(subject: Subject, key: str, max_age_seconds: float = 0.0, region: str = REGION) -> Question:
    return Question(subject, None, region, key, max_age_seconds)


def poller_of(account: FakeAccount, clock: Any) -> Poller:
    def aws_at(at: Account | None, region: str) -> Aws:
        return Aws(account, clock, retry_budget_seconds=0.0).at(at, region)

    return Poller(aws_at, clock)


@pytest.fixture
def account(stage: Stage) -> FakeAccount:
    """EC2 and SSM know every host that they are asked about; each command is in progress."""

    def instances(**params: Any) -> dict[str, Any]:
        wanted = next(f["Values"] for f in params["Filters"] if f["Name"] == "instance-id")
        return reservations(*({**instance(), "InstanceId": one} for one in wanted if one in HOSTS))

    def nodes(**params: Any) -> dict[str, Any]:
        return listed(*({**node(), "InstanceId": one} for one in params["Filters"][0]["Values"] if one in HOSTS))

    stage.account.on("describe_instances", instances)
    stage.account.on("describe_instance_information", nodes)
    rows = [invocation(one, "InProgress") for one in COMMANDS[:50]]
    stage.account.on("list_command_invocations", {"CommandInvocations": rows})
    return stage.account


@pytest.mark.parametrize(
    ("subject", "operation"),
    [(Subject.INSTANCE, "describe_instances"), (Subject.NODE, "describe_instance_information")],
)
def test_many_hosts_that_wait_are_read_with_few_calls(account: FakeAccount, subject: Subject, operation: str) -> None:
    clock = HeldClock()
    poller = poller_of(account, clock)
    poller.ask(asked(subject, HOSTS[0]))
    with ThreadPoolExecutor(len(HOSTS)) as threads:
        answers = [threads.submit(poller.ask, asked(subject, one)) for one in HOSTS]
        clock.advance(module.LONGEST_GAP_SECONDS, sleepers=len(HOSTS))
    rows = [answer.result() for answer in answers]
    assert [row and row.row and row.row["InstanceId"] for row in rows] == HOSTS
    assert len(account.of(operation)) == 2


def test_an_answer_is_read_after_the_question(stage: Stage, account: FakeAccount) -> None:
    poller = poller_of(account, stage.clock)
    poller.ask(asked(Subject.INSTANCE, HOSTS[0]))
    before = stage.clock.now()
    answer = poller.ask(asked(Subject.INSTANCE, HOSTS[0]))
    assert answer is not None
    assert answer.read_at >= before
    assert len(account.of("describe_instances")) == 2


def test_an_older_answer_is_given_where_the_question_accepts_it(stage: Stage, account: FakeAccount) -> None:
    poller = poller_of(account, stage.clock)
    poller.ask(asked(Subject.INSTANCE, HOSTS[0]))
    stage.clock.jump(100)
    answer = poller.ask(asked(Subject.INSTANCE, HOSTS[0], max_age_seconds=120.0))
    assert answer is not None
    assert answer.age_seconds == pytest.approx(100.0)
    stage.clock.jump(30)
    assert poller.ask(asked(Subject.INSTANCE, HOSTS[0], max_age_seconds=120.0)) is not None
    assert len(account.of("describe_instances")) == 2


def test_what_was_asked_not_long_ago_is_read_along(stage: Stage, account: FakeAccount) -> None:
    poller = poller_of(account, stage.clock)
    for one in (*HOSTS[:3], HOSTS[0]):
        poller.ask(asked(Subject.INSTANCE, one))
    assert poller.ask(asked(Subject.INSTANCE, HOSTS[2], max_age_seconds=60.0)) is not None
    assert len(account.of("describe_instances")) == 4
    stage.clock.jump(module.STILL_ASKED_SECONDS + 1)
    poller.ask(asked(Subject.INSTANCE, HOSTS[0]))
    assert account.of("describe_instances")[-1].params["Filters"][0]["Values"] == [HOSTS[0]]


def test_where_aws_refuses_there_is_no_answer_and_the_next_question_is_asked_again(
    stage: Stage, account: FakeAccount
) -> None:
    account.on(
        "describe_instances", client_error("UnauthorizedOperation"), reservations({**instance(), "InstanceId": ID})
    )
    poller = poller_of(account, stage.clock)
    assert poller.ask(asked(Subject.INSTANCE, ID)) is None
    answer = poller.ask(asked(Subject.INSTANCE, ID))
    assert answer is not None
    assert answer.row is not None


def test_regions_are_read_apart(stage: Stage, account: FakeAccount) -> None:
    poller = poller_of(account, stage.clock)
    for region in (REGION, "us-east-1"):
        poller.ask(asked(Subject.NODE, HOSTS[0], region=region))
    assert [call.region for call in account.of("describe_instance_information")] == [REGION, "us-east-1"]


def test_accounts_are_read_with_their_own_credentials(stage: Stage, account: FakeAccount) -> None:
    other = FakeAccount(stage.clock)
    other.on("describe_instances", reservations({**instance(), "InstanceId": HOSTS[0]}))
    account.accounts["222222222222"] = other
    there = Account("222222222222", "web", "arn:aws:iam::222222222222:role/r")
    assert poller_of(account, stage.clock).ask(Question(Subject.INSTANCE, there, REGION, HOSTS[0])) is not None
    assert (len(other.calls), account.of("describe_instances")) == (1, [])


@pytest.mark.parametrize(("waiting", "calls"), [(1, 0), (module.FEW_COMMANDS, 0), (20, 1)])
def test_commands_are_listed_together_where_many_wait(account: FakeAccount, waiting: int, calls: int) -> None:
    stream = module._read_commands  # noqa: SLF001 - how many wait at once is the question here
    keys = set(COMMANDS[:waiting])
    found = stream(Aws(account, VirtualClock()), keys, {key: module._Asked(START, START) for key in keys})  # noqa: SLF001
    assert len(account.of("list_command_invocations")) == calls
    assert set(found) & keys == (keys if calls else set())


def commands_read(account: FakeAccount, *keys: str, asked_at: float = START) -> dict[str, Any]:
    """What is read of these commands: the first was asked about at that time, and all of them now."""
    asked_for = {key: module._Asked(START, START) for key in keys}  # noqa: SLF001
    asked_for[keys[0]] = module._Asked(asked_at, START)  # noqa: SLF001
    return dict(module._read_commands(Aws(account, VirtualClock()), set(keys), asked_for))  # noqa: SLF001


def test_how_scripts_ended_is_listed_together_where_many_have(account: FakeAccount) -> None:
    worked = [invocation(one, "Success", output="{}") for one in COMMANDS[:4]]
    account.on(
        "list_command_invocations",
        {"CommandInvocations": [invocation(COMMANDS[4], "InProgress")]},
        {"CommandInvocations": [*worked, invocation(COMMANDS[6], "Success")]},
    )
    found = commands_read(account, *COMMANDS[:6])
    assert found[COMMANDS[4]] == {"InProgress": True}
    assert {key: found[key] for key in COMMANDS[:4]} == {row["CommandId"]: {"Ended": row} for row in worked}
    assert COMMANDS[5] not in found, "it has failed, or is not shown yet"
    assert COMMANDS[6] not in found, "nobody asked"
    listed_after = account.of("list_command_invocations")[1].params
    assert listed_after["Details"] is True
    assert {"key": "Status", "value": "Success"} in listed_after["Filters"]


def test_what_was_sent_long_ago_or_has_few_for_company_is_read_by_its_own_operation(account: FakeAccount) -> None:
    account.on("list_command_invocations", {"CommandInvocations": []})
    commands_read(account, *COMMANDS[:3], asked_at=START - module.STILL_ASKED_SECONDS)
    assert len(account.of("list_command_invocations")) == 1


@pytest.mark.parametrize(("output", "calls"), [("{}", 0), ("x" * 2500, 1)])
def test_what_the_poller_shows_of_a_script_that_worked_is_its_result(
    stage: Stage, context: OperationContext, output: str, calls: int
) -> None:
    row = invocation(COMMANDS[0], "Success", output=output)
    context.poller = Scripted(Answer({"Ended": row}, stage.clock.now(), 0.0))
    stage.account.on("get_command_invocation", {"StandardOutputContent": "all of it", "StandardErrorContent": ""})
    ended = wait_for_end(context, ID, COMMANDS[0], stage.clock.now() + 600, runs_script=True)
    assert (ended.status, ended.stdout) == ("Success", "all of it" if calls else output)
    assert len(stage.account.of("get_command_invocation")) == calls
    assert stage.account.of("list_command_invocations") == []


def test_the_command_of_another_node_is_no_result(stage: Stage, context: OperationContext) -> None:
    row = {**invocation(COMMANDS[0], "Success"), "InstanceId": HOSTS[0]}
    context.poller = Scripted(Answer({"Ended": row}, stage.clock.now(), 0.0))
    own = {"Status": "Success", "StandardOutputContent": "its own"}
    stage.account.on("get_command_invocation", own)
    assert wait_for_end(context, ID, COMMANDS[0], stage.clock.now() + 600, runs_script=True).stdout == "its own"


def test_patch_states_of_many_are_read_with_one_call(stage: Stage, account: FakeAccount) -> None:
    state = {"PatchGroup": "g", "BaselineId": "pb-00000000000000000", "Operation": "Scan", "MissingCount": 1}
    times = {"OperationStartTime": moment(START), "OperationEndTime": moment(START + 60)}
    states = [{"InstanceId": one, **state, **times} for one in HOSTS[:3]]
    account.on("describe_instance_patch_states", {"InstancePatchStates": states})
    aws = Aws(account, stage.clock)
    rows = module.READS[Subject.PATCH_STATE](aws, set(HOSTS[:4]), {})
    assert rows == {row["InstanceId"]: row for row in states}
    (call,) = account.of("describe_instance_patch_states")
    assert call.params["InstanceIds"] == HOSTS[:4]


def test_a_list_that_is_longer_than_what_it_saves_is_not_read_to_its_end(account: FakeAccount) -> None:
    account.on(
        "list_command_invocations", {"CommandInvocations": [invocation(COMMANDS[50], "InProgress")], "NextToken": "n"}
    )
    keys = set(COMMANDS[:5])
    found = module._read_commands(  # noqa: SLF001
        Aws(account, VirtualClock()),
        keys,
        {key: module._Asked(START, START) for key in keys},  # noqa: SLF001
    )
    assert len(account.of("list_command_invocations")) < len(keys)
    assert not set(found) & keys


class Scripted:
    """Gives these answers, and that no heartbeat is due."""

    def __init__(self, *answers: Answer | None) -> None:
        self.answers = list(answers)

    def ask(self, question: Question) -> Answer | None:
        if question.subject == Subject.HEARTBEAT:
            return Answer({"IsDue": False}, START, 0.0) if self.answers != [None] else None
        if question.subject in module.READS_OF_LEDGER:  # of a file it has none
            return None
        return self.answers.pop(0)


@pytest.fixture
def context(stage: Stage) -> OperationContext:
    """Of an operation on the host of a run."""
    stage.open_run()
    return stage.context(WAIT, run_id=RUN, host=ID, instance_id=ID)


def associations(*documents: str, more: bool = False) -> dict[str, Any]:
    rows = [{"Name": name, "AssociationId": "0" * 36} for name in documents]
    return {"Associations": rows, **({"NextToken": "n"} if more else {})}


@pytest.mark.parametrize(
    ("answer", "nodes", "shown_for"),
    [
        (associations("AWS-GatherSoftwareInventory"), 3, 3),
        (associations("AWS-RunPatchBaseline"), 3, 3),
        (associations("AWS-UpdateSSMAgent"), 1, 0),  # one node asks for its own with one call
        (associations("AWS-UpdateSSMAgent", more=True), 3, 0),  # a long list would take more calls than each node
    ],
)
def test_associations_are_listed_where_it_saves_calls(
    account: FakeAccount, answer: dict[str, Any], nodes: int, shown_for: int
) -> None:
    account.on("list_associations", answer)
    rows = module._read_associations(Aws(account, VirtualClock()), set(HOSTS[:nodes]), {})  # noqa: SLF001
    assert len(rows) == shown_for
    assert all(row == {"Documents": [answer["Associations"][0]["Name"]]} for row in rows.values())
    assert len(account.of("list_associations")) < nodes


@pytest.mark.parametrize(
    ("documents", "asked_for"), [(["AWS-GatherSoftwareInventory"], 0), (["AWS-RunPatchBaseline"], 1), (None, 1)]
)
def test_a_node_whose_region_has_no_patching_association_is_not_asked_for_its_own(
    stage: Stage, context: OperationContext, documents: list[str] | None, asked_for: int
) -> None:
    row = None if documents is None else {"Documents": documents}
    context.poller = Scripted(Answer(row, START, 0.0))
    assert all_patch_runs(context, ID, Own({RUN})) == set()
    assert len(stage.account.of("describe_instance_associations_status")) == asked_for


def test_before_a_stop_a_node_is_asked_for_its_own_associations(stage: Stage, context: OperationContext) -> None:
    context.phase = Phase.RESTORE
    context.poller = Scripted()
    assert all_patch_runs(context, ID, Own({RUN})) == set()
    assert len(stage.account.of("describe_instance_associations_status")) == 1


def test_what_a_document_takes_is_read_once_a_run(stage: Stage, account: FakeAccount) -> None:
    stage.open_run()
    account.on("describe_document", {"Document": {"Parameters": [{"Name": "Operation"}, {"Name": "SnapshotId"}]}})
    poller = poller_of(account, stage.clock)
    for _host in range(3):
        context = stage.context(WAIT, run_id=RUN, host=ID, instance_id=ID)
        context.poller = poller
        assert parameters_of(context, "AWS-RunPatchBaseline") == {"Operation", "SnapshotId"}
        stage.clock.jump(600)
    context.poller = None
    assert parameters_of(context, "AWS-RunPatchBaseline") == {"Operation", "SnapshotId"}
    assert len(account.of("describe_document")) == 2


def test_one_operation_a_minute_renews_the_lease_of_the_run(
    stage: Stage, account: FakeAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.open_run()
    poller, beats = poller_of(account, stage.clock), list[float]()
    monkeypatch.setattr(stage.ledger, "heartbeat", lambda _run_id, now: beats.append(now - START))
    for seconds in (0, 1, module.TURN_SECONDS):
        stage.clock.jump(seconds)
        for _host in range(3):
            context = stage.context(WAIT, run_id=RUN, host=ID, instance_id=ID)
            context.poller = poller
            context.lease.renew()
    assert beats == [0.0, 61.0]


def test_where_another_operation_renews_the_lease_a_host_reads_its_own_every_five_minutes(
    stage: Stage, context: OperationContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = list[float]()
    fence = stage.ledger.fence
    monkeypatch.setattr(stage.ledger, "fence", lambda *of: (read.append(stage.clock.passed), fence(*of))[1])
    context.poller = Scripted()
    for _minute in range(11):
        context.lease.renew()
        stage.clock.jump(60.0)
    assert read == [0.0, 300.0, 600.0]
    context.before_change()
    assert len(read) == 4


def test_a_host_that_another_run_took_over_is_noticed_while_another_operation_renews_the_lease(
    stage: Stage, context: OperationContext
) -> None:
    context.poller = Scripted()
    context.lease.renew()
    stage.ledger.take_over(RUN, [ID], stage.clock.now(), True)
    with pytest.raises(LeaseLost):
        context.before_change()
    stage.clock.jump(300.0)
    with pytest.raises(LeaseLost):
        context.lease.renew()


def test_the_beginning_of_a_phase_proves_the_lease_and_no_write_before_a_change_does(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.open_run()
    context, read = stage.context(WAIT, run_id=RUN, host=ID, instance_id=ID), list[float]()
    fence = stage.ledger.fence
    monkeypatch.setattr(stage.ledger, "fence", lambda *of: (read.append(stage.clock.passed), fence(*of))[1])
    context.poller = Scripted()
    begin(WAIT, context)
    assert (context.fence, read) == (1, [])
    context.note_facts(sessions=2)
    context.before_change()
    assert len(read) == 1


def test_a_phase_of_a_host_that_its_run_does_not_hold_does_not_start(stage: Stage) -> None:
    stage.open_run()
    stage.ledger.open_run(a_run("later", opened_at=stage.clock.now()), [a_host(run_id="later")], take_over=True)
    context = stage.context(WAIT, run_id=RUN, host=ID, instance_id=ID)
    context.poller = Scripted()
    with pytest.raises(LeaseLost):
        begin(WAIT, context)


def test_a_write_that_is_refused_ends_the_change(stage: Stage) -> None:
    stage.open_run()
    context = stage.context(WAIT, run_id=RUN, host=ID, instance_id=ID)
    context.poller = Scripted()
    begin(WAIT, context)
    context.note_facts(sessions=2)
    stage.ledger.take_over(RUN, [ID], stage.clock.now(), force=True)
    with pytest.raises(LeaseLost):
        context.before_change()


def leases_of(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> tuple[Poller, list[float]]:
    """A poller with a table as the ledger, and when it read the leases there."""
    read, some_fences = list[float](), stage.ledger.some_fences

    def fences(run_id: str, keys: Iterable[str]) -> dict[str, int]:
        read.append(stage.clock.passed)
        return some_fences(run_id, keys)

    monkeypatch.setattr(stage.ledger, "some_fences", fences)
    return Poller(lambda _account, _region: stage.aws, stage.clock, table=stage.ledger), read


def test_the_leases_of_hosts_that_wait_are_read_together(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = [a_host(key, position=at) for at, key in enumerate(HOSTS[:4])]
    stage.open_run(*hosts)
    poller, read = leases_of(stage, monkeypatch)
    alone = list[float]()
    monkeypatch.setattr(stage.ledger, "fence", lambda *_of: (alone.append(stage.clock.passed), 1)[1])
    contexts = [stage.context(WAIT, run_id=RUN, host=host.key, fence=1, instance_id=host.key) for host in hosts]
    for context in contexts:
        context.poller = poller
    for _minute in range(16):
        for context in contexts:
            context.lease.renew()
        stage.clock.jump(60.0)
    assert alone.count(0.0) == len(hosts), "each operation proves its own when it begins"
    assert len(alone) == len(hosts) + 15, "and so does the one whose turn it is to renew the lease of the run"
    assert read == [300.0, 300.0, 300.0, 600.0, 900.0], "each host asks once before it is read along with the others"


def test_a_lease_that_the_poller_does_not_show_is_read_and_a_lost_one_ends_the_wait(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.open_run()
    poller, read = leases_of(stage, monkeypatch)
    poller.ask(Question(Subject.HEARTBEAT, None, "", ""))
    context = stage.context(WAIT, run_id=RUN, host=ID, fence=1, instance_id=ID)
    context.poller = poller
    context.lease.renew()
    stage.ledger.take_over(RUN, [ID], stage.clock.now(), True)
    stage.clock.jump(300.0)
    poller.ask(Question(Subject.HEARTBEAT, None, "", ""))
    with pytest.raises(LeaseLost):
        context.lease.renew()
    assert read == [300.0]


def test_operations_of_one_half_minute_share_what_is_read_of_the_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.open_run()
    read, run = list[float](), stage.ledger.run
    monkeypatch.setattr(stage.ledger, "run", lambda run_id: (read.append(stage.clock.passed), run(run_id))[1])
    poller = Poller(lambda _account, _region: stage.aws, stage.clock, table=stage.ledger)
    for _operation in range(7):
        context = stage.context(WAIT, run_id=RUN, host=ID, instance_id=ID)
        context.poller = poller
        assert context.recent_run() == run(RUN)
        stage.clock.jump(10.0)
    assert read == [0.0, 40.0]
    context.poller = None
    context.recent_run()
    assert read == [0.0, 40.0, 70.0]


def test_a_run_that_the_poller_read_too_long_ago_is_read_again(stage: Stage, context: OperationContext) -> None:
    old = asdict(stage.ledger.run(RUN)) | {"breaker": "It was open then."}

    class Late:
        def ask(self, _question: Question) -> Answer:
            return Answer(old, stage.clock.now() - RUN_AGE_SECONDS - 2.0, 0.0)

    context.poller = Late()
    assert context.recent_run().breaker is None


def test_without_a_poller_each_operation_renews_the_lease(
    stage: Stage, context: OperationContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats = list[float]()
    monkeypatch.setattr(stage.ledger, "heartbeat", lambda _run_id, now: beats.append(now))
    context.poller = Scripted(None)
    context.lease.renew()
    assert len(beats) == 1


@pytest.mark.parametrize("answer", [None, Answer(None, START, 0.0), Answer({"State": "old"}, START - 2.0, 2.0)])
def test_what_the_poller_does_not_show_or_shows_too_late_is_read_directly(
    stage: Stage, context: OperationContext, answer: Answer | None
) -> None:
    stage.account.on("describe_instances", shown())
    context.poller = Scripted(answer)
    instance = polled_instance(context, ID)
    assert instance is not None
    assert instance["InstanceId"] == ID
    assert len(stage.account.of("describe_instances")) == 1


def test_an_answer_that_is_as_new_as_asked_needs_no_call(stage: Stage, context: OperationContext) -> None:
    context.poller = Scripted(Answer(instance("stopped"), START - 50.0, 50.0), Answer(None, START, 0.0))
    there = polled_instance(context, ID, max_age_seconds=60.0)
    assert (there and there["State"]["Name"], polled_node(context, ID)) == ("stopped", None)
    assert stage.account.calls == []


def test_an_operation_outside_of_a_run_asks_no_poller(stage: Stage) -> None:
    stage.account.on("describe_instances", shown())
    context = stage.context(WAIT, instance_id=ID)
    context.poller = Scripted()
    assert polled_instance(context, ID) is not None


def test_a_command_in_progress_is_not_read(stage: Stage, context: OperationContext) -> None:
    stage.guest.on("measure_disk", Outcome(stdout="x" * 5000, seconds=20.0))
    going_on = Answer({"InProgress": True}, START + 5.0, 0.0)
    context.poller = Scripted(going_on, Answer(None, START + 10.0, 0.0))
    command = Command(
        "AWS-RunPowerShellScript", {"commands": ["# patchfleet-script: measure_disk", "# '" + "e30=" + "'"]}, 60
    )
    stage.account.on("get_command_invocation", ended_well("x" * 5000))
    ended = run_command(context, ID, command)
    assert (ended.status, ended.stdout, ended.worked_seconds) == ("Success", "x" * 5000, 20.0)
    assert stage.account.of("list_command_invocations") == []
    assert len(stage.account.of("get_command_invocation")) == 1


def ended_well(output: str) -> dict[str, Any]:
    return {
        "Status": "Success",
        "StatusDetails": "Success",
        "ResponseCode": 0,
        "StandardOutputContent": output,
        "ExecutionStartDateTime": "2026-11-14T22:00:00.000Z",
        "ExecutionEndDateTime": "2026-11-14T22:00:20.000Z",
    }


def test_near_the_deadline_only_a_fresh_answer_says_that_a_command_is_in_progress(
    stage: Stage, context: OperationContext
) -> None:
    stage.guest.on("AWS-RunPatchBaseline", Outcome(seconds=1e6))
    command_id = send(context, ID, Command("AWS-RunPatchBaseline", {"Operation": ["Install"]}, 600))
    poller = context.poller = Endless(stage.clock)
    with pytest.raises(CommandTimeout):
        wait_for_end(context, ID, command_id, START + 600.0, (15.0, 45.0))
    accepted = [(at, question.max_age_seconds) for at, question in poller.questions]
    assert {age for at, age in accepted if at < 540.0} == {30.0}
    assert {age for at, age in accepted if at >= 540.0} == {0.0}


class Endless:
    """Every command is in progress, as of now."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock, self.questions = clock, list[tuple[float, Question]]()

    def ask(self, question: Question) -> Answer:
        if question.subject == Subject.COMMAND:
            self.questions.append((self._clock.passed, question))
        row = {"IsDue": True} if question.subject == Subject.HEARTBEAT else {"InProgress": True}
        row = instance() if question.subject == Subject.INSTANCE else row
        return Answer(row, self._clock.now(), 0.0)


@pytest.fixture
def served(account: FakeAccount, tmp_path: Path) -> Iterator[tuple[Server, Path, Callable[[], None]]]:
    """A poller at a socket; the last part closes the other end of its lifeline."""
    path = tmp_path / "socket"
    clock = SystemClock(SCALE)
    server = Server(str(path), poller_of(account, clock))
    reading, writing = os.pipe()
    thread = threading.Thread(target=server.serve_until, args=(reading,))
    thread.start()

    def cut() -> None:
        os.close(writing)
        thread.join(10.0)
        assert not thread.is_alive()

    yield server, path, cut
    if thread.is_alive():
        server.end()
        thread.join()
    server.server_close()


def test_only_the_user_can_open_the_socket(served: tuple[Server, Path, Callable[[], None]]) -> None:
    assert stat.S_IMODE(served[1].stat().st_mode) == 0o600


def test_an_answer_passes_the_socket_with_its_times(served: tuple[Server, Path, Callable[[], None]]) -> None:
    remote = RemotePoller(str(served[1]), SystemClock(SCALE))
    for _number in range(2):
        answer = remote.ask(asked(Subject.INSTANCE, HOSTS[0]))
        assert answer is not None
        assert answer.row == {**instance(), "InstanceId": HOSTS[0]}


def test_a_poller_ends_with_its_run_and_with_its_controller(served: tuple[Server, Path, Callable[[], None]]) -> None:
    served[2]()


def test_the_end_of_the_run_ends_the_poller(account: FakeAccount, tmp_path: Path) -> None:
    server = Server(str(tmp_path / "socket"), poller_of(account, SystemClock(SCALE)))
    thread = threading.Thread(target=server.serve_until, args=(os.pipe()[0],))
    thread.start()
    RemotePoller(str(tmp_path / "socket"), SystemClock(SCALE)).end()
    thread.join(10.0)
    assert not thread.is_alive()
    server.server_close()


def test_where_no_poller_listens_there_is_no_answer(tmp_path: Path) -> None:
    remote = RemotePoller(str(tmp_path / "socket"), SystemClock())
    assert remote.ask(asked(Subject.HEARTBEAT, "")) is None
    remote.end()


def test_a_question_that_cannot_be_read_ends_the_conversation_alone(
    served: tuple[Server, Path, Callable[[], None]], capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stranger:
        stranger.connect(str(served[1]))
        stranger.sendall(b"what?\n")
        assert stranger.recv(100) == b""
    assert RemotePoller(str(served[1]), SystemClock(SCALE)).ask(asked(Subject.NODE, HOSTS[0])) is not None
    assert capsys.readouterr().err == ""
