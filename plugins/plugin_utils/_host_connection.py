# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host's own Ansible connection (winrm, psrp, ssh with PowerShell) as operations use it inside the controller."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.loader import become_loader

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import (
    ConnectionSettings,
    Failed,
    LoginRefused,
    NoAnswer,
    PatchFleetError,
    Unreachable,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._base.text import clean_text
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.logins import (
    REFUSALS_UNTIL_LOCKED,
    refuse_locked_account,
)
from ansible_collections.patchfleet.windows.plugins.plugin_utils._call_with_lease import WatchedCall
from ansible_collections.patchfleet.windows.plugins.plugin_utils._log_on_guard import (
    REFUSED_WORDS,
    LogOnGuard,
    errors_of_libraries,
    is_refusal,
)

# A connection that breaks in the middle comes as what its library raises: requests's errors are OSErrors.
LIBRARIES = {"winrm.exceptions": ("WinRMError", "WinRMTransportError"), "pypsrp.exceptions": ("WinRMError",)}
CONNECTION_LOST: tuple[type[Exception], ...] = (AnsibleConnectionFailure, OSError, *errors_of_libraries(LIBRARIES))

POWERSHELL = "ansible.windows.win_powershell"
UPDATES = "ansible.windows.win_updates"
REBOOT = "ansible.windows.win_reboot"
CANNOT_BECOME_SYSTEM = "Failed to get token for NT AUTHORITY\\SYSTEM"
"""What ansible-core's become says where an account may not become SYSTEM (Ansible.Become.cs)."""


class AnsibleConnection:
    """Runs ansible.windows's module and action on the host of the task.

    A script goes to win_powershell through the connection's stdin, so its length does not matter, and runs as SYSTEM, as
    through SSM: to a network logon Windows refuses the installer, and since 2025 the whole Update API. An account that
    may not become SYSTEM runs it as itself. Time-outs are seconds of the clock. The run's lease is kept while a call
    works, and proven before each that may change the host.
    """

    def __init__(self, action: Any, task_vars: dict[str, Any], context: OperationContext) -> None:
        self._action = action
        self._task_vars = task_vars
        self._context = context
        self._may_become_system = True
        self._guard = LogOnGuard(action._connection, context)  # noqa: SLF001 - how action plugins reach their host

    def run_script(self, text: str, timeout_seconds: float) -> str:
        """What the script printed.

        Raises:
            PatchFleetError: ``unreachable``, ``command_timeout``, or ``script_failed`` where PowerShell itself failed.
            LeaseLost: another run took the host over.
        """
        result = self._run_powershell(text, timeout_seconds)
        if self._may_become_system and result.get("failed") and CANNOT_BECOME_SYSTEM in _message(result):
            self._may_become_system = False
            result = self._run_powershell(text, timeout_seconds)
        if result.get("failed"):
            raise NoAnswer(f"PowerShell could not run the script: {_message(result)}")
        output = result.get("output") or []
        if not isinstance(output, list):
            raise NoAnswer("PowerShell's answer has no list of lines.")
        return "\n".join(str(line) for line in output)

    def _run_powershell(self, text: str, timeout_seconds: float) -> dict[str, Any]:
        with self._as_system() if self._may_become_system else contextlib.nullcontext():
            return self._watched(
                timeout_seconds,
                lambda _call: self._action._execute_module(  # noqa: SLF001 - how action plugins run modules
                    module_name=POWERSHELL, module_args={"script": text}, task_vars=self._task_vars
                ),
            )

    @contextlib.contextmanager
    def _as_system(self) -> Iterator[None]:
        """Whatever the user's own become is."""
        connection = self._action._connection  # noqa: SLF001 - where action plugins find their become plugin
        own = connection.become
        runas = become_loader.get("runas")
        runas.set_options(direct={"become_user": "SYSTEM", "become_pass": None, "become_flags": ""})
        connection.set_become_plugin(runas)
        try:
            yield
        finally:
            connection.set_become_plugin(own)

    @contextlib.contextmanager
    def _without_become(self) -> Iterator[None]:
        """win_updates works in a task of Windows, which outlives the connection, unless become gives it another token."""
        connection = self._action._connection  # noqa: SLF001
        own = connection.become
        connection.set_become_plugin(None)
        try:
            yield
        finally:
            connection.set_become_plugin(own)

    def win_updates(self, options: dict[str, Any], timeout_seconds: float) -> dict[str, Any]:
        """The result of ansible.windows.win_updates with these options.

        Its modules start, poll and cancel a task in Windows. When the call ends early, nothing more of them reaches the
        host: Windows continues.

        Raises:
            PatchFleetError: ``unreachable``, ``command_timeout``.
            LeaseLost: another run took the host over.
        """
        plugin = self._plugin(UPDATES, options)
        run_module = plugin._execute_module  # noqa: SLF001

        def run(call: WatchedCall) -> dict[str, Any]:
            def run_while_leased(*args: Any, **kwargs: Any) -> Any:
                call.continue_anyway(changes_host=kwargs["module_args"].get("_operation") != "poll")
                return run_module(*args, **kwargs)

            plugin._execute_module = run_while_leased  # noqa: SLF001
            with self._without_become():
                return dict(plugin.run(task_vars=self._task_vars))

        return self._watched(timeout_seconds, run)

    def reboot(self, timeout_seconds: float) -> dict[str, Any]:
        """The result of ansible.windows.win_reboot, which waits until the host is back.

        Raises:
            PatchFleetError: ``unreachable``, ``command_timeout``.
            LeaseLost: another run took the host over.
        """
        real_seconds = int(self._context.clock.real_seconds(timeout_seconds)) + 1
        plugin = self._plugin(REBOOT, {"reboot_timeout": real_seconds})
        return self._watched(2 * timeout_seconds, lambda _call: dict(plugin.run(task_vars=self._task_vars)))

    def _plugin(self, name: str, options: dict[str, Any]) -> Any:
        action = self._action
        task = action._task.copy()  # noqa: SLF001 - how action plugins run others
        task.args = options
        return action._shared_loader_obj.action_loader.get(  # noqa: SLF001
            name,
            task=task,
            connection=action._connection,  # noqa: SLF001
            play_context=action._play_context,  # noqa: SLF001
            loader=action._loader,  # noqa: SLF001
            templar=action._templar,  # noqa: SLF001
            shared_loader_obj=action._shared_loader_obj,  # noqa: SLF001
        )

    def _watched(self, seconds: float, work: Callable[[WatchedCall], dict[str, Any]]) -> dict[str, Any]:
        self._context.before_change()
        refuse_locked_account(self._context, self._guard.account.name)
        self._guard.refuse_locked()
        try:
            with WatchedCall(self._context, seconds) as call, self._guard.during(call):
                result = work(call)
        except Failed:  # the call was ended before it was done
            self._forget_connection()
            raise
        except PatchFleetError:
            raise
        except Exception as error:
            self._forget_connection()
            raise self._failure(error) from error
        if result.get("unreachable"):
            self._forget_connection()
            raise self._unreachable(_message(result))
        return result

    def _failure(self, error: Exception) -> Failed:
        """What a connection plugin raised. Some raise whatever their library does, so nothing is left out."""
        if is_refusal(error):
            return self._refused(str(error))
        if isinstance(error, AnsibleError) and not isinstance(error, CONNECTION_LOST):
            return ConnectionSettings(f"Ansible cannot use the host's connection with these settings: {error}")
        words = str(error) if isinstance(error, CONNECTION_LOST) else f"{type(error).__name__}: {error}"
        return self._unreachable(words)

    def _unreachable(self, words: str) -> Failed:
        if REFUSED_WORDS.search(words):
            return self._refused(words)
        return Unreachable(f"The host cannot be reached over its connection: {words}")

    def _refused(self, words: str) -> Failed:
        """A first refusal may have been a domain controller that was away; after the second nothing more is tried."""
        account = self._guard.account.name
        if self._guard.count(words) < REFUSALS_UNTIL_LOCKED:
            return Unreachable(f"The host refused the log-on of {account or 'the account'}: {words}")
        return LoginRefused(account, words)

    def _forget_connection(self) -> None:
        """What a connection has opened on the host is gone once the host was off or has rebooted.

        It is closed and not reset: a reset logs on again, and one of psrp that fails leaves a pool behind that was never opened
        (ansible-core, plugins/connection/psrp.py and winrm.py). An ssh connection has a shared master, which only reset ends.
        """
        connection = self._action._connection  # noqa: SLF001
        end = connection.reset if getattr(connection, "transport", "") == "ssh" else connection.close
        try:
            end()
        except Exception:  # noqa: BLE001 - the connection is lost, whatever its library thinks of that
            connection.shell_id = None  # winrm forgets nothing as long as it has a shell to close on the host
            with contextlib.suppress(Exception):
                end()


def _message(result: dict[str, Any]) -> str:
    """Why it failed, in the words of the module; a host may answer anything."""
    listed = result.get("error")
    errors = listed if isinstance(listed, list) else []
    words = [str(error.get("output") or error) for error in errors if isinstance(error, dict)]
    return clean_text((" ".join(words) or str(result.get("msg") or "no message"))[-500:]).strip()
