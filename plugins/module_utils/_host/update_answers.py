# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the scripts about Windows Update and its services answer; see answers.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .answers import LONGEST_NAME, PENDING, RESULTS, START_TYPES
from .fields import Fields


@dataclass(frozen=True)
class Service:
    """A service of Windows Update."""

    name: str
    start_type: str
    status: str


@dataclass(frozen=True)
class Reply:
    """Whether a question to the Update agent worked; ``message`` is in Windows' language."""

    ok: bool
    hresult: str | None
    message: str | None

    @classmethod
    def read(cls, fields: Fields) -> Reply:
        return cls(fields.flag("ok"), fields.hresult("hresult"), fields.optional(fields.text, "message", 1000))


LONGEST_KB = 12

POLICIES = (
    "AUOptions",
    "DeferQualityUpdates",
    "DeferQualityUpdatesPeriodInDays",
    "DisableWindowsUpdateAccess",
    "DoNotConnectToWindowsUpdateInternetLocations",
    "NoAutoUpdate",
    "PauseQualityUpdates",
    "PauseQualityUpdatesStartTime",
    "ProductVersion",
    "SetPolicyDrivenUpdateSourceForQualityUpdates",
    "TargetReleaseVersion",
    "TargetReleaseVersionInfo",
    "UseUpdateClassPolicySource",
    "UseWUServer",
)
"""Registry values of Windows Update's policies, below HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate."""


@dataclass(frozen=True)
class UpdateSource:
    """Where the host gets its updates from.

    Attributes:
        kind: ``microsoft``, ``wsus``, or ``configmgr``, a WSUS server that Configuration Manager has set.
        proxy: WinHTTP's.
        policies: the policies that are set, as ``NAME=VALUE``.
    """

    kind: str
    url: str | None
    proxy: str | None
    policies: tuple[str, ...]

    @classmethod
    def read(cls, fields: Fields) -> UpdateSource:
        rows = fields.optional(fields.rows, "policies") or ()
        return cls(
            kind=fields.choice("kind", ("microsoft", "wsus", "configmgr")),
            url=fields.optional(fields.text, "url"),
            proxy=fields.optional(fields.text, "proxy"),
            policies=tuple(f"{row.choice('name', POLICIES)}={row.text('value', 100)}" for row in rows),
        )


@dataclass(frozen=True)
class UpdateHealth:
    """inspect_windows_update.

    Attributes:
        services_of_policy: those that a Group Policy disables, in small letters.
        installing: None where the host cannot know it.
    """

    SCRIPT: ClassVar[str] = "inspect_windows_update"
    services: tuple[Service, ...]
    agent: Reply
    search: Reply
    pending_reboot: tuple[str, ...]
    update_source: UpdateSource
    sessions: int
    installing: bool | None
    services_of_policy: tuple[str, ...]

    @classmethod
    def read(cls, fields: Fields) -> UpdateHealth:
        return cls(
            services=tuple(
                Service(row.text("name", LONGEST_NAME), row.choice("start_type", START_TYPES), row.text("status", 50))
                for row in fields.rows("services")
            ),
            agent=Reply.read(fields.nested("agent")),
            search=Reply.read(fields.nested("search")),
            pending_reboot=fields.choices("pending_reboot", PENDING),
            update_source=UpdateSource.read(fields.nested("update_source")),
            sessions=fields.whole("sessions"),
            installing=fields.optional(fields.flag, "installing"),
            services_of_policy=fields.optional(fields.texts, "services_of_policy", LONGEST_NAME) or (),
        )


@dataclass(frozen=True)
class RemovedCache:
    """remove_old_update_cache: folders that could not be removed."""

    SCRIPT: ClassVar[str] = "remove_old_update_cache"
    left: tuple[str, ...]

    @classmethod
    def read(cls, fields: Fields) -> RemovedCache:
        return cls(fields.texts("left"))


@dataclass(frozen=True)
class RebuiltComponents:
    """repair_components: what is known of damage in the component store after DISM has rebuilt it.

    Attributes:
        restore_health: ``repaired``, damage was known before and is gone; ``not_known``, none was known before, whether or not DISM
            has found some; ``still_damaged``, the store is marked as damaged now.
        system_files: the exit code of ``sfc /scannow``.
    """

    SCRIPT: ClassVar[str] = "repair_components"
    restore_health: str
    system_files: int | None

    @classmethod
    def read(cls, fields: Fields) -> RebuiltComponents:
        return cls(
            fields.choice("restore_health", ("repaired", "not_known", "still_damaged")),
            fields.optional(fields.whole, "system_files", -(2**31)),
        )


