# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows' own words for HRESULTs, in its language."""

from __future__ import annotations

NO_ERROR = "0x00000000"
SERVICE_DISABLED = "0x80070422"  # ERROR_SERVICE_DISABLED
DISK_FULL = "0x80070070"  # ERROR_DISK_FULL
CANCELLED = "0x8024000B"  # WU_E_CALL_CANCELLED
ACCESS_DENIED = "0x80070005"  # E_ACCESSDENIED
SERVICE_STOP = "0x8024001E"  # WU_E_SERVICE_STOP
SHARING_VIOLATION = "0x80070020"  # ERROR_SHARING_VIOLATION
START_FAILED = "0x80080005"  # CO_E_SERVER_EXEC_FAILURE
BUSY = "0x80240016"  # WU_E_INSTALL_NOT_ALLOWED: another installation is in progress or a reboot is due
WITHOUT_WORDS = {
    "en": "Exception from HRESULT: {}",
    "de": "Ausnahme von HRESULT: {}",
    "ja": "HRESULT からの例外: {}",
}
MESSAGES = {
    "en": {
        NO_ERROR: "",
        SERVICE_DISABLED: "The service cannot be started, either because it is disabled or because it has no enabled "
        "devices associated with it.",
        DISK_FULL: "There is not enough space on the disk.",
        "0x80248007": "The information requested is not in the data store.",
        "0x80073712": "The component store is in an inconsistent state.",
        "0x8024402C": "The proxy server or target server name cannot be resolved.",
        "0x8024FFFF": "An operation failed due to reasons not covered by another error code.",
        ACCESS_DENIED: "Access is denied.",
        SERVICE_STOP: "Operation did not complete because the service or system was being shut down.",
        SHARING_VIOLATION: "The process cannot access the file because it is being used by another process.",
        START_FAILED: "Server execution failed",
        "0x8024401C": "Same as HTTP status 408 - the server timed out waiting for the request.",
        "0x80244010": "The number of round trips to the server exceeded the maximum limit.",
        "0x80244022": "Same as HTTP status 503 - the service is temporarily overloaded.",
        "0x80072EE2": "The operation timed out.",
        CANCELLED: "The operation was cancelled.",
        "0x8024002E": "Access to an unmanaged server is not allowed.",
        "0x8024500C": "Connections to the redirector server are disallowed by managed policy.",
        BUSY: "The operation tried to install while another installation was in progress.",
    },
    "de": {
        NO_ERROR: "",
        SERVICE_DISABLED: "Der angegebene Dienst kann nicht gestartet werden. Er ist deaktiviert oder nicht mit aktivierten "
        "Geräten verbunden.",
        DISK_FULL: "Es steht nicht genug Speicherplatz auf dem Datenträger zur Verfügung.",
        "0x80073712": "Der Komponentenspeicher wurde beschädigt.",
        ACCESS_DENIED: "Zugriff verweigert",
        SHARING_VIOLATION: "Der Prozess kann nicht auf die Datei zugreifen, da sie von einem anderen Prozess verwendet wird.",
        START_FAILED: "Starten des Servers fehlgeschlagen",
        "0x80072EE2": "Das Zeitlimit für den Vorgang wurde erreicht.",
    },
    "ja": {
        NO_ERROR: "",
        SERVICE_DISABLED: "サービスを開始できません。サービスが無効になっているか、"
        "または関連付けられた有効なデバイスがない可能性があります。",
        DISK_FULL: "ディスクに十分な空き領域がありません。",
        "0x80073712": "コンポーネント ストアは壊れています。",
        ACCESS_DENIED: "アクセスが拒否されました。",
        SHARING_VIOLATION: "プロセスはファイルにアクセスできません。別のプロセスが使用中です。",
        START_FAILED: "サーバーの実行に失敗しました",
        "0x80072EE2": "この操作を完了しようとしましたがタイムアウトになりました",
    },
}


def message_of(hresult: str, language: str = "en") -> str:
    """Windows' own words for an HRESULT; of one without any, what .NET says."""
    return MESSAGES[language].get(hresult, WITHOUT_WORDS[language].format(hresult))


def exception_of(hresult: str, language: str = "en") -> str:
    """What a program shows of the exception: the code, with Windows' words where it has some."""
    return f"{WITHOUT_WORDS[language].format(hresult)}. {MESSAGES[language].get(hresult, '')}".strip()
