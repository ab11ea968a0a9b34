# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The payload that Ansible gives its bootstrap wrapper, as far as it says what to run.

It is made by lib/ansible/executor/powershell/module_manifest.py, and differs between ansible-core 2.18 and 2.19.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Literal

from lab.guest_logon import Logon

# Three parts: the wrapper with its parameters, the manifest of scripts and actions, and data for the script.
SEPARATOR = b"\n\0\0\0\0\n"
# Until ansible-core 2.18 two: the wrapper, and a manifest of modules and actions.
EARLIER_SEPARATOR = b"\0\0\0\0"
MODULE_WRAPPER = "module_wrapper.ps1"


class UnreadablePayload(Exception):
    """It is not what ansible-core's bootstrap wrapper takes."""


@dataclass(frozen=True)
class Payload:
    """What to run: a module or script with its arguments, or one of ansible-core's own scripts.

    Attributes:
        wrappers: the actions before the last one, such as ``become_wrapper.ps1``, with their parameters.
        name: of a module with where it lies, ``ansible_collections.ansible.windows.plugins.modules.win_ping``, or of the
            script.
        args: a module's arguments, or a script's parameters; those that begin with ``_ansible_`` are Ansible's own.
        kind: a ``module``, a ``script`` of the user's, or one of ansible-core's ``own`` scripts.
        text: of the module or script.
        data: what comes after it at the input.
    """

    wrappers: dict[str, dict[str, Any]]
    name: str
    args: dict[str, Any]
    kind: Literal["module", "script", "own"]
    text: str
    data: bytes

    @property
    def options(self) -> dict[str, Any]:
        """The arguments that are the user's."""
        return {name: value for name, value in self.args.items() if not name.startswith("_ansible_")}

    @property
    def logon(self) -> Logon:
        """As whom it runs: ``become_user: SYSTEM`` by ``runas`` gives a token that is no network logon's."""
        become = self.wrappers.get("become_wrapper.ps1", {})
        user = str(become.get("BecomeUser", "")).lower().rpartition("\\")[2]
        return Logon.SYSTEM if user in ("system", "s-1-5-18") else Logon.NETWORK

    @property
    def check_mode(self) -> bool:
        return bool(self.args.get("_ansible_check_mode"))


def read_payload(data: bytes) -> Payload:
    """UnreadablePayload when it is something else."""
    if SEPARATOR not in data:
        return _read_earlier(data)
    parts = data.split(SEPARATOR, 2)
    try:
        manifest = json.loads(parts[1])
        *before, last = manifest["actions"]
        wrappers = {action["name"]: action["params"] for action in before}
        kind: Literal["module", "script", "own"] = "own"
        script, args = last["name"], last["params"]
        if script == MODULE_WRAPPER:
            script, kind = args["Script"], "module" if args.get("ForModule") else "script"
            variables = {each["Name"]: each["Value"] for each in args.get("Variables") or ()}
            args = variables.get("complex_args") or {}
        text = base64.b64decode(manifest["scripts"][script]["script"]).decode()
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise UnreadablePayload(repr(error)) from error
    name = script.rpartition(".")[0] if kind == "module" else script
    return Payload(wrappers, name, args, kind, text, parts[2] if len(parts) > 2 else b"")


def _read_earlier(data: bytes) -> Payload:
    """As ansible-core 2.17 and 2.18 make it; what it runs as is at the top of the manifest."""
    try:
        manifest = json.loads(data.partition(EARLIER_SEPARATOR)[2])
        args, actions = manifest["module_args"], manifest["actions"]
        text = base64.b64decode(manifest["module_entry"]).decode()
        namespace, collection, name = str(args["_ansible_module_name"]).split(".")
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadablePayload(repr(error)) from error
    become = {"BecomeUser": manifest["become_user"]} if "become_wrapper" in actions else {}
    wrappers = {"become_wrapper.ps1": become} if become else {}
    return Payload(
        wrappers, f"ansible_collections.{namespace}.{collection}.plugins.modules.{name}", args, "module", text, b""
    )
