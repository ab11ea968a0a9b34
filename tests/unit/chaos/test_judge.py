# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge of nights would notice: for each of its conditions a product that is broken on purpose in that way."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.ec2 import stop_instance
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import NeedsAttention
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.breaker import keep_brake
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Host, PowerRecord, Run, Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.sqlite import SqliteLedger
from ansible_collections.patchfleet.windows.plugins.module_utils._model.reasons import Reason
from ansible_collections.patchfleet.windows.plugins.module_utils._model.run_settings import Brake
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.run_recovery import STATES
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.channel import Scan
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._power import restore
from ansible_collections.patchfleet.windows.plugins.module_utils._run import admission, closing
from ansible_collections.patchfleet.windows.plugins.module_utils._run import recovery as recover
from ansible_collections.patchfleet.windows.plugins.module_utils._update import install, patch_baseline
from chaos import play as playing
from chaos.controller import Controller
from chaos.drawn import Drawn, Recovery
from chaos.judge import problems
from chaos.night import BACKENDS, Night
from chaos.outside import Killed
from chaos.watch import (
    FALSE,
    KINDS,
    LEFT_ON,
    LOST,
    NOT_ONE,
    NOT_OURS,
    OVERWRITTEN,
    RAISED,
    STARTED,
    UNRECORDED,
)

UPDATE = {"kb": "KB5031361", "severity": "critical", "class": "security", "seconds": 60, "reboot": True}
OFF = {"name": "a", "state": "stopped", "updates": [UPDATE]}
NEVER = {"name": "a", "state": "stopped", "boots": "never"}
TWO_THAT_FAIL: dict[str, Any] = {"hosts": [NEVER, {**NEVER, "name": "b"}]}
LEASE_IS_OVER_SECONDS = 1000.0


def found(folder: Path, *, dies_at: str | None = None, later: str = "restore", **keys: Any) -> set[str]:
    """The kinds of what is found of one run, killed right after its first act of that name, and one that recovers it."""
    variables = keys.pop("variables", {})
    with Night(folder, **{"hosts": [OFF], "account": {"lag_seconds": 0}, **keys}) as night:
        first = Controller(night, dies_after=dies_at)
        try:
            first.patch(**variables)
        except Killed:
            first.at_work = False
        night.sleep(LEASE_IS_OVER_SECONDS)
        second = Controller(night, "second")
        second.patch() if later == "patch" else second.restore()
        kinds = {problem.kind for problem in problems(night, [first, second])}
        assert kinds <= set(KINDS)
        return kinds


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_that_is_in_order_is_found_in_order(tmp_path: Path, backend: str) -> None:
    assert found(tmp_path, backend=backend) == set()


def test_a_start_without_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(self: SqliteLedger, key: str, _run_id: str, at: float, fence: int | None = None) -> None:
        self.close_power(key, "lost", at, fence)

    monkeypatch.setattr(SqliteLedger, "note_start", forget)
    assert found(tmp_path) == {UNRECORDED, LEFT_ON, LOST}


def test_a_record_that_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def overwrite(self: SqliteLedger, record: PowerRecord, fence: int | None = None) -> PowerRecord:
        self.close_power(record.host_key, "lost", record.recorded_at)
        return kept(self, record, fence)

    kept = SqliteLedger.record_power
    monkeypatch.setattr(SqliteLedger, "record_power", overwrite)
    assert {OVERWRITTEN, LEFT_ON} <= found(tmp_path, dies_at="start_instances", later="patch")


def test_a_host_that_ran_and_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(context: OperationContext, record: PowerRecord) -> dict[str, Any]:
        stop_instance(context.aws, record.instance_id)
        context.ledger.close_power(record.host_key, "stopped", context.clock.now())
        return {"changed": True, "state": "stopped", "note": None}

    monkeypatch.setattr(restore, "_put_back", stop)
    assert found(tmp_path, hosts=[{"name": "a"}]) == {LOST, NOT_OURS}


