# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operations of a host's workflow without Ansible: a thread for each host in work, through the tasks of the playbook."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.fleet_info import OPERATION as FLEET
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_report import OPERATION as REPORT
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION as RUN
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_settings import OPERATION as SETTINGS
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.operation import Operation, make_context
from host_workflow import read_workflow
from operations import perform

WORKFLOW = read_workflow()
ROLES = Path(__file__).parents[2] / "roles"
SCRIPTS = {path.stem: path.read_text(encoding="utf-8") for path in ROLES.glob("*/files/*.ps1")}


def main(out: Path, batch: int) -> int:
    """Patch every tagged host; 0."""
    ledger = {"ledger": str(out / "ledger.sqlite")}
    settings = do(SETTINGS, variables={"patch_batch_size": batch}, forks=batch, **ledger)["settings"]
    fleet = do(FLEET, tag_key="PatchGroup", tag_value="Windows")["hosts"]
    run = do(RUN, state="opened", settings=settings, fleet=fleet, forks=batch, **ledger)
    with ThreadPoolExecutor(batch) as pool:
        list(pool.map(lambda host: work_on(host, run, ledger), run["hosts"]))
    do(RUN, state="closed", run_id=run["run_id"], **ledger)
    do(REPORT, run_id=run["run_id"], report_dir=str(out), **ledger)
    return 0


def work_on(host: dict[str, Any], run: dict[str, Any], ledger: dict[str, Any]) -> None:
    """One host from admission to its outcome."""
    tracked_host = {**ledger, "run_id": run["run_id"], "host": host["key"], "region": host["region"]}
    texts = {"scripts": SCRIPTS, "history_script": SCRIPTS["update_history"], "boot_script": SCRIPTS["inspect_boot"]}
    options = {**texts, "instance_id": host["instance_id"], "snapshot_id": run["snapshot_id"]}
    for task in (WORKFLOW.admission, *WORKFLOW.work, *WORKFLOW.restore):
        do(task.operation, **tracked_host, **task.chosen(options))


def do(step: Operation, **options: Any) -> dict[str, Any]:
    """A step with these options and the defaults of the others."""
    defaults = {name: spec.get("default") for name, spec in step.argument_spec().items()}
    return perform(step, make_context(step, {**defaults, **options}))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
