# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a modelled host answers to the scripts of the role expand_ebs."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta

from lab.guest_files import SYSTEM_TEMP, USER_TEMP, USERS
from lab.guest_updates import DONE, WindowsUpdateError
from lab.scenario import Update
from lab.scripts_scene import Data, Scene, ScriptError, gib
from lab.sim import Steps
from lab.windows_messages import ACCESS_DENIED, SERVICE_DISABLED

GIB = 2**30
DEFAULT_CLEANING_LIMIT_SECONDS = 3600.0
LEAST_AGE_DAYS = 7
NO_PARTITION = "CmdletizationQuery_NotFound_DriveLetter"


def measure_disk(scene: Scene) -> Steps[Data]:
    yield 0.0
    disk = scene.guest.disk
    disk.rescan()
    return {
        "drive": "C:",
        "partition_gib": gib(disk.partition_bytes / GIB),
        "free_gib": gib(disk.free_gib),
        "disk_gib": None if disk.dynamic else gib(disk.scanned_gib),
        "extendable_gib": gib(disk.extendable_gib),
        "blocked_by": disk.blocked_by,
        "partition_style": None if disk.dynamic else disk.style,
        "serial": None if disk.dynamic else scene.host.disk_serial,
        "layout_error": NO_PARTITION if disk.dynamic else None,
    }


def download_bytes(update: Update) -> int:
    return int(update.gib * GIB / 3)


def recommended_mib(update: Update) -> int:
    return math.ceil(update.gib * 1024)


def msrc_severity(update: Update) -> str:
    """Empty where Microsoft does not rate it (Windows Update Agent API, IUpdate.MsrcSeverity)."""
    return "" if update.severity == "unspecified" else update.severity.capitalize()


def missing_update_sizes(scene: Scene) -> Steps[Data]:
    """The room that an update says it needs is its recommendation; a third of it is the download. Neither drivers nor whole new
    versions of Windows are asked for.
    """
    if scene.is_refused():
        raise scene.refused(ACCESS_DENIED)
    try:
        yield from scene.search()
    except WindowsUpdateError as problem:
        raise scene.refused(problem.hresult) from problem
    software = [update for update in scene.updates.offered() if update.update_class not in ("driver", "feature")]
    offered = sorted(software, key=lambda update: -update.gib)
    return {
        "count": len(offered),
        "updates": [
            {
                "kb": update.kb,
                "max_download_bytes": download_bytes(update),
                "recommended_mib": recommended_mib(update),
                "severity": msrc_severity(update),
            }
            for update in offered[:100]
        ],
    }


def clean_disk(scene: Scene) -> Steps[Data]:
    """From what is surely rubbish to what takes long; a cleanup action says why it was left out."""
    before = scene.guest.disk.free_gib
    rungs = []
    for name, clean in CLEANUP_ACTIONS.items():
        free = scene.guest.disk.free_gib
        skipped = yield from clean(scene)
        rungs.append({"name": name, "won_gib": gib(max(scene.guest.disk.free_gib - free, 0.0)), "skipped": skipped})
    return {"rungs": rungs, "free_gib_before": gib(before), "free_gib_after": gib(scene.guest.disk.free_gib)}


def _obstacle(scene: Scene) -> str | None:
    servicing = scene.servicing()
    if servicing["pending_reboot"] or servicing["servicing"] == 1:
        return "reboot_pending"
    if servicing["installing"] is None:
        return "unknown"
    return "installation_running" if servicing["installing"] else None


def _windows_logs(_scene: Scene) -> Steps[str | None]:
    """The lab's hosts have none that are worth deleting."""
    yield 0.0
    return None


def _update_cache(scene: Scene) -> Steps[str | None]:
    obstacle = _obstacle(scene)
    if obstacle:
        return obstacle
    services = scene.guest.services
    running = [name for name in ("wuauserv", "bits") if services[name].status == "running"]
    trouble = None
    for name in running:
        trouble = yield from scene.stop_service(name)
        if trouble:
            break
    lacking: list[str] = []
    for name in running:
        stuck = yield from scene.start_service(name)
        lacking += [name] if stuck else []
    if lacking and not trouble:
        return f"failed: not started again: {', '.join(lacking)}"
    return f"failed: {trouble}" if trouble else None


def _temp_files(scene: Scene) -> Steps[str | None]:
    yield 0.0
    if scene.updates.pending_reboot:
        return "reboot_pending"
    disk, limit = scene.guest.disk, _oldest_kept(scene, "temp_age_days", 14)
    disk.clean_temp(SYSTEM_TEMP, limit, scene.host.now)
    if scene.data.get("user_temp"):
        limit = _oldest_kept(scene, "user_temp_age_days", 30)
        loaded = disk.temp.loaded_profiles()
        for person in disk.temp.children(USERS):
            if person not in loaded:
                disk.clean_temp(f"{person}\\{USER_TEMP}", limit, scene.host.now)
    return None


def _oldest_kept(scene: Scene, parameter: str, default_days: int) -> datetime:
    days = max(int(scene.data.get(parameter) or default_days), LEAST_AGE_DAYS)
    return min(scene.host.now - timedelta(days=days), scene.guest.boot_time)


def _old_windows(scene: Scene) -> Steps[str | None]:
    yield 0.0
    disk = scene.guest.disk
    if disk.old_windows_gib and not scene.data.get("old_windows"):
        return "not_asked_for"
    disk.clean_old_windows()
    return None


def _component_store(scene: Scene) -> Steps[str | None]:
    obstacle = _obstacle(scene)
    if obstacle:
        return obstacle
    scene.guest.disk.base_was_reset |= bool(scene.data.get("reset_base"))
    job = scene.updates.clean_component_store()
    limit = float(scene.data.get("component_store_seconds") or DEFAULT_CLEANING_LIMIT_SECONDS)
    if not (yield from job.wait_at_most(limit)):
        return "still_running"
    return None if job.exit_code in DONE else f"dism_exit_code_{job.exit_code}"


CLEANUP_ACTIONS: dict[str, Callable[[Scene], Steps[str | None]]] = {
    "windows_logs": _windows_logs,
    "update_cache": _update_cache,
    "temp_files": _temp_files,
    "old_windows": _old_windows,
    "component_store": _component_store,
}


def extend_partition(scene: Scene) -> Steps[Data]:
    yield 0.0
    disk = scene.guest.disk
    disk.rescan()
    before = disk.partition_bytes
    if disk.dynamic:
        raise ScriptError("script_failed", "No MSFT_Partition objects found", "0x80041002", NO_PARTITION)
    if not disk.extendable_gib:
        if disk.blocked_by:
            raise ScriptError(disk.blocked_by, "Another partition lies right behind C:, so it cannot be extended.")
        raise ScriptError("no_room", "The disk has no free space behind C:.")
    if disk.resize == "refused":
        message = f"Neither Resize-Partition nor diskpart extended C:. {scene.message_of(SERVICE_DISABLED)}"
        raise ScriptError("not_extended", message, SERVICE_DISABLED)
    disk.extend()
    return {
        "partition_gib_before": gib(before / GIB),
        "partition_gib": gib(disk.partition_bytes / GIB),
        "free_gib": gib(disk.free_gib),
        "disk_gib": gib(disk.scanned_gib),
    }
