# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks under async: a module runs on while Ansible asks how far it is, by ansible-core's wrappers and async_status."""

from __future__ import annotations

import ntpath
from typing import Any

from lab.sim import Steps
from lab.winrm.machine import Machine
from lab.winrm.payload import Payload

Result = dict[str, Any]

WRAPPER, WATCHDOG = "async_wrapper.ps1", "async_watchdog.ps1"
TIMED_OUT = "failure during async watchdog: timed out waiting for module completion"


def is_wanted(payload: Payload) -> bool:
    return WRAPPER in payload.wrappers


def begin(machine: Machine, payload: Payload, work: Steps[Result]) -> Result:
    """Let a module work in the background; returns what the wrapper writes at once."""
    parameters = payload.wrappers[WRAPPER]
    pid = machine.sim.random("async", machine.host.name, parameters["AsyncJid"]).randrange(1000, 9999)
    job_id = f"{parameters['AsyncJid']}.{pid}"
    job = {
        "started": True,
        "finished": False,
        "results_file": ntpath.join(parameters["AsyncDir"], job_id),
        "ansible_job_id": job_id,
        "_ansible_suppress_tmpdir_delete": True,
        "ansible_async_watchdog_pid": pid,
    }
    machine.jobs[job_id] = job
    process = machine.sim.spawn(_run(job, work))
    machine.background.append(process)

    def time_out() -> None:
        if process.alive:
            process.stop()
            job.update(finished=True, failed=True, msg=TIMED_OUT)

    machine.sim.after(float(payload.wrappers[WATCHDOG]["Timeout"]), time_out)
    return dict(job)


def _run(job: Result, work: Steps[Result]) -> Steps[None]:
    result = yield from work
    job.update({"changed": False, **result, "finished": True})


def async_status(machine: Machine, payload: Payload) -> Steps[Result]:
    """The module of ansible.windows. A reboot ends a job, and its file says for ever that it has started."""
    yield 0.0
    job_id = str(payload.options["jid"])
    job = machine.jobs.get(job_id)
    if job is None:
        message = f"could not find job at '{payload.options.get('_async_dir')}'"
        return {"ansible_job_id": job_id, "started": 1, "finished": 1, "failed": True, "msg": message}
    if payload.options.get("mode") == "cleanup":
        del machine.jobs[job_id]
        return {"ansible_job_id": job_id, "erased": job["results_file"]}
    return dict(job)
