# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One poller for all hosts of a run that wait: it collects what they ask in a short time, and reads it from AWS with one call.

An answer is read after the question, unless the question accepts an older one. Nothing depends on the poller: an operation that
gets no answer reads AWS itself.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Protocol

from .._aws.api import Aws, NoCaller
from .._aws.budget import Budget
from .._aws.bulk import (
    associated_documents,
    commands_in_progress,
    commands_that_worked,
    instances_by_id,
    nodes_by_id,
)
from .._aws.cloudwatch import alarm_states
from .._aws.patches import patch_states
from .._aws.ssm import document_parameters
from .._base.clock import Clock
from .._base.errors import PatchFleetError
from .._ledger.records import Ledger
from .._model.account import Account
from .._model.text_enum import TextEnum

LONGEST_GAP_SECONDS = 20.0
"""Between two reads of the same kind in a region."""
GAP_SECONDS_A_HOST = 3.0
"""With few hosts the gap is shorter, so that a host alone waits no longer than by itself."""
STILL_ASKED_SECONDS = 300.0
"""What was asked in this time is read along with what is asked now; the longest pause between two questions is shorter."""
RECENT_SECONDS = 60.0
FOLLOW_SECONDS = 0.5
SENT_BEFORE_SECONDS = 600.0
"""A command may have been sent this time before it is asked about; older ones are read one by one."""
FEW_COMMANDS = 2
"""At most this number is read one by one, each with its output."""
RETRY_BUDGET_SECONDS = 45.0
"""The time in which the poller repeats a read that AWS throttles. Then each operation does it with its own deadline."""
TURN_SECONDS = 60.0
CLOCK_STEP_SECONDS = 1.0
"""Two readings of a clock may differ by this, though no time has passed."""


class Subject(TextEnum):
    """What is asked about."""

    INSTANCE = "instance"
    NODE = "node"
    COMMAND = "command"
    ASSOCIATIONS = "associations"
    DOCUMENT = "document"
    HEARTBEAT = "heartbeat"
    CALL = "call"
    ALARMS = "alarms"
    RUN = "run"
    LEASE = "lease"
    PATCH_STATE = "patch_state"


@dataclass(frozen=True)
class Question:
    """Of an operation that waits.

    Attributes:
        key: the id of the instance, the node or the command; the node that asks for the associations of its region; the name of
            the document; the call that is to be made (``ec2.start_instances``); JSON of whether some of the alarms may be
            composite, and of their names; the id of the run; JSON of the run and of the host's key.
        max_age_seconds: how old the answer may be; 0: it must be read after the question.
    """

    subject: Subject
    account: Account | None
    region: str
    key: str
    max_age_seconds: float = 0.0


@dataclass(frozen=True)
class Answer:
    """What AWS said.

    Attributes:
        row: the instance, the node or the patch state as AWS describes it; of a command ``{"InProgress": True}`` or how it
            succeeded, ``{"Ended": row with its plugins}``, of associations the names of
            their documents, ``{"Documents": list}``, of a document its parameters, ``{"Parameters": list}``, of a heartbeat
            ``{"IsDue": bool}``, of a call ``{"WaitSeconds": float}``, of alarms ``{"Alarms": states by name}``, of the run its
            fields, of a lease ``{"Fence": int}``. None: AWS did not show it.
        read_at: when AWS was asked, in seconds since 1970.
        age_seconds: how old the answer was when it was given.
    """

    row: Mapping[str, Any] | None
    read_at: float
    age_seconds: float

    def is_between(self, oldest: float, newest: float) -> bool:
        """Whether AWS was asked between these times; two readings of a clock may differ by CLOCK_STEP_SECONDS."""
        return oldest - CLOCK_STEP_SECONDS <= self.read_at <= newest + CLOCK_STEP_SECONDS


class Answers(Protocol):
    """Who answers questions: a poller in this process or in another one."""

    def ask(self, question: Question) -> Answer | None:
        """None where it could not be read, or there is no poller."""


Rows = Mapping[str, Mapping[str, Any]]


@dataclass
class _Asked:
    """When a key was asked for, first and last, in seconds since 1970."""

    first_at: float
    last_at: float


@dataclass
class _Batch:
    """Keys that are read together; the operation that asks first reads for the others."""

    due_at: float
    keys: set[str] = field(default_factory=set)
    is_done: bool = False
    read_at: float = 0.0
    rows: Rows | None = None

    def answer(self, key: str, now: float) -> Answer | None:
        if self.rows is None:
            return None
        return Answer(self.rows.get(key), self.read_at, now - self.read_at)


