# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The values of a host's facts that are more than a number, a text or a list of them. They cross JSON, so they are plain."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

TaskState = Literal["started", "ok", "failed"]
"""Of tasks of the user's; without it they have not been reached."""


class FailedUpdate(TypedDict):
    """An update that Windows could not install: ``KB5031001`` and an HRESULT such as ``0x80070643``, where it has one."""

    kb: str
    hresult: str | None


class CleanupAction(TypedDict):
    """A means of making room on the system drive: what it won, or the reason for which it was left out."""

    name: str
    won_gib: float
    skipped: str | None


class UpdateSource(TypedDict):
    """Where a host gets its updates: the kind, the address of a WSUS server, the proxy (None where it uses none), and the policies
    about it, as ``NAME=VALUE``.
    """

    kind: str
    url: str | None
    proxy: str | None
    policies: list[str]


class FoundService(TypedDict):
    """A service that a repair has enabled: its start type and status as found, and the start type that the repair gave it."""

    name: str
    start_type: str
    status: str
    expected_start_type: str | None


class ClusterNode(TypedDict):
    """The failover cluster of which a host is a node, by its id and name, and the node's name in it."""

    id: str
    name: str
    node: str


class WatchdogSchedule(TypedDict):
    """All that a schedule of the switch for dead controllers is made of. Times are seconds since 1970."""

    name: str
    group: str
    role_arn: str
    due_at: float
    margin_seconds: float
    launched: list[int]
    keep_tag: str | None


class SnapshotOfVolume(TypedDict):
    """A snapshot of a restore point, and the volume that it is of, with its size in GiB."""

    snapshot_id: str
    volume_id: str
    gib: int


class RestorePoint(TypedDict):
    """Snapshots of all volumes of a host at one moment. Times are seconds since 1970.

    ``run_id`` is the run that asked for it; without ``made_at`` its answer is not known, and its tags tell what was made.
    """

    run_id: str
    asked_at: float
    made_at: float | None
    expires_at: float
    root_volume_id: str
    volumes: list[SnapshotOfVolume]


class RollBack(TypedDict):
    """A root volume that goes back to a restore point. ``installed`` are the KBs that the run ``of_run`` installed after it.

    The volumes are None until they are known; ``is_made`` is whether the new one is the root volume. ``is_off_for_exchange`` is
    whether we stopped an instance that was running, and have not seen it run again; rows of earlier versions lack it.
    """

    of_run: str
    made_at: float | None
    snapshot_id: str
    token: str
    installed: list[str] | None
    device: str | None
    old_volume_id: str | None
    new_volume_id: str | None
    is_made: bool
    is_off_for_exchange: NotRequired[bool]


class LetGo(TypedDict):
    """Who closed the record of a host that no restore may stop, from which machine, and when, in seconds since 1970."""

    at: float
    by: str
    machine: str


class StoredVerdict(TypedDict):
    """An outcome with its phase, reason code and sentence, as JSON has them."""

    outcome: str
    phase: str | None
    reason_code: str | None
    reason: str | None
