# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible.windows's own action in a host, while the lease and the time are looked after."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible import constants
from ansible.errors import AnsibleAuthenticationFailure, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.loader import action_loader

from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import SystemClock
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import NeedsAttention, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_baseline import OPERATION as INSTALL
from ansible_collections.patchfleet.windows.plugins.plugin_utils._call_with_lease import WatchedCall
from ansible_collections.patchfleet.windows.plugins.plugin_utils._host_connection import (
    CANNOT_BECOME_SYSTEM,
    POWERSHELL,
    REBOOT,
    UPDATES,
    AnsibleConnection,
)

from .fakes import ID
from .stage import RUN, Stage, a_host, a_run

QUICK = 1000.0  # seconds in a real one: the lease is renewed each 0.06 s; a stall of 0.9 s would be a standstill
EXIT = {
    "task": "exit",
    "result": {"changed": True, "failed": False, "reboot_required": False, "msg": None, "exception": None},
}


class Host(Stage):
    """A host that does what ``while_polled`` does before it answers; ``asked`` is what reached it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.clock = SystemClock(QUICK)  # type: ignore[assignment]
        self.while_polled: Callable[[], None] = lambda: None
        self.asked: list[str] = []
        self.answers: list[Any] = []

    def connection(self, run_id: str = RUN, log_on: Callable[[], None] | None = None) -> AnsibleConnection:
        context = self.context(INSTALL, run_id=run_id, host=ID)
        loader = SimpleNamespace(get=self._plugin)
        names = ("_play_context", "_loader", "_templar")
        task = SimpleNamespace(async_val=0, check_mode=False, action=UPDATES, diff=False, no_log=False)
        task.copy = lambda: task
        link = SimpleNamespace(_shell=SimpleNamespace(tmpdir="unused"), transport="winrm")
        link.reset = lambda: self.asked.append("reset")
        link.close = lambda: self.asked.append("close")
        link.get_option = lambda _name: "patcher"
        link._connect = log_on  # noqa: SLF001 - of ConnectionBase
        link.become = "the user's own"
        link.set_become_plugin = lambda become: setattr(link, "become", become)
        self.link = link
        action = SimpleNamespace(
            _task=task,
            _connection=link,
            _execute_module=self._script,
            _shared_loader_obj=SimpleNamespace(action_loader=loader),
            **dict.fromkeys(names),
        )
        return AnsibleConnection(action, {}, context)

    def _plugin(self, name: str, **parts: Any) -> Any:
        plugin = action_loader.get(name, **parts)
        plugin._execute_module = self._module  # noqa: SLF001 - what action plugins run modules with
        return plugin

    def _module(self, *, module_args: dict[str, Any], **_more: Any) -> dict[str, Any]:
        assert self.link.become is None  # with another token, win_updates works in the session and ends with it
        operation = module_args["_operation"]
        self.asked.append(operation)
        if operation == "poll":
            self.while_polled()
            return {"output": [EXIT]}
        return {"poll_options": {}, "cancel_options": {}}

    def _script(self, *, module_name: str, **_more: Any) -> dict[str, Any]:
        assert module_name == POWERSHELL
        become = self.link.become
        user = become if isinstance(become, str) else become.get_option("become_user")
        self.asked.append(user)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def search(self, seconds: float = 7200) -> dict[str, Any]:
        return self.connection().win_updates({"state": "searched"}, seconds)

    def heard_at(self) -> float:
        return self.ledger.run(RUN).heartbeat_at


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))  # of one ansible-playbook and its forks
    action_loader.get(UPDATES, class_only=True)  # its first import would take an hour of this clock
    host = Host(tmp_path)
    host.open_run()
    yield host
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def for_ever() -> None:
    while True:
        signal.pause()


def take_over(host: Host) -> None:
    """As another process does, which the timer of this one does not interrupt."""
    other = a_run("20261114T230000Z-0002", host.clock.now())
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    host.ledger.open_run(other, [a_host(run_id=other.run_id)], take_over=True)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})


def test_the_lease_is_renewed_while_windows_says_nothing(host: Host) -> None:
    heard = []

    def until_renewed_twice() -> None:
        while len(set(heard)) < 3:
            heard.append(host.heard_at())

    host.while_polled = until_renewed_twice
    assert host.search()["changed"] is True
    assert host.asked == ["start", "poll", "cancel"]
    assert heard == sorted(heard)


def test_a_host_that_another_run_took_over_is_not_touched_any_more(host: Host) -> None:
    def taken_over() -> None:
        take_over(host)
        for_ever()

    host.while_polled = taken_over
    with pytest.raises(NeedsAttention) as caught:
        host.search()
    assert (caught.value.code, host.asked) == ("lease_lost", ["start", "poll"])


def test_one_that_was_taken_over_between_two_questions_is_not_touched_either(host: Host) -> None:
    host.while_polled = lambda: take_over(host)
    with pytest.raises(NeedsAttention):
        host.search()
    assert host.asked == ["start", "poll"]


def test_a_reboot_waits_as_long_as_it_may(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def reboot(_task: Any, _connection: Any, **options: Any) -> dict[str, Any]:
        asked.update(options)
        return {"failed": False, "rebooted": True, "elapsed": 1, "unreachable": False}

    plugin = action_loader.get(REBOOT, class_only=True)
    monkeypatch.setitem(plugin.run.__globals__, "reboot_host", reboot)
    assert host.connection().reboot(60_000)["rebooted"] is True
    assert asked["reboot_timeout"] == 60_000 / QUICK + 1


def test_what_takes_too_long_is_left_and_not_cancelled(host: Host) -> None:
    host.while_polled = for_ever
    with pytest.raises(PatchFleetError, match="not answered after 300 s") as caught:
        host.search(300)
    assert (caught.value.code, host.asked) == ("command_timeout", ["start", "poll", "close"])


def test_a_call_ends_though_its_library_swallows_the_end(host: Host) -> None:
    """With a timer that is set once this test never ends."""

    def swallow_once() -> None:
        with contextlib.suppress(BaseException):  # as a bare except in a library does
            take_over(host)
            for_ever()
        for_ever()

    host.while_polled = swallow_once
    with pytest.raises(NeedsAttention) as caught:
        host.search()
    assert caught.value.code == "lease_lost"


def test_the_lease_is_renewed_after_an_error_that_a_library_swallows(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    heartbeat = host.ledger.heartbeat
    errors: list[OSError] = []

    def fail_once(run_id: str, now: float) -> None:
        if errors:
            raise errors.pop()
        heartbeat(run_id, now)

    def swallow() -> None:
        errors.append(OSError("disk I/O error"))
        with contextlib.suppress(OSError):
            for_ever()
        heard = host.heard_at()
        while host.heard_at() == heard:
            pass

    host.while_polled = swallow
    monkeypatch.setattr(host.ledger, "heartbeat", fail_once)
    assert host.search()["changed"] is True
    assert errors == []


def test_a_connection_that_was_lost_is_opened_again(host: Host) -> None:
    """What Ansible has opened on a host is gone when that comes back from a loss of power: each later call would fail."""

    def lost() -> None:
        raise AnsibleConnectionFailure("reset by peer")

    host.while_polled = lost
    with pytest.raises(PatchFleetError, match="reset by peer") as caught:
        host.search()
    assert (caught.value.code, host.asked[-1]) == ("unreachable", "close")


def test_the_timer_does_not_interrupt_what_uses_the_ledger(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused log-on is counted within the call; SQLite starts no transaction within another."""
    within: list[bool] = []
    heartbeat = host.ledger.heartbeat
    using = False

    def renew(run_id: str, now: float) -> None:
        within.append(using)
        heartbeat(run_id, now)

    def use_ledger(call: WatchedCall) -> dict[str, Any]:
        nonlocal using
        for using in (True, False):
            with call.using_ledger() if using else contextlib.nullcontext():
                ends_at = host.clock.now() + 600  # ten renewals
                while host.clock.now() < ends_at:
                    pass
        return {}

    monkeypatch.setattr(host.ledger, "heartbeat", renew)
    connection = host.connection()
    connection._watched(6000, use_ledger)  # noqa: SLF001 - around any call
    assert within
    assert not any(within)