class _Stream:
    """Reads of one subject in one account and region."""

    def __init__(
        self,
        read: Callable[[set[str], Mapping[str, _Asked]], Rows],
        clock: Clock,
        longest_gap_seconds: float = LONGEST_GAP_SECONDS,
    ) -> None:
        """``read`` gets the keys that are asked for now, and all that were asked for not long ago."""
        self._read, self._clock, self._longest_gap_seconds = read, clock, longest_gap_seconds
        self._lock = threading.Lock()
        self._asked: dict[str, _Asked] = {}
        self._next: _Batch | None = None
        self._reading: _Batch | None = None
        self._last: _Batch | None = None
        self._last_at = float("-inf")

    def ask(self, key: str, max_age_seconds: float) -> Answer | None:
        if max_age_seconds > 0.0:
            self._wait_for_a_read_of(key)
        now = self._clock.now()
        with self._lock:
            self._asked.setdefault(key, _Asked(now, now)).last_at = now
            known = self._last.answer(key, now) if self._last and max_age_seconds > 0.0 else None
            if known and known.row is not None and 0.0 <= known.age_seconds <= max_age_seconds:
                return known
            batch, reads = self._next, self._next is None
            if batch is None:
                gap = self._gap_seconds(now)
                batch = self._next = _Batch(now + min(max(self._last_at + gap - now, 0.0), gap))
            batch.keys.add(key)
        if reads:
            self._perform(batch)
        while not batch.is_done:
            self._sleep_until(batch.due_at, FOLLOW_SECONDS)
        return batch.answer(key, self._clock.now())

    def _wait_for_a_read_of(self, key: str) -> None:
        """Where an older answer is accepted, that of a read that is in progress is, too."""
        batch = self._reading
        while batch is not None and key in batch.keys and not batch.is_done:
            self._sleep_until(batch.due_at, FOLLOW_SECONDS)

    def _sleep_until(self, moment: float, shortest_seconds: float) -> None:
        """The clock may be set back meanwhile."""
        self._clock.sleep(min(max(moment - self._clock.now(), shortest_seconds), LONGEST_GAP_SECONDS))

    def _gap_seconds(self, now: float) -> float:
        recent = sum(asked.last_at >= now - RECENT_SECONDS for asked in self._asked.values())
        return min(recent * GAP_SECONDS_A_HOST, self._longest_gap_seconds)

    def _perform(self, batch: _Batch) -> None:
        try:
            self._sleep_until(batch.due_at, 0.0)
            now = self._clock.now()
            with self._lock:
                self._next, self._reading = None, batch
                batch.read_at = self._last_at = now
                keys = set(batch.keys)
                still = now - STILL_ASKED_SECONDS
                self._asked = {key: one for key, one in self._asked.items() if key in keys or one.last_at >= still}
                asked = dict(self._asked)
            batch.rows = self._read(keys, asked)
            self._last = batch
        except PatchFleetError:
            batch.rows = None  # each operation reads it itself, and says what AWS said
        finally:
            if self._next is batch:
                self._next = None
            batch.is_done = True


class Poller:
    """Answers in its own process; safe to use from several threads."""

    def __init__(
        self,
        aws_at: Callable[[Account | None, str], Aws],
        clock: Clock,
        budget: Budget | None = None,
        table: Ledger | None = None,
    ) -> None:
        """``aws_at`` gives AWS in an account and a region; ``budget`` has the tokens of all workers of the controller; ``table`` is
        the ledger, where it is one.
        """
        self._aws_at, self._clock, self._budget, self._table = aws_at, clock, budget, table
        self._lock = threading.Lock()
        self._streams: dict[tuple[Subject, Account | None, str], _Stream] = {}
        self._turn_at = float("-inf")

    def ask(self, question: Question) -> Answer | None:
        """The answer; None where AWS did not give it."""
        if question.subject == Subject.HEARTBEAT:
            return self._turn()
        if question.subject == Subject.CALL:
            return self._token(question)
        if question.subject in READS_OF_LEDGER and self._table is None:
            return None
        return self._stream(question).ask(question.key, question.max_age_seconds)

    def _turn(self) -> Answer:
        """One operation a minute renews the lease of the whole run."""
        now = self._clock.now()
        with self._lock:
            is_due = not 0.0 <= now - self._turn_at < TURN_SECONDS
            if is_due:
                self._turn_at = now
        return Answer({"IsDue": is_due}, now, 0.0)

    def _token(self, question: Question) -> Answer | None:
        """For how long the operation waits before it makes a call."""
        if self._budget is None:
            return None
        now = self._clock.now()
        seconds = self._budget.reserve(question.account, question.region, question.key, now)
        return Answer({"WaitSeconds": seconds}, now, 0.0)

    def _stream(self, question: Question) -> _Stream:
        key = (question.subject, question.account, question.region)
        with self._lock:
            if key not in self._streams:
                self._streams[key] = self._new_stream(question)
            return self._streams[key]

    def _new_stream(self, question: Question) -> _Stream:
        if question.subject in READS_OF_LEDGER and self._table is not None:
            read = partial(READS_OF_LEDGER[question.subject], self._table)
            return _Stream(read, self._clock, longest_gap_seconds=0.0)
        aws = self._aws_at(question.account, question.region)
        return _Stream(partial(READS[question.subject], aws), self._clock)


