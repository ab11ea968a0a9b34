# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Windows' own commands answer on a modelled host, for Windows.psm1.

Each operation is a method that takes what the command was given and returns JSON; one that takes time is a generator, and
time passes in the lab while its script waits.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from lab.guest_logon import Logon
from lab.guest_services import SERVICE_SECONDS
from lab.guest_servicing import ServicingJob
from lab.guest_updates import UpdateState, WindowsUpdateError
from lab.powershell import tables
from lab.powershell.cluster import ClusterCommands
from lab.powershell.refusals import FAILED, Refused
from lab.powershell.workload import IIS_ASSEMBLY, WorkloadCommands
from lab.scenario import Update
from lab.scripts_named import DOWNLOAD_SECONDS, install
from lab.scripts_space import NO_PARTITION, download_bytes, msrc_severity, recommended_mib
from lab.sim import Steps
from lab.windows_messages import ACCESS_DENIED, NO_ERROR, SERVICE_DISABLED, SHARING_VIOLATION, message_of
from lab.world import Host

GIB = 2**30
RECOVERY_GPT_TYPE = "{de94bba4-06d1-4d40-a16a-bfd50179d6ac}"
RECOVERY_MBR_TYPE = 39
UPGRADES = "3689bdc8-b205-4af4-8d4a-a63924c5e9d5"
RESULT_CODES = {"in_progress": 1, "succeeded": 2, "succeeded_with_errors": 3, "failed": 4, "aborted": 5}
AGE = timedelta(days=90)
"""How old the things are that a clean-up finds, beside temporary files."""
WINDOWS = "C:\\Windows"
SERVICE_STATUS = {
    "running": "Running",
    "stopped": "Stopped",
    "start_pending": "StartPending",
    "stop_pending": "StopPending",
}


Started = ServicingJob | int | None
"""A program that was started: its work, or the exit code of one that has ended at once, None for 0."""


