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
import math
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from lab.agent import Outcome
from lab.guest_updates import MESSAGES, Service
from lab.scenario import Update
from lab.sim import Steps
from lab.world import Host

POWERSHELL_SECONDS = 2.0
CLEANING_SECONDS = 120.0
NOTHING_TO_CLEAN_SECONDS = 10.0
EXTENDING_SECONDS = 5.0
SEARCHING_SECONDS = 5.0
REPAIRING_SERVICES_SECONDS = 10.0
RESETTING_CACHE_SECONDS = 30.0
RESTORING_HEALTH_SECONDS = 600.0

SERVICES = ("wuauserv", "bits", "cryptsvc", "trustedinstaller")
HISTORY_ENTRIES = 70
INSTALLING_PROCESSES = ("TiWorker",)

# Services that every Windows starts by itself and that run while it does.
RUN_BY_THEMSELVES = (
    "AmazonSSMAgent",
    "CryptSvc",
    "EventLog",
    "LanmanServer",
    "LanmanWorkstation",
    "Schedule",
    "Winmgmt",
)

_NAME = re.compile(r"# patchfleet-script: (\S+)\s*")
_INPUT = re.compile(r"^\$PatchFleetInput = '([A-Za-z0-9+/=]*)'\s*$", re.MULTILINE)

Data = dict[str, Any]
Script = Callable[[Host, Data], Steps[Data]]


class UnreadableInput(Exception):
    """The script was not given its parameters as it should be."""


class ScriptError(Exception):
    """An error that is data: the script ends with exit code 0 and tells it in its document."""

    def __init__(self, category: str, message: str, hresult: str | None = None) -> None:
        super().__init__(message)
        self.category = category
        self.hresult = hresult


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


def run(host: Host, text: str, unknown: Callable[[str, Host], None]) -> Steps[Outcome]:
    """Run a script on a host; ``unknown`` is told of one that the model does not know."""
    yield POWERSHELL_SECONDS
    name = script_name(text)
    if name not in SCRIPTS:
        unknown(f"script {name}" if name else "script without a name", host)
        return Outcome(1, stderr=f"The lab's hosts do not know the script {name or 'without a name'}.\r\n")
    try:
        data = script_input(text)
    except UnreadableInput as error:
        return Outcome(1, stderr=f"{error}\r\n")
    document: Data = {"patchfleet": 1, "script": name, "ok": True, "data": None, "error": None}
    try:
        document["data"] = yield from SCRIPTS[name](host, data)
    except ScriptError as error:
        details = {"category": error.category, "hresult": error.hresult, "message": str(error)}
        document |= {"ok": False, "error": details}
    return Outcome(0, json.dumps(document, ensure_ascii=False) + "\r\n")


def _iso(host: Host, moment: datetime | None) -> str | None:
    """As the host's own clock has it."""
    return host.guest.by_its_clock(moment).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def _gib(value: float) -> float:
    return round(float(value), 3)


def probe(host: Host, _input: Data) -> Steps[Data]:
    yield 0.0
    return {
        "computer_name": host.guest.computer_name,
        "boot_time": _iso(host, host.guest.boot_time),
        "time": _iso(host, host.now),
        "powershell_version": "5.1.20348.2849",
    }


def inspect_boot(host: Host, data: Data) -> Steps[Data]:
    yield 1.0
    since = datetime.fromisoformat(data["since"]) if data.get("since") else None
    boots = [moment for moment in host.guest.boots if since and host.guest.by_its_clock(moment) >= since]
    return {
        "boot_time": _iso(host, host.guest.boot_time),
        "time": _iso(host, host.now),
        "boots": [_iso(host, moment) for moment in boots] if since else None,
        "services": list(RUN_BY_THEMSELVES),
    }


