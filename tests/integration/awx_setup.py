# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fresh AWX, and its set-up by the commands and the file of variables of docs/awx.md."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from living_lab import CALLBACKS

from awx.objects import Objects
from awx.server import StandIn

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "roles" / "awx_job_templates" / "files" / "project"
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


ONE_ACCOUNT = {
    "awx_job_templates_accounts": [],
    "awx_job_templates_hybrid_hosts": {},
    "awx_job_templates_onprem_hosts": {},
}
"""Without what the page's reader has and the lab has not."""


def fresh_awx() -> Objects:
    """An AWX as it is after its installation, and with some objects of others."""
    objects = Objects(sorted(path.name for path in PROJECT.glob("*.yml")))
    aws = [{"id": "username"}, {"id": "password", "secret": True}, {"id": "security_token", "secret": True}]
    cloud = objects.add("credential_types", name="Amazon Web Services", kind="cloud", inputs={"fields": aws})
    machine = objects.add("credential_types", name="Machine", kind="ssh", inputs={"fields": aws[:2]})
    galaxy = objects.add("credential_types", name="Galaxy", kind="galaxy", inputs={"fields": []})
    default = objects.add("organizations", name="Default")
    objects.add("credentials", name="Ansible Galaxy", credential_type=galaxy)
    objects.add("credentials", name="Patch Fleet machine", credential_type=machine, organization=default)
    objects.add("credentials", name="AWS of the plant", credential_type=cloud, organization=default)
    objects.add("inventories", name="Patch Fleet", organization=default)
    objects.add("instance_groups", name="patching")
    objects.add("notification_templates", name="Pager", organization=default, notification_type="webhook")
    return objects


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
    given = json.dumps({**MORE, **variables})
    command = [str(Path(sys.prefix) / "bin" / command[0]), *command[1:], "-vvv", "-e", given]
    ended = subprocess.run(command, env=settings, cwd=folder, text=True, capture_output=True, timeout=300, check=False)
    output = ended.stdout + ended.stderr
    assert ended.returncode == 0, output
    assert not [secret for secret in SECRETS if secret in output]
    return [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
