# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each log-on of a host's connection goes through here, also those in the loops of ansible.windows.

The hosts of a batch start at the same moment, mostly with one account. One of them logs on alone, and the others wait until the
account was accepted: with a wrong password no more than two log-ons of a run are refused, before a domain locks the account.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleAuthenticationFailure, AnsibleError

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import LoginRefused
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.logins import (
    REFUSALS_UNTIL_LOCKED,
    count_refusal,
)
from ansible_collections.patchfleet.windows.plugins.plugin_utils._call_with_lease import WatchedCall

AUTHENTICATION = {
    "winrm.exceptions": ("AuthenticationError", "InvalidCredentialsError"),
    "pypsrp.exceptions": ("AuthenticationError",),
}


def errors_of_libraries(names: Mapping[str, tuple[str, ...]]) -> Iterator[type[Exception]]:
    """Those of the libraries that are installed; ``names`` has the names of errors by modules."""
    for name, errors in names.items():
        with contextlib.suppress(ImportError):  # no host is reached by it
            module = importlib.import_module(name)
            yield from (getattr(module, error) for error in errors)


REFUSED: tuple[type[Exception], ...] = (AnsibleAuthenticationFailure, *errors_of_libraries(AUTHENTICATION))
REFUSED_WORDS = re.compile(
    r"credentials were rejected|failed to authenticate|permission denied \(|authenticate the user .* with (ntlm|kerberos|basic)",
    re.IGNORECASE,
)
"""How connection plugins say that the host took no log-on (winrm.py and psrp.py of ansible-core, OpenSSH's ssh)."""

ACCEPTED_SECONDS = 300.0
"""How long an accepted log-on lets the others log on at the same time; then one of them tries alone again.

A refused one ends that at once. A shorter time would let hosts wait for one that does not answer.
"""
REFRESH_SECONDS = 60.0
"""After which an accepted log-on is noted again: the file has few lines."""
POLL_SECONDS = 1.0
NOT_TRIED = "no log-on was tried on this host."
SSH_LOG_ON = "exit"
"""A command for cmd.exe and PowerShell that does nothing: ssh logs on with a command only."""


def is_refusal(error: Exception) -> bool:
    return isinstance(error, REFUSED) or bool(REFUSED_WORDS.search(str(error)))


