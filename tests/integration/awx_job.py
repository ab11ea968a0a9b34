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
"""What the lab gives its commands and AWX does not give its jobs."""
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
    def output(self) -> str:
        return "\n".join(event["stdout"] for event in self.events if event.get("stdout"))

    @property
    def failed_hosts(self) -> set[str]:
        """Those that "Relaunch on failed hosts" takes: with failures, or unreachable (JobHostSummary.failed)."""
        return {name for name, counts in (self.hosts or {}).items() if counts.get("failures") or counts.get("dark")}


@dataclass(frozen=True)
class Launch:
    """A job as AWX hands it to ansible-runner.

    Attributes:
        project: the folder with the playbooks.
        playbook: a path below it.
        inventory: as a script answers it to ``--list``.
        variables: the extra variables, those of AWX itself included.
        environment: what credentials inject, or None to take a variable of the lab away.
    """

    number: int
    project: Path
    playbook: str
    inventory: Mapping[str, Any]
    variables: Mapping[str, Any]
    limit: str | None = None
    forks: int = 5
    verbosity: int = 0
    environment: Mapping[str, str | None] = field(default_factory=dict)


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
    known = {name: {"instance_id": lab.id(name), "region": lab.scenario.account.region} for name in hosts}
    about = {"job_id": number, "job_launch_type": "manual", "job_template_name": "Patch", "user_name": "admin"}
    launch = Launch(
        number=number,
        project=ROOT / "playbooks",
        playbook=f"{playbook}.yml",
        inventory={"all": {"hosts": list(hosts), "children": []}, "_meta": {"hostvars": known}},
        variables={
            **meta_variables({**about, **(meta or {})}),
            **({"patch_ledger": ledger} if ledger else {}),
            **(survey or {}),
        },
        limit=limit,
    )
    return execute(lab, launch)


def meta_variables(meta: Mapping[str, Any]) -> dict[str, Any]:
    """The variables that AWX adds to a job, by both of its prefixes."""
    return {f"{prefix}_{name}": value for prefix in ("awx", "tower") for name, value in meta.items()}


def execute(lab: LivingLab, launch: Launch) -> Job:
    """Have a job transmitted, done and processed."""
    control = lab.folder / f"awx_{launch.number}"
    _write_private_data(control, launch)
    stream, answer = control.with_suffix(".to-node"), control.with_suffix(".from-node")
    node = lab.folder / f"node_{launch.number}"
    options = ["-u", "root", "--forks", str(launch.forks)]
    options += ["-l", shlex.quote(launch.limit)] if launch.limit else []
    options += ["-" + "v" * launch.verbosity] if launch.verbosity else []
    with stream.open("wb") as output:
        ansible_runner.interface.run(
            streamer="transmit",
            _output=output,
            private_data_dir=str(control),
            playbook=launch.playbook,
            cmdline=" ".join(options),
            envvars={**SETTINGS, "AWX_PRIVATE_DATA_DIR": str(node), "ANSIBLE_COLLECTIONS_PATH": _collections(node)},
            ident=str(launch.number),
            suppress_env_files=True,
        )
    words = ("ansible-runner", "worker", "--private-data-dir", str(node))
    command = ["sh", "-c", f"exec {shlex.join(words)} <{shlex.quote(str(stream))} >{shlex.quote(str(answer))}"]
    working = lab.start(command, {**dict.fromkeys(LABS_OWN), **launch.environment})
    ended = working.end()
    working.process.sweep()  # whatever it left behind ends with its container
    return _process(control, answer, launch.number, Job(ended))


def _collections(node: Path) -> str:
    return f"{node / 'requirements_collections'}:{Path(sys.prefix) / 'collections'}"


def _write_private_data(folder: Path, launch: Launch) -> None:
    """The folder that AWX makes for a job: project, an inventory that is a script, and extra variables in a file."""
    shutil.copytree(launch.project, folder / "project")
    script = folder / "inventory" / "hosts"
    script.parent.mkdir()
    write_script(script, launch.inventory)
    (folder / "env").mkdir()
    (folder / "env" / "extravars").write_text(yaml.safe_dump(dict(launch.variables)), encoding="utf-8")


def write_script(path: Path, inventory: Mapping[str, Any]) -> None:
    """An inventory as AWX hands it over: a script that prints it."""
    path.write_text(f"#!{sys.executable}\nprint({json.dumps(inventory)!r})\n", encoding="utf-8")
    path.chmod(0o700)


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
