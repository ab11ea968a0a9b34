# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules of ansible.windows, recognised in Ansible's payload by their name and arguments.

Each answers in the form of the module itself. One that is not here, or an option that is not, fails loudly: the task
fails, and so does the run.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.agent import Outcome
from lab.guest_logon import Logon
from lab.sim import Steps
from lab.winrm import files, jobs, win_updates
from lab.winrm.machine import Machine
from lab.winrm.payload import Payload
from lab.winrm.scripts import run_script

Result = dict[str, Any]
Work = Callable[[Machine, Payload], Steps[Result]]

MODULE_SECONDS = 1.0  # Ansible's wrappers compile C# before the module begins
CANNOT_BECOME_SYSTEM = (
    "Unhandled exception while executing module: Failed to get token for NT AUTHORITY\\SYSTEM required for become as a "
    "service account or an account without a password"
)
COLLECTION = "ansible_collections.ansible.windows.plugins.modules."


@dataclass(frozen=True)
class Module:
    """A module that the lab knows, with the options that it knows of it."""

    work: Work
    options: frozenset[str]


def run(machine: Machine, payload: Payload) -> Steps[Outcome]:
    """Run a payload; whatever it is, there is an answer."""
    yield MODULE_SECONDS
    if payload.logon is Logon.SYSTEM and not machine.options.may_become_system:
        return _ended({"failed": True, "msg": CANNOT_BECOME_SYSTEM}, payload)
    if payload.kind == "module":
        return (yield from _run_module(machine, payload))
    if payload.kind == "script":
        return (yield from run_script(machine, payload.text, payload.logon))
    own = files.SCRIPTS.get(payload.name)
    if own:
        return own(machine, payload)
    return Outcome(1, stderr=machine.unknown(f"the script {payload.name}") + "\r\n")


def _run_module(machine: Machine, payload: Payload) -> Steps[Outcome]:
    name = payload.name.removeprefix(COLLECTION)
    module = MODULES.get(name) if payload.name.startswith(COLLECTION) else None
    if module is None:
        return _ended({"failed": True, "msg": machine.unknown(f"the module {payload.name}")}, payload)
    odd = sorted(payload.options.keys() - module.options)
    if odd:
        message = machine.unknown(f"the option {', '.join(odd)} of the module {payload.name}")
        return _ended({"failed": True, "msg": message}, payload)
    if jobs.is_wanted(payload):
        return Outcome(0, json.dumps(jobs.begin(machine, payload, module.work(machine, payload))) + "\r\n")
    return _ended((yield from module.work(machine, payload)), payload)


def _ended(result: Result, payload: Payload) -> Outcome:
    document = {"changed": False, "invocation": {"module_args": payload.options}, **result}
    return Outcome(1 if result.get("failed") else 0, json.dumps(document) + "\r\n")


def win_ping(machine: Machine, payload: Payload) -> Steps[Result]:
    machine.ran("win_ping")
    yield 0.0
    return {"ping": payload.options.get("data", "pong")}


def win_powershell(machine: Machine, payload: Payload) -> Steps[Result]:
    """Text that PowerShell runs; each line that it writes is an object of its output."""
    outcome = yield from run_script(machine, str(payload.options.get("script") or ""), payload.logon)
    errors = [_error_record(line) for line in outcome.stderr.splitlines()]
    return {
        "changed": True,
        "result": {},
        "host_out": "",
        "host_err": "",
        "output": outcome.stdout.splitlines(),
        "error": errors,
        **{stream: [] for stream in ("warning", "verbose", "debug", "information")},
        **({"failed": True, "msg": f"Unhandled exception while executing module: {outcome.stderr}"} if errors else {}),
    }


def _error_record(message: str) -> dict[str, Any]:
    return {
        "category_info": {
            "category": "NotSpecified",
            "category_id": 0,
            "activity": "",
            "reason": "",
            "target_name": "",
        },
        "error_details": None,
        "exception": {"help_link": None, "hresult": -2146233087, "inner_exception": None, "message": message},
        "fully_qualified_error_id": "LabError",
        "output": message,
        "script_stack_trace": "",
        "target_object": None,
    }


def win_shell(machine: Machine, payload: Payload) -> Steps[Result]:
    text = str(payload.options.get("_raw_params") or payload.options.get("cmd") or "")
    started = machine.host.now
    outcome = yield from run_script(machine, text, payload.logon)
    ended = machine.host.now
    return {
        "changed": True,
        "cmd": text,
        "rc": outcome.exit_code,
        "stdout": outcome.stdout,
        "stderr": outcome.stderr,
        "start": f"{started:%Y-%m-%d %H:%M:%S.%f}",
        "end": f"{ended:%Y-%m-%d %H:%M:%S.%f}",
        "delta": str(ended - started),
        **({"failed": True, "msg": "non-zero return code"} if outcome.exit_code else {}),
    }


MODULES: dict[str, Module] = {
    "win_ping": Module(win_ping, frozenset({"data"})),
    "win_powershell": Module(win_powershell, frozenset({"script", "depth", "error_action"})),
    "win_updates": Module(win_updates.run, win_updates.OPTIONS),
    "async_status": Module(jobs.async_status, frozenset({"jid", "mode", "_async_dir"})),
    "win_shell": Module(win_shell, frozenset({"_raw_params", "cmd"})),
}