class Account:
    """What the forks of one ansible-playbook know of an account in a run. They share a file of lines, and a lock on another one."""

    def __init__(self, run_id: str | None, name: str) -> None:
        key = hashlib.sha256(f"{run_id}\n{name}".encode()).hexdigest()[:20]
        self.name = name
        self._file = Path(constants.DEFAULT_LOCAL_TMP) / f"patchfleet-log-ons-{key}"

    @property
    def refusals(self) -> int:
        return sum(word == "refused" for word, _moment in self._lines())

    def was_accepted(self, since: float) -> bool:
        """Whether its last log-on was accepted, and after this moment."""
        lines = self._lines()
        return bool(lines) and lines[-1][0] == "accepted" and lines[-1][1] > since

    def refresh(self, now: float) -> None:
        """Note one more accepted log-on, unless another host was refused meanwhile."""
        lines = self._lines()
        if lines and lines[-1][0] == "accepted" and now - lines[-1][1] >= REFRESH_SECONDS:
            self.note("accepted", now)

    def note(self, word: str, now: float) -> None:
        """``accepted`` or ``refused``. A short line that is appended is written as a whole."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{word} {now}\n")

    def _lines(self) -> list[tuple[str, float]]:
        if not self._file.exists():
            return []
        lines = (line.split() for line in self._file.read_text(encoding="utf-8").splitlines())
        return [(word, float(moment)) for word, moment in lines]

    @contextlib.contextmanager
    def alone(self, wait: Callable[[], None]) -> Iterator[None]:
        """Only one fork at a time is inside; the others ``wait``. The end of a fork releases the lock."""
        with self._file.with_suffix(".lock").open("w", encoding="utf-8") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    wait()
            yield


class _Guarded:
    """A method of a connection plugin, called through its guard."""

    def __init__(self, original: Callable[..., Any], guarded: Callable[[partial[Any]], Any]) -> None:
        self.original = original
        self._guarded = guarded

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._guarded(partial(self.original, *args, **kwargs))


def _wrap(owner: Any, name: str, guarded: Callable[[partial[Any]], Any]) -> None:
    """A task in a loop has a guard for each item, and one connection."""
    method = getattr(owner, name, None)
    if method is not None:
        original = method.original if isinstance(method, _Guarded) else method
        setattr(owner, name, _Guarded(original, guarded))


class LogOnGuard:
    """Wraps the methods of a connection plugin that may log on.

    winrm and psrp log on in ``_connect``, and again with any message for which their library had to open a new connection; ssh
    with each command that finds no shared master.
    """

    def __init__(self, connection: Any, context: OperationContext) -> None:
        self._connection = connection
        self._context = context
        self._call: WatchedCall | None = None
        self._counted: Exception | None = None
        self._total = 0
        self._lost_at = -math.inf
        self._refusal: Exception | None = None
        self._own: Account | None = None
        if getattr(connection, "transport", "") == "ssh":
            _wrap(connection, "exec_command", self._exec_by_ssh)
        else:
            _wrap(connection, "_connect", self._connect)
            _wrap(connection, "exec_command", self._exec)
            _wrap(connection, "close", self._close)

    @property
    def account(self) -> Account:
        """Its name is the user of the connection, or empty where the connection has no option of that name."""
        if self._own is None:
            name = ""
            with contextlib.suppress(AttributeError, KeyError, AnsibleError):
                name = str(self._connection.get_option("remote_user") or "")
            self._own = Account(self._context.run_id, name)
        return self._own

    @contextlib.contextmanager
    def during(self, call: WatchedCall) -> Iterator[None]:
        """Within it a second refused log-on ends the call, whatever its library makes of errors."""
        self._call, self._counted = call, None
        try:
            yield
        finally:
            self._call = None

    def refuse_locked(self) -> None:
        """Before anything that may log on.

        Raises:
            LoginRefused: hosts of this run have refused the account too often.
        """
        if self.account.refusals >= REFUSALS_UNTIL_LOCKED:
            self._end(LoginRefused(self.account.name, NOT_TRIED))

    def count(self, words: str) -> int:
        """A call ended with a refused log-on; returns the refusals of the run, of which each is counted once."""
        return self._total if self._counted is not None else self._count(AnsibleAuthenticationFailure(words))

    @property
    def _now(self) -> float:
        return self._context.clock.now()

    def _end(self, error: LoginRefused) -> None:
        if self._call is None:
            raise error
        self._call.end(error)

    def _connect(self, log_on: partial[Any]) -> Any:
        if getattr(self._connection, "_connected", False):
            return log_on()
        result = self._log_on(log_on)
        _wrap(getattr(self._connection, "protocol", None), "send_message", self._send)  # pywinrm
        pool = getattr(self._connection, "runspace", None)
        _wrap(getattr(getattr(pool, "connection", None), "transport", None), "send", self._send)  # pypsrp
        return result

    def _send(self, send: partial[Any]) -> Any:
        """What a connection still sends after a refusal, such as the end of a command, would be one more."""
        self.refuse_locked()
        if self._refusal is not None:
            raise self._refusal
        return self._noting_refusal(send)

    def _exec_by_ssh(self, execute: partial[Any]) -> Any:
        """The log-on is a command of its own, so that no other host waits for the end of a long one."""
        if not self._is_accepted():
            self._log_on(partial(execute.func, SSH_LOG_ON, sudoable=False))
        return self._exec(execute)

    def _exec(self, execute: partial[Any]) -> Any:
        self.refuse_locked()
        return self._checked(execute)

    def _is_accepted(self) -> bool:
        """An account may have been changed since this connection was lost."""
        return self.account.was_accepted(max(self._now - ACCEPTED_SECONDS, self._lost_at))

    def _log_on(self, log_on: partial[Any]) -> Any:
        result = self._log_on_in_turn(log_on)
        self._lost_at, self._refusal = -math.inf, None
        return result

    def _log_on_in_turn(self, log_on: partial[Any]) -> Any:
        self.refuse_locked()
        if not self._is_accepted():
            with self.account.alone(self._wait):
                self.refuse_locked()
                if not self._is_accepted():
                    result = self._checked(log_on)
                    self.account.note("accepted", self._now)
                    return result
        result = self._checked(log_on)
        self.account.refresh(self._now)
        return result

    def _wait(self) -> None:
        """The call's time does not count while others log on."""
        started_at = self._now
        self._context.clock.sleep(POLL_SECONDS)
        if self._call:
            self._call.extend(self._now - started_at)

    def _checked(self, work: partial[Any]) -> Any:
        try:
            return self._noting_refusal(work)
        except BaseException:  # also a call that took too long: what it started on the host continues
            self._lost_at = self._now
            raise

    def _noting_refusal(self, work: partial[Any]) -> Any:
        try:
            return work()
        except Exception as error:
            if error is not self._counted and is_refusal(error):
                total = self._count(error)
                if total >= REFUSALS_UNTIL_LOCKED and self._call:
                    self._call.end(LoginRefused(self.account.name, str(error)))
            raise

    def _count(self, error: Exception) -> int:
        self._counted = self._refusal = error
        self.account.note("refused", self._now)
        with self._call.using_ledger() if self._call else contextlib.nullcontext():
            self._total = max(count_refusal(self._context, self.account.name), self.account.refusals)
        return self._total

    def _close(self, close: partial[Any]) -> Any:
        """To close a shell over a connection that is lost would be one more log-on, and would end the script of a call that took
        too long. Windows ends idle shells by itself.
        """
        if self._lost_at > -math.inf or self.account.refusals >= REFUSALS_UNTIL_LOCKED:
            for name in ("shell_id", "runspace"):  # of winrm and of psrp
                if getattr(self._connection, name, None) is not None:
                    setattr(self._connection, name, None)
        return self._checked(close)