def test_a_record_that_says_something_else_than_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Still open at the end, since it cannot be put back."""
    monkeypatch.setattr(admission, "OFF_STATES", frozenset())
    monkeypatch.setitem(STATES, "open_hosts", lambda _context: {"hosts": []})
    assert LOST in found(tmp_path, dies_at="record_power")


def test_a_host_that_is_left_on_and_not_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restore, "_request", lambda *_: True)
    monkeypatch.setattr(restore, "_wait_for_state", lambda *_: {"State": {"Name": "stopped"}})
    assert found(tmp_path) == {LEFT_ON, LOST}


def test_a_host_that_is_left_on_and_named_is_lawful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise NeedsAttention("A policy forbids it.", Reason.ACCESS_DENIED)

    monkeypatch.setattr(restore, "_request", refuse)
    assert found(tmp_path) == set()


@pytest.mark.parametrize(("check", "do"), [("_refuse_restarted", "restart"), ("_refuse_owned", "join_asg")])
def test_a_stop_of_what_has_become_another_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: str, do: str
) -> None:
    events = [{"when": "a online", "host": "a", "do": do}]
    assert found(tmp_path / "sound", events=events) == set()
    monkeypatch.setattr(restore, check, lambda *_: None)
    assert found(tmp_path / "broken", events=events) == {NOT_OURS}


def test_a_verdict_without_a_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"hosts": [{**OFF, "updates": [{**UPDATE, "result": "vanishes"}]}]}
    assert found(tmp_path / "sound", **keys) == set()
    monkeypatch.setattr(install, "_search", lambda context, *_: Scan((), (), 0, context.clock.now()))
    assert found(tmp_path / "broken", **keys) == {FALSE}


def test_a_verdict_before_the_reboot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patch_baseline, "install_pass", lambda *_, **_more: None)
    monkeypatch.setattr(install, "_search", lambda context, *_: Scan((), (), 0, context.clock.now()))
    assert FALSE in found(tmp_path, hosts=[{"name": "a", "pending_reboot": True}])


def test_a_run_that_is_closed_without_outcomes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recover, "set_interrupted_outcomes", lambda *_: None)
    assert found(tmp_path, dies_at="start_instances") == {NOT_ONE}


def test_a_run_that_is_not_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SqliteLedger, "close_run", lambda *_: None)
    assert found(tmp_path) == {NOT_ONE}


def test_a_host_of_the_plan_that_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = SqliteLedger.hosts
    monkeypatch.setattr(SqliteLedger, "hosts", lambda self, run_id: hosts(self, run_id)[1:])
    assert NOT_ONE in found(tmp_path)


def use_instead(
    monkeypatch: pytest.MonkeyPatch, check: str, other: Callable[[OperationContext, Run, Host], None]
) -> None:
    """Replace one check of the admission."""
    checks = {one.__name__: one for one in admission.ADMISSION_CHECKS}
    assert check in checks
    monkeypatch.setattr(admission, "ADMISSION_CHECKS", tuple({**checks, check: other}.values()))


@pytest.mark.parametrize(
    ("check", "keys"),
    [
        ("_check_breaker", {**TWO_THAT_FAIL, "variables": {"patch_failure_budget": 0}}),
        ("_check_deadline", {"variables": {"patch_deadline": "2026-11-14T22:30:00+00:00"}}),
    ],
)
def test_a_host_that_starts_too_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: str, keys: dict[str, Any]
) -> None:
    assert found(tmp_path / "sound", **keys) == set()
    use_instead(monkeypatch, check, lambda *_: None)
    assert found(tmp_path / "broken", **keys) == {STARTED}


def test_a_breaker_that_does_not_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "_open_breaker", lambda *_: None)
    assert found(tmp_path, **TWO_THAT_FAIL, variables={"patch_failure_budget": 0}) == {STARTED}


def test_a_host_that_starts_behind_an_open_breaker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_it(context: OperationContext, run: Run, _host: Host) -> None:
        brake = Brake(kind="failures", at=context.clock.now(), by=None, machine=None, reason="the test opened it")
        keep_brake(context.ledger, run.run_id, brake, brake["reason"])

    use_instead(monkeypatch, "_check_breaker", open_it)
    assert found(tmp_path, hosts=[OFF, {**OFF, "name": "b"}]) == {STARTED}


def test_a_host_that_does_not_wait_for_the_canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(self: SqliteLedger, run_id: str, key: str, verdict: Verdict, overwrite: bool = False, **_: bool) -> bool:
        return self.host(run_id, key).name != "a" and message(self, run_id, key, verdict, overwrite)

    message = SqliteLedger.set_outcome
    monkeypatch.setattr(SqliteLedger, "set_outcome", forget)
    monkeypatch.setattr(admission, "_wait_for_canaries", lambda *_: None)
    assert STARTED in found(tmp_path, hosts=[OFF, {**OFF, "name": "b"}], variables={"patch_canary": 1})


def test_a_host_that_is_called_deferred_and_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deferred(
        self: SqliteLedger, run_id: str, key: str, verdict: Verdict, overwrite: bool = False, **_: bool
    ) -> bool:
        return message(self, run_id, key, dataclasses.replace(verdict, outcome="deferred"), overwrite)

    message = SqliteLedger.set_outcome
    monkeypatch.setattr(SqliteLedger, "set_outcome", deferred)
    assert found(tmp_path) == {STARTED}


def test_a_night_on_which_something_else_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "set_interrupted_outcomes", lambda *_: 1 / 0)
    ended = playing.play("1")
    assert [problem.kind for problem in ended.problems] == [RAISED]


def test_a_quiet_night_after_which_a_host_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise NeedsAttention("It is not allowed.", Reason.ACCESS_DENIED)

    quiet = Drawn({"hosts": [OFF]}, [Recovery(1000.0, "restore")])
    monkeypatch.setattr(playing, "draw", lambda _seed: quiet)
    assert playing.play("1").problems == []
    monkeypatch.setattr(restore, "_request", refuse)
    assert [problem.kind for problem in playing.play("1").problems] == [LEFT_ON]
