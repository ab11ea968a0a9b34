# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why updates fail: the causes, which repair fits each, and what proves that it helped.

A repair is chosen by its cause alone. What lies outside the host (network, proxy, WSUS) is never "repaired" in it, and an unknown
error is not answered with a reset of everything. Which HRESULT has which cause is in hresults.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from .._model.reasons import Reason

RETRY_PAUSES = (60.0, 180.0, 600.0)
"""Pauses before a search is repeated. An overloaded WSUS, a proxy or a route often answers again within minutes."""
ONCE = (60.0,)


@dataclass(frozen=True)
class Cause:
    """Why updates fail.

    Attributes:
        code: our reason code.
        sentence: for a person.
        repair: the script that repairs it in the host, or None where nothing in the host is to be repaired.
        proof: what shows that the repair has helped: ``agent`` or ``search`` of the next inspection, or ``scan`` after the
            next installing pass.
        advice: what a person looks at where nothing is repaired, or the repair has not helped.
        outside: whether it lies between the host and its update source; then both are named.
        pauses: before a search is repeated, in seconds; empty where it is not.
        services: the services that the repair makes usable, besides those that are disabled.
    """

    code: Reason
    sentence: str
    repair: str | None = None
    proof: str | None = None
    advice: str = ""
    outside: bool = False
    pauses: tuple[float, ...] = ()
    services: tuple[str, ...] = ()


