# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the function of an operation works with: options, AWS, ledger, clock, lease, and the channel to the host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .._aws.api import RETRY_BUDGET_SECONDS, SESSION_NAME, Aws
from .._aws.connect import OptionsConnection
from .._aws.errors import AwsError, NotReached
from .._base.clock import Clock, system_clock, wait_for
from .._base.commands import in_text
from .._base.errors import InvalidOption, LeaseLost, NotRecorded
from .._ledger import lenient, open_ledger, refuse_missing_ledger
from .._ledger.records import Host, Ledger, Run
from .._model.account import Account, account_from
from .._model.host_facts import HostFacts
from .._model.phases import Phase
from .call_budget import CallBudget
from .channel import HostChannel
from .commands import playbook_command
from .lease import HEARTBEAT_SECONDS, LONGEST_SILENCE_SECONDS, Lease
from .options import Options
from .poller import Answers, Question, Subject
from .standstill import ENDED_BEFORE_A_CHANGE, WatchedClock, note_standstill, refuse_after_standstill
from .work import WorkLog

if TYPE_CHECKING:
    from typing import Unpack

T = TypeVar("T")

DEFAULT_INSTALL_SECONDS = 10_800
RUN_AGE_SECONDS = 30.0
"""What the poller read of the run is this old at most."""
USUAL_COLUMNS = 100
"""Of what people read, where it is printed to no terminal."""


