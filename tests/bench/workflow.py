# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run without Ansible: a thread for each host at work, which goes through the tasks of the playbook.

The threads share the clients of AWS, the ledger and a poller. Argument: variables as JSON, patch_ledger and patch_report_dir too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.api import Aws
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.connect import OptionsConnection
from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import system_clock
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import open_ledger
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.fleet_info import OPERATION as FLEET
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_admission import OPERATION as ADMISSION
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_result import OPERATION as RESULT
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_report import OPERATION as REPORT
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION as RUN
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_settings import OPERATION as SETTINGS
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.failures import failure_result, is_recorded
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.operation import Operation, make_context
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.poller import Poller
from host_workflow import Task, read_workflow
from operations import perform

WORKFLOW = read_workflow()
FORKS = 1000
"""More than hosts of a wave: a thread that waits costs next to nothing."""
ROLES = Path(__file__).parents[2] / "roles"
SCRIPTS = {path.stem: path.read_text(encoding="utf-8") for path in ROLES.glob("*/files/*.ps1")}
TEXTS = {"scripts": SCRIPTS, "history_script": SCRIPTS["update_history"], "boot_script": SCRIPTS["inspect_boot"]}


def main(variables: Mapping[str, Any]) -> int:
    """Patch every tagged host; 0, or 2 where a host failed."""
    run = SharedRun(variables["patch_ledger"])
    settings = run.do(SETTINGS, variables=variables, forks=FORKS)["settings"]
    fleet = run.do(FLEET, tag_key="PatchGroup", tag_value="Windows")["hosts"]
    run.patch(settings, fleet)
    report = run.do(REPORT, run_id=run.run_id, report_dir=variables["patch_report_dir"])
    return 2 if report["verdicts"] else 0


class SharedRun:
    """A run, and what its threads share."""

    def __init__(self, ledger: str) -> None:
        self._options = {"ledger": ledger}
        self._clock = system_clock()
        self._aws = Aws(OptionsConnection({}), self._clock)
        self._ledger = open_ledger(ledger)
        self._poller = Poller(self._aws.at, self._clock)
        self.run_id = ""
        self._snapshot_id = ""

    def patch(self, settings: Mapping[str, Any], fleet: list[dict[str, Any]]) -> None:
        """Open the run, take its hosts through their tasks, and close it."""
        opened = self.do(RUN, state="opened", settings=settings, fleet=fleet, forks=FORKS)
        self.run_id, self._snapshot_id = opened["run_id"], opened["snapshot_id"]
        hosts = [host for host in opened["hosts"] if host["included"]]
        again = [host for _wave, some in groupby(hosts, itemgetter("wave")) for host in self._patch_hosts(list(some))]
        self._patch_hosts(again)
        self.do(RUN, state="closed", run_id=self.run_id)

    def _patch_hosts(self, hosts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """All at once; returns those that come again."""
        with ThreadPoolExecutor(FORKS) as threads:
            return [host for host, comes in zip(hosts, threads.map(self._patch_host, hosts), strict=True) if comes]

    def _patch_host(self, host: dict[str, Any]) -> bool:
        """Whether it comes again when the other hosts are done."""
        tracked_host = {"run_id": self.run_id, "host": host["key"], "fence": host["fence"], "region": host["region"]}
        options = {**TEXTS, "instance_id": host["instance_id"], "snapshot_id": self._snapshot_id}

        def do(task: Task) -> dict[str, Any]:
            return self.do(task.operation, **tracked_host, **task.chosen(options))

        try:
            admitted = self.do(ADMISSION, **tracked_host)["admitted"]
        except PatchFleetError:
            return False
        return admitted and WORKFLOW.take_through(do, partial(self._fail, tracked_host))

    def _fail(self, tracked_host: dict[str, Any], error: PatchFleetError) -> None:
        if not is_recorded(error):
            self.do(RESULT, state="failed", **tracked_host, failure=failure_result(error))

    def do(self, step: Operation, **options: Any) -> dict[str, Any]:
        """A step with these options and the defaults of the others."""
        defaults = {name: spec.get("default") for name, spec in step.argument_spec().items()}
        params = {**defaults, **self._options, **options}
        context = make_context(step, params, clock=self._clock, aws=self._aws, ledger=self._ledger)
        context.poller = self._poller if self.run_id else None
        return perform(step, context)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
