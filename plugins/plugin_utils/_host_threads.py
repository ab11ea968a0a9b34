# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts as threads of one worker, which share the clients of AWS and the ledger."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.api import Aws
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.connect import OptionsConnection
from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import system_clock
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import Failed, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import open_ledger
from ansible_collections.patchfleet.windows.plugins.module_utils._model.reasons import Reason
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.failures import (
    attempt,
    failure_result,
    is_recorded,
)
from ansible_collections.patchfleet.windows.plugins.plugin_utils._host_calls import HostCalls, Step
from ansible_collections.patchfleet.windows.plugins.plugin_utils._progress import display_lines


class HostThreads:
    """Takes hosts through their steps.

    Args:
        hosts: the calls of each, by its name in the inventory.
    """

    def __init__(self, hosts: Mapping[str, HostCalls]) -> None:
        self._hosts = hosts
        params = next(iter(hosts.values())).workflow.admission.call.params
        self._clock = system_clock()
        self._aws = Aws(OptionsConnection({**params, "region": None}), self._clock)
        self._ledger = open_ledger(params["ledger"], params, self._clock)

    def patch(self, at_once: int) -> dict[str, dict[str, Any]]:
        """The result of each host, as that of one task; ``at_once`` of them are at work, in their order."""
        with ThreadPoolExecutor(at_once) as threads:
            try:
                results = list(threads.map(self._patch_host, self._hosts.values()))
            except BaseException:  # noqa: BLE001 - also what is no Exception
                # Ansible ends this worker. The pool would wait for its threads, and they would continue to change hosts.
                os._exit(1)
        return dict(zip(self._hosts, results, strict=True))

    def _patch_host(self, host: HostCalls) -> dict[str, Any]:
        """What the playbook does with a host in tasks/admission.yml."""
        result = _Outcome()
        try:
            admitted = bool(self._do(result, host.workflow.admission).get("admitted"))
        except PatchFleetError as error:
            return {**failure_result(error), "failed": True, "ignored": True}
        if admitted:
            result.retry_later = host.workflow.take_through(
                partial(self._do, result), partial(self._fail, result, host)
            )
        return result.as_task()

    def _do(self, result: _Outcome, step: Step) -> Mapping[str, object]:
        """A step, as the action plugin of its module performs it.

        Raises:
            PatchFleetError: why it failed.
        """
        call = step.call
        try:
            with attempt(call.operation) as attempted:
                context = call.context(clock=self._clock, aws=self._aws, ledger=self._ledger)
                attempted.begin(context)
                attempted.result = call.operation.function(context)(context)
                display_lines(call.operation.lines(attempted.result))
        except Exception as error:  # an error of ours or of a library is one of this host, as Ansible has it
            raise Failed(f"{type(error).__name__}: {error}", Reason.TASK_FAILED) from error
        if attempted.error:
            raise attempted.error
        result.changed |= step.shows_changes and bool(attempted.result.get("changed"))
        return attempted.result

    def _fail(self, result: _Outcome, host: HostCalls, error: PatchFleetError) -> None:
        """What playbooks/tasks/failure.yml does, except that the host comes again."""
        result.error = result.error or error
        if is_recorded(error):
            return
        call = host.failed.call
        options = {**call.params, "failure": {"failed": True, **failure_result(error)}}
        with suppress(PatchFleetError):  # Ansible shows it as a failure of the host that is not recorded
            self._do(result, replace(host.failed, call=replace(call, params=options)))


@dataclass
class _Outcome:
    """What the result of a host follows from."""

    changed: bool = False
    error: PatchFleetError | None = None
    retry_later: bool = False

    def as_task(self) -> dict[str, Any]:
        """As the result of a task."""
        if self.error is None:
            return {"changed": self.changed}
        failure = {name: value for name, value in failure_result(self.error).items() if name != "retry_later"}
        again = {"retry_later": True} if self.retry_later else {}
        return {"failed": True, "changed": self.changed, **failure, **again}