def measure_disk(host: Host, _input: Data) -> Steps[Data]:
    yield 1.0
    disk = host.guest.disk
    disk.rescan()
    return {
        "drive": "C:",
        "partition_gib": _gib(disk.partition_gib),
        "free_gib": _gib(disk.free_gib),
        "disk_gib": _gib(disk.seen_gib),
        "extendable_gib": _gib(disk.extendable_gib),
        "blocked_by": "recovery_partition" if disk.recovery_partition else None,
        "partition_style": disk.style,
        "serial": host.disk_serial,
    }


def download_bytes(update: Update) -> int:
    return int(update.gib * 2**30 / 3)


def recommended_mib(update: Update) -> int:
    return math.ceil(update.gib * 1024)


def missing_update_sizes(host: Host, _input: Data) -> Steps[Data]:
    """The room that an update says it needs is its recommendation; a third of it is the download. Neither drivers nor whole new
    versions of Windows are asked for.
    """
    yield SEARCHING_SECONDS
    updates = host.guest.updates
    error = updates.search_error()
    if error:
        raise ScriptError("script_failed", MESSAGES[error], error)
    software = [update for update in updates.offered() if update.update_class not in ("driver", "feature")]
    offered = sorted(software, key=lambda update: -update.gib)
    return {
        "count": len(offered),
        "updates": [
            {
                "kb": update.kb,
                "max_download_bytes": download_bytes(update),
                "recommended_mib": recommended_mib(update),
            }
            for update in offered[:100]
        ],
    }


def clean_disk(host: Host, data: Data) -> Steps[Data]:
    """Component store, update cache, temp folders, an older Windows; an installation needs the first two, and the store cannot be
    cleaned while a reboot is pending.
    """
    disk, updates = host.guest.disk, host.guest.updates
    before = disk.free_gib
    busy = "installation_running" if updates.installing else None
    store_skipped = "reboot_pending" if updates.pending_reboot else busy
    old_skipped = "not_asked_for" if disk.old_windows_gib and not data.get("old_windows") else None
    to_win = disk.temp_gib
    to_win += 0.0 if store_skipped else disk.component_store_gib
    to_win += 0.0 if old_skipped else disk.old_windows_gib
    yield CLEANING_SECONDS if to_win else NOTHING_TO_CLEAN_SECONDS
    store_won = 0.0 if store_skipped else disk.clean_component_store()
    old_won = 0.0 if old_skipped else disk.clean_old_windows()
    return {
        "rungs": [
            {"name": "component_store", "won_gib": _gib(store_won), "skipped": store_skipped},
            {"name": "update_cache", "won_gib": 0.0, "skipped": busy},
            {"name": "temp_files", "won_gib": _gib(disk.clean_temp()), "skipped": None},
            {"name": "old_windows", "won_gib": _gib(old_won), "skipped": old_skipped},
        ],
        "free_gib_before": _gib(before),
        "free_gib_after": _gib(disk.free_gib),
    }


def extend_partition(host: Host, _input: Data) -> Steps[Data]:
    yield EXTENDING_SECONDS
    disk = host.guest.disk
    disk.rescan()
    before = disk.partition_gib
    if disk.recovery_partition:
        raise ScriptError("recovery_partition", "A recovery partition lies directly behind C:.")
    if not disk.extendable_gib:
        raise ScriptError("no_room", "There is no unallocated space behind C:.")
    disk.extend()
    return {
        "partition_gib_before": _gib(before),
        "partition_gib": _gib(disk.partition_gib),
        "free_gib": _gib(disk.free_gib),
        "disk_gib": _gib(disk.seen_gib),
    }


def _answer(hresult: str | None) -> Data:
    return {"ok": hresult is None, "hresult": hresult, "message": MESSAGES[hresult] if hresult else None}


