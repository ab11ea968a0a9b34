# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Windows' own commands answer on a modelled host, for Windows.psm1.

Each operation is a method that takes what the command was given and returns JSON. Time does not pass while a script runs in
a real PowerShell; what its commands would have taken is added up and passes afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from lab import scripts_model as model
from lab.guest_updates import MESSAGES, WindowsUpdateError
from lab.world import Host

GIB = 2**30
PARTITION_OFFSET = 2**20
RECOVERY_BYTES = 500 * 2**20
RECOVERY_GPT_TYPE = "{de94bba4-06d1-4d40-a16a-bfd50179d6ac}"
RECOVERY_MBR_TYPE = 39
UPGRADES = "3689bdc8-b205-4af4-8d4a-a63924c5e9d5"
START_TYPES = {"automatic": 2, "manual": 3, "disabled": 4}
RESULT_CODES = {"in_progress": 1, "succeeded": 2, "succeeded_with_errors": 3, "failed": 4, "aborted": 5}
FAILED = "0x80004005"  # E_FAIL
AGE = timedelta(days=90)
"""How old the things are that cleaning finds."""
WINDOWS = "C:\\Windows"
SOFTWARE = "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion"
PENDING = {
    f"{SOFTWARE}\\Component Based Servicing\\RebootPending": "component_based_servicing",
    f"{SOFTWARE}\\WindowsUpdate\\Auto Update\\RebootRequired": "windows_update",
}
SERVICE_KEY = "HKLM:\\SYSTEM\\CurrentControlSet\\Services\\"


class Refused(Exception):
    """A command that fails: its HRESULT, and the id by which PowerShell knows the error."""

    def __init__(self, hresult: str, message: str, error_id: str = "Failed") -> None:
        super().__init__(message)
        self.hresult = hresult
        self.error_id = error_id


