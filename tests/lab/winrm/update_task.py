# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that ansible.windows.win_updates leaves on a host: it searches, downloads and installs, and writes lines.

The lines, and the texts of its errors, are those of Install-WindowsUpdate in plugins/modules/win_updates.ps1.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

from lab.guest_updates import Installation, WindowsUpdateError
from lab.scenario import Update
from lab.sim import Signal, Steps
from lab.windows_messages import BUSY, CANCELLED
from lab.winrm.machine import Machine
from lab.winrm.payload import Payload

Data = dict[str, Any]

DOWNLOAD_SECONDS = 2.0  # of one update
# What Windows Update says of an update that it has installed and calls failed: ERROR_INSTALL_FAILURE.
REPORTED_FAILED = "0x80070643"
SUCCEEDED, FAILED, ABORTED = 2, 4, 5  # OperationResultCode

CATEGORIES = {
    "critical": "Critical Updates",
    "security": "Security Updates",
    "rollup": "Update Rollups",
    "definition": "Definition Updates",
    "feature": "Feature Packs",
    "driver": "Drivers",
    "other": "Updates",
}
DEFAULT_CATEGORIES = ("CriticalUpdates", "SecurityUpdates", "UpdateRollups")
OLD_NAMES = {
    "CriticalUpdates": "Critical Updates",
    "DefinitionUpdates": "Definition Updates",
    "DeveloperKits": "Developer Kits",
    "FeaturePacks": "Feature Packs",
    "SecurityUpdates": "Security Updates",
    "ServicePacks": "Service Packs",
    "UpdateRollups": "Update Rollups",
}


class _Failed(Exception):
    """The program ends with an error; ``hresult`` when it comes from Windows Update itself."""

    def __init__(self, message: str, hresult: str | None = None) -> None:
        super().__init__(message)
        self.hresult = hresult


