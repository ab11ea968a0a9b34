# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the scripts in roles/*/files answer: one class for each script, read from its JSON and checked.

Sizes are GiB, times are seconds since 1970 by the host's own clock. A value that the host does not know is None.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar

from .._model.reasons import Reason
from .._model.severities import UNSPECIFIED, severity_of
from .fields import Fields

if TYPE_CHECKING:
    from typing import Self

MOST_GIB = 2.0**20
KB = re.compile(r"KB[0-9]{1,10}")
LONGEST_NAME = 256
"""The longest name of a Windows service. Source: CreateServiceW, Microsoft Learn."""
BLOCKERS = (Reason.RECOVERY_PARTITION, Reason.OTHER_PARTITION, Reason.UNKNOWN_LAYOUT)
PENDING = ("component_based_servicing", "windows_update", "file_rename")
START_TYPES = ("automatic", "manual", "disabled", "system")
RESULTS = ("in_progress", "succeeded", "succeeded_with_errors", "failed", "aborted")

GUEST_REASONS = frozenset(
    {
        Reason.ANSWER_TOO_LONG,
        Reason.CACHE_IN_USE,
        Reason.CONSTRAINED_LANGUAGE,
        Reason.MSG_FAILED,
        Reason.NO_MSG,
        Reason.NO_ROOM,
        Reason.NOT_EXTENDED,
        Reason.NO_CLUSTER_COMMANDS,
        Reason.OTHER_PARTITION,
        Reason.POWERSHELL_TOO_OLD,
        Reason.RECOVERY_PARTITION,
        Reason.RESTART_FAILED,
        Reason.RESTORE_HEALTH_FAILED,
        Reason.SCRIPT_FAILED,
        Reason.SERVICE_STUCK,
        Reason.UNKNOWN_LAYOUT,
        Reason.UNKNOWN_SERVICE,
        Reason.UNKNOWN_START_TYPE,
        Reason.UPDATE_API_REFUSED,
        Reason.WRONG_BITNESS,
    }
)
"""The reasons that a script may answer. Any other one becomes ``script_failed``: whether a host can be reached, or an
installation runs, is never taken from a code of its own choice."""

T = TypeVar("T", bound="Answer")


class Answer(Protocol):
    """The answer of one script."""

    SCRIPT: ClassVar[str]

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """The answer; ScriptEnded with ``invalid_answer`` where it is not what the script says."""


@dataclass(frozen=True)
class DiskSpace:
    """measure_disk: C: and what lies behind it.

    Attributes:
        extendable_gib: unused room right behind the partition.
        blocked_by: what keeps a larger disk from helping.
        serial: of the disk; on Nitro the id of its EBS volume.
    """

    SCRIPT: ClassVar[str] = "measure_disk"
    free_gib: float
    partition_gib: float
    extendable_gib: float
    blocked_by: str | None
    partition_style: str | None
    serial: str | None

    @classmethod
    def read(cls, fields: Fields) -> DiskSpace:
        return cls(
            free_gib=fields.number("free_gib", 0, MOST_GIB),
            partition_gib=fields.number("partition_gib", 0, MOST_GIB),
            extendable_gib=fields.number("extendable_gib", 0, MOST_GIB),
            blocked_by=fields.optional(fields.choice, "blocked_by", BLOCKERS),
            partition_style=fields.optional(fields.text, "partition_style", 10),
            serial=fields.optional(fields.text, "serial", 100),
        )


@dataclass(frozen=True)
class CleanupAction:
    """What one cleanup action freed, or why it was skipped."""

    name: str
    won_gib: float
    skipped: str | None


@dataclass(frozen=True)
class CleanedDisk:
    """clean_disk: its cleanup actions in order."""

    SCRIPT: ClassVar[str] = "clean_disk"
    actions: tuple[CleanupAction, ...]

    @classmethod
    def read(cls, fields: Fields) -> CleanedDisk:
        return cls(
            tuple(
                CleanupAction(
                    name=row.text("name", 50),
                    won_gib=row.number("won_gib", 0, MOST_GIB),
                    skipped=row.optional(row.text, "skipped"),
                )
                for row in fields.rows("rungs")
            )
        )


@dataclass(frozen=True)
class ExtendedPartition:
    """extend_partition: how large C: is now."""

    SCRIPT: ClassVar[str] = "extend_partition"
    partition_gib: float

    @classmethod
    def read(cls, fields: Fields) -> ExtendedPartition:
        return cls(fields.number("partition_gib", 0, MOST_GIB))


