# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that share an account log on one after the other until one was accepted, and two refused log-ons end its use."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible import constants
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import LoginRefused
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_baseline import OPERATION
from ansible_collections.patchfleet.windows.plugins.plugin_utils._log_on_guard import (
    ACCEPTED_SECONDS,
    REFRESH_SECONDS,
    SSH_LOG_ON,
    LogOnGuard,
)

from .fakes import START
from .stage import Stage

WRONG = AnsibleConnectionFailure("ntlm: the specified credentials were rejected by the server")
GONE = AnsibleConnectionFailure("Connection refused")


class Connection:
    """A connection plugin. Each log-on and message pops an answer, an error or None; ``asked`` is what reached the host."""

    def __init__(self, transport: str = "winrm", account: str = "patcher") -> None:
        self.transport = transport
        self.account = account
        self.answers: list[BaseException | None] = []
        self.asked: list[str] = []
        self.shell_id: str | None = None
        self.protocol: Any = None
        self._connected = False

    def get_option(self, _name: str) -> str:
        return self.account

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer

    def _connect(self) -> None:
        if self._connected or self.transport == "ssh":
            return
        self._ask("log on")
        self._connected, self.shell_id = True, "opened"
        self.protocol = SimpleNamespace(send_message=self._ask)

    def exec_command(self, command: str, in_data: bytes | None = None, sudoable: bool = True) -> None:
        self._connect()
        if self.transport == "ssh":
            self._ask(command)
            return
        try:
            self.protocol.send_message(command)
        finally:
            self.protocol.send_message("end")

    def close(self) -> None:
        if self.shell_id:
            self._ask("close")
        self.protocol, self._connected = None, False


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    return Stage(tmp_path)


def guarded(stage: Stage, transport: str = "winrm", account: str = "patcher") -> tuple[Connection, LogOnGuard]:
    """As one host's operation has it."""
    connection = Connection(transport, account)
    return connection, LogOnGuard(connection, stage.context(OPERATION))


def execute(connection: Connection, *errors: BaseException | None) -> str:
    connection.answers = list(errors)
    try:
        connection.exec_command("script")
    except (AnsibleConnectionFailure, LoginRefused) as error:
        return type(error).__name__
    return "ok"


def test_of_many_hosts_with_a_wrong_password_two_are_refused(stage: Stage) -> None:
    hosts = [guarded(stage)[0] for _number in range(20)]
    ends = [execute(host, WRONG) for host in hosts]
    assert ends == ["AnsibleConnectionFailure"] * 2 + ["LoginRefused"] * 18
    assert [host.asked for host in hosts] == [["log on"]] * 2 + [[]] * 18


def test_another_account_may_go_on(stage: Stage) -> None:
    for _number in range(2):
        execute(guarded(stage)[0], WRONG)
    assert execute(guarded(stage, account="other")[0]) == "ok"


def test_a_host_waits_while_another_logs_on_and_does_not_try_once_that_was_refused(stage: Stage) -> None:
    execute(guarded(stage)[0], WRONG)
    _connection, first = guarded(stage)
    waiting, _guard = guarded(stage)
    with contextlib.ExitStack() as log_on:
        log_on.enter_context(first.account.alone(lambda: None))

        def is_refused() -> None:
            first.account.note("refused", stage.clock.now())
            log_on.close()

        stage.clock.at(25.0, is_refused)
        assert execute(waiting) == "LoginRefused"
    assert (waiting.asked, sum(stage.clock.pauses)) == ([], 25.0)


def test_once_the_account_was_accepted_hosts_log_on_at_the_same_time(stage: Stage) -> None:
    accepted, guard = guarded(stage)
    assert execute(accepted) == "ok"
    with guard.account.alone(lambda: None):
        assert execute(guarded(stage)[0]) == "ok"
    assert stage.clock.pauses == []


def test_hosts_that_log_on_one_after_the_other_never_wait_for_one_that_does_not_answer(stage: Stage) -> None:
    _connection, guard = guarded(stage)
    guard.account.note("accepted", stage.clock.now())
    with guard.account.alone(lambda: None):
        for _minutes in range(10):
            stage.clock.jump(ACCEPTED_SECONDS / 2)
            assert execute(guarded(stage)[0]) == "ok"
    assert stage.clock.pauses == []


def test_after_a_refusal_an_accepted_log_on_of_the_same_moment_proves_nothing(stage: Stage) -> None:
    _connection, guard = guarded(stage)
    guard.account.note("accepted", stage.clock.now())
    guard.account.note("refused", stage.clock.now())
    stage.clock.sleep(REFRESH_SECONDS)
    guard.account.refresh(stage.clock.now())
    assert not guard.account.was_accepted(0.0)


@pytest.mark.parametrize("reason", ["long ago", "the connection was lost"])
def test_a_host_does_not_trust_what_was_accepted(stage: Stage, reason: str) -> None:
    connection, guard = guarded(stage)
    execute(connection)
    if reason == "long ago":
        stage.clock.sleep(ACCEPTED_SECONDS)
        connection, _guard = guarded(stage)
    else:
        execute(connection, GONE)
        connection.close()
    with contextlib.ExitStack() as other:
        other.enter_context(guard.account.alone(lambda: None))
        stage.clock.at(stage.clock.now() - START + 10.0, other.close)
        assert execute(connection) == "ok"
    assert stage.clock.pauses[-10:] == [1.0] * 10


def test_a_refused_connection_sends_nothing_more(stage: Stage) -> None:
    """Neither the end of the command nor that of the shell: each would log on again."""
    connection, guard = guarded(stage)
    execute(connection)
    connection.asked.clear()
    assert execute(connection, WRONG) == "AnsibleConnectionFailure"
    connection.close()
    assert (connection.asked, guard.account.refusals) == (["script"], 1)


@pytest.mark.parametrize("error", [GONE, KeyboardInterrupt()], ids=["lost", "cut off"])
def test_a_connection_that_ended_in_a_command_is_not_closed_on_the_host(stage: Stage, error: BaseException) -> None:
    """To end the shell would end the script in it, and mostly log on again."""
    connection, _guard = guarded(stage)
    execute(connection)
    with contextlib.suppress(KeyboardInterrupt):
        execute(connection, error)
    connection.close()
    assert "close" not in connection.asked


def test_a_connection_that_works_is_closed_on_the_host(stage: Stage) -> None:
    connection, _guard = guarded(stage)
    execute(connection)
    connection.close()
    assert connection.asked == ["log on", "script", "end", "close"]


def test_ssh_logs_on_by_a_command_that_does_nothing(stage: Stage) -> None:
    first, _guard = guarded(stage, "ssh")
    assert [execute(first), execute(first)] == ["ok", "ok"]
    assert first.asked == [SSH_LOG_ON, "script", "script"]
    refused = [guarded(stage, "ssh", account="other")[0] for _number in range(3)]
    denied = AnsibleConnectionFailure("other@host: Permission denied (publickey).")
    ends = [execute(host, denied) for host in refused]
    assert (ends[-1], [host.asked for host in refused]) == ("LoginRefused", [[SSH_LOG_ON], [SSH_LOG_ON], []])