def test_another_users_alarm_is_set_again(host: Host) -> None:
    theirs = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 1000)
        host.search()
        assert signal.getsignal(signal.SIGALRM) is signal.default_int_handler
        assert 0 < signal.setitimer(signal.ITIMER_REAL, 0)[0] <= 1000
    finally:
        signal.signal(signal.SIGALRM, theirs)


def test_a_script_runs_as_system_and_the_users_own_become_stays(host: Host) -> None:
    host.answers = [{"output": ["{}"]}]
    assert host.connection().run_script("exit 0", 60) == "{}"
    assert host.asked == ["SYSTEM"]
    assert host.link.become == "the user's own"


def test_an_account_that_may_not_become_system_runs_scripts_as_itself(host: Host) -> None:
    refusal = {"failed": True, "msg": f"Unhandled exception: {CANNOT_BECOME_SYSTEM} required for become"}
    host.answers = [refusal, {"output": ["{}"]}, {"output": ["{}"]}]
    connection = host.connection()
    assert [connection.run_script("exit 0", 60) for _each in range(2)] == ["{}", "{}"]
    assert host.asked == ["SYSTEM", "the user's own", "the user's own"]


def test_a_script_that_fails_is_not_run_twice(host: Host) -> None:
    host.answers = [{"failed": True, "msg": "out of memory"}]
    with pytest.raises(PatchFleetError) as caught:
        host.connection().run_script("exit 0", 60)
    assert (caught.value.code, host.asked) == ("script_failed", ["SYSTEM"])


