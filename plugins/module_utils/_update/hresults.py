# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Windows Update error says of its cause, which repair fits it, and what proves that it did.

A repair is chosen by its cause alone. What lies outside the host (network, proxy, WSUS) is never "repaired" in it, and what
nobody knows is not met by resetting everything. docs/windows-update-causes.md shows the table to people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._model.reasons import Reason


@dataclass(frozen=True)
class Cause:
    """Why updates fail.

    Attributes:
        code: our reason code.
        sentence: for a person, without its full stop.
        repair: the script that mends it in the host, or None where nothing in the host is to be mended.
        proof: what shows that the repair has helped: ``agent`` or ``search`` of the next inspection, or ``scan`` after the
            next installing pass.
        advice: what a person looks at where nothing is repaired, or the repair has not helped.
        outside: whether it lies between the host and its update source; then both are told.
    """

    code: Reason
    sentence: str
    repair: str | None = None
    proof: str | None = None
    advice: str = ""
    outside: bool = False


SERVICE = Cause(
    Reason.UPDATE_SERVICE,
    "A service that Windows Update needs is stopped or disabled",
    repair="repair_services",
    proof="agent",
    advice="Look at what switches it off: a policy, or software that hardens the host.",
)
CACHE = Cause(
    Reason.UPDATE_CACHE_CORRUPT, "Windows Update's cache is damaged", repair="reset_update_cache", proof="search"
)
METADATA = Cause(
    Reason.UPDATE_METADATA_INVALID,
    "What Windows Update has stored of an update is invalid",
    repair="reset_update_cache",
    proof="scan",
)
COMPONENTS = Cause(
    Reason.COMPONENT_STORE_CORRUPT,
    "Windows' component store is damaged",
    repair="repair_components",
    proof="scan",
    advice="Look at C:\\Windows\\Logs\\CBS\\CBS.log for what could not be repaired.",
)
NETWORK = Cause(
    Reason.UPDATE_SOURCE_UNREACHABLE,
    "The host does not reach its update source",
    advice="Look at name resolution, routes, firewalls and the proxy (netsh winhttp show proxy).",
    outside=True,
)
PROXY = Cause(
    Reason.UPDATE_PROXY,
    "The proxy between the host and its update source refuses it",
    advice="Look at the proxy that the system account uses (netsh winhttp show proxy) and at what it asks of clients.",
    outside=True,
)
DOWNLOAD = Cause(
    Reason.UPDATE_DOWNLOAD_FAILED,
    "An update could not be downloaded whole",
    advice="Look at firewalls and proxies that filter downloads or forbid requests for parts of a file (HTTP RANGE).",
    outside=True,
)
SERVER = Cause(
    Reason.UPDATE_SOURCE_FAILED,
    "The update source answers with an error",
    advice="Look at the WSUS server or at what stands before it: its application pool, its certificate, its load.",
    outside=True,
)
POLICY = Cause(
    Reason.UPDATE_SOURCE_FORBIDDEN,
    "A policy keeps the host from this update source",
    advice="Look at the policies below HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate.",
    outside=True,
)
TRUST = Cause(
    Reason.UPDATE_SOURCE_NOT_TRUSTED,
    "The host does not trust its update source",
    advice="Look at its clock, its root certificates, TLS 1.2 and proxies that open TLS.",
    outside=True,
)
BUSY = Cause(
    Reason.WINDOWS_UPDATE_BUSY, "Windows Update is busy or waits for a reboot", advice="Run again after a reboot."
)
CANCELLED = Cause(
    Reason.WINDOWS_UPDATE_CANCELLED,
    "Somebody else has cancelled it, or stopped Windows Update",
    advice="Look at other software, scheduled tasks and people that manage updates of this host, then run again.",
)
OLD_AGENT = Cause(
    Reason.UPDATE_AGENT_OUTDATED,
    "The Update agent does not understand how an update is described",
    advice="Install the newest servicing stack and cumulative update by hand.",
)
TOO_SLOW = Cause(
    Reason.SERVICING_TIMEOUT,
    "Windows took longer for an installation than it allows itself",
    advice="Give the host more processors and memory for it.",
)
NO_ROOM = Cause(Reason.NO_ROOM, "The disk is full", advice="Raise patch_free_gib.")
IN_USE = Cause(
    Reason.FILES_IN_USE,
    "Other software holds files that Windows has to replace",
    advice="Look at virus scanners and at services that could be stopped by patch_pre_tasks.",
)
ACCESS = Cause(
    Reason.UPDATE_ACCESS_DENIED,
    "Windows refuses access to what Windows Update needs",
    advice="The user must be an administrator, and over WinRM a second hop, such as to a proxy, is refused unless it is "
    "delegated; where an update failed with it, C:\\Windows\\Logs\\CBS\\CBS.log names the file or the registry key.",
)
INSTALLER = Cause(
    Reason.UPDATE_INSTALLER_FAILED,
    "An installer inside of the update failed",
    advice="Look at C:\\Windows\\Logs\\CBS\\CBS.log for which one.",
)
NEEDS_ANOTHER = Cause(
    Reason.UPDATE_NEEDS_ANOTHER,
    "The update needs another one before it, such as a servicing stack update",
    advice="Approve that one in the patch baseline.",
)
UNKNOWN = Cause(Reason.WINDOWS_UPDATE_BROKEN, "Windows Update fails in a way that nothing known mends")

