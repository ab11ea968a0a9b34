# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies of Windows Update on a host: what the registry has of them, and what Windows does because of them."""

from __future__ import annotations

from typing import Any

from lab.windows_spec import WindowsSpec

KEY = "HKLM:\\SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate"
IN_AU = frozenset({"AUOptions", "NoAutoUpdate", "UseUpdateClassPolicySource", "UseWUServer"})
REPAIR_KEY = "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\Servicing"
OF_REPAIR = frozenset({"LocalSourcePath", "RepairContentServerSource", "UseWindowsUpdate"})
FROM_MICROSOFT = 2  # RepairContentServerSource
# WU_E_WU_DISABLED and WU_E_REDIRECTOR_CONNECT_POLICY, as Microsoft's pages give their reasons.
REFUSALS = {
    "DisableWindowsUpdateAccess": "0x8024002E",
    "DoNotConnectToWindowsUpdateInternetLocations": "0x8024500C",
}


def registry(spec: WindowsSpec, path: str) -> dict[str, Any] | None:
    """The values of one of the keys of the policies; None for a key that is not there."""
    if path not in (KEY, f"{KEY}\\AU", REPAIR_KEY):
        return None
    return {name: value for name, value in spec.policies.items() if _key(name) == path} or None


def _key(name: str) -> str:
    if name in OF_REPAIR:
        return REPAIR_KEY
    return f"{KEY}\\AU" if name in IN_AU else KEY


def has_no_repair_source(spec: WindowsSpec) -> bool:
    """Whether DISM finds no files to repair with: behind WSUS, without a source of its own and without leave to ask Microsoft.

    Source: Microsoft, "DISM fails with error 0x800f0906".
    """
    asks_microsoft = spec.policies.get("RepairContentServerSource") == FROM_MICROSOFT
    return not (uses_microsoft(spec) or asks_microsoft or spec.policies.get("LocalSourcePath"))


def uses_microsoft(spec: WindowsSpec) -> bool:
    """Whether it gets its updates from Microsoft: without a WSUS server, or where the source goes by the class of updates."""
    policies = spec.policies
    by_class = policies.get("UseUpdateClassPolicySource") == 1
    return policies.get("UseWUServer") != 1 or (
        by_class and policies.get("SetPolicyDrivenUpdateSourceForQualityUpdates") == 0
    )


def source(spec: WindowsSpec) -> dict[str, Any]:
    """As the script inspect_windows_update answers."""
    names = sorted(set(spec.policies) - {"WUServer", *OF_REPAIR}, key=str.lower)
    shown = [{"name": name, "value": str(spec.policies[name])} for name in names]
    if uses_microsoft(spec):
        return {"kind": "microsoft", "url": None, "proxy": None, "policies": shown}
    return {"kind": "wsus", "url": spec.policies.get("WUServer"), "proxy": None, "policies": shown}


def refusal(spec: WindowsSpec) -> str | None:
    """The HRESULT of a search that a policy forbids."""
    if not uses_microsoft(spec):
        return None
    return next((hresult for name, hresult in REFUSALS.items() if spec.policies.get(name) == 1), None)


def is_paused(spec: WindowsSpec) -> bool:
    """Whether Microsoft's service offers no quality updates for the time being."""
    return uses_microsoft(spec) and bool(spec.policies.get("PauseQualityUpdatesStartTime"))