def inspect_windows_update(host: Host, _input: Data) -> Steps[Data]:
    yield 5.0
    updates = host.guest.updates
    return {
        "services": [_service(updates.services[name]) for name in SERVICES],
        "agent": _answer(updates.agent_error()),
        "pending_reboot": sorted(updates.pending_reboot),
        "update_source": {"kind": "microsoft", "url": None, "proxy": None},
        "search": _answer(updates.search_error()),
        "sessions": host.guest.sessions,
        "installing": updates.installing,
    }


def inspect_sessions(host: Host, _input: Data) -> Steps[Data]:
    yield 1.0
    return {"sessions": host.guest.sessions}


def send_session_message(host: Host, data: Data) -> Steps[Data]:
    yield 1.0
    if host.guest.sessions:
        host.guest.messages.append(data["message"])
    return {"sessions": host.guest.sessions, "sent": bool(host.guest.sessions)}


def _service(service: Service) -> Data:
    return {"name": service.name, "start_type": service.start_type, "status": service.status}


def repair_services(host: Host, data: Data) -> Steps[Data]:
    yield REPAIRING_SERVICES_SECONDS
    return {
        "repaired": [
            {"was_start_type": before.start_type, "was_status": before.status, **_service(after)}
            for before, after in host.guest.updates.repair_services(list(data.get("services", ())))
        ]
    }


def reset_update_cache(host: Host, data: Data) -> Steps[Data]:
    yield RESETTING_CACHE_SECONDS
    host.guest.updates.mend("cache_corrupt")
    suffix = f".patchfleet-{host.now:%Y%m%d%H%M%S}"
    renamed = [f"C:\\Windows\\SoftwareDistribution{suffix}"]
    if data.get("catroot2"):
        renamed.append(f"C:\\Windows\\System32\\catroot2{suffix}")
    host.guest.old_caches += renamed
    return {"renamed": renamed}


def remove_old_update_cache(host: Host, _input: Data) -> Steps[Data]:
    yield 5.0
    removed, host.guest.old_caches = host.guest.old_caches, []
    return {"removed": removed, "left": []}


def repair_components(host: Host, _input: Data) -> Steps[Data]:
    yield RESTORING_HEALTH_SECONDS
    mended = host.guest.updates.mend("components_corrupt")
    return {"restore_health": "repaired" if mended else "healthy", "system_files": 0}


def update_history(host: Host, data: Data) -> Steps[Data]:
    yield 3.0
    error = host.guest.updates.agent_error()
    if error:
        raise ScriptError("script_failed", MESSAGES[error], error)
    since = datetime.fromisoformat(data["since"]) if data.get("since") else None
    return {
        "entries": [
            {
                "kb": entry.kb,
                "operation": "installation",
                "result": entry.result,
                "hresult": entry.hresult,
                "at": _iso(host, entry.at),
            }
            for entry in host.guest.updates.history[::-1][:HISTORY_ENTRIES]
            if since is None or host.guest.by_its_clock(entry.at) >= since
        ]
    }


def servicing_state(host: Host, _input: Data) -> Steps[Data]:
    yield 1.0
    updates = host.guest.updates
    return {
        "installing": updates.installing,
        "processes": list(INSTALLING_PROCESSES) if updates.installing else [],
        "cpu_seconds": 0.0,  # the servicing log alone tells of progress here
        "pending_reboot": sorted(updates.pending_reboot),
        "last_progress_at": _iso(host, updates.last_progress_at),
    }


SCRIPTS: dict[str, Script] = {
    "probe": probe,
    "inspect_boot": inspect_boot,
    "measure_disk": measure_disk,
    "missing_update_sizes": missing_update_sizes,
    "clean_disk": clean_disk,
    "extend_partition": extend_partition,
    "inspect_windows_update": inspect_windows_update,
    "inspect_sessions": inspect_sessions,
    "send_session_message": send_session_message,
    "repair_services": repair_services,
    "reset_update_cache": reset_update_cache,
    "remove_old_update_cache": remove_old_update_cache,
    "repair_components": repair_components,
    "update_history": update_history,
    "servicing_state": servicing_state,
}