@dataclass(frozen=True)
class UpdateSize:
    """The sizes of one update that is offered, and how severe Microsoft rates it (``unspecified`` where it says nothing)."""

    max_download_bytes: float
    recommended_mib: float
    kb: str | None = None
    severity: str = UNSPECIFIED

    @classmethod
    def read(cls, row: Fields) -> UpdateSize:
        kb = row.optional(row.text, "kb", 20) or ""
        return cls(
            row.number("max_download_bytes"),
            row.number("recommended_mib"),
            kb if KB.fullmatch(kb) else None,
            severity_of(row.optional(row.text, "severity", 50)),
        )


@dataclass(frozen=True)
class UpdateSizes:
    """missing_update_sizes: the largest updates that the Update agent offers."""

    SCRIPT: ClassVar[str] = "missing_update_sizes"
    updates: tuple[UpdateSize, ...]

    @classmethod
    def read(cls, fields: Fields) -> UpdateSizes:
        return cls(tuple(map(UpdateSize.read, fields.rows("updates"))))


@dataclass(frozen=True)
class StoppedService:
    """An automatic service that does not run. ``exit_code`` 1077: it has not been started since the boot."""

    name: str
    exit_code: int


@dataclass(frozen=True)
class BootState:
    """inspect_boot.

    Attributes:
        starts: starts of Windows since the moment that was asked for; None where its event log does not say.
        services: automatic services that run, without those that come and go for a reason.
        stopped_services: of the same kind, those that ended with an error or were not started.
    """

    SCRIPT: ClassVar[str] = "inspect_boot"
    time: float
    boot_time: float
    starts: int | None
    services: frozenset[str]
    stopped_services: tuple[StoppedService, ...]

    @classmethod
    def read(cls, fields: Fields) -> BootState:
        boots = fields.optional(fields.moments, "boots")
        return cls(
            time=fields.moment("time"),
            boot_time=fields.moment("boot_time"),
            starts=None if boots is None else len(boots),
            services=frozenset(fields.texts("services", LONGEST_NAME)),
            stopped_services=tuple(
                StoppedService(row.text("name", LONGEST_NAME), row.whole("exit_code", -(2**31), 2**32))
                for row in fields.optional(fields.rows, "services_not_running") or ()
            ),
        )


@dataclass(frozen=True)
class Restart:
    """restart_windows: when Windows has started."""

    SCRIPT: ClassVar[str] = "restart_windows"
    boot_time: float

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(fields.moment("boot_time"))


@dataclass(frozen=True)
class HistoryEntry:
    """One installation in Windows' own update history; ``kb`` is empty where its title has none."""

    kb: str
    result: str | None
    hresult: str | None
    at: float


@dataclass(frozen=True)
class UpdateHistory:
    """update_history: installations since the moment that was asked for."""

    SCRIPT: ClassVar[str] = "update_history"
    entries: tuple[HistoryEntry, ...]

    @classmethod
    def read(cls, fields: Fields) -> UpdateHistory:
        return cls(
            tuple(
                HistoryEntry(
                    kb=row.optional(row.text, "kb", 20) or "",
                    result=row.optional(row.choice, "result", RESULTS),
                    hresult=row.hresult("hresult"),
                    at=row.moment("at"),
                )
                for row in fields.rows("entries")
            )
        )


@dataclass(frozen=True)
class Sessions:
    """inspect_sessions: how many people are logged on."""

    SCRIPT: ClassVar[str] = "inspect_sessions"
    sessions: int

    @classmethod
    def read(cls, fields: Fields) -> Sessions:
        return cls(fields.whole("sessions"))


@dataclass(frozen=True)
class SentMessage:
    """send_session_message."""

    SCRIPT: ClassVar[str] = "send_session_message"
    sessions: int
    sent: bool

    @classmethod
    def read(cls, fields: Fields) -> SentMessage:
        return cls(fields.whole("sessions"), fields.flag("sent"))


@dataclass(frozen=True)
class ShiftedClock:
    """shift_clock: what the host's clock shows now."""

    SCRIPT: ClassVar[str] = "shift_clock"
    time: float

    @classmethod
    def read(cls, fields: Fields) -> ShiftedClock:
        return cls(fields.moment("time"))


@dataclass(frozen=True)
class MarkedPending:
    """mark_pending: what waits for a reboot now."""

    SCRIPT: ClassVar[str] = "mark_pending"
    pending_reboot: tuple[str, ...]

    @classmethod
    def read(cls, fields: Fields) -> MarkedPending:
        return cls(fields.choices("pending_reboot", PENDING))