@pytest.mark.parametrize("transport", ["winrm", "psrp", "ssh"])
def test_a_lost_connection_is_closed_and_only_the_shared_one_of_ssh_is_reset(host: Host, transport: str) -> None:
    """A reset of the others logs on again."""
    connection = host.connection()
    host.link.transport = transport
    host.answers = [AnsibleConnectionFailure("reset by peer")]
    with pytest.raises(PatchFleetError):
        connection.run_script("exit 0", 60)
    assert host.asked == ["SYSTEM", "reset" if transport == "ssh" else "close"]


def test_a_connection_that_cannot_be_closed_on_the_host_is_forgotten_all_the_same(host: Host) -> None:
    """winrm keeps its protocol as long as it has a shell, and psrp a pool that was never opened."""
    connection = host.connection()
    closed: list[str] = []
    host.link.shell_id = "of before"

    def close() -> None:
        closed.append("close")
        if host.link.shell_id:
            raise OSError("no route to host")

    host.link.close = close
    host.answers = [AnsibleConnectionFailure("reset by peer")]
    with pytest.raises(PatchFleetError, match="reset by peer"):
        connection.run_script("exit 0", 60)
    assert closed == ["close", "close"]


@pytest.mark.parametrize("error", [ValueError("invalid literal for int()"), KeyError("Signature")], ids=repr)
def test_whatever_a_connection_plugin_raises_is_a_lost_connection(host: Host, error: Exception) -> None:
    host.answers = [error]
    with pytest.raises(PatchFleetError, match=type(error).__name__) as caught:
        host.connection().run_script("exit 0", 60)
    assert caught.value.code == "unreachable"


def test_settings_that_ansible_refuses_are_named_as_such(host: Host) -> None:
    host.answers = [AnsibleError("Become plugin sudo is not supported by the Windows exec wrapper")]
    with pytest.raises(PatchFleetError, match="Become plugin sudo") as caught:
        host.connection().run_script("exit 0", 60)
    assert caught.value.code == "connection_settings"