@dataclass(frozen=True)
class RepairedService:
    """A service as it was found and as it is now."""

    name: str
    was_start_type: str
    was_status: str
    start_type: str


@dataclass(frozen=True)
class RepairedServices:
    """repair_services."""

    SCRIPT: ClassVar[str] = "repair_services"
    services: tuple[RepairedService, ...]

    @classmethod
    def read(cls, fields: Fields) -> RepairedServices:
        return cls(
            tuple(
                RepairedService(
                    name=row.text("name", LONGEST_NAME),
                    was_start_type=row.choice("was_start_type", START_TYPES),
                    was_status=row.text("was_status", 50),
                    start_type=row.choice("start_type", START_TYPES),
                )
                for row in fields.rows("repaired")
            )
        )


@dataclass(frozen=True)
class ResetCache:
    """reset_update_cache: the old folders, under their new names."""

    SCRIPT: ClassVar[str] = "reset_update_cache"
    renamed: tuple[str, ...]

    @classmethod
    def read(cls, fields: Fields) -> ResetCache:
        return cls(fields.texts("renamed"))


@dataclass(frozen=True)
class UpdateState:
    """An update that is named by its number.

    Attributes:
        state: ``missing``, ``pending_reboot``, ``installed`` or ``superseded``.
        superseded_by: the installed update that replaced it.
    """

    kb: str
    state: str
    superseded_by: str | None


@dataclass(frozen=True)
class UpdateStates:
    """search_updates; an update that is not among them is neither offered nor installed."""

    SCRIPT: ClassVar[str] = "search_updates"
    updates: tuple[UpdateState, ...]

    @classmethod
    def read(cls, fields: Fields) -> UpdateStates:
        states = ("missing", "pending_reboot", "installed", "superseded")
        return cls(
            tuple(
                UpdateState(
                    row.text("kb", LONGEST_KB),
                    row.choice("state", states),
                    row.optional(row.text, "superseded_by", LONGEST_KB),
                )
                for row in fields.rows("updates")
            )
        )


@dataclass(frozen=True)
class UpdateResult:
    """What the Update agent made of one update, in the words of update_history."""

    kb: str
    result: str
    hresult: str | None


@dataclass(frozen=True)
class InstalledUpdates:
    """install_updates."""

    SCRIPT: ClassVar[str] = "install_updates"
    results: tuple[UpdateResult, ...]

    @classmethod
    def read(cls, fields: Fields) -> InstalledUpdates:
        return cls(
            tuple(
                UpdateResult(row.text("kb", LONGEST_KB), row.choice("result", RESULTS), row.hresult("hresult"))
                for row in fields.rows("results")
            )
        )


@dataclass(frozen=True)
class ServicingState:
    """servicing_state.

    Attributes:
        installing: whether Windows installs something now; None where the host cannot know it.
        pending_reboot: what waits for a reboot; file renames are not asked for.
        processes: servicing processes, which may stay long after their work.
        last_progress_at: the last write to the servicing log.
        time: None from hosts that do not say it.
    """

    SCRIPT: ClassVar[str] = "servicing_state"
    installing: bool | None
    pending_reboot: tuple[str, ...]
    processes: tuple[str, ...]
    cpu_seconds: float
    last_progress_at: float | None
    time: float | None

    @classmethod
    def read(cls, fields: Fields) -> ServicingState:
        return cls(
            installing=fields.optional(fields.flag, "installing"),
            pending_reboot=fields.choices("pending_reboot", PENDING),
            processes=fields.texts("processes", 100),
            cpu_seconds=fields.number("cpu_seconds"),
            last_progress_at=fields.optional(fields.moment, "last_progress_at"),
            time=fields.optional(fields.moment, "time"),
        )


@dataclass(frozen=True)
class RestoredServices:
    """restore_services: sentences about services that could not be stopped, or that another program has changed."""

    SCRIPT: ClassVar[str] = "restore_services"
    troubles: tuple[str, ...]

    @classmethod
    def read(cls, fields: Fields) -> RestoredServices:
        troubles = []
        for row in fields.rows("restored"):
            name = row.text("name", LONGEST_NAME)
            if row.has("trouble"):
                troubles.append(f"the service {name}: {row.text('trouble')}")
            if row.flag("changed_by_others"):
                troubles.append(f"the service {name} has another start type by now, and is left so")
        return cls(tuple(troubles))
