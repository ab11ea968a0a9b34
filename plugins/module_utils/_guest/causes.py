# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Windows Update error says of its cause, which repair fits it, and what proves that it did.

A repair is chosen by its cause alone. What lies outside the host (network, proxy, WSUS) is never "repaired" in it, and what
nobody knows is not met by resetting everything.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """Why updates fail.

    Attributes:
        code: our reason code.
        sentence: for a person.
        repair: the script that mends it in the host, or None where nothing in the host is to be mended.
        proof: what shows that the repair has helped: ``agent`` or ``search`` of the next inspection, or ``scan`` after the
            next installing pass.
        advice: what a person looks at where nothing is repaired.
    """

    code: str
    sentence: str
    repair: str | None = None
    proof: str | None = None
    advice: str = ""


SERVICE = Cause(
    "update_service", "A service that Windows Update needs is stopped or disabled", "repair_services", proof="agent"
)
CACHE = Cause("update_cache_corrupt", "Windows Update's cache is damaged", "reset_update_cache", proof="search")
COMPONENTS = Cause("component_store_corrupt", "Windows' component store is damaged", "repair_components", proof="scan")
NETWORK = Cause(
    "update_source_unreachable",
    "The host does not reach its update source",
    advice="Look at name resolution, routes, firewalls and the proxy (netsh winhttp show proxy).",
)
PROXY = Cause(
    "update_proxy",
    "The proxy between the host and its update source refuses it",
    advice="Look at the proxy that the system account uses (netsh winhttp show proxy) and at what it asks of clients.",
)
SERVER = Cause(
    "update_source_failed",
    "The update source answers with an error",
    advice="Look at the WSUS server or at what stands before it: its application pool, its certificate, its load.",
)
POLICY = Cause(
    "update_source_forbidden",
    "A policy keeps the host from this update source",
    advice="Look at the policies below HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate.",
)
TRUST = Cause(
    "update_source_not_trusted",
    "The host does not trust the certificate of its update source",
    advice="Look at its clock, its root certificates and at proxies that open TLS.",
)
ACCESS = Cause(
    "update_access_denied",
    "Windows refuses Windows Update to this user",
    advice="It must be an administrator; over WinRM a second hop, such as to a proxy, is refused unless it is delegated.",
)
BUSY = Cause(
    "windows_update_busy",
    "Windows Update is busy or waits for a reboot",
    advice="Run again after a reboot.",
)
NO_ROOM = Cause("no_room", "The disk is full", advice="Raise patch_free_gib.")
IN_USE = Cause(
    "files_in_use",
    "Other software holds files that Windows has to replace",
    advice="Look at virus scanners and at services that could be stopped by patch_pre_tasks.",
)
NEEDS_ANOTHER = Cause(
    "update_needs_another",
    "The update needs another one before it, such as a servicing stack update",
    advice="Approve that one in the patch baseline.",
)
UNKNOWN = Cause("windows_update_broken", "Windows Update fails in a way that nothing known mends")

REFERENCE = "https://learn.microsoft.com/windows/deployment/update/windows-update-error-reference"
COMMON = "https://learn.microsoft.com/troubleshoot/windows-client/installing-updates-features-roles/common-windows-update-errors"
CORRUPTION = "https://learn.microsoft.com/troubleshoot/windows-server/installing-updates-features-roles/fix-windows-update-errors"
SYSTEM = "https://learn.microsoft.com/windows/win32/debug/system-error-codes"


@dataclass(frozen=True)
class Row:
    """An HRESULT, its name at Microsoft, what it comes from, and the document that says so."""

    hresult: str
    name: str
    cause: Cause
    source: str