class Windows:
    """One host while a script runs on it. ``seconds`` is what its commands would have taken."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._guest = host.guest
        self._updates = host.guest.updates
        self._disk = host.guest.disk
        self.seconds = 0.0

    def answer(self, operation: str, values: dict[str, Any]) -> dict[str, Any]:
        """The answer to one question of Windows.psm1; KeyError for an operation that is none."""
        try:
            return {"value": OPERATIONS[operation](self, **values)}
        except Refused as error:
            return {"hresult": error.hresult, "message": str(error), "id": error.error_id}
        except WindowsUpdateError as error:
            return {"hresult": error.hresult, "message": MESSAGES[error.hresult], "id": "COMException"}

    def _moment(self, at: datetime) -> str:
        return self._guest.by_its_clock(at).isoformat()

    def now(self) -> str:
        return self._moment(self._host.now)

    # ---- services

    def get_service(self, name: str) -> dict[str, Any]:
        return {"Name": name, "Status": self._updates.services[name.lower()].status.capitalize()}

    def start_service(self, name: str) -> None:
        self._updates.start_service(name.lower())

    def stop_service(self, name: str, force: bool) -> None:
        self._updates.services[name.lower()].status = "stopped"

    def set_service(self, name: str, start_type: str) -> None:
        self._updates.services[name.lower()].start_type = start_type

    # ---- registry and files

    def test_path(self, path: str) -> bool:
        if path in PENDING:
            return PENDING[path] in self._updates.pending_reboot
        if path.startswith("HKLM:"):
            return False
        return (path == "C:\\Windows.old" and bool(self._disk.old_windows_gib)) or path in self._folders()

    def _folders(self) -> set[str]:
        own = {f"{WINDOWS}\\SoftwareDistribution", f"{WINDOWS}\\SoftwareDistribution\\Download", f"{WINDOWS}\\Temp"}
        programs = {f"{WINDOWS}\\System32\\{name}" for name in ("catroot2", "msg.exe", "cleanmgr.exe")}
        return own | programs | {"C:\\Users"}

    def registry_values(self, path: str, name: str) -> dict[str, Any]:
        if path.startswith(SERVICE_KEY):
            return {"Start": START_TYPES[self._updates.services[path.removeprefix(SERVICE_KEY).lower()].start_type]}
        return {}

    def get_item(self, path: str) -> dict[str, Any] | None:
        if path == f"{WINDOWS}\\Logs\\CBS\\CBS.log":
            last = self._updates.last_progress_at
            return {"path": path, "written": self._moment(last)} if last else None
        return {"path": path, "written": self._moment(self._host.now - AGE)} if self.test_path(path) else None

    def list_folder(self, path: str, pattern: str) -> list[dict[str, Any]]:
        found: list[str] = []
        if pattern:
            head = pattern.rstrip("*")
            found = [old for old in self._guest.old_caches if old.startswith(head)]
        elif path == f"{WINDOWS}\\Temp" and self._disk.temp_gib:
            found = [f"{WINDOWS}\\Temp\\old"]
        return [{"path": item, "written": self._moment(self._host.now - AGE)} for item in found]

    def remove(self, path: str) -> None:
        if path in self._guest.old_caches:
            self._guest.old_caches.remove(path)
        elif path == f"{WINDOWS}\\Temp\\old":
            self._disk.clean_temp()
        else:
            raise Refused(FAILED, f"The lab does not know what is at {path}.")

    def rename(self, path: str, name: str) -> None:
        if path == f"{WINDOWS}\\SoftwareDistribution":
            self.seconds += model.RESETTING_CACHE_SECONDS
            self._updates.mend("cache_corrupt")
        self._guest.old_caches.append(f"{path.rpartition(chr(92))[0]}\\{name}")

    # ---- what runs

    def processes(self, names: list[str]) -> list[str]:
        return [name for name in model.INSTALLING_PROCESSES if self._updates.installing and name in names]

    def cim(self, **asked: str) -> list[dict[str, Any]]:
        if asked["class"] == "Win32_OperatingSystem":
            return [{"LastBootUpTime": self._moment(self._guest.boot_time)}]
        if asked["class"] == "Win32_Service":
            return [{"Name": name} for name in model.RUN_BY_THEMSELVES]
        if asked["class"] == "Win32_Process":
            return [{"Name": "explorer.exe", "SessionId": number + 1} for number in range(self._guest.sessions)]
        raise Refused(FAILED, f"The lab does not know the class {asked['class']}.")

    def boot_events(self, provider: str, id: int, since: str) -> list[str]:  # noqa: A002 - as the event log calls it
        if (provider, id) != ("Microsoft-Windows-Kernel-General", 12):
            raise Refused(FAILED, f"The lab does not know the event {provider} {id}.")
        boots = [self._guest.by_its_clock(boot) for boot in self._guest.boots]
        found = [boot.isoformat() for boot in boots if boot >= datetime.fromisoformat(since)]
        if not found:
            raise Refused(FAILED, "No events were found that match.", "NoMatchingEventsFound,Get-WinEvent")
        return found

    def program(self, path: str, arguments: list[str]) -> int:
        name = path.rpartition("\\")[2].lower()
        if name not in PROGRAMS:
            raise Refused(FAILED, f"The lab does not know the program {path}.")
        return PROGRAMS[name](self, arguments)

    def dism(self, arguments: list[str]) -> int:
        if "/StartComponentCleanup" in arguments:
            self.seconds += model.CLEANING_SECONDS if self._disk.component_store_gib else model.NOTHING_TO_CLEAN_SECONDS
            self._disk.clean_component_store()
        elif "/RestoreHealth" in arguments:
            self.seconds += model.RESTORING_HEALTH_SECONDS
            self._updates.mend("components_corrupt")
        else:
            raise Refused(FAILED, f"The lab does not know Dism {' '.join(arguments)}.")
        return 0

    def msg(self, arguments: list[str]) -> int:
        self._guest.messages.append(arguments[-1])
        return 0

    def cleanmgr(self, _arguments: list[str]) -> int:
        self._disk.clean_old_windows()
        return 0

    # ---- storage

    def rescan(self) -> None:
        self._disk.rescan()

    def partitions(self) -> list[dict[str, Any]]:
        size = int(self._disk.partition_gib * GIB)
        system = {
            "DriveLetter": "C",
            "DiskNumber": 0,
            "Offset": PARTITION_OFFSET,
            "Size": size,
            "GptType": "",
            "MbrType": 7,
        }
        if not self._disk.recovery_partition:
            return [system]
        kind = (
            {"GptType": RECOVERY_GPT_TYPE, "MbrType": None}
            if self._disk.style == "gpt"
            else {"MbrType": RECOVERY_MBR_TYPE}
        )
        behind = {"Offset": PARTITION_OFFSET + size, "Size": RECOVERY_BYTES}
        return [system, {"DriveLetter": None, "DiskNumber": 0, "GptType": "", **behind, **kind}]

    def supported_size(self) -> dict[str, Any]:
        return {"SizeMax": int((self._disk.partition_gib + self._disk.extendable_gib) * GIB)}

    def resize(self, size: int) -> None:
        self.seconds += model.EXTENDING_SECONDS
        if size > self.supported_size()["SizeMax"]:
            raise Refused(FAILED, "Size Not Supported")
        self._disk.extend()

    def disk(self) -> dict[str, Any]:
        return {
            "Size": int(self._disk.seen_gib * GIB),
            "PartitionStyle": self._disk.style.upper(),
            "SerialNumber": self._host.disk_serial,
        }

    def volume(self) -> dict[str, Any]:
        return {"SizeRemaining": int(self._disk.free_gib * GIB)}

    # ---- Windows Update

    def image_health(self) -> dict[str, Any]:
        return {"ImageHealthState": "Repairable" if self._updates.fault == "components_corrupt" else "Healthy"}

    def installing(self) -> bool:
        return self._updates.installing

    def history_count(self) -> int:
        self._ask_agent()
        return len(self._updates.history)

    def _ask_agent(self) -> None:
        error = self._updates.agent_error()
        if error:
            raise WindowsUpdateError(error)

    def history(self, start: int, count: int) -> list[dict[str, Any]]:
        newest_first = self._updates.history[::-1][start : start + count]
        return [
            {
                "title": entry.title,
                "result": RESULT_CODES[entry.result],
                "hresult": entry.hresult,
                "at": self._moment(entry.at),
            }
            for entry in newest_first
        ]

    def search(self, criteria: str) -> dict[str, Any]:
        self.seconds += model.SEARCHING_SECONDS
        error = self._updates.search_error()
        if error:
            raise WindowsUpdateError(error)
        only_software = "Type='Software'" in criteria
        offered = [it for it in self._updates.offered() if not (only_software and it.update_class == "driver")]
        return {
            "Updates": [
                {
                    "Categories": [{"CategoryID": UPGRADES.upper()}] if update.update_class == "feature" else [],
                    "KBArticleIDs": re.findall(r"\d+", update.kb),
                    "MaxDownloadSize": model.download_bytes(update),
                    "RecommendedHardDiskSpace": model.recommended_mib(update),
                }
                for update in offered
            ]
        }


PROGRAMS: dict[str, Callable[[Windows, list[str]], int]] = {
    "cleanmgr.exe": Windows.cleanmgr,
    "dism.exe": Windows.dism,
    "msg.exe": Windows.msg,
    "sfc.exe": lambda _windows, _arguments: 0,
}
OPERATIONS: dict[str, Callable[..., Any]] = {
    name: getattr(Windows, name)
    for name in (
        *("now", "get_service", "start_service", "stop_service", "set_service"),
        *("test_path", "registry_values", "get_item", "list_folder", "remove", "rename"),
        *("processes", "cim", "boot_events", "program"),
        *("rescan", "partitions", "supported_size", "resize", "disk", "volume"),
        *("image_health", "installing", "history_count", "history", "search"),
    )
}
