# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of a modelled Windows: classes of CIM with their rows, and keys of the registry with their values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from lab import policies
from lab.guest import Guest
from lab.guest_files import USERS
from lab.guest_services import Service
from lab.guest_updates import UpdateState
from lab.powershell.refusals import FAILED, Refused

GIB = 2**30
Row = dict[str, Any]

SOFTWARE = "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion"
SERVICING = f"{SOFTWARE}\\Component Based Servicing"
PENDING = {
    f"{SERVICING}\\RebootPending": "component_based_servicing",
    f"{SOFTWARE}\\WindowsUpdate\\Auto Update\\RebootRequired": "windows_update",
}
SQL_INSTANCES = "HKLM:\\SOFTWARE\\Microsoft\\Microsoft SQL Server\\Instance Names\\SQL"
WINDOWS_NT = "HKLM:\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"
SYSTEM_PROFILES = "C:\\Windows\\system32\\config"
SESSION_MANAGER = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Session Manager"
SERVICE_KEY = "HKLM:\\SYSTEM\\CurrentControlSet\\Services\\"
START_TYPES = {"automatic": 2, "manual": 3, "disabled": 4}
START_MODES = {"automatic": "Auto", "manual": "Manual", "disabled": "Disabled"}
STATES = {
    "running": "Running",
    "stopped": "Stopped",
    "start_pending": "Start Pending",
    "stop_pending": "Stop Pending",
}
SHARED_PROCESS, OF_SESSION = 0x20, 0xE0  # SERVICE_WIN32_SHARE_PROCESS; SERVICE_USER_SHARE_PROCESS of an instance

# What runs in session 0, and what people run.
OF_WINDOWS = (("csrss.exe", "S-1-5-18"), ("winlogon.exe", "S-1-5-18"), ("dwm.exe", "S-1-5-90-0-{}"))
SHELLS = {
    "explorer": ("explorer.exe", "taskhostw.exe"),
    "remoteapp": ("rdpshell.exe", "rdpinit.exe"),
    "core": ("sconfig.exe", "cmd.exe"),
}
FIRST_SESSION = 2  # 1 is the console, where no user is logged on


# ---- the registry


def has_key(guest: Guest, path: str) -> bool:
    if path in PENDING:
        return PENDING[path] in guest.updates.pending_reboot
    if path.startswith(SERVICE_KEY):
        name, _, inner = path.removeprefix(SERVICE_KEY).partition("\\")
        return name in guest.services and (not inner or (inner == "TriggerInfo" and guest.services[name].triggered))
    if policies.registry(guest.spec.windows, path) is not None:
        return True
    if path == SQL_INSTANCES:
        return bool(guest.workload.databases)
    return path in (f"{SERVICING}\\Interface", SESSION_MANAGER, WINDOWS_NT)


def registry_values(guest: Guest, path: str) -> Row:
    if path.startswith(SERVICE_KEY):
        service = guest.services[path.removeprefix(SERVICE_KEY)]
        kind = OF_SESSION if service.of_session else SHARED_PROCESS
        return {"Start": START_TYPES[service.start_type], "Type": kind}
    of_policies = policies.registry(guest.spec.windows, path)
    if of_policies is not None:
        return of_policies
    if path == SQL_INSTANCES:
        return {name: f"MSSQL16.{name}" for name in guest.workload.databases}
    if path == WINDOWS_NT:
        build, revision = guest.build.split(".")
        return {"CurrentBuild": build, "UBR": int(revision)}
    in_progress = guest.updates.servicing_in_progress
    if path == f"{SERVICING}\\Interface" and in_progress:
        return {"ServicingInProgress": in_progress}
    return {}


# ---- CIM


def cim(guest: Guest, name: str, query: str, moment: Callable[[datetime], str]) -> list[Row]:
    """The rows of a class that a filter in WQL leaves."""
    if name == "Win32_OperatingSystem":
        rows: list[Row] = [{"LastBootUpTime": moment(guest.boot_time)}]
    elif name == "Win32_ComputerSystem":
        rows = [{"Name": guest.computer_name}]
    elif name == "Win32_Service":
        rows = [_service(service) for service in guest.services]
    elif name == "RSOP_SystemService":
        rows = list(_services_of_policy(guest))
    elif name == "Win32_UserProfile":
        loaded = guest.disk.temp.loaded_profiles()
        profiles = {*guest.disk.temp.children(USERS), f"{SYSTEM_PROFILES}\\systemprofile"}
        rows = [
            {"LocalPath": path, "Loaded": path in loaded or path.startswith(SYSTEM_PROFILES)}
            for path in sorted(profiles)
        ]
    elif name == "Win32_Process":
        rows = [{key: value for key, value in row.items() if key != "Sid"} for row in _processes(guest)]
    elif name == "Win32_QuickFixEngineering":
        rows = [{"HotFixID": kb} for kb in sorted(guest.updates.listed(UpdateState.INSTALLED))]
    elif name == "Win32_LogicalDisk":
        rows = [
            {
                "DeviceID": "C:",
                "FreeSpace": int(guest.disk.free_gib * GIB),
                "Size": guest.disk.partition_bytes,
            }
        ]
    else:
        raise Refused(FAILED, f"The lab does not know the class {name}.")
    return [row for row in rows if _fits(row, query)]


def _fits(row: Row, query: str) -> bool:
    """``NAME = 'text'`` or ``NAME <> 1``, joined by ``and``."""
    for part in re.split(r"\s+and\s+", query, flags=re.IGNORECASE) if query else []:
        match = re.fullmatch(r"\s*(\w+)\s*(=|<>)\s*('?)([^']*)\3\s*", part)
        if not match or match[1] not in row:
            raise Refused(FAILED, f"The lab does not know the filter {part!r}.")
        if (str(row[match[1]]).lower() == match[4].lower()) != (match[2] == "="):
            return False
    return True


def _services_of_policy(guest: Guest) -> Iterator[Row]:
    """Only where a Group Policy was applied is there a namespace for its results."""
    names = guest.spec.windows.policy_services
    if not names:
        raise Refused("0x8004100E", "Invalid namespace", "HRESULT 0x8004100e")
    for name in names:
        yield {"Service": name, "StartupMode": START_TYPES["disabled"], "precedence": 1}


def _service(service: Service) -> Row:
    return {
        "Name": service.name,
        "State": STATES[service.status],
        "StartMode": START_MODES[service.start_type],
        "ExitCode": service.exit_code,
        "ServiceSpecificExitCode": 0,
    }


def _processes(guest: Guest) -> Iterator[Row]:
    """With the owner of each, which is asked for by a method."""
    sessions = range(FIRST_SESSION, FIRST_SESSION + guest.sessions)
    for session in (1, *sessions):
        shown = [(name, sid.format(session)) for name, sid in OF_WINDOWS]
        if session in sessions:
            person = f"S-1-5-21-1004336348-1177238915-682003330-{1000 + session}"
            shown += [(name, person) for name in SHELLS[guest.spec.windows.people]]
        else:
            shown.append(("LogonUI.exe", "S-1-5-18"))
        for number, (name, sid) in enumerate(shown):
            yield {"ProcessId": 1000 * session + 4 * number, "Name": name, "SessionId": session, "Sid": sid}


def owner(guest: Guest, process: int) -> str:
    for row in _processes(guest):
        if row["ProcessId"] == process:
            return str(row["Sid"])
    raise Refused("0x80041002", "Not found", "HRESULT 0x80041002")
