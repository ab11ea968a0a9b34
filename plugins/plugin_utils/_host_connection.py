# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host's own Ansible connection (winrm, psrp, ssh with PowerShell) as steps use it inside the controller."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from typing import Any

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.patchfleet.windows.plugins.module_utils._clock import Clock
from ansible_collections.patchfleet.windows.plugins.module_utils._errors import PatchFleetError

# A connection that breaks in the middle comes as what its library raises: requests's errors are OSErrors.
CONNECTION_LOST: tuple[type[Exception], ...] = (AnsibleConnectionFailure, OSError)
try:
    from winrm.exceptions import WinRMError, WinRMTransportError

    CONNECTION_LOST += (WinRMError, WinRMTransportError)
except ImportError:
    pass  # the hosts are reached by psrp or ssh

POWERSHELL = "ansible.windows.win_powershell"
UPDATES = "ansible.windows.win_updates"


class AnsibleConnection:
    """Runs ansible.windows's module and action on the host of the task.

    A script goes to win_powershell through the connection's stdin, so its length does not matter. Time-outs are seconds of
    the clock; Ansible's own are real ones, so they are converted here.
    """

    def __init__(self, action: Any, task_vars: dict[str, Any], clock: Clock) -> None:
        self._action = action
        self._task_vars = task_vars
        self._clock = clock

    def run_script(self, text: str, timeout_seconds: float) -> str:
        """What the script printed.

        Raises:
            PatchFleetError: ``unreachable``, ``command_timeout``, or ``script_failed`` where PowerShell itself failed.
        """
        result = self._limited(
            timeout_seconds,
            lambda: self._action._execute_module(  # noqa: SLF001 - how action plugins run modules
                module_name=POWERSHELL, module_args={"script": text}, task_vars=self._task_vars
            ),
        )
        if result.get("failed"):
            raise PatchFleetError(f"PowerShell could not run the script: {_said(result)}", "script_failed")
        return "\n".join(str(line) for line in result.get("output") or ())

    def win_updates(self, options: dict[str, Any], timeout_seconds: float) -> dict[str, Any]:
        """The result of ansible.windows.win_updates with these options.

        Raises:
            PatchFleetError: ``unreachable``, ``command_timeout``.
        """
        action = self._action
        task = action._task.copy()  # noqa: SLF001 - how action plugins run others
        task.args = options
        plugin = action._shared_loader_obj.action_loader.get(  # noqa: SLF001
            UPDATES,
            task=task,
            connection=action._connection,  # noqa: SLF001
            play_context=action._play_context,  # noqa: SLF001
            loader=action._loader,  # noqa: SLF001
            templar=action._templar,  # noqa: SLF001
            shared_loader_obj=action._shared_loader_obj,  # noqa: SLF001
        )
        return self._limited(timeout_seconds, lambda: plugin.run(task_vars=self._task_vars))

    def _limited(self, seconds: float, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            with _time_limit(self._clock.real_seconds(seconds), seconds):
                result = dict(work())
        except CONNECTION_LOST as error:
            raise PatchFleetError(f"The host cannot be reached over its connection: {error}", "unreachable") from error
        if result.get("unreachable"):
            raise PatchFleetError(f"The host cannot be reached over its connection: {_said(result)}", "unreachable")
        return result


def _said(result: dict[str, Any]) -> str:
    errors = [str(error.get("output") or error) for error in result.get("error") or () if isinstance(error, dict)]
    return (" ".join(errors) or str(result.get("msg") or "no message"))[-500:].strip()


@contextlib.contextmanager
def _time_limit(real_seconds: float, seconds: float) -> Iterator[None]:
    """No connection plugin has a limit for a whole command, so a signal ends it, as Ansible's own keyword timeout does."""

    def ring(_number: int, _frame: object) -> None:
        raise PatchFleetError(f"The host had not answered after {seconds:.0f} s.", "command_timeout")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(real_seconds, 1.0))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