ROWS = (
    Row("0x80070422", "ERROR_SERVICE_DISABLED", SERVICE, COMMON),
    Row("0x80070426", "ERROR_SERVICE_NOT_ACTIVE", SERVICE, SYSTEM),
    Row("0x80248001", "WU_E_DS_INUSE", CACHE, REFERENCE),
    Row("0x80248002", "WU_E_DS_INVALID", CACHE, REFERENCE),
    Row("0x80248003", "WU_E_DS_TABLEMISSING", CACHE, REFERENCE),
    Row("0x80248004", "WU_E_DS_TABLEINCORRECT", CACHE, REFERENCE),
    Row("0x80248006", "WU_E_DS_BADVERSION", CACHE, REFERENCE),
    Row("0x80248007", "WU_E_DS_NODATA", CACHE, REFERENCE),
    Row("0x80248008", "WU_E_DS_MISSINGDATA", CACHE, REFERENCE),
    Row("0x80248011", "WU_E_DS_UNABLETOSTART", CACHE, REFERENCE),
    Row("0x80242006", "WU_E_UH_INVALIDMETADATA", CACHE, COMMON),
    Row("0x80246007", "WU_E_DM_NOTDOWNLOADED", CACHE, REFERENCE),
    Row("0x80073712", "ERROR_SXS_COMPONENT_STORE_CORRUPT", COMPONENTS, CORRUPTION),
    Row("0x800736CC", "ERROR_SXS_FILE_HASH_MISMATCH", COMPONENTS, CORRUPTION),
    Row("0x80073701", "ERROR_SXS_ASSEMBLY_MISSING", COMPONENTS, COMMON),
    Row("0x8007371B", "ERROR_SXS_TRANSACTION_CLOSURE_INCOMPLETE", COMPONENTS, COMMON),
    Row("0x8007370D", "ERROR_SXS_IDENTITY_PARSE_ERROR", COMPONENTS, CORRUPTION),
    Row("0x800705B9", "ERROR_XML_PARSE_ERROR", COMPONENTS, CORRUPTION),
    Row("0x8007000D", "ERROR_INVALID_DATA", COMPONENTS, CORRUPTION),
    Row("0x80070490", "ERROR_NOT_FOUND", COMPONENTS, COMMON),
    Row("0x80070570", "ERROR_FILE_CORRUPT", COMPONENTS, COMMON),
    Row("0x800F0831", "CBS_E_STORE_CORRUPTION", COMPONENTS, CORRUPTION),
    Row("0x800F081F", "CBS_E_SOURCE_MISSING", COMPONENTS, CORRUPTION),
    Row("0x8024402C", "WU_E_PT_WINHTTP_NAME_NOT_RESOLVED", NETWORK, REFERENCE),
    Row("0x8024401C", "WU_E_PT_HTTP_STATUS_REQUEST_TIMEOUT", NETWORK, REFERENCE),
    Row("0x80244023", "WU_E_PT_HTTP_STATUS_GATEWAY_TIMEOUT", NETWORK, REFERENCE),
    Row("0x80240438", "WU_E_PT_ENDPOINT_UNREACHABLE", NETWORK, REFERENCE),
    Row("0x80072EE2", "ERROR_INTERNET_TIMEOUT", NETWORK, REFERENCE),
    Row("0x80072EE7", "ERROR_INTERNET_NAME_NOT_RESOLVED", NETWORK, COMMON),
    Row("0x80072EFD", "ERROR_INTERNET_CANNOT_CONNECT", NETWORK, COMMON),
    Row("0x80072EFE", "ERROR_INTERNET_CONNECTION_ABORTED", NETWORK, COMMON),
    Row("0x80D02002", "DO_E_DOWNLOAD_NO_PROGRESS", NETWORK, COMMON),
    Row("0x80200053", "BG_E_VALIDATION_FAILED", PROXY, COMMON),
    Row("0x8024401B", "WU_E_PT_HTTP_STATUS_PROXY_AUTH_REQ", PROXY, REFERENCE),
    Row("0x80244017", "WU_E_PT_HTTP_STATUS_DENIED", SERVER, REFERENCE),
    Row("0x80244018", "WU_E_PT_HTTP_STATUS_FORBIDDEN", SERVER, REFERENCE),
    Row("0x80244019", "WU_E_PT_HTTP_STATUS_NOT_FOUND", SERVER, REFERENCE),
    Row("0x8024401F", "WU_E_PT_HTTP_STATUS_SERVER_ERROR", SERVER, REFERENCE),
    Row("0x80244021", "WU_E_PT_HTTP_STATUS_BAD_GATEWAY", SERVER, REFERENCE),
    Row("0x80244022", "WU_E_PT_HTTP_STATUS_SERVICE_UNAVAIL", SERVER, REFERENCE),
    Row("0x80244010", "WU_E_PT_EXCEEDED_MAX_SERVER_TRIPS", SERVER, REFERENCE),
    Row("0x8024002E", "WU_E_WU_DISABLED", POLICY, REFERENCE),
    Row("0x8024500C", "WU_E_REDIRECTOR_CONNECT_POLICY", POLICY, REFERENCE),
    Row("0x80072F8F", "ERROR_INTERNET_SECURE_FAILURE", TRUST, REFERENCE),
    Row("0x80070005", "E_ACCESSDENIED", ACCESS, COMMON),
    Row("0x80240016", "WU_E_INSTALL_NOT_ALLOWED", BUSY, COMMON),
    Row("0x8024001E", "WU_E_SERVICE_STOP", BUSY, COMMON),
    Row("0x80242014", "WU_E_UH_POSTREBOOTSTILLPENDING", BUSY, REFERENCE),
    Row("0x80070BC9", "ERROR_FAIL_REBOOT_REQUIRED", BUSY, COMMON),
    Row("0x80070070", "ERROR_DISK_FULL", NO_ROOM, SYSTEM),
    Row("0x80070020", "ERROR_SHARING_VIOLATION", IN_USE, COMMON),
    Row("0x800F0823", "CBS_E_NEW_SERVICING_STACK_REQUIRED", NEEDS_ANOTHER, COMMON),
)
CAUSES = {row.hresult: row.cause for row in ROWS}


def cause_of(hresult: str | None) -> Cause:
    """The cause that a code names, UNKNOWN for others."""
    text = str(hresult or "")
    return CAUSES.get("0x" + text[2:].upper(), UNKNOWN)
