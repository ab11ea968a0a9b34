# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a modelled host answers to the product's PowerShell scripts, by the name in their first line.

No PowerShell is run and none is interpreted: the name says what is meant, the parameters come as base64 JSON, and the
answer is the one JSON document that the real script would print.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta

from lab import shells
from lab.agent import Outcome
from lab.guest_logon import Logon
from lab.guest_services import Service
from lab.scripts_cluster import drain_cluster_node, inspect_cluster, inspect_use, resume_cluster_node
from lab.scripts_named import install_updates, search_updates
from lab.scripts_scene import Data, Scene, ScriptError
from lab.scripts_space import clean_disk, extend_partition, measure_disk, missing_update_sizes
from lab.scripts_updates import (
    inspect_windows_update,
    mark_pending,
    remove_old_update_cache,
    repair_components,
    repair_services,
    reset_update_cache,
    restore_services,
    servicing_state,
    update_history,
)
from lab.scripts_workload import check_host
from lab.sim import Steps
from lab.world import Host

POWERSHELL_SECONDS = 2.0
RESTART_SECONDS = 10.0
# What a script takes besides its searches, clean-ups and waits.
SECONDS = {
    "check_host": 2.0,
    "inspect_boot": 1.0,
    "measure_disk": 1.0,
    "extend_partition": 5.0,
    "inspect_windows_update": 1.0,
    "inspect_sessions": 1.0,
    "send_session_message": 1.0,
    "inspect_cluster": 1.0,
    "inspect_use": 1.0,
    "drain_cluster_node": 1.0,
    "resume_cluster_node": 1.0,
    "repair_services": 10.0,
    "restore_services": 5.0,
    "reset_update_cache": 30.0,
    "remove_old_update_cache": 5.0,
    "update_history": 3.0,
    "search_updates": 1.0,
    "install_updates": 1.0,
    "servicing_state": 1.0,
    "mark_pending": 1.0,
    "shift_clock": 1.0,
}

_NAME = re.compile(r"# patchfleet-script: (\S+)\s*")
_INPUT = re.compile(r"^\$PatchFleetInput = '([A-Za-z0-9+/=]*)'\s*$", re.MULTILINE)

Script = Callable[[Scene], Steps[Data]]


class UnreadableInput(Exception):
    """The script was not given its parameters as it should be."""


def script_name(text: str) -> str | None:
    """The name that the first line gives, or None when it gives none."""
    match = _NAME.fullmatch(text.splitlines()[0]) if text.strip() else None
    return match[1] if match else None


