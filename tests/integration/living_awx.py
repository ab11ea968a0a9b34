# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An AWX in which jobs are launched: the stand-in says what a job is, ansible-runner does it, and the lab is its AWS account."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import awx_job
from awx_setup import PROJECT
from living_lab import LivingLab

from awx.dispatcher import Dispatcher, Job, Runs, UpdateFailedError
from awx.inventories import Document
from awx.objects import Objects, Row

NO_REGION = dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"))
"""AWX's credential for AWS gives keys, and no region."""


class LivingAwx:
    """Attributes:
    dispatcher: launches what was set up.
    ended: what ansible-runner knows of each job, by its number.
    answer: how a person answers the approval of that name: approved, denied or timed out.
    before: called with each job before it is done, where a test wants something to happen beside it.
    """

    def __init__(self, lab: LivingLab, objects: Objects) -> None:
        self.lab = lab
        self.objects = objects
        self.ended: dict[int, awx_job.Job] = {}
        self.answer: Callable[[str], str] = lambda _name: "approved"
        self.before: Callable[[Job], None] = lambda _job: None
        self.dispatcher = Dispatcher(objects, Runs(self._work, self._update, self._answer))

    def output(self, job: Job) -> str:
        """What a job printed, however the lines were broken."""
        return " ".join(self.ended[job.number].output.split()) if job.number in self.ended else "It never began."

    def _work(self, job: Job) -> tuple[str, dict[str, Any]]:
        self.before(job)
        launch = awx_job.Launch(
            number=job.number,
            project=PROJECT,
            playbook=job.template["playbook"],
            inventory=job.inventory,
            variables={**awx_job.meta_variables(job.meta), **job.variables},
            limit=job.limit,
            forks=job.template["forks"],
            verbosity=job.verbosity,
            environment=NO_REGION,
        )
        ended = awx_job.execute(self.lab, launch)
        self.ended[job.number] = ended
        return ("canceled" if ended.node.code == "killed" else ended.status), ended.artifacts

    def _update(self, source: Row, inputs: list[Document]) -> Document:
        """Have the source's plugin look, as AWX does; a constructed inventory gets its inputs as scripts before it."""
        folder = self.lab.folder / f"update_{len(self.dispatcher.updates)}"
        folder.mkdir()
        files = [folder / f"hosts_{number}" for number in range(len(inputs))]
        for file, document in zip(files, inputs, strict=True):
            awx_job.write_script(file, document)
        files.append(folder / ("aws_ec2.yml" if source["source"] == "ec2" else "constructed.yml"))
        files[-1].write_text(source["source_vars"] or '{"plugin": "ansible.builtin.constructed"}', encoding="utf-8")
        found = folder / "output.json"
        command = ["ansible-inventory", "--list", "--export", "--output", str(found)]
        command += [word for file in files for word in ("-i", str(file))]
        ended = self.lab.run(command, {**dict.fromkeys(awx_job.LABS_OWN), **NO_REGION, **awx_job.SETTINGS})
        if ended.code != 0:
            raise UpdateFailedError(ended.output)
        document: Document = json.loads(found.read_text(encoding="utf-8"), object_hook=_plain)
        return document

    def _answer(self, approval: Row) -> str:
        answer = self.answer(approval["name"])
        if answer == "timed out":
            time.sleep(approval["timeout"] / self.lab.scenario.scale)  # what passes in AWX, too, before it gives up
        return answer


def _plain(value: dict[str, Any]) -> Any:
    """ansible-core 2.19 wraps texts that came from AWS, and AWX 24 takes them as they are: its images have 2.17 or 2.18."""
    return value["__ansible_unsafe"] if value.keys() == {"__ansible_unsafe"} else value
