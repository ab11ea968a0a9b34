# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fields of report.json. Unknown is null, never 0. Times are ISO 8601 in UTC, sizes GiB, durations seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from .._model.checks import CheckState, EvidenceState
from .._model.fact_values import CleanupAction, FailedUpdate
from .._model.outcomes import Outcome
from .._model.phases import Phase
from .._model.reasons import ReasonCode
from .._model.run_settings import Targets


class TimelineEntry(TypedDict):
    """A phase of a host."""

    step: Phase
    started_at: str | None
    finished_at: str | None
    ok: bool


class ReportedPoint(TypedDict):
    """A restore point: the ids of its snapshots, and the sum of their volumes' sizes in GiB."""

    snapshots: list[str]
    made_at: str | None
    expires_at: str | None
    gib: int


class ReportHost(TypedDict):
    """A host; docs/ledger.md says what its facts mean. ``step`` is its phase, ``seconds`` the duration of each."""

    host: str
    instance_id: str | None
    kind: str
    type: str | None
    account: str | None
    region: str | None
    az: str | None
    wave: int | None
    outcome: Outcome | None
    step: Phase | None
    reason: str | None
    reason_code: ReasonCode | None
    original_state: str | None
    final_state: str | None
    started_by_run: bool
    installed: list[str] | None
    missing: list[str] | None
    failed_updates: list[FailedUpdate] | None
    verdicts: dict[str, str] | None
    reboots: int | None
    free_gib_before: float | None
    free_gib_after: float | None
    wanted_gib: float | None
    rungs: list[CleanupAction] | None
    grown_gib: int | None
    snapshot_id: str | None
    restore_point: ReportedPoint | None
    sessions: int | None
    pre_tasks: str | None
    post_tasks: str | None
    repaired: list[str]
    checks: dict[str, CheckState]
    evidence: dict[str, EvidenceState]
    remarks: list[str]
    verified_at: str | None
    command_ids: list[str]
    let_go: ReportedLetGo | None
    seconds: dict[str, float]
    on_seconds: float | None
    on_usd: float | None
    idle_seconds: float | None
    timeline: list[TimelineEntry]


class ReportedLetGo(TypedDict):
    """Who closed the record of a host that stays on, from which machine, and when."""

    at: str | None
    by: str
    machine: str


class ReportOperator(TypedDict):
    """Who started the run: the user and machine of the controller, the AWS identity of its credentials, and the job of AWX with the
    user or schedule that launched it.
    """

    user: str | None
    machine: str | None
    arn: str | None
    launched_by: str | None
    job_id: str | None


class ReportBrake(TypedDict):
    """What stopped the run (``alarm``, ``failures``, ``stop``) or let it continue (``resume``): when, who from where, and why."""

    kind: str
    at: str | None
    by: str | None
    machine: str | None
    reason: str


class Report(TypedDict):
    """A run. ``totals`` is the number of hosts by outcome.

    Of a run that is at work ``as_of`` is when the ledger was read, and ``finished_at`` is null. A host without an outcome has
    the step in which it is, or none where it waits.

    ``account_breakers`` has the accounts of which no other host starts, by id, with the reason.
    """

    schema: int
    schema_version: str
    collection_version: str
    run_id: str
    started_at: str | None
    finished_at: str | None
    as_of: str | None
    operation: str
    by: ReportOperator
    breaker: str | None
    account_breakers: dict[str, str]
    brakes: list[ReportBrake]
    targets: Targets | Mapping[str, object]
    totals: dict[str, int]
    hosts: list[ReportHost]