def script_input(text: str) -> Data:
    """The parameters; UnreadableInput when the line is not there or is not what it should be."""
    match = _INPUT.search(text)
    if not match:
        raise UnreadableInput("no line sets $PatchFleetInput")
    try:
        data = json.loads(base64.b64decode(match[1], validate=True))
    except (binascii.Error, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UnreadableInput("$PatchFleetInput is not base64 of a JSON document") from error
    if not isinstance(data, dict):
        raise UnreadableInput("$PatchFleetInput is not an object")
    return data


def begin(text: str) -> Steps[None]:
    """PowerShell starts, and a script does what every script does."""
    yield POWERSHELL_SECONDS + SECONDS.get(script_name(text) or "", 0.0)


def run(host: Host, text: str, unknown: Callable[[str, Host], None], logon: Logon) -> Steps[Outcome]:
    """Run a script on a host; ``unknown`` is called for one that the model does not know."""
    yield from begin(text)
    name = script_name(text)
    if name not in SCRIPTS:
        unknown(f"script {name}" if name else "script without a name", host)
        return Outcome(1, stderr=f"The lab's hosts do not know the script {name or 'without a name'}.\r\n")
    try:
        data = script_input(text)
    except UnreadableInput as error:
        return Outcome(1, stderr=f"{error}\r\n")
    refusal = shells.refusal(name, shells.shell_of(host.spec.windows.powershell))
    if refusal is not None:
        return Outcome(0, shells.printed(refusal))
    document: Data = {"patchfleet": 1, "script": name, "ok": True, "data": None, "error": None}
    try:
        document["data"] = yield from SCRIPTS[name](Scene(host, data, logon))
    except ScriptError as error:
        details = {
            "category": error.category,
            "hresult": error.hresult,
            "message": str(error),
            "error_id": error.error_id,
        }
        document |= {"ok": False, "error": details}
    return Outcome(0, shells.printed(document))


def probe(scene: Scene) -> Steps[Data]:
    yield 0.0
    return {
        "computer_name": scene.guest.computer_name,
        "boot_time": scene.iso(scene.guest.boot_time),
        "time": scene.iso(scene.host.now),
        **shells.shell_of(scene.guest.spec.windows.powershell).facts(),
    }


def inspect_boot(scene: Scene) -> Steps[Data]:
    yield 0.0
    guest = scene.guest
    since = datetime.fromisoformat(scene.data["since"]) if scene.data.get("since") else None
    boots = [moment for moment in guest.boots if since and guest.by_its_clock(moment) >= since]
    lasting = [service for service in guest.services if _is_lasting(service)]
    return {
        "boot_time": scene.iso(guest.boot_time),
        "time": scene.iso(scene.host.now),
        "boots": [scene.iso(moment) for moment in boots] if since else None,
        "services": [service.name for service in lasting if service.status == "running"],
        "services_not_running": [
            {"name": service.name, "state": service.status, "exit_code": service.exit_code}
            for service in lasting
            if service.status != "running" and not (service.status == "stopped" and service.exit_code == 0)
        ],
    }


def _is_lasting(service: Service) -> bool:
    comes_and_goes = service.triggered or service.of_session or service.name in ("TrustedInstaller", "bits")
    return service.automatic and not comes_and_goes


def restart_windows(scene: Scene) -> Steps[Data]:
    yield 0.0
    guest = scene.guest
    if scene.data.get("restart"):
        guest.reboot_in(RESTART_SECONDS)
    return {"boot_time": scene.iso(guest.boot_time), "restarting": bool(scene.data.get("restart"))}


def shift_clock(scene: Scene) -> Steps[Data]:
    yield 0.0
    scene.guest.clock_skew += timedelta(seconds=scene.data["seconds"])
    return {"time": scene.iso(scene.host.now)}


def inspect_sessions(scene: Scene) -> Steps[Data]:
    yield 0.0
    return {"sessions": scene.guest.sessions}


def send_session_message(scene: Scene) -> Steps[Data]:
    yield 0.0
    guest = scene.guest
    if guest.sessions:
        guest.messages.append(scene.data["message"])
    return {"sessions": guest.sessions, "sent": bool(guest.sessions)}


def long_output(_scene: Scene) -> Steps[Data]:
    """More than Run Command keeps."""
    yield 0.0
    return {"x": "x" * 30_000}


SCRIPTS: dict[str, Script] = {
    "probe": probe,
    "check_host": check_host,
    "inspect_boot": inspect_boot,
    "long_output": long_output,
    "mark_pending": mark_pending,
    "shift_clock": shift_clock,
    "measure_disk": measure_disk,
    "missing_update_sizes": missing_update_sizes,
    "clean_disk": clean_disk,
    "extend_partition": extend_partition,
    "inspect_windows_update": inspect_windows_update,
    "inspect_sessions": inspect_sessions,
    "inspect_cluster": inspect_cluster,
    "inspect_use": inspect_use,
    "drain_cluster_node": drain_cluster_node,
    "resume_cluster_node": resume_cluster_node,
    "restart_windows": restart_windows,
    "send_session_message": send_session_message,
    "repair_services": repair_services,
    "restore_services": restore_services,
    "reset_update_cache": reset_update_cache,
    "remove_old_update_cache": remove_old_update_cache,
    "repair_components": repair_components,
    "update_history": update_history,
    "search_updates": search_updates,
    "install_updates": install_updates,
    "servicing_state": servicing_state,
}