@pytest.mark.parametrize(
    "error",
    [
        AnsibleConnectionFailure("ntlm: the specified credentials were rejected by the server"),
        AnsibleConnectionFailure("Failed to authenticate the user patcher with ntlm"),
        AnsibleConnectionFailure("UNREACHABLE: patcher@host: Permission denied (publickey,password)."),
        AnsibleAuthenticationFailure("Invalid/incorrect password"),
    ],
    ids=str,
)
def test_after_two_refused_log_ons_no_host_of_the_run_tries_the_account_again(host: Host, error: Exception) -> None:
    connection = host.connection()
    host.answers = [error, error]
    codes = []
    for _attempt in range(3):
        with pytest.raises(PatchFleetError) as caught:
            connection.run_script("exit 0", 60)
        codes.append(caught.value.code)
    assert codes == ["unreachable", "login_refused", "login_refused"]
    assert host.asked.count("SYSTEM") == 2
    with pytest.raises(PatchFleetError, match="patcher was refused twice") as other:
        host.connection().run_script("exit 0", 60)  # as another operation, or another host, with that account
    assert (other.value.code, host.asked.count("SYSTEM")) == ("login_refused", 2)


def test_a_host_that_the_run_reaches_later_does_not_try_a_refused_account(host: Host) -> None:
    """The other hosts' rows are read at its first contact only: each operation of a large run would read them all."""
    other = f"{ID[:-1]}1"
    refused = {"login_account": "patcher", "login_refusals": 2}
    run = a_run("20261114T230000Z-0003", host.clock.now())
    rows = [a_host(run_id=run.run_id), a_host(other, run_id=run.run_id)]
    host.ledger.open_run(run, rows, take_over=True)
    host.ledger.update_facts(run.run_id, other, refused)
    later = host.connection(run.run_id)
    host.answers = [{"output": ["{}"]}]
    later._context.phase = Phase.PATCH  # noqa: SLF001 - as the operation enters it
    assert later.run_script("exit 0", 60) == "{}"
    first = host.connection(run.run_id)
    first._context.phase = Phase.READY  # noqa: SLF001
    with pytest.raises(PatchFleetError, match="no log-on was tried on this host") as caught:
        first.run_script("exit 0", 60)
    assert (caught.value.code, host.asked) == ("login_refused", ["SYSTEM"])


def test_the_loop_of_a_reboot_ends_with_the_second_refused_log_on(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """win_reboot asks until the host answers, whatever the reason is that it does not."""
    tried = []

    def log_on() -> None:
        tried.append("log on")
        raise AnsibleConnectionFailure("ntlm: the specified credentials were rejected by the server")

    def reboot(_task: Any, connection: Any, **_options: Any) -> dict[str, Any]:
        while True:
            with contextlib.suppress(Exception):
                connection._connect()  # noqa: SLF001 - as ConnectionBase does before a command

    plugin = action_loader.get(REBOOT, class_only=True)
    monkeypatch.setitem(plugin.run.__globals__, "reboot_host", reboot)
    with pytest.raises(PatchFleetError, match="credentials were rejected") as caught:
        host.connection(log_on=log_on).reboot(600)
    assert (caught.value.code, tried) == ("login_refused", ["log on"] * 2)


@pytest.mark.parametrize("output", [17, "text", {"a": 1}], ids=repr)
def test_an_answer_without_lines_is_none(host: Host, output: Any) -> None:
    host.answers = [{"output": output}]
    with pytest.raises(PatchFleetError) as caught:
        host.connection().run_script("exit 0", 60)
    assert caught.value.code == "script_failed"


def test_words_of_a_host_are_one_visible_line(host: Host) -> None:
    host.answers = [{"failed": True, "error": 17, "msg": "no\x1b[2J\nTASK [forged]"}]
    with pytest.raises(PatchFleetError) as caught:
        host.connection().run_script("exit 0", 60)
    assert caught.value.reason.isprintable()
