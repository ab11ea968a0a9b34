# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base of the action plugins: an operation inside the controller, in a worker that was forked with warm clients.

An operation that waits costs 0.06 s of CPU and some 20 MB here, and 0.8 s and 80 MB as a module in a process of its own. Where
the task is delegated to another machine, its module runs there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, ClassVar

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.template import Templar

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.connect import warm_up
from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import system_clock
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._model.text_enum import plain
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.failures import attempt
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.operation import Operation
from ansible_collections.patchfleet.windows.plugins.plugin_utils import _exit_notice, _usual_output
from ansible_collections.patchfleet.windows.plugins.plugin_utils._host_connection import AnsibleConnection
from ansible_collections.patchfleet.windows.plugins.plugin_utils._operation_call import OperationCall
from ansible_collections.patchfleet.windows.plugins.plugin_utils._progress import display_lines, name_in_progress
from ansible_collections.patchfleet.windows.plugins.plugin_utils._tracking import tracking_options
from ansible_collections.patchfleet.windows.plugins.plugin_utils._windows_script.files import script_text

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})

# ansible-core imports an action's file in the parent, before it forks a worker for the task.
warm_up()
_exit_notice.listen()
IDLE_SECONDS, CORES_DEFAULT_SECONDS = 0.05, 0.001
"""Between two turns of ansible-core's loop over all hosts of a play. By its default the parent takes 10 % of a core with 40 hosts
that only wait, and 97 % when few of 1,000 are left. A turn more often makes no host faster."""


def slow_down_idle_loop() -> None:
    """By the run's clock. A user's own internal_poll_interval stays."""
    if constants.DEFAULT_INTERNAL_POLL_INTERVAL == CORES_DEFAULT_SECONDS:
        with contextlib.suppress(PatchFleetError):  # the first task says what is wrong with the clock
            interval = system_clock().real_seconds(IDLE_SECONDS)
            constants.DEFAULT_INTERNAL_POLL_INTERVAL = max(interval, CORES_DEFAULT_SECONDS)


slow_down_idle_loop()
_usual_output.leave_out_what_went_well()


class ControllerOperation(ActionBase):  # type: ignore[misc]  # ansible-core has no types
    """An action plugin that performs its ``operation``; a subclass names the operation and may prepare the options."""

    operation: ClassVar[Operation]
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        params = self._options(task_vars or {})
        with attempt(self.operation) as attempted:
            params = self.prepare(params, task_vars or {})
            if self._task.delegate_to and self._task.delegate_to not in LOCAL:
                return {**result, **self._elsewhere(params, task_vars)}
            context = self.call(params, task_vars or {}).context(connect=self._connection_of(task_vars or {}))
            attempted.begin(context)
            attempted.result = self.perform(context, task_vars or {})
        return {**result, **plain(attempted.result)}

    def call(self, params: dict[str, Any], task_vars: dict[str, Any]) -> OperationCall:
        """The call that the task makes."""
        return OperationCall(
            operation=self.operation,
            params=params,
            name=name_in_progress(task_vars),
            variable=lambda name: self._templar.template(task_vars.get(name)),
            forks=int(task_vars.get("ansible_forks") or 1),
            check_mode=self._task.check_mode,
        )

    def call_of(
        self, kind: type[ControllerOperation], args: dict[str, Any], task_vars: dict[str, Any], templar: Templar
    ) -> OperationCall:
        """The call that a task of another module would make.

        Args:
            kind: the action plugin of the module.
            args: the options of the task.
            task_vars: the variables of its host.
            templar: for these variables.
        """
        task = self._task.copy()
        task.args = args
        plugin = kind(task, self._connection, self._play_context, self._loader, templar, None)
        return plugin.call(plugin.prepare(plugin._options(task_vars), task_vars), task_vars)  # noqa: SLF001 - of this class

    def _options(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Those of the task and those that the play's variables give, checked and converted."""
        self._task.args = {**self._tracking(task_vars), **self._task.args}
        _checked, params = self.validate_argument_spec(self.operation.argument_spec(), **self.operation.rules)
        options: dict[str, Any] = params
        return options

    def _connection_of(self, task_vars: dict[str, Any]) -> Callable[[OperationContext], AnsibleConnection] | None:
        """Opens the host's own connection, for a host that the plan reaches by it; None for the others."""
        if task_vars.get("patch__host", {}).get("transport") != "connection":
            return None
        return lambda context: AnsibleConnection(self, task_vars, context)

    def _tracking(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        options = tracking_options(self.operation, self._task.args, task_vars)
        return {name: self._templar.template(value) for name, value in options.items()}

    def _elsewhere(self, params: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """The operation as a module on another machine, with what only the controller could read: its files and variables."""
        own = {name: params[name] for name in self.operation.arguments if params.get(name) is not None}
        result: dict[str, Any] = self._execute_module(
            module_name=self._task.action, module_args={**self._task.args, **own}, task_vars=task_vars
        )
        return result

    def prepare(self, params: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """The operation's options, from the task's: the option ``scripts`` names files, and the operation gets their text.

        A subclass may read more files and variables of the controller.
        """
        if "scripts" not in self.operation.arguments:
            return params
        return {
            **params,
            "scripts": {name: script_text(self, file) for name, file in (params.get("scripts") or {}).items()},
        }

    def perform(self, context: OperationContext, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Perform the operation, and print what people read of its result; a subclass may do something with the result."""
        result = dict(self.operation.function(context)(context))
        display_lines(self.operation.lines(result))
        return result
