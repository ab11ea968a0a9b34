# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible.windows.win_updates: what its module returns to its action plugin.

The two speak in private. ``start`` leaves a program behind (:mod:`update_task`) that writes lines of progress into a
pipe, which ``poll`` reads; ``cancel`` is the last word. With ``wait``, as under async, the module does all of it.
Names and texts are those of plugins/modules/win_updates.ps1, versions 3.3 to 3.8.
"""

from __future__ import annotations

from typing import Any

from lab.sim import Steps
from lab.winrm.machine import Machine
from lab.winrm.payload import Payload
from lab.winrm.update_task import SUCCEEDED, UpdateTask

Data = dict[str, Any]

STARTING_SECONDS = 5.0
READS_ON_SECONDS = 1.0  # how long a poll waits for another line
NO_PIPE_SECONDS = 300.0
WAITS_FOR_END_SECONDS = 10.0

OPTIONS = frozenset(
    {
        "accept_list",
        "category_names",
        "log_path",
        "maximum_retries_on_failed_updates",  # 3.8.0
        "reboot",
        "reboot_timeout",
        "reject_list",
        "server_selection",
        "skip_optional",
        "state",
        "_operation",
        "_operation_options",
    }
)


def run(machine: Machine, payload: Payload) -> Steps[Data]:
    """The module; what it returns to its action plugin."""
    options = payload.options
    of_operation = options.get("_operation_options") or {}
    operation = options.get("_operation") or "start"
    if operation == "poll":
        return (yield from _poll(machine, of_operation))
    if operation == "cancel":
        return (yield from _cancel(machine, of_operation))
    if operation != "start":
        return {"failed": True, "msg": machine.unknown(f"the operation {operation} of win_updates")}
    yield STARTING_SECONDS
    task = UpdateTask(machine, payload)
    if of_operation.get("wait"):
        return (yield from _to_its_end(task))
    return {
        "cancel_options": {"cancel_id": task.cancel_id, "task_pid": task.pid},
        "poll_options": {"pipe_name": task.pipe_name},
    }


def _poll(machine: Machine, options: Data) -> Steps[Data]:
    """Wait for a line, then take all that come within a second of each other."""
    task = machine.update_tasks.get(str(options.get("pipe_name", "")).rpartition("Updates-")[2])
    if task is None:
        yield NO_PIPE_SECONDS
        return {"failed": True, "msg": "Timed out waiting for server pipe to be available"}
    output: list[Data] = []
    while True:
        while not task.lines:
            yield task.wrote
        while task.lines:
            line = task.lines[0]
            output.append(line)
            if line["task"] == "exit":  # it is written again and again, until the task is cancelled
                return {"output": output}
            task.lines.pop(0)
        yield READS_ON_SECONDS
        if not task.lines:
            return {"output": output}


def _cancel(machine: Machine, options: Data) -> Steps[Data]:
    task = machine.update_tasks.pop(str(options.get("cancel_id", "")).rpartition("Updates-")[2], None)
    if task:
        task.cancel()
        yield 0.0 if task.ended else WAITS_FOR_END_SECONDS
    return {}


def _to_its_end(task: UpdateTask) -> Steps[Data]:
    """What the module itself makes of the lines, under async."""
    while not task.ended:
        yield task.wrote
    task.machine.update_tasks.pop(task.id, None)
    by_task = {line["task"]: line["result"] for line in task.lines}
    found = by_task.get("search_result", {"updates": [], "filtered": []})
    reasons = {each["id"]: each["reasons"] for each in found["filtered"]}
    updates = {each["id"]: _legacy(each) for each in found["updates"]}
    for phase, mark in (("download_result", "downloaded"), ("install_result", "installed")):
        for each in by_task.get(phase, {"info": []})["info"]:
            good = each["result_code"] == SUCCEEDED
            updates[each["id"]] |= {mark: True} if good else {"failure_hresult_code": each["hresult"]}
    selected = {key: update for key, update in updates.items() if key not in reasons}
    end = by_task["exit"]
    error = end["exception"] or {}
    return {
        "changed": end["changed"],
        "reboot_required": end["reboot_required"],
        "rebooted": False,
        "failed": end["failed"],
        "found_update_count": len(selected),
        "failed_update_count": sum("failure_hresult_code" in update for update in selected.values()),
        "installed_update_count": sum(update["installed"] for update in selected.values()),
        "updates": selected,
        "filtered_updates": {key: {**updates[key], "filtered_reasons": reason} for key, reason in reasons.items()},
        **({"msg": error["message"], "exception": error["exception"]} if error else {}),
        **({"hresult": error["hresult"]} if "hresult" in error else {}),
    }


def _legacy(found: Data) -> Data:
    return {
        "id": found["id"],
        "title": found["title"],
        "categories": found["categories"],
        "kb": [kb.removeprefix("KB") for kb in found["kb"]],
        "installed": False,
        "downloaded": False,
    }
