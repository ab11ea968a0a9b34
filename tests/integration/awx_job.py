# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job of AWX without AWX: its control node transmits, an execution node works, and the control node processes what comes back."""

from __future__ import annotations

import itertools
import json
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible_runner
import yaml
from living_lab import Ended, LivingLab

ROOT = Path(__file__).parents[2]
LEDGER = "dynamodb://PatchFleet-ledger"  # the table of the lab's stack
SETTINGS = {
    # What AWX sets for a job (awx/main/tasks/jobs.py); the callback and the fact cache are ansible-runner's part.
    "ANSIBLE_FORCE_COLOR": "True",
    "ANSIBLE_HOST_KEY_CHECKING": "False",
    "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
    "ANSIBLE_PARAMIKO_RECORD_HOST_KEYS": "False",
    "ANSIBLE_RETRY_FILES_ENABLED": "False",
}
LABS_OWN = (
    "PATCHFLEET_LEDGER_EPHEMERAL_OK",
    "ANSIBLE_INVENTORY",
    "ANSIBLE_CALLBACKS_ENABLED",
    "ANSIBLE_CALLBACK_PLUGINS",
)
"""What the lab tells its commands and AWX does not tell its jobs."""
NUMBERS = itertools.count(7)


@dataclass
class Job:
    """What AWX's control node knows of a job when it is over.

    Attributes:
        status: successful, failed, canceled, …; "running" where the node fell silent.
        hosts: the summary of each host, as in AWX's ``job_host_summaries``; None when it never came.
        artifacts: what ansible.builtin.set_stats left.
        said: the texts of the events, in order, as AWX shows them.
        node: the command that worked, as the lab saw it.
        facts: the fact cache's files that came back.
    """

    node: Ended
    status: str = "unstarted"
    hosts: dict[str, dict[str, int]] | None = None
    artifacts: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)

    @property
    def said(self) -> str:
        return "\n".join(event["stdout"] for event in self.events if event.get("stdout"))

    @property
    def failed_hosts(self) -> set[str]:
        """Those that "Relaunch on failed hosts" takes: with failures, or unreachable (JobHostSummary.failed)."""
        return {name for name, counts in (self.hosts or {}).items() if counts.get("failures") or counts.get("dark")}


def run(
    lab: LivingLab,
    playbook: str,
    hosts: Sequence[str],
    *,
    limit: str | None = None,
    survey: Mapping[str, Any] | None = None,
    meta: Mapping[str, Any] | None = None,
    ledger: str | None = LEDGER,
) -> Job:
    """Launch a job and wait for it.

    Args:
        playbook: of the collection; the project is a checkout of it.
        hosts: of the inventory, or of the slice of it.
        survey: extra variables.
        meta: more of the ``awx_*`` variables.
        ledger: None leaves the variable out.
    """
    number = next(NUMBERS)
    control = lab.folder / f"awx_{number}"
    _write_private_data(
        lab, control, hosts, {**({"patch_ledger": ledger} if ledger else {}), **(survey or {})}, number, meta or {}
    )
    stream, answer = control.with_suffix(".to-node"), control.with_suffix(".from-node")
    node = lab.folder / f"node_{number}"
    with stream.open("wb") as output:
        ansible_runner.interface.run(
            streamer="transmit",
            _output=output,
            private_data_dir=str(control),
            playbook=f"playbooks/{playbook}.yml",
            cmdline="-u root --forks 5" + (f" -l {shlex.quote(limit)}" if limit else ""),
            envvars={**SETTINGS, "AWX_PRIVATE_DATA_DIR": str(node), "ANSIBLE_COLLECTIONS_PATH": _collections(node)},
            ident=str(number),
            suppress_env_files=True,
        )
    words = ("ansible-runner", "worker", "--private-data-dir", str(node))
    command = ["sh", "-c", f"exec {shlex.join(words)} <{shlex.quote(str(stream))} >{shlex.quote(str(answer))}"]
    ended = lab.run(command, environment=dict.fromkeys(LABS_OWN))
    lab.remove_container()
    return _process(control, answer, number, Job(ended))


def _collections(node: Path) -> str:
    return f"{node / 'requirements_collections'}:{Path(sys.prefix) / 'collections'}"


def _write_private_data(
    lab: LivingLab,
    folder: Path,
    hosts: Sequence[str],
    variables: Mapping[str, Any],
    number: int,
    meta: Mapping[str, Any],
) -> None:
    """The folder that AWX makes for a job: project, an inventory that is a script, and extra variables in a file."""
    shutil.copytree(ROOT / "playbooks", folder / "project" / "playbooks")
    known = {name: {"instance_id": lab.id(name), "region": lab.scenario.account.region} for name in hosts}
    inventory = {"all": {"hosts": list(hosts), "children": []}, "_meta": {"hostvars": known}}
    script = folder / "inventory" / "hosts"
    script.parent.mkdir()
    script.write_text(f"#!{sys.executable}\nprint({json.dumps(inventory)!r})\n", encoding="utf-8")
    script.chmod(0o700)
    told = {f"{prefix}_{name}": value for prefix in ("awx", "tower") for name, value in _about(number, meta).items()}
    (folder / "env").mkdir()
    (folder / "env" / "extravars").write_text(yaml.safe_dump({**told, **variables}), encoding="utf-8")


def _about(number: int, meta: Mapping[str, Any]) -> dict[str, Any]:
    return {"job_id": number, "job_launch_type": "manual", "job_template_name": "Patch", "user_name": "admin", **meta}


def _process(control: Path, answer: Path, number: int, job: Job) -> Job:
    def on_event(event: dict[str, Any]) -> bool:
        job.events.append(event)
        data = event.get("event_data", {})
        if event["event"] == "playbook_on_stats":
            job.artifacts = data.get("artifact_data", {})
            names = {name for part in ("ok", "failures", "dark", "skipped") for name in data[part]}
            job.hosts = {name: {part: data[part].get(name, 0) for part in ("ok", "failures", "dark")} for name in names}
        return False

    def on_status(status: dict[str, Any], **_more: Any) -> None:
        job.status = status["status"]

    shutil.rmtree(control)
    with answer.open("rb") as stream:
        ansible_runner.interface.run(
            streamer="process",
            _input=stream,
            private_data_dir=str(control),
            ident=str(number),
            event_handler=on_event,
            status_handler=on_status,
            quiet=True,
        )
    job.facts = sorted(path.name for path in control.glob("artifacts/*/fact_cache/*"))
    return job