class Windows(ClusterCommands, WorkloadCommands):
    """One host while a script runs on it."""

    def __init__(self, host: Host, logon: Logon) -> None:
        self._host = host
        self._logon = logon
        self._guest = host.guest
        self._updates = host.guest.updates
        self._disk = host.guest.disk
        self._programs: list[Started] = []

    def answer(self, operation: str, values: dict[str, Any]) -> Steps[dict[str, Any]]:
        """The answer to one question of Windows.psm1; KeyError for an operation that is none."""
        try:
            result = OPERATIONS[operation](self, **values)
            if inspect.isgenerator(result):
                result = yield from result
        except Refused as error:
            return {"hresult": error.hresult, "message": str(error), "error_id": error.error_id}
        except WindowsUpdateError as error:
            return {"hresult": error.hresult, "message": self._message(error.hresult), "error_id": "COMException"}
        return {"value": result}

    def _message(self, hresult: str) -> str:
        return message_of(hresult, self._guest.spec.windows.language)

    def _moment(self, at: datetime) -> str:
        return self._guest.by_its_clock(at).isoformat()

    def now(self) -> str:
        return self._moment(self._host.now)

    def shift_clock(self, seconds: float) -> str:
        self._guest.clock_skew += timedelta(seconds=seconds)
        return self.now()

    def sleep(self, seconds: float) -> Steps[None]:
        yield seconds

    # ---- services

    def get_service(self, name: str) -> dict[str, Any]:
        if name not in self._guest.services:
            raise Refused(FAILED, f"Cannot find any service with service name '{name}'.", "NoServiceFoundForGivenName")
        service = self._guest.services[name]
        return {"Name": name, "Status": SERVICE_STATUS[service.status]}

    def start_service(self, name: str) -> None:
        self._updates.start_service(name)

    def ask_to_stop(self, name: str) -> None:
        self._guest.services.ask_to_stop(name)

    def wait_for_status(self, name: str, status: str, seconds: float) -> Steps[None]:
        if SERVICE_STATUS[self._guest.services[name].status] == status:
            yield SERVICE_SECONDS
            return
        yield seconds
        if SERVICE_STATUS[self._guest.services[name].status] != status:
            raise Refused(FAILED, "Time out has expired.", "TimeoutException")

    def set_service(self, name: str, start_type: str) -> None:
        self._guest.services[name].start_type = start_type

    # ---- registry and files

    def test_path(self, path: str) -> bool:
        if path.startswith("HKLM:"):
            return tables.has_key(self._guest, path)
        temp = self._disk.temp
        old_windows = path == "C:\\Windows.old" and bool(self._disk.old_windows_gib)
        if path == IIS_ASSEMBLY:
            return self._guest.workload.iis is not None
        return old_windows or path in self._folders() or temp.is_folder(path) or temp.find(path) is not None

    def _folders(self) -> set[str]:
        own = {f"{WINDOWS}\\SoftwareDistribution", f"{WINDOWS}\\SoftwareDistribution\\Download", f"{WINDOWS}\\Temp"}
        programs = {f"{WINDOWS}\\System32\\{name}" for name in ("catroot2", "msg.exe", "cleanmgr.exe")}
        return own | programs | {"C:\\Users"}

    def make_key(self, path: str) -> None:
        if path not in tables.PENDING:
            raise Refused(FAILED, f"The lab does not know the key {path}.")
        self._updates.pending_reboot.add(tables.PENDING[path])

    def registry_values(self, path: str, name: str) -> dict[str, Any]:
        return tables.registry_values(self._guest, path)

    def get_item(self, path: str) -> dict[str, Any] | None:
        if path == f"{WINDOWS}\\Logs\\CBS\\CBS.log":
            last = self._updates.last_progress_at
            return self._entry(path, last) if last else None
        return self._entry(path, self._host.now - AGE, folder=True) if self.test_path(path) else None

    def _entry(
        self, path: str, at: datetime, created: datetime | None = None, *, folder: bool = False
    ) -> dict[str, Any]:
        return {"path": path, "folder": folder, "written": self._moment(at), "created": self._moment(created or at)}

    def list_folder(self, path: str, pattern: str, recurse: bool) -> list[dict[str, Any]]:
        if pattern:
            head = pattern.rstrip("*")
            caches = [old for old in self._guest.old_caches if old.startswith(head)]
            return [self._entry(cache, self._host.now - AGE, folder=True) for cache in caches]
        temp = self._disk.temp
        if recurse:
            return [self._temp_entry(file.path) for file in temp.below(path) if file.path != path]
        return [self._temp_entry(child) for child in temp.children(path)]

    def _temp_entry(self, path: str) -> dict[str, Any]:
        file = self._disk.temp.find(path)
        if file is None:
            return self._entry(path, self._host.now - AGE, folder=True)
        return self._entry(path, self._disk.temp.written(file, self._host.now), file.created)

    def remove(self, path: str) -> None:
        if path in tables.PENDING:
            self._updates.pending_reboot.discard(tables.PENDING[path])
        elif path in self._guest.old_caches:
            self._guest.old_caches.remove(path)
        elif self._disk.temp.below(path):
            self._disk.delete(path)
        else:
            raise Refused(FAILED, f"The lab does not know what is at {path}.")

    def rename(self, path: str, name: str) -> None:
        folder = path.rpartition("\\")[2]
        if folder in self._guest.spec.windows.held_folders:
            raise Refused(SHARING_VIOLATION, self._message(SHARING_VIOLATION), "RenameItemIOError")
        if folder == "SoftwareDistribution":
            self._updates.lose_cache()
        self._guest.old_caches.append(f"{path.rpartition(chr(92))[0]}\\{name}")

    # ---- what runs

    def processes(self, names: list[str]) -> list[str]:
        running = [*self._updates.processes(), *self._guest.spec.windows.processes]
        return [name for name in running if name in names]

    def cim(self, **asked: str) -> list[dict[str, Any]]:
        return tables.cim(self._guest, asked["class"], asked["filter"], self._moment)

    def cim_method(self, process: int, method: str) -> dict[str, Any]:
        if method != "GetOwnerSid":
            raise Refused(FAILED, f"The lab does not know the method {method}.")
        return {"Sid": tables.owner(self._guest, process), "ReturnValue": 0}

    def boot_events(self, provider: str, id: int, since: str) -> list[str]:  # noqa: A002 - as the event log calls it
        if (provider, id) != ("Microsoft-Windows-Kernel-General", 12):
            raise Refused(FAILED, f"The lab does not know the event {provider} {id}.")
        boots = [self._guest.by_its_clock(boot) for boot in self._guest.boots]
        found = [boot.isoformat() for boot in boots if boot >= datetime.fromisoformat(since)]
        if not found:
            raise Refused(FAILED, "No events were found that match.", "NoMatchingEventsFound,Get-WinEvent")
        return found

    def program(self, path: str, arguments: list[str], lines: list[str]) -> Steps[int]:
        """A program that the script waits for; its exit code."""
        job = self._start(path, arguments, lines)
        if isinstance(job, ServicingJob):
            yield from job.wait()
            return job.exit_code
        return job or 0

    def start_program(self, path: str, arguments: list[str]) -> int:
        self._programs.append(self._start(path, arguments, []))
        return len(self._programs) - 1

    def wait_for_exit(self, number: int, seconds: float) -> Steps[bool]:
        job = self._programs[number]
        return (yield from job.wait_at_most(seconds)) if isinstance(job, ServicingJob) else True

    def exit_code(self, number: int) -> int | None:
        job = self._programs[number]
        if isinstance(job, ServicingJob):
            return job.exit_code if job.ended else None
        return job or 0

    def _start(self, path: str, arguments: list[str], lines: list[str]) -> Started:
        name = path.rpartition("\\")[2].lower()
        if name not in PROGRAMS:
            raise Refused(FAILED, f"The lab does not know the program {path}.")
        return PROGRAMS[name](self, arguments, lines)

    def dism(self, arguments: list[str], _lines: list[str]) -> ServicingJob:
        self._disk.base_was_reset |= "/ResetBase" in arguments
        if "/StartComponentCleanup" in arguments:
            return self._updates.clean_component_store()
        if "/RestoreHealth" in arguments:
            return self._updates.restore_health()
        raise Refused(FAILED, f"The lab does not know Dism {' '.join(arguments)}.")

    def sfc(self, _arguments: list[str], _lines: list[str]) -> int:
        return self._guest.spec.windows.sfc_exit_code

    def msg(self, arguments: list[str], _lines: list[str]) -> None:
        self._guest.messages.append(arguments[-1])

    def cleanmgr(self, _arguments: list[str], _lines: list[str]) -> None:
        self._disk.clean_old_windows()

    def shutdown(self, arguments: list[str], _lines: list[str]) -> None:
        if arguments[:2] != ["/r", "/t"]:
            raise Refused(FAILED, f"The lab does not know shutdown {' '.join(arguments)}.")
        self._guest.reboot_in(float(arguments[2]))

    def diskpart(self, _arguments: list[str], lines: list[str]) -> None:
        if lines != ["select volume C", "extend"]:
            raise Refused(FAILED, f"The lab does not know {lines} of diskpart.")
        if self._disk.resize != "refused":
            self._disk.extend()

    # ---- storage

    def rescan(self) -> None:
        self._disk.rescan()

    def partitions(self) -> list[dict[str, Any]]:
        if self._disk.dynamic:
            raise Refused("0x80041002", "No MSFT_Partition objects found", NO_PARTITION)
        return [self._partition(each.kind, each.offset, each.size) for each in self._disk.partitions()]

    def _partition(self, kind: str, offset: int, size: int) -> dict[str, Any]:
        gpt = self._disk.style == "gpt"
        types: dict[str, Any] = {"GptType": "", "MbrType": None if gpt else 7}
        if kind == "recovery":
            types = {"GptType": RECOVERY_GPT_TYPE} if gpt else {"GptType": "", "MbrType": RECOVERY_MBR_TYPE}
        letter = {"system": "C", "data": "D"}.get(kind)
        return {"DriveLetter": letter, "DiskNumber": 0, "Offset": offset, "Size": size, "MbrType": None, **types}

    def supported_size(self) -> dict[str, Any]:
        """It asks the defragmenter's service what could be moved."""
        if not self._guest.services["defragsvc"].enabled:
            raise Refused(SERVICE_DISABLED, self._message(SERVICE_DISABLED), "StorageWMI 4,Get-PartitionSupportedSize")
        return {"SizeMax": self._largest}

    @property
    def _largest(self) -> int:
        return self._disk.partition_bytes + int(self._disk.extendable_gib * GIB)

    def resize(self, size: int) -> None:
        if self._disk.resize != "ok":
            raise Refused(SERVICE_DISABLED, self._message(SERVICE_DISABLED), "StorageWMI 4,Resize-Partition")
        if size > self._largest:
            raise Refused(FAILED, "Size Not Supported", "StorageWMI 4097,Resize-Partition")
        self._disk.extend()

    def disk(self) -> dict[str, Any]:
        return {
            "Size": int(self._disk.scanned_gib * GIB),
            "PartitionStyle": self._disk.style.upper(),
            "SerialNumber": self._host.disk_serial,
        }

    def volume(self) -> dict[str, Any]:
        return {"SizeRemaining": int(self._disk.free_gib * GIB)}

    # ---- Windows Update

    def image_health(self) -> dict[str, Any]:
        """The flag that an operation has left which met damage; nothing is examined."""
        return {"ImageHealthState": "Repairable" if self._updates.components_flagged else "Healthy"}

    def ask_installer(self) -> None:
        """The installer is refused to every network logon (Microsoft Learn, "Using WUA From a Remote Computer")."""
        if self._logon is Logon.NETWORK:
            raise WindowsUpdateError(ACCESS_DENIED)

    def is_busy(self) -> bool:
        error = self._updates.agent_error()
        if error:
            raise WindowsUpdateError(error)
        return self._updates.installing

    def create_searcher(self) -> None:
        if self._logon is Logon.NETWORK and self._guest.spec.windows.update_api_over_network == "refused":
            raise WindowsUpdateError(ACCESS_DENIED)

    def history_count(self) -> int:
        error = self._updates.agent_error()
        if error:
            raise WindowsUpdateError(error)
        return len(self._updates.history)

    def history(self, start: int, count: int) -> list[dict[str, Any]]:
        newest_first = self._updates.history[::-1][start : start + count]
        return [
            {
                "title": entry.title,
                "id": _update_id(entry.kb),
                "result": RESULT_CODES[entry.result],
                "hresult": entry.hresult,
                "at": self._moment(entry.at),
            }
            for entry in newest_first
        ]

    def search(self, criteria: str) -> Steps[dict[str, Any]]:
        """One that also asks for what is installed is a proof of both, which the judge has to hear of."""
        with_installed = "IsInstalled=1" in criteria
        yield from self._updates.scan(own=True) if with_installed else self._updates.own_search()
        only_software = re.search(r"Type\s*=\s*'Software'", criteria)
        offered = [it for it in self._updates.offered() if not (only_software and it.update_class == "driver")]
        listed = [kb for state in UpdateState for kb in sorted(self._updates.listed(state)) if with_installed]
        return {"Updates": [self._update(it) for it in (*offered, *(self._updates.known[kb] for kb in listed))]}

    def _update(self, update: Update) -> dict[str, Any]:
        """An IUpdate; one that waits for its reboot is not yet installed."""
        state = self._updates.states.get(update.kb)
        return {
            "Categories": [{"CategoryID": UPGRADES.upper()}] if update.update_class == "feature" else [],
            "KBArticleIDs": re.findall(r"\d+", update.kb),
            "MaxDownloadSize": download_bytes(update),
            "RecommendedHardDiskSpace": recommended_mib(update),
            "MsrcSeverity": msrc_severity(update),
            "Identity": {"UpdateID": _update_id(update.kb)},
            "SupersededUpdateIDs": [_update_id(update.supersedes)] if update.supersedes else [],
            "IsInstalled": state is UpdateState.INSTALLED,
            "RebootRequired": state is UpdateState.PENDING_REBOOT,
            "IsDownloaded": False,
            "EulaAccepted": True,
            "InstallationBehavior": {"CanRequestUserInput": False},
        }

    def download(self, kbs: list[str]) -> Steps[list[dict[str, Any]]]:
        yield DOWNLOAD_SECONDS * len(kbs)
        return [{"result": RESULT_CODES["succeeded"], "hresult": NO_ERROR} for _kb in kbs]

    def install(self, kbs: list[str]) -> Steps[list[dict[str, Any]]]:
        results = yield from install(self._updates, [self._updates.known[kb] for kb in kbs])
        return [{"result": RESULT_CODES[each["result"]], "hresult": each["hresult"]} for each in results]


def _update_id(kb: str) -> str:
    """Microsoft's id of an update, a GUID."""
    return f"00000000-0000-4000-8000-{kb.removeprefix('KB'):0>12}"


PROGRAMS: dict[str, Callable[[Windows, list[str], list[str]], Started]] = {
    "cleanmgr.exe": Windows.cleanmgr,
    "diskpart.exe": Windows.diskpart,
    "dism.exe": Windows.dism,
    "msg.exe": Windows.msg,
    "shutdown.exe": Windows.shutdown,
    "sfc.exe": Windows.sfc,
}
OPERATIONS: dict[str, Callable[..., Any]] = {
    name: operation
    for name, operation in {**vars(ClusterCommands), **vars(WorkloadCommands), **vars(Windows)}.items()
    if inspect.isfunction(operation)
    and not name.startswith("_")
    and name != "answer"
    and operation not in PROGRAMS.values()
}
