# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each role alone: the example of its README as it stands, and what a play of one's own may expect of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from living_lab import TWO_MINUTES_WITH_A_REBOOT, LivingLab

ROLES = sorted(path.parent for path in (Path(__file__).parents[2] / "roles").glob("*/README.md"))

ACCOUNT = Path(__file__).parents[2] / "roles" / "aws_prerequisites"
AWX, PROOF = ACCOUNT.with_name("awx_job_templates"), ACCOUNT.with_name("prove_account")
"""The roles that work on no host of a fleet; test_setup_awx.py and test_prove_account.py play the other two."""
FLEET: list[dict[str, Any]] = [{"name": "dev-1", "state": "stopped"}, {"name": "dev-2"}]

# What gives a role something to do.
TROUBLE: dict[str, list[dict[str, Any]]] = {
    "expand_ebs": [{"name": "full", "disk": {"size_gib": 60, "free_gib": 5}}],
    "repair_windows_update": [{"name": "mute", "windows_update": "service_stopped"}],
}
DONE = {
    "expand_ebs": ("full", "grown_gib", 20),
    "repair_windows_update": ("mute", "repaired", ["service wuauserv"]),
    "user_tasks": ("dev-1", "post_tasks", "ok"),
}
# Files that an example names.
FILES = {"user_tasks": ("drain.yml", "undrain.yml")}


def new_lab(folder: Path, *hosts: dict[str, Any]) -> LivingLab:
    """A lab with a fleet of the group dev, and these hosts in it, too."""
    of_each = {"groups": ["dev"], "scan_seconds": 10, "updates": [TWO_MINUTES_WITH_A_REBOOT]}
    return LivingLab(folder, [*FLEET, *hosts], defaults=of_each, scale=240)


def example(role: Path) -> str:
    """The play that a role's README shows."""
    (text,) = re.findall(r"```yaml\n(.*?)```", (role / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    return str(text)


@pytest.mark.parametrize(
    "role", [role for role in ROLES if role not in {ACCOUNT, AWX, PROOF}], ids=lambda path: path.name
)
def test_the_example_of_the_readme_works_as_it_stands(role: Path, tmp_path: Path) -> None:
    with new_lab(tmp_path, *TROUBLE.get(role.name, [])) as lab:
        for name in FILES.get(role.name, ()):
            lab.file(name, [{"name": name, "ansible.builtin.debug": {"msg": "{{ instance_id }}"}}])
        ended = lab.playbook(lab.file("site.yml", example(role)))
        truth = lab.lab.truth()["hosts"]
    assert ended.code == 0, ended.output
    assert "was interrupted" not in ended.output
    scans_only = "patch_operation: scan" in example(role)
    assert ended.outcomes == dict.fromkeys(truth, "noncompliant" if scans_only else "patched")
    assert all(bool(host["missing"]) is scans_only for host in truth.values())
    assert (truth["dev-1"]["state"], truth["dev-1"]["starts"], truth["dev-1"]["stops"]) == ("stopped", 1, 1)
    assert (truth["dev-2"]["state"], truth["dev-2"]["starts"], truth["dev-2"]["stops"]) == ("running", 0, 0)
    assert all(host["unrecorded_starts"] == 0 for host in truth.values())
    if role.name in DONE:
        name, field, value = DONE[role.name]
        assert ended.host(name)[field] == value


def test_the_example_that_sets_up_an_account_works_as_it_stands(tmp_path: Path) -> None:
    with LivingLab(tmp_path, [{"name": "dev-1"}], bare=True) as lab:
        ended = lab.playbook(lab.file("site.yml", example(ACCOUNT)))
        (stack,) = lab.client("cloudformation").describe_stacks()["Stacks"]
    assert ended.code == 0, ended.output
    assert stack["StackStatus"] == "CREATE_COMPLETE"


def test_a_role_is_the_same_example_in_check_mode(tmp_path: Path) -> None:
    """As the playbook patch it plans, and goes no further."""
    (patch,) = (role for role in ROLES if role.name == "patch")
    with new_lab(tmp_path) as lab:
        ended = lab.playbook(lab.file("site.yml", example(patch)), "--check")
    assert ended.code == 0, ended.output
    assert "wave 1  +0:00  dev-1" in ended.output
    assert ended.touched == []
    assert not (ended.folder / "report.json").exists()


def test_a_host_that_must_not_be_touched_is_left_alone_and_reported(tmp_path: Path) -> None:
    (start,) = (role for role in ROLES if role.name == "start_hosts")
    with new_lab(tmp_path, {"name": "scaled", "asg": True, "state": "stopped"}) as lab:
        ended = lab.playbook(lab.file("site.yml", example(start)))
        assert lab.truth("scaled")["starts"] == 0
    assert ended.code == 0, ended.output
    assert ended.outcomes == {"dev-1": "noncompliant", "dev-2": "noncompliant", "scaled": "excluded"}
    assert "left out  scaled: It belongs to the Auto Scaling group" in ended.output


def test_a_host_that_fails_in_its_workflow_is_named_with_the_command_that_puts_it_back(tmp_path: Path) -> None:
    """A play of roles has no `always` unless its author gives it one."""
    (expand,) = (role for role in ROLES if role.name == "expand_ebs")
    stuck = {"name": "stuck", "state": "stopped", "disk": {"size_gib": 60, "free_gib": 5, "recovery_partition": True}}
    with new_lab(tmp_path, stuck) as lab:
        ended = lab.playbook(lab.file("site.yml", example(expand)))
        assert ended.code == 2, ended.output
        assert ended.outcomes["stuck"] == "failed"
        assert lab.truth("stuck")["state"] == "running"
        assert f"stuck ({lab.id('stuck')})" in ended.last_words
        back = lab.run(ended.command_to_go_back)
        assert back.code == 0, back.output
        assert lab.truth("stuck")["state"] == "stopped"


def test_an_unknown_variable_is_refused_by_a_role_alone(tmp_path: Path) -> None:
    (patch,) = (role for role in ROLES if role.name == "patch")
    with new_lab(tmp_path) as lab:
        ended = lab.playbook(lab.file("site.yml", example(patch)), variables={"patch_max_pases": 2})
    assert ended.code == 2, ended.output
    assert "There is no variable patch_max_pases. Did you mean patch_max_passes?" in ended.words
    assert ended.touched == []
