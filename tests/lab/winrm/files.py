# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that Ansible brings to a host, takes from it and removes, by ansible-core's own scripts."""

from __future__ import annotations

import base64
import hashlib
import json
import ntpath
import re
from collections.abc import Callable

from lab.agent import Outcome
from lab.sim import Steps
from lab.winrm.machine import Machine
from lab.winrm.payload import Payload

PROFILE = "C:\\Users\\Administrator"
TEMP = f"{PROFILE}\\AppData\\Local\\Temp"

# Between quotes up to ansible-core 2.20, without them later.
_REMOVE = re.compile(r"Remove-Item '?([^';]+?)'? -Force(?: -Recurse)?;?\s*")


def _expanded(path: str) -> str:
    return re.sub("%TEMP%", lambda _match: TEMP, path, flags=re.IGNORECASE)


def make_temp_folder(_machine: Machine, payload: Payload) -> Outcome:
    return Outcome(0, ntpath.join(_expanded(payload.args["Directory"]), payload.args["Name"]) + "\r\n")


def expand_user(_machine: Machine, payload: Payload) -> Outcome:
    path = str(payload.args["Path"])
    return Outcome(0, (PROFILE + path[1:] if path == "~" or path.startswith("~\\") else path) + "\r\n")


def put(machine: Machine, payload: Payload) -> Outcome:
    """Each line of the input is base64."""
    content = b"".join(base64.b64decode(line) for line in payload.data.split())
    machine.files[payload.args["Path"].lower()] = content
    return Outcome(0, json.dumps({"sha1": hashlib.sha1(content).hexdigest()}) + "\r\n")  # noqa: S324 - Ansible's choice


def fetch(machine: Machine, payload: Payload) -> Outcome:
    content = machine.files.get(payload.args["Path"].lower())
    if content is None:
        return Outcome(1, stderr=f"{payload.args['Path']} does not exist\r\n")
    start = int(payload.args["Offset"])
    part = content[start : start + int(payload.args["BufferSize"])]
    return Outcome(0, base64.b64encode(part).decode() + "\r\n")


SCRIPTS: dict[str, Callable[[Machine, Payload], Outcome]] = {
    "powershell_mkdtemp.ps1": make_temp_folder,
    "powershell_expand_user.ps1": expand_user,
    "winrm_put_file.ps1": put,
    "winrm_fetch_file.ps1": fetch,
}


def recognise(text: str) -> Callable[[Machine], Steps[Outcome]] | None:
    """The command that removes a file or folder, None for another text."""
    match = _REMOVE.fullmatch(text)
    return (lambda machine: _remove(machine, match[1].lower())) if match else None


def _remove(machine: Machine, path: str) -> Steps[Outcome]:
    yield 0.0
    gone = [name for name in machine.files if name == path or name.startswith(path + "\\")]
    for name in gone:
        del machine.files[name]
    return Outcome(0)