class UpdateTask:
    """The program that ``start`` leaves on the host. A reboot ends it, nothing else does."""

    def __init__(self, machine: Machine, payload: Payload) -> None:
        random = machine.sim.random("win_updates", machine.host.name, machine.sim.now)
        self.machine = machine
        self.id = str(uuid.UUID(int=random.getrandbits(128), version=4))
        self.pipe_name = f"Ansible.Windows.WinUpdates-{self.id}"
        self.cancel_id = f"Global\\Ansible.Windows.WinUpdates-{self.id}"
        self.pid = random.randrange(1000, 9999)
        self.lines: list[Data] = []
        self.wrote = Signal(machine.sim)
        self._options = payload.options
        self._check_mode = payload.check_mode
        self._installation: Installation | None = None
        self._exit: Data = {"changed": False, "failed": False, "reboot_required": False}
        machine.update_tasks[self.id] = self
        machine.ran("win_updates", state=self._state, check_mode=self._check_mode)
        machine.background.append(machine.sim.spawn(self._steps()))

    @property
    def ended(self) -> bool:
        return bool(self.lines) and self.lines[-1]["task"] == "exit"

    @property
    def _state(self) -> str:
        return str(self._options.get("state") or "installed")

    def cancel(self) -> None:
        """Windows finishes the update that it has started."""
        if self._installation:
            self._installation.stop_after_current()

    def _write(self, task: str, result: Data) -> None:
        self.lines.append({"task": task, "result": result})
        self.wrote.fire()

    def _reboot_required(self) -> bool:
        """Microsoft.Update.SystemInfo knows of what Windows Update itself has installed."""
        return "windows_update" in self.machine.host.guest.updates.pending_reboot

    def _steps(self) -> Steps[None]:
        try:
            yield from self._work()
            self._exit |= {"action": None, "exception": None}
        except _Failed as error:
            details: Data = {
                "message": str(error),
                "exception": f"{error}\r\n\r\n\r\nat Install-WindowsUpdate, <No file>",
            }
            self._exit |= {"failed": True, "exception": details}
            if error.hresult:
                details["hresult"] = _signed(error.hresult)
        self._write("exit", self._exit)

    def _work(self) -> Steps[None]:
        self._exit["reboot_required"] = self._reboot_required()
        selected = yield from self._search()
        if self._check_mode or self._state == "searched" or not selected:
            self._exit["changed"] = bool(selected) and self._state != "searched"
            return
        if self._reboot_required():
            raise _Failed("A reboot is required before more updates can be installed")
        yield from self._download(selected)
        if self._state == "installed":
            yield from self._install(selected)

    # ---- searching

    def _search(self) -> Steps[list[Update]]:
        updates = self.machine.host.guest.updates
        try:
            yield from updates.scan(own=True)
        except WindowsUpdateError as error:
            raise _Failed(f"Searching for updates: {error}", error.hresult) from error
        found = updates.offered_or_hidden()
        reasons = {update.kb: list(self._filtered(update)) for update in found}
        result = {
            "updates": [self._info(update) for update in found],
            "filtered": [{"id": self._id(kb), "reasons": why} for kb, why in reasons.items() if why],
        }
        self._write("search_result", result)
        return [update for update in found if not reasons[update.kb]]

    def _filtered(self, update: Update) -> Iterator[str]:
        """Why an update is left out."""
        text = _title(update) + update.kb  # one after the other, as PowerShell adds them
        if self._is_hidden(update):
            yield "hidden"
        accept, reject = self._options.get("accept_list") or [], self._options.get("reject_list") or []
        if accept and not _matches(text, accept):
            yield "accept_list"
        if reject and _matches(text, reject):
            yield "reject_list"
        wanted = self._options.get("category_names")
        names = [OLD_NAMES.get(name, name).lower() for name in (DEFAULT_CATEGORIES if wanted is None else wanted)]
        if names and "*" not in names and not set(names) & {name.lower() for name in _categories(update)}:
            yield "category_names"

    def _is_hidden(self, update: Update) -> bool:
        return update.kb in self.machine.host.guest.updates.hidden

    def _id(self, kb: str) -> str:
        """The update's identity, the same at every search."""
        bits = self.machine.sim.random("update", self.machine.host.name, kb).getrandbits(128)
        return str(uuid.UUID(int=bits, version=4))

    def _info(self, update: Update) -> Data:
        return {
            "id": self._id(update.kb),
            "title": _title(update),
            "description": "Install this update to resolve issues in Windows.",
            "kb": [update.kb],
            "type": "Driver" if update.update_class == "driver" else "Software",
            "deployment_action": "Installation",
            "auto_select_on_websites": True,
            "browse_only": False,
            "revision_number": 200,
            "categories": list(_categories(update)),
            "is_installed": False,
            "is_hidden": self._is_hidden(update),
            "is_present": False,
            "reboot_required": False,
            "impact": "Normal",
            "reboot_behaviour": "CanRequestReboot" if update.reboot else "NeverReboots",
            "is_beta": False,
            "is_downloaded": update.kb in self.machine.downloaded,
            "is_mandatory": False,
            "is_uninstallable": True,
            "auto_selection": "LetWindowsUpdateDecide",
            "auto_download": "LetWindowsUpdateDecide",
        }

    # ---- downloading and installing

    def _download(self, selected: list[Update]) -> Steps[None]:
        wanted = [update for update in selected if update.kb not in self.machine.downloaded]
        if not wanted:
            return
        yield DOWNLOAD_SECONDS * len(wanted)
        self._exit["changed"] = True
        self.machine.downloaded |= {update.kb for update in wanted}
        size = sum(int(update.gib * 2**30) for update in wanted)
        counts = {"TotalBytesDownloaded": size, "TotalBytesToDownload": size, "CurrentUpdateDownloadPhase": 3}
        of_last = int(wanted[-1].gib * 2**30)
        self._progress(
            "download",
            wanted,
            100,
            **counts,
            CurrentUpdateBytesDownloaded=of_last,
            CurrentUpdateBytesToDownload=of_last,
        )
        self._write("download_result", {"info": [self._result(update, SUCCEEDED) for update in wanted]})

    def _install(self, selected: list[Update]) -> Steps[None]:
        updates = self.machine.host.guest.updates
        if updates.installing:
            raise _Failed(f"Installing updates: {WindowsUpdateError(BUSY)}", BUSY)
        self._installation = installation = updates.begin_installation(selected)
        yield installation.done
        self._exit["changed"] = True
        self._progress("install", selected, 100)
        results = [self._install_result(installation, update) for update in selected]
        self._exit["reboot_required"] |= any(result["reboot_required"] for result in results)
        self._write("install_result", {"info": results})
        if any(result["result_code"] != SUCCEEDED for result in results):
            raise _Failed("Failed to install all updates - see updates for more information")
        self._exit["reboot_required"] = self._reboot_required()

    def _install_result(self, installation: Installation, update: Update) -> Data:
        kb = update.kb
        if kb in installation.failed:
            return self._result(update, FAILED, installation.failed[kb]) | {"reboot_required": False}
        if kb in installation.reported_failed:
            return self._result(update, FAILED, REPORTED_FAILED) | {"reboot_required": update.reboot}
        if kb in installation.installed:
            return self._result(update, SUCCEEDED) | {"reboot_required": update.reboot}
        return self._result(update, ABORTED, CANCELLED) | {"reboot_required": False}

    def _result(self, update: Update, code: int, hresult: str = "0x00000000") -> Data:
        return {"id": self._id(update.kb), "result_code": code, "hresult": _signed(hresult)}

    def _progress(self, task: str, updates: list[Update], percent: int, **more: int) -> None:
        progress = {
            "CurrentUpdateId": self._id(updates[-1].kb),
            "CurrentUpdateIndex": len(updates) - 1,
            "CurrentUpdatePercentComplete": percent,
            "PercentComplete": percent,
            **more,
        }
        self._write(task, {"progress": progress, "result": {"HResult": 0, "ResultCode": SUCCEEDED}})


def _title(update: Update) -> str:
    kind = CATEGORIES[update.update_class].removesuffix("s")
    return f"{kind} for Windows ({update.kb})"


def _categories(update: Update) -> tuple[str, str]:
    return CATEGORIES[update.update_class], "Windows Server 2022"


def _matches(text: str, patterns: list[str]) -> bool:
    """As PowerShell's -match: a regular expression, anywhere, upper or lower case."""
    return any(re.search(pattern, text, re.IGNORECASE) for pattern in patterns)


def _signed(hresult: str) -> int:
    """As COM has it: a signed number of 32 bits."""
    number = int(hresult, 16)
    return number - 2**32 if number >= 2**31 else number
