# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever becomes of hosts in whatever order: each admission is right, and each refusal has a reason that holds."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_admission import OPERATION
from operations import perform

from .fakes import instance, reservations
from .stage import RUN, Stage, a_host

HOSTS = 6
ENDS = {
    "patched": Verdict("patched"),
    "compliant": Verdict("compliant"),
    "failed": Verdict("failed", "patch", "still_missing", "KB1 is missing."),
    "lost": Verdict("failed", "verify", "agent_lost", "It has not come back."),
    "held": Verdict("held", "restore", "still_stopping", "It had not stopped."),
}
FAILURES = ("failed", "lost", "held")


class Admissions(RuleBasedStateMachine):
    """The model knows how each admitted host ended, and whether the breaker has ever been found open."""

    @initialize(
        canary=st.integers(0, 2),
        budget=st.integers(0, HOSTS),
        deadline=st.sampled_from([None, 3000.0, 9000.0]),
        until=st.sampled_from([None, 2000.0, 6000.0]),
        expected=st.lists(st.sampled_from([None, 600.0, 4000.0]), min_size=HOSTS, max_size=HOSTS),
    )
    def begin(
        self, canary: int, budget: int, deadline: float | None, until: float | None, expected: list[float | None]
    ) -> None:
        self._folder = tempfile.TemporaryDirectory()
        stage = self._stage = Stage(Path(self._folder.name))
        stage.account.on("describe_instances", _answer)
        start = stage.clock.now()
        self._canary, self._budget = canary, budget
        self._deadline_at = None if deadline is None else start + deadline
        self._until = None if until is None else start + until
        self._expected = [seconds or 2700.0 for seconds in expected]
        hosts = [
            a_host(_key(number), position=number, facts={"expected_seconds": seconds} if seconds else {})
            for number, seconds in enumerate(expected)
        ]
        stage.open_run(
            *hosts,
            canary=canary,
            failure_budget_hosts=budget,
            deadline_at=self._deadline_at,
            begin_until_at=self._until,
            window="Until midnight.",
            host_timeout_seconds=60,
        )
        self._active: set[int] = set()
        self._ended: dict[int, str] = {}  # of those that were admitted
        self._refused: dict[int, str] = {}  # reason codes
        self._was_open = False

    def teardown(self) -> None:
        if hasattr(self, "_folder"):
            self._folder.cleanup()

    @rule(seconds=st.sampled_from([60.0, 1000.0, 2500.0]))
    def time_passes(self, seconds: float) -> None:
        self._stage.clock.sleep(seconds)
        self._stage.ledger.heartbeat(RUN, self._stage.clock.now())  # of another host of the run: its controller lives

    @rule(number=st.integers(0, HOSTS - 1))
    def ask(self, number: int) -> None:
        if number in self._active | self._ended.keys() | self._refused.keys():
            return
        result = perform(OPERATION, self._stage.context(OPERATION, run_id=RUN, host=_key(number)))
        may = self._why_not(number)  # after it: the canaries may have been waited for
        if result["admitted"]:
            assert may is None
            self._active.add(number)
        else:
            assert (result["outcome"], result["reason_code"]) == ("deferred", may)
            self._refused[number] = result["reason_code"]
        self._was_open = self._was_open or self._stage.ledger.run(RUN).breaker is not None

    @rule(data=st.data(), how=st.sampled_from(sorted(ENDS)))
    def end(self, data: st.DataObject, how: str) -> None:
        if not self._active:
            return
        number = data.draw(st.sampled_from(sorted(self._active)))
        self._active.remove(number)
        assert self._stage.ledger.set_outcome(RUN, _key(number), ENDS[how])
        self._ended[number] = how

    @invariant()
    def an_open_breaker_stays_open(self) -> None:
        assert not getattr(self, "_was_open", False) or self._stage.ledger.run(RUN).breaker is not None

    @invariant()
    def only_who_is_admitted_has_a_record(self) -> None:
        if hasattr(self, "_stage"):
            recorded = {record.host_key for record in self._stage.ledger.open_power()}
            assert recorded == {_key(number) for number in self._active | self._ended.keys()}

    def _why_not(self, number: int) -> str | None:
        """The reason code with which the host must be refused at this moment, None if it must be admitted."""
        now = self._stage.clock.now()
        if self._was_open or self._too_many_failed() or self._canaries_forbid(number):
            return "breaker"
        if self._until is not None and now >= self._until:
            return "no_time"
        late = self._deadline_at is not None and now + self._expected[number] > self._deadline_at
        return "no_time" if late else None

    def _too_many_failed(self) -> bool:
        failed = [how for how in self._ended.values() if how in FAILURES]
        return len(failed) > self._budget or ("lost" in failed and self._budget < HOSTS)

    def _canaries_forbid(self, number: int) -> bool:
        canaries = range(self._canary)
        if number in canaries or not canaries:
            return False
        if any(one not in self._ended and one not in self._refused for one in canaries):
            return True
        if any(self._ended.get(one) in FAILURES for one in canaries):
            return True
        return all(self._refused.get(one) for one in canaries) and any(
            self._refused[one] != "no_time" for one in canaries
        )


def _key(number: int) -> str:
    return f"i-{number:017x}"


def _answer(*, InstanceIds: list[str]) -> dict[str, Any]:  # noqa: N803
    return reservations(instance("stopped", InstanceId=InstanceIds[0]))


def test_admissions_in_any_order() -> None:
    rounds = settings(max_examples=60, stateful_step_count=25, deadline=None, database=None, derandomize=True)
    run_state_machine_as_test(Admissions, settings=rounds)
