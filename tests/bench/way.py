# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a host's way without Ansible: a thread for each host in work, in the order of playbooks/tasks/host.yml."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._admission.step import STEP as ADMIT
from ansible_collections.patchfleet.windows.plugins.module_utils._fleet.step import STEP as FLEET
from ansible_collections.patchfleet.windows.plugins.module_utils._guest.health import STEP as HEALTH
from ansible_collections.patchfleet.windows.plugins.module_utils._guest.space import STEP as SPACE
from ansible_collections.patchfleet.windows.plugins.module_utils._patch.install import INSTALL
from ansible_collections.patchfleet.windows.plugins.module_utils._power.step import STEP as POWER
from ansible_collections.patchfleet.windows.plugins.module_utils._report.step import STEP as REPORT
from ansible_collections.patchfleet.windows.plugins.module_utils._run.step import STEP as RUN
from ansible_collections.patchfleet.windows.plugins.module_utils._settings.step import STEP as SETTINGS
from ansible_collections.patchfleet.windows.plugins.module_utils._ssm.step import WAIT
from ansible_collections.patchfleet.windows.plugins.module_utils._step import Step, StepContext, perform

ROLES = Path(__file__).parents[2] / "roles"
SCRIPTS = {path.stem: path.read_text(encoding="utf-8") for path in ROLES.glob("*/files/*.ps1")}


def main(out: Path, batch: int) -> int:
    """Patch every tagged host; 0."""
    ledger = {"ledger": str(out / "ledger.sqlite")}
    settings = do(SETTINGS, variables={"patch_batch_size": batch}, forks=batch, **ledger)["settings"]
    fleet = do(FLEET, tag_key="PatchGroup", tag_value="Windows")["hosts"]
    run = do(RUN, state="opened", settings=settings, fleet=fleet, forks=batch, **ledger)
    with ThreadPoolExecutor(batch) as pool:
        list(pool.map(lambda host: way(host, run, ledger), run["hosts"]))
    do(RUN, state="closed", run_id=run["run_id"], **ledger)
    do(REPORT, run_id=run["run_id"], report_dir=str(out), **ledger)
    return 0


def way(host: dict[str, Any], run: dict[str, Any], ledger: dict[str, Any]) -> None:
    """One host from admission to its outcome."""
    place = {**ledger, "run_id": run["run_id"], "host": host["key"], "region": host["region"]}
    node = {**place, "instance_id": host["instance_id"], "scripts": SCRIPTS}
    do(ADMIT, **place)
    do(POWER, state="started", **node)
    do(WAIT, **{key: value for key, value in node.items() if key != "scripts"})
    do(SPACE, **node)
    do(HEALTH, **node)
    texts = {"history_script": SCRIPTS["update_history"], "boot_script": SCRIPTS["inspect_boot"]}
    do(INSTALL, **{**node, **texts, "snapshot_id": run["snapshot_id"]})
    do(POWER, state="restored", **node)
    do(RUN, state="host_done", **place)


def do(step: Step, **options: Any) -> dict[str, Any]:
    """A step with these options and the defaults of the others."""
    defaults = {name: spec.get("default") for name, spec in step.argument_spec().items()}
    return perform(step, StepContext({**defaults, **options}))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
