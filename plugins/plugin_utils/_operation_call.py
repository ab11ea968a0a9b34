# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One call of an operation inside the controller, with what the variables of its host say of it. It needs no task of Ansible, so a
thread can make it, too.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ansible.utils.display import Display

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.budget import Pace
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.call_budget import CallBudget
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.operation import Operation, make_context
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.slices import numbers_of, read_slice
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variable_kinds import convert
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import BY_NAME
from ansible_collections.patchfleet.windows.plugins.module_utils._run.notices import AUTO, Webhook, notify_of_standstill
from ansible_collections.patchfleet.windows.plugins.plugin_utils import _minute, _run_poller
from ansible_collections.patchfleet.windows.plugins.plugin_utils._progress import color_of, progress_line
from ansible_collections.patchfleet.windows.plugins.plugin_utils._terminal_width import output_columns

CALLS_PER_SECOND = "patch_api_calls_per_second"

# ansible-core imports an action's file in the parent, before it forks a worker for the task.
CONTROLLER = os.getpid()


def end_if_orphaned() -> None:
    """Ends this worker when its controller was killed, checked before each heartbeat and each change.

    It would keep the hosts of its run leased, though no controller works on them. Ended like this it leaves what a
    controller leaves that is killed with all its workers, and others go on from that.
    """
    if CONTROLLER not in (os.getpid(), os.getppid()):
        os._exit(1)


@dataclass(frozen=True)
class OperationCall:
    """An operation with its options.

    Attributes:
        operation: what is performed.
        params: its options, checked and converted.
        name: of the host, in lines of progress.
        variable: the value of a variable of this collection, as the host has it.
        forks: how many workers there may be.
        check_mode: whether nothing may be changed.
    """

    operation: Operation
    params: Mapping[str, Any]
    name: str
    variable: Callable[[str], Any]
    forks: int = 1
    check_mode: bool = False

    def context(self, **parts: Any) -> OperationContext:
        """With further keywords of make_context."""
        context = make_context(self.operation, self.params, check_mode=self.check_mode, **parts)
        context.report_progress = partial(self._report_progress, context)
        context.columns = output_columns()
        context.end_if_orphaned = end_if_orphaned
        context.poller = _run_poller.poller_of(context)
        context.budget = self._budget(context)
        context.on_heartbeat = partial(_minute.speak, context)
        context.on_standstill = partial(self._notify_of_standstill, context)
        return context

    def _report_progress(self, context: OperationContext, text: str) -> None:
        """Print a line of progress under the phase that the host is in at that moment."""
        phase = context.phase or self.operation.phase_of(context.params)
        Display().display(progress_line(self.name, phase, text), color=color_of(text))

    def _notify_of_standstill(self, context: OperationContext, run_id: str, reason: str) -> None:
        """The webhook is read only now: it is an option of few operations, and any of them may notice a standstill first."""
        url, wanted = (self.variable(name) for name in ("patch_notify", "patch_notify_format"))
        notify_of_standstill(context, Webhook(str(url), str(wanted or AUTO)) if url else None, run_id, reason)

    def _budget(self, context: OperationContext) -> CallBudget | None:
        """Of an operation that calls AWS. Slices have a share each. Without a poller all forks work at the same time, each with a
        share of that; which one is drawn by the host's key.
        """
        if not self.operation.uses_aws:
            return None
        given = self.variable(CALLS_PER_SECOND)
        rate = None if given is None or given == "" else convert(BY_NAME[CALLS_PER_SECOND], given)
        part = self.variable("patch_slice")
        number, slices = numbers_of(read_slice("patch_slice", part)) if part else (1, 1)
        at_once = self.forks if self.operation.is_about_a_host else 1
        within = zlib.crc32((context.host_key or "").encode()) % at_once / at_once
        pace = Pace(rate, 1 / (at_once * slices), (number - 1 + within) / slices)
        return CallBudget(pace, context.clock, context.poller)
