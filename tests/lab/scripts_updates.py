# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a modelled host answers to the scripts about Windows Update."""

from __future__ import annotations

from datetime import datetime

from lab import policies
from lab.guest_updates import DONE, WINDOWS_UPDATE, WindowsUpdateError
from lab.scripts_scene import Data, Scene, ScriptError
from lab.sim import Steps
from lab.windows_messages import ACCESS_DENIED, SHARING_VIOLATION

SERVICES = ("wuauserv", "bits", "cryptsvc", "trustedinstaller")
WINDOWS_DEFAULTS = {
    "wuauserv": "manual",
    "bits": "manual",
    "cryptsvc": "automatic",
    "trustedinstaller": "manual",
    "wlidsvc": "manual",
}
HELPERS = ("UsoSvc", "DoSvc")
HELPER_LIMIT_SECONDS = 30.0
HISTORY_ENTRIES = 70
OF_DOTNET = "0x8013"
RENAME_ATTEMPTS, BETWEEN_ATTEMPTS_SECONDS = 5, 3.0


def _answer(scene: Scene, hresult: str | None) -> Data:
    """An HRESULT of .NET itself is none of Windows."""
    shown = None if hresult and hresult.startswith(OF_DOTNET) else hresult
    return {"ok": hresult is None, "hresult": shown, "message": scene.message_of(hresult) if hresult else None}


def inspect_windows_update(scene: Scene) -> Steps[Data]:
    services = [_service(scene, name) for name in SERVICES]
    servicing = scene.servicing()
    agent = _answer(scene, scene.agent_error())
    search = agent
    if agent["ok"] and scene.data.get("search") is not False:
        search = _answer(scene, None)
        try:
            yield from scene.search()
        except WindowsUpdateError as error:
            search = _answer(scene, error.hresult)
    return {
        "services": services,
        "services_of_policy": [name.lower() for name in scene.guest.spec.windows.policy_services],
        "agent": agent,
        "pending_reboot": servicing["pending_reboot"],
        "update_source": policies.source(scene.guest.spec.windows),
        "search": search,
        "sessions": scene.guest.sessions,
        "installing": servicing["installing"],
        "servicing": servicing["servicing"],
        "time": scene.iso(scene.host.now),
    }


def _service(scene: Scene, name: str) -> Data:
    service = scene.guest.services[name]
    return {"name": name, "start_type": service.start_type, "status": service.status.replace("_", "")}


def repair_services(scene: Scene) -> Steps[Data]:
    defaults = dict(WINDOWS_DEFAULTS)
    if scene.updates.waits_for_reboot:
        defaults["trustedinstaller"] = "automatic"
    repaired = []
    for name in scene.data.get("services", ()):
        if name not in defaults:
            raise ScriptError("unknown_service", f"{name} is no service of Windows Update.")
        before = _service(scene, name)
        if before["start_type"] == "disabled":
            scene.guest.services[name].start_type = defaults[name]
        trouble = yield from scene.start_service(name)
        if trouble:
            raise ScriptError("service_stuck", trouble)
        was = {"was_start_type": before["start_type"], "was_status": before["status"]}
        repaired.append({**was, **_service(scene, name)})
    return {"repaired": repaired}


def restore_services(scene: Scene) -> Steps[Data]:
    yield 0.0
    restored = []
    for wanted in scene.data.get("services", ()):
        name = wanted["name"]
        if name not in WINDOWS_DEFAULTS:
            raise ScriptError("unknown_service", f"{name} is no service of Windows Update.")
        service, trouble = scene.guest.services[name], None
        expected = wanted.get("expected_start_type")
        changed = bool(expected) and service.start_type != expected
        if not changed:
            service.start_type = wanted["start_type"]
            if wanted["start_type"] == "disabled" and wanted.get("status") == "stopped":
                trouble = yield from scene.stop_service(name)
        restored.append({**_service(scene, name), "changed_by_others": changed, "trouble": trouble})
    return {"restored": restored}