def _read_runs(ledger: Ledger, keys: set[str], _asked: Mapping[str, _Asked]) -> Rows:
    return {run_id: asdict(ledger.run(run_id)) for run_id in keys}


def _read_leases(ledger: Ledger, keys: set[str], asked: Mapping[str, _Asked]) -> Rows:
    hosts = {key: tuple(json.loads(key)) for key in sorted(keys | asked.keys())}
    fences = {
        run_id: ledger.some_fences(run_id, [key for its_run, key in hosts.values() if its_run == run_id])
        for run_id in {run_id for run_id, _key in hosts.values()}
    }
    return {key: {"Fence": fences[run_id][host]} for key, (run_id, host) in hosts.items() if host in fences[run_id]}


def _read_instances(aws: Aws, keys: set[str], asked: Mapping[str, _Asked]) -> Rows:
    return instances_by_id(aws, sorted(keys | asked.keys()))


def _read_nodes(aws: Aws, keys: set[str], _asked: Mapping[str, _Asked]) -> Rows:
    return nodes_by_id(aws, sorted(keys))


def _read_patch_states(aws: Aws, keys: set[str], _asked: Mapping[str, _Asked]) -> Rows:
    return {state["InstanceId"]: state for state in patch_states(aws, sorted(keys))}


def _read_commands(aws: Aws, keys: set[str], asked: Mapping[str, _Asked]) -> Rows:
    """The commands that are in progress, and those that have succeeded. The others have failed, or are not shown yet."""
    if len(keys) <= FEW_COMMANDS:
        return {}
    since = min(asked[key].first_at for key in keys) - SENT_BEFORE_SECONDS
    in_progress, pages_read = commands_in_progress(aws, since, len(keys) - 1)
    rows: dict[str, Mapping[str, Any]] = {command_id: {"InProgress": True} for command_id in in_progress}
    now = max(asked[key].last_at for key in keys)
    recent = {key for key in keys - in_progress if asked[key].first_at > now - STILL_ASKED_SECONDS}
    if len(recent) > pages_read + 1:
        age_seconds = now - min(asked[key].first_at for key in recent)
        since = aws.now() - age_seconds - RECENT_SECONDS
        worked = commands_that_worked(aws, recent, since, len(recent) - pages_read - 1)
        rows.update({command_id: {"Ended": row} for command_id, row in worked.items()})
    return rows


def _read_associations(aws: Aws, keys: set[str], _asked: Mapping[str, _Asked]) -> Rows:
    """Nothing where it would take more calls than each node by itself."""
    documents = associated_documents(aws, len(keys) - 1) if len(keys) > 1 else None
    return {} if documents is None else {key: {"Documents": documents} for key in keys}


def _read_documents(aws: Aws, keys: set[str], _asked: Mapping[str, _Asked]) -> Rows:
    return {key: {"Parameters": document_parameters(aws, key)} for key in keys}


class PacedCaller(NoCaller):
    """The caller of the poller's own reads: they take tokens of the same budget."""

    def __init__(self, budget: Budget, clock: Clock) -> None:
        super().__init__(clock)
        self._budget, self._clock = budget, clock

    def before_attempt(self, account: Account | None, region: str, call: str) -> None:
        """Waits for the API budget."""
        self._clock.sleep(self._budget.reserve(account, region, call, self._clock.now()))


def _read_alarms(aws: Aws, keys: set[str], _asked: Mapping[str, _Asked]) -> Rows:
    rows: dict[str, Mapping[str, Any]] = {}
    for key in keys:
        composite, names = json.loads(key)
        rows[key] = {"Alarms": alarm_states(aws, names, composite=composite)}
    return rows


READS: Mapping[Subject, Callable[[Aws, set[str], Mapping[str, _Asked]], Rows]] = {
    Subject.INSTANCE: _read_instances,
    Subject.NODE: _read_nodes,
    Subject.PATCH_STATE: _read_patch_states,
    Subject.COMMAND: _read_commands,
    Subject.ASSOCIATIONS: _read_associations,
    Subject.DOCUMENT: _read_documents,
    Subject.ALARMS: _read_alarms,
}
READS_OF_LEDGER: Mapping[Subject, Callable[[Ledger, set[str], Mapping[str, _Asked]], Rows]] = {
    Subject.RUN: _read_runs,
    Subject.LEASE: _read_leases,
}
