# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWX is set up, set up again, and taken down, by the playbooks that do it, against a stand-in of its API.

The commands and the file of variables are those of docs/awx.md.
"""

from __future__ import annotations

import copy
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from living_lab import CALLBACKS

from awx.objects import Objects
from awx.server import StandIn

awx_collection = pytest.importorskip(
    "ansible_collections.awx.awx", reason="the package ansible 12 brings it, 14 does not"
)
ROOT = Path(__file__).parents[2]
COLLECTIONS = Path(sys.prefix) / "collections"
SECRETS = ("not-for-logs-1", "not-for-logs-2")
PAGE = (ROOT / "docs" / "awx.md").read_text(encoding="utf-8")
OWN_FILE = "".join(re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
"""What the page has its reader write into awx.yml."""
SET_UP, SET_UP_AGAIN, TAKE_DOWN = (
    shlex.split(line) for line in re.findall(r"^\$ (ansible-playbook \S+_awx .*)$", PAGE, re.MULTILINE)
)
MORE = {
    "vault_patching_key": SECRETS[0],
    "awx_job_templates_machine_username": "Administrator",
    "awx_job_templates_machine_password": SECRETS[1],
    "awx_job_templates_notification_templates": ["Pager"],
}


@pytest.fixture
def awx() -> Iterator[StandIn]:
    """An AWX as it is after its installation, and with some objects of others."""
    objects = Objects(["patch.yml", "plan.yml", "report.yml", "restore.yml"])
    aws = [{"id": "username"}, {"id": "password", "secret": True}, {"id": "security_token", "secret": True}]
    objects.add("credential_types", name="Amazon Web Services", kind="cloud", inputs={"fields": aws})
    machine = objects.add("credential_types", name="Machine", kind="ssh", inputs={"fields": aws[:2]})
    galaxy = objects.add("credential_types", name="Galaxy", kind="galaxy", inputs={"fields": []})
    default = objects.add("organizations", name="Default")
    objects.add("credentials", name="Ansible Galaxy", credential_type=galaxy)
    objects.add("credentials", name="Patch Fleet machine", credential_type=machine, organization=default)
    objects.add("inventories", name="Patch Fleet", organization=default)
    objects.add("notification_templates", name="Pager", organization=default, notification_type="webhook")
    with StandIn(objects) as standin:
        yield standin


def run(awx: StandIn, folder: Path, command: list[str], **variables: Any) -> list[dict[str, Any]]:
    """Run a command of the page; the results of its tasks. It has to succeed without a secret in what it prints."""
    results = folder / "results"
    results.unlink(missing_ok=True)
    (folder / "awx.yml").write_text(OWN_FILE, encoding="utf-8")
    settings = {
        **{
            key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "CONTROLLER_", "TOWER_"))
        },
        "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join([str(COLLECTIONS), str(folder)]),
        "ANSIBLE_CONFIG": str(ROOT / "tests" / "tools" / "ansible.cfg"),
        "ANSIBLE_HOME": str(folder),
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
        "ANSIBLE_CALLBACKS_ENABLED": "task_results",
        "TASK_RESULTS": str(results),
        "CONTROLLER_HOST": awx.url,
        "CONTROLLER_OAUTH_TOKEN": awx.token,
    }
    command = [
        str(Path(sys.prefix) / "bin" / command[0]),
        *command[1:],
        "-vvv",
        "-e",
        json.dumps({**MORE, **variables}),
    ]
    ended = subprocess.run(command, env=settings, cwd=folder, text=True, capture_output=True, timeout=300, check=False)
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said
    assert not [secret for secret in SECRETS if secret in said]
    return [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        (
            {"awx_job_templates_variables": {"patch_ledger": "a.sqlite"}},
            "patch_ledger is a.sqlite. It must name a ledger that",
        ),
        (
            {"awx_job_templates_schedule_days": 15},
            "awx_job_templates_schedule_days: 15 is not valid. It must be 0 to 14",
        ),
        (
            {"awx_job_templates_schedule_time": "22"},
            "awx_job_templates_schedule_time: 22 is not valid. It must be HH:MM",
        ),
        ({"awx_job_templates_scm_urll": "x"}, "There is no variable awx_job_templates_scm_urll. There are"),
    ],
)
def test_what_cannot_be_right_is_refused_first(
    awx: StandIn, tmp_path: Path, variables: dict[str, Any], told: str
) -> None:
    with pytest.raises(AssertionError) as refused:
        run(awx, tmp_path, SET_UP, **variables)
    assert told in " ".join(str(refused.value).split())
    assert awx.changes == []


def changed(results: list[dict[str, Any]]) -> list[str]:
    return [line["task"] for line in results if line["result"].get("changed")]


def test_set_up_twice_and_taken_down(awx: StandIn, tmp_path: Path) -> None:
    before = copy.deepcopy(awx.objects.lists)

    run(awx, tmp_path, SET_UP)
    assert awx.refused == []
    check_what_was_made(awx.objects)

    awx.changes.clear()
    assert changed(run(awx, tmp_path, SET_UP_AGAIN)) == []
    assert awx.changes == []

    red_hats = tmp_path / "ansible_collections" / "ansible" / "controller"  # of the same content
    red_hats.parent.mkdir(parents=True)
    red_hats.symlink_to(Path(awx_collection.__path__[0]))
    settings = {"awx_job_templates_remove_organization": True, "awx_job_templates_collection": "ansible.controller"}
    run(awx, tmp_path, TAKE_DOWN, **settings)
    assert awx.refused == []
    assert awx.objects.lists == before

    awx.changes.clear()
    assert changed(run(awx, tmp_path, TAKE_DOWN)) == []
    assert awx.changes == []


def check_what_was_made(objects: Objects) -> None:
    lists = objects.lists
    names = {kind: sorted(row["name"] for row in rows.values() if "name" in row) for kind, rows in lists.items()}
    assert names["job_templates"] == [f"Patch Fleet {one}" for one in ("patch", "plan", "report", "restore", "scan")]
    assert all(row["ask_limit_on_launch"] for row in lists["job_templates"].values())
    (workflow,) = lists["workflow_job_templates"].values()
    assert workflow["ask_limit_on_launch"]
    for template in lists["job_templates"].values():
        variables = json.loads(template["extra_vars"])
        assert (variables["patch_hosts"], variables["patch_regions"]) == ("all", ["eu-central-1"])
        assert lists["inventories"][template["inventory"]]["kind"] == "constructed"
        held = [
            lists["credentials"][one]["name"] for one in objects.links["job_templates", template["id"], "credentials"]
        ]
        assert sorted(held) == ["Patch Fleet AWS", "Patch Fleet machine"]
        assert objects.surveys["job_templates", template["id"]]["spec"]
    assert ways(objects) == {
        ("plan", "success", "approve"),
        ("approve", "success", "patch"),
        ("patch", "success", "report"),
        ("patch", "failure", "restore"),
        ("restore", "success", "report"),
        ("restore", "failure", "wait"),
        ("wait", "always", "restore again"),
        ("restore again", "always", "report"),
    }
    approvals = {row["name"]: row["timeout"] for row in lists["workflow_approval_templates"].values()}
    assert approvals == {"Patch Fleet approve the plan": 86400, "Patch Fleet wait for the lease to end": 1200}
    (schedule,) = lists["schedules"].values()
    assert schedule["enabled"] is True
    assert schedule["rrule"] == (
        "DTSTART;TZID=Europe/Berlin:20260101T220000 RRULE:FREQ=MONTHLY;INTERVAL=1;BYDAY=SA;BYMONTHDAY=12,13,14,15,16,17,18"
    )


def ways(objects: Objects) -> set[tuple[str, str, str]]:
    """Of the workflow: from which node by which outcome to which."""
    nodes = objects.lists["workflow_job_template_nodes"]
    return {
        (nodes[source]["identifier"], name.removesuffix("_nodes"), nodes[target]["identifier"])
        for (kind, source, name), targets in objects.links.items()
        if kind == "workflow_job_template_nodes"
        for target in targets
    }