class OperationContext:
    """What the function of an operation gets: options, AWS, ledger, clock, check mode, and how it reports its progress."""

    def __init__(
        self,
        params: Options,
        *,
        check_mode: bool = False,
        clock: Clock | None = None,
        aws: Aws | None = None,
        ledger: Ledger | None = None,
        report_progress: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.params = params
        self.check_mode = check_mode
        self.clock = WatchedClock(clock or system_clock(), partial(note_standstill, self))
        self.report_progress = report_progress
        self.columns = USUAL_COLUMNS
        self.run_id: str | None = params.get("run_id") or None
        self.host_key: str | None = params.get("host") or None
        self.fence: int | None = params.get("fence")
        self.lease = Lease(self)
        self._home_aws = aws.called_by(self) if aws else None
        self._aws: Aws | None = None
        self._ledger = ledger
        self._host: Host | None = None
        self._row: Host | None = None
        self._channel: HostChannel | None = None
        self._wait_deadline: float | None = None
        self.phase: Phase | None = None
        self.poller: Answers | None = None  # answers for all hosts of the run that wait
        self.budget: CallBudget | None = None  # paces the calls of AWS
        self.end_if_orphaned: Callable[[], None] = lambda: None  # what a worker does when its controller is gone
        self.on_heartbeat: Callable[[], None] = lambda: None  # what a worker does each minute, for the run as a whole
        # What a worker does with the run's id and a sentence, once the controller stood still.
        self.on_standstill: Callable[[str, str], None] = lambda run_id, reason: None
        self.cache: dict[str, Any] = {}  # what the operation looked up once
        self._updated_facts = HostFacts()
        self._noted = HostFacts()  # facts that are not written yet
        self._work = WorkLog()

    @property
    def aws(self) -> Aws:
        """AWS in the region of the options; the lease is checked right before each call that changes something."""
        if self._aws is None:
            self._aws = self._in_its_account(self._own_aws)
        return self._aws

    @property
    def _own_aws(self) -> Aws:
        """AWS with the credentials as they are: in their own account."""
        if self._home_aws is None:
            self._home_aws = Aws(OptionsConnection(self.params), self.clock, caller=self)
        return self._home_aws

    def _in_its_account(self, aws: Aws) -> Aws:
        return self._at(aws, account_from(self.params.get("account")), self.params.get("region"))

    def aws_of(self, account: Account | None, region: str | None) -> Aws:
        """AWS in another account and region, for operations about many hosts."""
        return self._at(self.aws, account, region)

    def aws_from_home(self, account: Account | None, region: str) -> Aws:
        """The same for what is not the host's: without an account it is in that of the credentials."""
        return self._at(self._own_aws, account, region)

    def _at(self, aws: Aws, account: Account | None, region: str | None) -> Aws:
        """CloudTrail shows the run as the name of the session."""
        return aws.at(account, region, f"patchfleet-{self.run_id}" if self.run_id else SESSION_NAME)

    @property
    def channel(self) -> HostChannel:
        """How Windows in the host is reached; only for operations with open_channel."""
        if self._channel is None:
            raise RuntimeError("This operation has no host.")
        return self._channel

    @channel.setter
    def channel(self, channel: HostChannel) -> None:
        self._channel = channel

    @property
    def ledger(self) -> Ledger:
        """The ledger of the options."""
        if self._ledger is None:
            self._ledger = open_ledger(self.params.get("ledger"), self.params, self.clock)
        return self._ledger

    def command(self, playbook: str, variables: Mapping[str, object] | None = None) -> str:
        """A command about the runs of this ledger, for a sentence."""
        return in_text(playbook_command(playbook, self.params.get("ledger"), variables))

    def existing_ledger(self) -> Ledger:
        """The ledger of the options, for operations that only read it and so must not make a new one.

        Raises:
            Failed: ``no_run`` where the ledger's file does not exist.
        """
        if self._ledger is None:
            refuse_missing_ledger(self.params.get("ledger"))
        return self.ledger

    @property
    def required_run_id(self) -> str:
        """The run of an operation whose module requires ``run_id``.

        Raises:
            InvalidOption: it is empty.
        """
        return _required("run_id", self.run_id)

    @property
    def required_host_key(self) -> str:
        """The host of an operation whose module requires ``host``.

        Raises:
            InvalidOption: it is empty.
        """
        return _required("host", self.host_key)

    @property
    def tracked_host(self) -> tuple[str, str] | None:
        """(run id, host key) of an operation that belongs to a host of a run, and so is recorded there; in check mode none is."""
        return (self.run_id, self.host_key) if self.run_id and self.host_key and not self.check_mode else None

    @property
    def host(self) -> Host:
        """The host of the run to which this operation belongs, as it was when the operation started."""
        if self._host is None:
            run_id, key = self.run_id or "", self.host_key or ""
            restoring = self.phase == Phase.RESTORE
            self._host = lenient.host_of(self.ledger, run_id, key) if restoring else self.ledger.host(run_id, key)
        return self._host

    @property
    def facts(self) -> HostFacts:
        """What is known of the host: what the ledger knew when the operation began, and what the operation has found since."""
        stored = self.host.facts if self.run_id and self.host_key else HostFacts()
        known: HostFacts = {**stored, **self._updated_facts}
        return cast("HostFacts", {name: value for name, value in known.items() if value is not None})

    @property
    def install_timeout_seconds(self) -> int:
        """How long one installation may take: as the user says, else by the host's own history, else DEFAULT_INSTALL_SECONDS."""
        given = self.params.get("install_timeout_seconds")
        return given or self.facts.get("install_timeout_seconds") or DEFAULT_INSTALL_SECONDS

    def update_facts(self, **facts: Unpack[HostFacts]) -> None:
        """Remember facts about the host, and write them into the run, where there is one."""
        self._updated_facts.update(facts)
        facts, self._noted = {**self._noted, **facts}, HostFacts()
        if self.tracked_host and facts:
            self.ledger.update_facts(*self.tracked_host, facts, fence=self.fence)

    def note_facts(self, **facts: Unpack[HostFacts]) -> None:
        """The same for what was only seen: it is written with the next facts, before the next change, or when the phase ends. What
        is done on the host, or in doubt there, is written at once.
        """
        self._updated_facts.update(facts)
        self._noted.update(facts)

    def write_noted(self, name: str | None = None) -> None:
        """Write what note_facts has; with a name only where that fact is not written yet."""
        if self._noted and (name is None or name in self._noted):
            self.update_facts()

    @property
    def row(self) -> Host | None:
        """The host's row in the run, with the facts that the operation has found since it began: no other process writes some. None
        where the row has to be read, as a damaged one.
        """
        if self._row is None:
            return None
        facts = {name: value for name, value in {**self._row.facts, **self._updated_facts}.items() if value is not None}
        return replace(self._row, facts=cast("HostFacts", facts))

    def update_facts_in(self, host: Host, facts: HostFacts) -> None:
        """Write facts of the host into this run or into one that had it before, even if another run has it now."""
        self.ledger.update_facts(host.run_id, host.key, facts)
        if (host.run_id, host.key) == self.tracked_host:
            self._updated_facts.update(facts)

    def recent_run(self) -> Run:
        """The run of the operation, as it was RUN_AGE_SECONDS ago at most: of what holds until it is closed, and of its heartbeat.

        Raises:
            UnknownRun: the ledger does not have it.
        """
        asked_at, question = self.clock.now(), Question(Subject.RUN, None, "", self.required_run_id, RUN_AGE_SECONDS)
        answer = self.poller.ask(question) if self.poller and self.tracked_host else None
        if answer is None or answer.row is None or not answer.is_between(asked_at - RUN_AGE_SECONDS, self.clock.now()):
            return self.ledger.run(self.required_run_id)
        return Run(**answer.row)

    def add_work(self, seconds: float | None) -> None:
        """Remember how long a command of ours ran that has just ended (None: not known), until the phase ends."""
        self._work.add(seconds, self.clock.now())

    def update_facts_and_work(self, **facts: Unpack[HostFacts]) -> None:
        """The same before a long command, with the time of the commands that have ended: a kill would lose it."""
        if self.tracked_host and self._work.is_pending:
            facts.update(self._work.take(self.facts))
        self.update_facts(**facts)

    def _take_work(self) -> HostFacts:
        """The time of commands that is not written yet. Most phases ran none, and then the row is not read."""
        if self.tracked_host and self._work.is_pending:
            with suppress(NotRecorded):
                return self._work.take(self.facts)
        return HostFacts()

    def deadline(self, seconds: float) -> float:
        """The clock's time after this number of seconds, or the host's deadline if that is earlier."""
        own = self.clock.now() + seconds
        if not self.tracked_host or self.phase == Phase.RESTORE:
            return own
        return min(own, self.facts.get("deadline_at") or own)

    def enter(self, phase: Phase) -> None:
        """Enter the next phase of an operation that has several; does nothing within the same phase."""
        if phase == self.phase:
            return
        self.leave(ok=True)
        if self.tracked_host:
            now = self.clock.now()
            started = self.ledger.begin_phase(*self.tracked_host, phase, now, fence=self.fence)
            host = started.host if started else None
            self.lease.accept(started.fence if started else None)
            self._row = None if host is None or host.unreadable else host
            if self._host is None and host is not None:
                self._host = lenient.assume_servicing(host) if phase == Phase.RESTORE else host
        self.phase = phase

    def leave(self, ok: bool) -> None:
        """The present one ends. Another run that has the host, or a lost row, takes no facts.

        Raises:
            LeaseLost: another run took the host over, and what the phase has found is not written.
        """
        if self.tracked_host and self.phase:
            noted, self._noted = self._noted, HostFacts()
            facts: HostFacts = {**noted, **self._take_work()}
            self._updated_facts.update(facts)
            now = self.clock.now()
            written = self.ledger.end_phase(*self.tracked_host, self.phase, now, ok, facts, fence=self.fence)
            if noted and not written:
                raise LeaseLost(self.tracked_host[1])

    def wait(
        self, poll: Callable[[], T | None], deadline: float, first_pause_seconds: float = 5.0, longest: float = 30.0
    ) -> T | None:
        """wait_for that keeps the run's lease alive while it waits. What AWS may answer later (throttling, an outage) is waited for
        until the deadline, too, and in a short wait as long as outside of one.

        Raises:
            LeaseLost: another run took the host over.
            AwsError, NotReached: AWS throttled the last poll, or could not be reached.
        """
        transient: list[AwsError | NotReached] = []

        def poll_with_lease() -> T | None:
            self.lease.renew()
            transient.clear()
            try:
                return poll()
            except (AwsError, NotReached) as error:
                if not error.is_retryable:
                    raise
                transient.append(error)
                return None

        outer, retry_until = self._wait_deadline, max(deadline, self.deadline(RETRY_BUDGET_SECONDS))
        self._wait_deadline = retry_until if outer is None else min(outer, retry_until)
        try:
            result = wait_for(poll_with_lease, self.clock.awake(), deadline, first_pause_seconds, longest)
        finally:
            self._wait_deadline = outer
        if result is None and transient:
            raise transient[0]
        return result

    def wait_until(
        self, condition: Callable[[], bool], deadline: float, first_pause_seconds: float = 5.0, longest: float = 30.0
    ) -> bool:
        """Wait until something is so; False when it was not at the deadline. See wait."""
        return self.wait(lambda: condition() or None, deadline, first_pause_seconds, longest) is not None

    def pause(self, seconds: float) -> None:
        """Let time pass with the lease kept. See pause_until."""
        self.pause_until(self.clock.now() + seconds)

    def pause_until(self, moment: float) -> None:
        """Let time pass with the lease kept, until this moment of the clock.

        Raises:
            LeaseLost: another run took the host over.
        """
        while (left := moment - self.clock.now()) > 0.0:
            self.lease.renew()
            silence_ends_at = self.clock.now() + min(left, LONGEST_SILENCE_SECONDS)
            while (silence := silence_ends_at - self.clock.now()) > 0.0:
                self.clock.sleep(min(silence, HEARTBEAT_SECONDS))
                self.on_heartbeat()

    def retry_until(self) -> float | None:
        """Until when calls to AWS may be repeated: the deadline of the wait in which they are made."""
        return self._wait_deadline

    def before_attempt(self, account: Account | None, region: str, call: str) -> None:
        """Waits with the lease kept until the API budget has room for a call.

        Raises:
            LeaseLost: another run took the host over meanwhile.
        """
        if self.budget is not None:
            self.pause(self.budget.seconds_until(account, region, call))

    def before_change(self) -> None:
        """See Lease.prove and refuse_after_standstill. What was found before is written first. The controller may stand still in
        that write, so it proves nothing.
        """
        self.end_if_orphaned()
        self.clock.check()
        self.write_noted()
        self.lease.prove()
        self.clock.check()  # the ledger may have answered late
        if self.clock.stood_still_seconds and self.phase in ENDED_BEFORE_A_CHANGE:
            refuse_after_standstill(self)


def _required(option: str, value: str | None) -> str:
    if not value:
        raise InvalidOption(option, value, "The task must have it.")
    return value