def reset_update_cache(scene: Scene) -> Steps[Data]:
    services = ["wuauserv", "bits", *(["cryptsvc"] if scene.data.get("catroot2") else [])]
    suffix = f".patchfleet-{scene.time:%Y%m%d%H%M%S}"
    folders = ["C:\\Windows\\SoftwareDistribution"]
    if scene.data.get("catroot2"):
        folders.append("C:\\Windows\\System32\\catroot2")
    running = [name for name in (*services, *HELPERS) if scene.guest.services[name].status == "running"]
    renamed: list[str] = []
    trouble = None
    for folder in folders:
        trouble = yield from _move_aside(scene, services, folder)
        if trouble:
            break
        renamed.append(folder + suffix)
    for name in running:
        yield from scene.start_service(name)
    scene.guest.old_caches += renamed
    if trouble:
        raise trouble
    return {"renamed": renamed}


def _move_aside(scene: Scene, services: list[str], folder: str) -> Steps[ScriptError | None]:
    """The error, where the services do not stop or another program holds files in the folder."""
    reason, hresult = "", None
    for attempt in range(RENAME_ATTEMPTS):
        if attempt:
            yield BETWEEN_ATTEMPTS_SECONDS
        stuck = yield from _stop_all(scene, services)
        if stuck:
            reason = stuck
            break
        if folder.rpartition("\\")[2] not in scene.guest.spec.windows.held_folders:
            if folder.endswith("SoftwareDistribution"):
                scene.updates.lose_cache()
            return None
        reason, hresult = scene.message_of(SHARING_VIOLATION), SHARING_VIOLATION
    return ScriptError("cache_in_use", f"The folder {folder} could not be renamed: {reason}", hresult)


def _stop_all(scene: Scene, names: list[str]) -> Steps[str | None]:
    for name in HELPERS:
        yield from scene.stop_service(name, HELPER_LIMIT_SECONDS)
    for name in names:
        trouble = yield from scene.stop_service(name)
        if trouble:
            return trouble
    return None


def remove_old_update_cache(scene: Scene) -> Steps[Data]:
    yield 0.0
    removed, scene.guest.old_caches = scene.guest.old_caches, []
    return {"removed": removed, "left": []}


def repair_components(scene: Scene) -> Steps[Data]:
    flagged = scene.updates.components_flagged
    job = scene.updates.restore_health()
    yield from job.wait()
    if job.exit_code not in DONE:
        hresult = f"0x{job.exit_code & 0xFFFFFFFF:08X}"
        raise ScriptError("restore_health_failed", "The component store could not be rebuilt.", hresult)
    restored = "still_damaged" if scene.updates.components_flagged else "repaired" if flagged else "not_known"
    return {"restore_health": restored, "system_files": scene.guest.spec.windows.sfc_exit_code}


def update_history(scene: Scene) -> Steps[Data]:
    yield 0.0
    error = scene.agent_error()
    if error == ACCESS_DENIED:
        raise ScriptError("update_api_refused", scene.message_of(error), error)
    if error:
        raise scene.refused(error)
    since = datetime.fromisoformat(scene.data["since"]) if scene.data.get("since") else None
    return {
        "entries": [
            {
                "kb": entry.kb,
                "operation": "installation",
                "result": entry.result,
                "hresult": entry.hresult,
                "at": scene.iso(entry.at),
            }
            for entry in scene.updates.history[::-1][:HISTORY_ENTRIES]
            if since is None or scene.guest.by_its_clock(entry.at) >= since
        ]
    }


def servicing_state(scene: Scene) -> Steps[Data]:
    yield 0.0
    servicing = scene.servicing()
    return {
        "installing": servicing["installing"],
        "busy": servicing["busy"],
        "servicing": servicing["servicing"],
        "processes": scene.updates.processes(),
        "cpu_seconds": 0.0,  # the servicing log alone shows progress here
        "pending_reboot": servicing["pending_reboot"],
        "last_progress_at": scene.iso(scene.updates.last_progress_at),
        "time": scene.iso(scene.host.now),
    }


def mark_pending(scene: Scene) -> Steps[Data]:
    yield 0.0
    if scene.data.get("pending"):
        scene.updates.pending_reboot.add(WINDOWS_UPDATE)
    else:
        scene.updates.pending_reboot.discard(WINDOWS_UPDATE)
    return {"pending_reboot": scene.servicing()["pending_reboot"]}