SERVICE = Cause(
    Reason.UPDATE_SERVICE,
    "A service that Windows Update needs is stopped or disabled.",
    repair="repair_services",
    proof="agent",
    advice="Find out what switches it off: a policy, or software that hardens the host.",
    services=("wuauserv",),
)
SIGN_IN = Cause(
    Reason.UPDATE_SERVICE,
    "The service Microsoft Account Sign-in Assistant (wlidsvc) is disabled, which a search needs.",
    repair="repair_services",
    proof="search",
    advice="Find out what switches it off: a policy, or software that hardens the host.",
    services=("wlidsvc",),
)
SERVICE_OF_POLICY = Cause(
    Reason.SERVICE_DISABLED_BY_POLICY,
    "A Group Policy disables a service that Windows Update needs.",
    advice="Change the policy (Computer Configuration, Windows Settings, Security Settings, System Services). It is not worked "
    "around: the next refresh of the policy would undo a repair, in the middle of an installation too.",
)
CACHE = Cause(
    Reason.UPDATE_CACHE_CORRUPT, "Windows Update's cache is damaged.", repair="reset_update_cache", proof="search"
)
DAMAGED_DOWNLOAD = Cause(
    Reason.UPDATE_CACHE_CORRUPT,
    "What Windows Update has downloaded is damaged.",
    repair="reset_update_cache",
    proof="scan",
)
METADATA = Cause(
    Reason.UPDATE_METADATA_INVALID,
    "What Windows Update has stored of an update is invalid.",
    repair="reset_update_cache",
    proof="scan",
)
COMPONENTS = Cause(
    Reason.COMPONENT_STORE_CORRUPT,
    "Windows' component store is damaged.",
    repair="repair_components",
    proof="scan",
    advice="Read C:\\Windows\\Logs\\CBS\\CBS.log: it names what could not be repaired.",
)
NETWORK = Cause(
    Reason.UPDATE_SOURCE_UNREACHABLE,
    "The host does not reach its update source.",
    advice="Check name resolution, routes, firewalls and the proxy (netsh winhttp show proxy).",
    outside=True,
    pauses=RETRY_PAUSES,
)
PROXY = Cause(
    Reason.UPDATE_PROXY,
    "The proxy between the host and its update source refuses it.",
    advice="Check the proxy that the system account uses (netsh winhttp show proxy) and what it asks of clients.",
    outside=True,
    pauses=RETRY_PAUSES,
)
DOWNLOAD = Cause(
    Reason.UPDATE_DOWNLOAD_FAILED,
    "An update could not be downloaded whole.",
    advice="Check firewalls and proxies that filter downloads or forbid requests for parts of a file (HTTP RANGE).",
    outside=True,
    pauses=RETRY_PAUSES,
)
SERVER = Cause(
    Reason.UPDATE_SOURCE_FAILED,
    "The update source answers with an error.",
    advice="Check the WSUS server or what stands before it: its application pool, its certificate, its load.",
    outside=True,
    pauses=RETRY_PAUSES,
)
POLICY = Cause(
    Reason.UPDATE_SOURCE_FORBIDDEN,
    "A policy keeps the host from this update source.",
    advice="Check the policies below HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate.",
    outside=True,
)
TRUST = Cause(
    Reason.UPDATE_SOURCE_NOT_TRUSTED,
    "The host does not trust its update source.",
    advice="Check its clock, its root certificates, TLS 1.2 and proxies that open TLS.",
    outside=True,
)
BUSY = Cause(
    Reason.WINDOWS_UPDATE_BUSY,
    "Windows Update is busy or waits for a reboot.",
    advice="Run again after a reboot.",
    pauses=RETRY_PAUSES,
)
TRANSACTION = Cause(
    Reason.WINDOWS_UPDATE_BUSY,
    "A servicing transaction waits for a reboot and cannot end.",
    advice="Look for a policy that sets the start type of TrustedInstaller to Manual, and reboot. If that does not help, the "
    "pending transaction is damaged: revert it from the recovery environment (Dism /RevertPendingActions), or upgrade in place.",
)
CANCELLED = Cause(
    Reason.WINDOWS_UPDATE_CANCELLED,
    "Another program or user cancelled it, or stopped Windows Update.",
    advice="Check other software, scheduled tasks and users that manage updates of this host, then run again.",
)
OLD_AGENT = Cause(
    Reason.UPDATE_AGENT_OUTDATED,
    "The Update agent does not understand how an update is described.",
    advice="Install the newest servicing stack and cumulative update by hand.",
)
TOO_SLOW = Cause(
    Reason.SERVICING_TIMEOUT,
    "Windows took longer for an installation than it allows itself.",
    advice="Give the host more processors and memory for it.",
)
LOW_MEMORY = Cause(
    Reason.LOW_MEMORY,
    "Windows has too little memory for the update.",
    advice="Give the host more memory or a larger page file, and find out what uses the paged pool.",
)
NO_ROOM = Cause(Reason.NO_ROOM, "The disk is full.", advice="Raise patch_free_gib.")
IN_USE = Cause(
    Reason.FILES_IN_USE,
    "Other software holds files that Windows has to replace.",
    advice="Check virus scanners and services; patch_pre_tasks can stop them.",
)
ACCESS = Cause(
    Reason.UPDATE_ACCESS_DENIED,
    "Windows refuses access to what Windows Update needs.",
    advice="The user must be an administrator, and over WinRM a second hop, such as to a proxy, is refused unless it is "
    "delegated; where an update failed with it, C:\\Windows\\Logs\\CBS\\CBS.log names the file or the registry key.",
)
INSTALLER = Cause(
    Reason.UPDATE_INSTALLER_FAILED,
    "An installer inside of the update failed.",
    advice="Read C:\\Windows\\Logs\\CBS\\CBS.log: it names the installer.",
)
OWN_INSTALLER = Cause(
    Reason.UPDATE_INSTALLER_FAILED,
    "The installer of the update failed.",
    advice="Read C:\\Windows\\Logs\\CBS\\CBS.log. An update of the Windows Recovery Environment fails with this if its "
    "partition has less than 250 MB of free space: enlarge it, or reject that update in the patch baseline.",
)
NEEDS_ANOTHER = Cause(
    Reason.UPDATE_NEEDS_ANOTHER,
    "The update needs another one before it, such as a servicing stack update.",
    advice="Approve that one in the patch baseline.",
)
REPAIR_SOURCE = Cause(
    Reason.REPAIR_SOURCE_MISSING,
    "DISM finds no source for the files that it has to repair.",
    advice='Set the policy "Specify settings for optional component installation and component repair": a source of the same '
    "version of Windows, or Windows Update instead of WSUS.",
)
DAMAGED_WINDOWS = Cause(
    Reason.WINDOWS_DAMAGED,
    "The file system or the registry of Windows is damaged.",
    advice="Repair it by hand: chkdsk, fsutil resource setautoreset true C:\\, or a restore from a backup.",
)
WRONG_UPDATE = Cause(
    Reason.UPDATE_NOT_FOR_HOST,
    "The update cannot be installed in this way or on this host.",
    advice="Reject it in the patch baseline, or install it by hand.",
)
UNSPECIFIC = Cause(
    Reason.WINDOWS_UPDATE_BROKEN,
    "Windows Update failed and does not say why.",
    advice="Check the log of Windows Update (Get-WindowsUpdateLog).",
    pauses=ONCE,
)
UNKNOWN = Cause(Reason.WINDOWS_UPDATE_BROKEN, "Windows Update fails with an error that has no known repair.")
