# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Windows Update error says of its cause, and who can mend it.

Sources: Microsoft Learn, "Windows Update error codes by component" and "Windows Update common errors and mitigation".
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """Why updates fail.

    Attributes:
        code: our reason code.
        sentence: for a person.
        repair: the script that mends it in the host, or None where nothing in the host is broken.
    """

    code: str
    sentence: str
    repair: str | None = None


SERVICE = Cause("update_service", "A service that Windows Update needs is stopped or disabled", "repair_services")
NETWORK = Cause(
    "update_source_unreachable", "The host does not reach its update source (name resolution, proxy or route)"
)
UNKNOWN = Cause("windows_update_broken", "Windows Update fails in a way that nothing known mends")

CAUSES = {
    "0x80070422": SERVICE,  # ERROR_SERVICE_DISABLED
    "0x8024402C": NETWORK,  # WU_E_PT_WINHTTP_NAME_NOT_RESOLVED
    "0x8024401C": NETWORK,  # WU_E_PT_HTTP_STATUS_REQUEST_TIMEOUT
    "0x80240438": NETWORK,  # WU_E_PT_ENDPOINT_UNREACHABLE
    "0x80072EE2": NETWORK,  # ERROR_INTERNET_TIMEOUT
    "0x80072EE7": NETWORK,  # ERROR_INTERNET_NAME_NOT_RESOLVED
    "0x80072EFD": NETWORK,  # ERROR_INTERNET_CANNOT_CONNECT
    "0x80072EFE": NETWORK,  # ERROR_INTERNET_CONNECTION_ABORTED
}


def cause_of(hresult: str | None) -> Cause:
    """The cause that a code names, UNKNOWN for others."""
    text = str(hresult or "")
    return CAUSES.get("0x" + text[2:].upper(), UNKNOWN)