LEARN = "https://learn.microsoft.com"
REFERENCE = f"{LEARN}/windows/deployment/update/windows-update-error-reference"
CLIENT = f"{LEARN}/troubleshoot/windows-client/installing-updates-features-roles"
SERVICING = f"{LEARN}/troubleshoot/windows-server/installing-updates-features-roles"
COMMON = f"{CLIENT}/common-windows-update-errors"
ISSUES = f"{CLIENT}/windows-update-issues-troubleshooting"
CORRUPTION = f"{SERVICING}/fix-windows-update-errors"
OPTIONAL = f"{LEARN}/troubleshoot/windows-server/system-management-components/cant-install-openssh-features"
WININET = f"{LEARN}/windows/win32/wininet/wininet-errors"


@dataclass(frozen=True)
class Row:
    """An HRESULT, its name at Microsoft, what it comes from, and the document that says so."""

    hresult: str
    name: str
    cause: Cause
    source: str


ROWS = (
    Row("0x80070422", "ERROR_SERVICE_DISABLED", SERVICE, COMMON),
    Row("0x80070426", "ERROR_SERVICE_NOT_ACTIVE", SERVICE, ISSUES),
    Row("0x80248002", "WU_E_DS_INVALID", CACHE, REFERENCE),
    Row("0x80248003", "WU_E_DS_TABLEMISSING", CACHE, REFERENCE),
    Row("0x80248004", "WU_E_DS_TABLEINCORRECT", CACHE, REFERENCE),
    Row("0x80248005", "WU_E_DS_INVALIDTABLENAME", CACHE, REFERENCE),
    Row("0x80248006", "WU_E_DS_BADVERSION", CACHE, REFERENCE),
    Row("0x80248007", "WU_E_DS_NODATA", CACHE, REFERENCE),
    Row("0x80248008", "WU_E_DS_MISSINGDATA", CACHE, REFERENCE),
    Row("0x80248009", "WU_E_DS_MISSINGREF", CACHE, REFERENCE),
    Row("0x8024801B", "WU_E_DS_SCHEMAMISMATCH", CACHE, REFERENCE),
    Row("0x80242006", "WU_E_UH_INVALIDMETADATA", METADATA, COMMON),
    Row("0x80073712", "ERROR_SXS_COMPONENT_STORE_CORRUPT", COMPONENTS, CORRUPTION),
    Row("0x800736CC", "ERROR_SXS_FILE_HASH_MISMATCH", COMPONENTS, CORRUPTION),
    Row("0x80073701", "ERROR_SXS_ASSEMBLY_MISSING", COMPONENTS, COMMON),
    Row("0x8007370A", "ERROR_SXS_INVALID_IDENTITY_ATTRIBUTE_VALUE", COMPONENTS, CORRUPTION),
    Row("0x8007370B", "ERROR_SXS_INVALID_IDENTITY_ATTRIBUTE_NAME", COMPONENTS, CORRUPTION),
    Row("0x8007370D", "ERROR_SXS_IDENTITY_PARSE_ERROR", COMPONENTS, CORRUPTION),
    Row("0x8007371B", "ERROR_SXS_TRANSACTION_CLOSURE_INCOMPLETE", COMPONENTS, COMMON),
    Row("0x800705B9", "ERROR_XML_PARSE_ERROR", COMPONENTS, CORRUPTION),
    Row("0x80070002", "ERROR_FILE_NOT_FOUND", COMPONENTS, CORRUPTION),
    Row("0x8007000D", "ERROR_INVALID_DATA", COMPONENTS, CORRUPTION),
    Row("0x80070490", "ERROR_NOT_FOUND", COMPONENTS, CORRUPTION),
    Row("0x80070570", "ERROR_FILE_CORRUPT", COMPONENTS, COMMON),
    Row("0x800F081F", "CBS_E_SOURCE_MISSING", COMPONENTS, COMMON),
    Row("0x800F0825", "CBS_E_CANNOT_UNINSTALL", COMPONENTS, COMMON),
    Row("0x800F0831", "CBS_E_STORE_CORRUPTION", COMPONENTS, COMMON),
    Row("0x800F0982", "PSFX_E_MATCHING_COMPONENT_NOT_FOUND", COMPONENTS, CORRUPTION),
    Row("0x800F0984", "PSFX_E_MATCHING_BINARY_MISSING", COMPONENTS, CORRUPTION),
    Row("0x800F0986", "PSFX_E_APPLY_FORWARD_DELTA_FAILED", COMPONENTS, CORRUPTION),
    Row("0x8024001F", "WU_E_NO_CONNECTION", NETWORK, REFERENCE),
    Row("0x80240438", "WU_E_PT_ENDPOINT_UNREACHABLE", NETWORK, OPTIONAL),
    Row("0x8024402C", "WU_E_PT_WINHTTP_NAME_NOT_RESOLVED", NETWORK, REFERENCE),
    Row("0x80246005", "WU_E_DM_NONETWORK", NETWORK, REFERENCE),
    Row("0x80072EE2", "WININET_E_TIMEOUT", NETWORK, COMMON),
    Row("0x80072EE7", "ERROR_INTERNET_NAME_NOT_RESOLVED", NETWORK, WININET),
    Row("0x80072EFD", "TIME_OUT_ERRORS", NETWORK, COMMON),
    Row("0x80072EFE", "WININET_E_CONNECTION_ABORTED", NETWORK, COMMON),
    Row("0x80D02002", "TIME_OUT_ERRORS", NETWORK, COMMON),
    Row("0x80240030", "WU_E_INVALID_PROXY_SERVER", PROXY, REFERENCE),
    Row("0x8024401B", "WU_E_PT_HTTP_STATUS_PROXY_AUTH_REQ", PROXY, COMMON),
    Row("0x80200053", "BG_E_VALIDATION_FAILED", DOWNLOAD, COMMON),
    Row("0x80240034", "WU_E_DOWNLOAD_FAILED", DOWNLOAD, REFERENCE),
    Row("0x8024402F", "WU_E_PT_ECP_SUCCEEDED_WITH_ERRORS", DOWNLOAD, COMMON),
    Row("0x80246007", "WU_E_DM_NOTDOWNLOADED", DOWNLOAD, REFERENCE),
    Row("0x80D05001", "DO_E_HTTP_BLOCKSIZE_MISMATCH", DOWNLOAD, ISSUES),
    Row("0x80244007", "WU_E_PT_SOAPCLIENT_SOAPFAULT", SERVER, COMMON),
    Row("0x80244010", "WU_E_PT_EXCEEDED_MAX_SERVER_TRIPS", SERVER, REFERENCE),
    Row("0x80244017", "WU_E_PT_HTTP_STATUS_DENIED", SERVER, REFERENCE),
    Row("0x80244018", "WU_E_PT_HTTP_STATUS_FORBIDDEN", SERVER, REFERENCE),
    Row("0x80244019", "WU_E_PT_HTTP_STATUS_NOT_FOUND", SERVER, REFERENCE),
    Row("0x8024401C", "WU_E_PT_HTTP_STATUS_REQUEST_TIMEOUT", SERVER, REFERENCE),
    Row("0x8024401F", "WU_E_PT_HTTP_STATUS_SERVER_ERROR", SERVER, REFERENCE),
    Row("0x80244021", "WU_E_PT_HTTP_STATUS_BAD_GATEWAY", SERVER, REFERENCE),
    Row("0x80244022", "WU_E_PT_HTTP_STATUS_SERVICE_UNAVAIL", SERVER, COMMON),
    Row("0x80244023", "WU_E_PT_HTTP_STATUS_GATEWAY_TIMEOUT", SERVER, REFERENCE),
    Row("0x8024D009", "WU_E_SETUP_SKIP_UPDATE", SERVER, COMMON),
    Row("0x80240025", "WU_E_USER_ACCESS_DISABLED", POLICY, REFERENCE),
    Row("0x8024002E", "WU_E_WU_DISABLED", POLICY, REFERENCE),
    Row("0x8024002F", "WU_E_CALL_CANCELLED_BY_POLICY", POLICY, REFERENCE),
    Row("0x80244011", "WU_E_PT_SUS_SERVER_NOT_SET", POLICY, REFERENCE),
    Row("0x8024500C", "WU_E_REDIRECTOR_CONNECT_POLICY", POLICY, OPTIONAL),
    Row("0x80072F8F", "WININET_E_DECODING_FAILED", TRUST, f"{SERVICING}/troubleshoot-windows-update-error-0x80072f8f"),
    Row("0x800B0101", "CERT_E_EXPIRED", TRUST, CORRUPTION),
    Row("0x80240009", "WU_E_OPERATIONINPROGRESS", BUSY, REFERENCE),
    Row("0x80240016", "WU_E_INSTALL_NOT_ALLOWED", BUSY, REFERENCE),
    Row("0x80242014", "WU_E_UH_POSTREBOOTSTILLPENDING", BUSY, COMMON),
    Row("0x80248001", "WU_E_DS_INUSE", BUSY, REFERENCE),
    Row("0x8024800F", "WU_E_DS_STOREFILELOCKED", BUSY, REFERENCE),
    Row("0x80070BC9", "ERROR_FAIL_REBOOT_REQUIRED", BUSY, COMMON),
    Row("0x8024000B", "WU_E_CALL_CANCELLED", CANCELLED, COMMON),
    Row("0x8024001E", "WU_E_SERVICE_STOP", CANCELLED, f"{CLIENT}/troubleshoot-windows-update-error-0x8024001e"),
    Row("0x8024A10A", "USO_E_SERVICE_SHUTTING_DOWN", CANCELLED, COMMON),
    Row("0x8024000E", "WU_E_XML_INVALID", OLD_AGENT, COMMON),
    Row("0x800F0821", "CBS_E_ABORT", TOO_SLOW, COMMON),
    Row("0x800F0920", "CBS_E_HANG_DETECTED", TOO_SLOW, COMMON),
    Row("0x80070070", "ERROR_DISK_FULL", NO_ROOM, f"{SERVICING}/troubleshoot-windows-update-error-0x80070070"),
    Row("0x80070020", "ERROR_SHARING_VIOLATION", IN_USE, COMMON),
    Row("0x80240022", "WU_E_ALL_UPDATES_FAILED", IN_USE, COMMON),
    Row("0x80070005", "E_ACCESSDENIED", ACCESS, COMMON),
    Row("0x800F0922", "CBS_E_INSTALLERS_FAILED", INSTALLER, COMMON),
    Row(
        "0x800F0823",
        "CBS_E_NEW_SERVICING_STACK_REQUIRED",
        NEEDS_ANOTHER,
        f"{SERVICING}/troubleshoot-windows-update-error-0x800f0823",
    ),
)
CAUSES = {row.hresult: row.cause for row in ROWS}


def cause_of(hresult: str | None) -> Cause:
    """The cause that a code names, UNKNOWN for others."""
    text = str(hresult or "")
    return CAUSES.get("0x" + text[2:].upper(), UNKNOWN)


def advice_on(cause: Cause, source: Mapping[str, Any] | None) -> str:
    """What a person has to know and to look at: the update source and the proxy where the cause lies outside the host."""
    message = []
    if cause.outside and source:
        message.append(f"Its source is {source.get('url') or source.get('kind')}.")
        if "proxy" in source:
            message.append(
                f"WinHTTP uses the proxy {source['proxy']}." if source["proxy"] else "WinHTTP uses no proxy."
            )
    return " ".join(filter(None, (*message, cause.advice)))
