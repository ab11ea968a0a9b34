# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job of AWX: ansible-runner with AWX's environment, survey answers as texts, and a playbook of the project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ansible_runner
import pytest
import yaml

from lab.scenario import load
from lab.server import Lab
from lab.workplace import Workplace

FLEET: dict[str, Any] = {
    "name": "A fleet for a job",
    "why": "AWX starts playbooks by ansible-runner, and surveys answer with texts.",
    "seed": 3,
    "scale": 120,
    "defaults": {"updates": [{"kb": "KB5031361", "severity": "critical", "class": "security", "reboot": True}]},
    "hosts": [{"name": "off", "state": "stopped"}, {"name": "on"}],
    "expect": {},
}
AWX = {
    "ANSIBLE_RETRY_FILES_ENABLED": "False",
    "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
    "ANSIBLE_FORCE_COLOR": "True",
    "ANSIBLE_HOST_KEY_CHECKING": "False",
}
SURVEY = {
    "patch_batch_size": "2",
    "patch_fail_on_deferred": "false",
    "patch_regions": "eu-central-1",
    "patch_deadline": "",
    "awx_job_id": 7,
    "tower_user_name": "admin",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project as people keep one beside AWX: a playbook of their own that imports ours, and an inventory."""
    (tmp_path / "project").mkdir()
    imported = [{"name": "Patch", "ansible.builtin.import_playbook": "patchfleet.windows.patch"}]
    (tmp_path / "project" / "site.yml").write_text(yaml.safe_dump(imported), encoding="utf-8")
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "hosts.yml").write_text("all: {hosts: {elsewhere: {}}}\n", encoding="utf-8")
    return tmp_path


def test_a_job_patches_the_fleet_and_tells_it_by_its_events(project: Path) -> None:
    file = project / "fleet.yml"
    file.write_text(yaml.safe_dump(FLEET), encoding="utf-8")
    out = project / "out"
    out.mkdir()
    scenario = load(file)
    lab = Lab(scenario, out)
    lab.ledger = out / "ledger.sqlite"
    lab.start()
    workplace = Workplace(scenario, lab)
    try:
        job = ansible_runner.run(
            private_data_dir=str(project),
            playbook="site.yml",
            cmdline="-u root --forks 5",
            envvars={**workplace.environment(), **AWX, "ANSIBLE_INVENTORY": ""},
            extravars={**SURVEY, "patch_ledger": str(lab.ledger), "patch_report_dir": str(out)},
            quiet=True,
        )
        truth = lab.truth()
    finally:
        workplace.close()
        lab.stop()
    assert (job.status, job.rc) == ("successful", 0), job.stdout.read()
    assert job.stats["ok"].keys() >= {"off", "on"}
    assert not job.stats["failures"]
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["totals"] == {"patched": 2}
    assert {name: host["state"] for name, host in truth["hosts"].items()} == {"off": "stopped", "on": "running"}
