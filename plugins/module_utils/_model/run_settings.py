# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""What a run keeps of its variables in the ledger, for its own operations and for those that come after it.

Settings cross JSON, so they are plain values. ``_run`` writes them all when it opens the run. The strings of a setting are its
meaning and unit, and the modules that read it, as paths below module_utils. A run of an earlier version may lack some.
"""

from __future__ import annotations

from typing import Annotated, NotRequired, TypedDict

from .account import AccountOption
from .text_enum import TextEnum

ROLL_BACK = "roll_back"
"""The operation of a run that puts one host back to its restore point."""


class PointLocation(TypedDict):
    """Where a run may have taken restore points."""

    account: AccountOption | None
    region: str


class _SliceOfJob(TypedDict):
    of: str
    failure_budget: int | str
    hosts: int


class Slice(_SliceOfJob, total=False):
    """The job that the run is a slice of, its variable patch_failure_budget, and how many hosts the slice has.

    Of a job with patch_slice also which slice it is, of how many, and how many hosts all slices have. A slice of a job of AWX does
    not know these.
    """

    number: int
    count: int
    hosts_of_all: int


class Targets(TypedDict):
    """Which hosts were asked for: by a tag (``PatchGroup=Windows``) or a pattern, where, and how many were found.

    ``missing_accounts`` names accounts that were left out, since their role could not be assumed.
    """

    tag: str | None
    hosts: str | None
    regions: list[str]
    missing_accounts: list[str]
    count: int


class Limits(TypedDict):
    """When the hosts of an account may start; times are seconds since 1970.

    ``is_closed`` is whether their window is closed while those of other accounts are not.
    """

    deadline_at: float | None
    begin_until_at: float | None
    window: str | None
    is_closed: bool


class NoRunMessage(TypedDict):
    """The schedule of the message that comes when no run is closed for this number of days."""

    schedule: str
    days: int


class StopAlarm(TypedDict):
    """An alarm of patch_stop_alarms, and where it is. Without an account it is in that of the credentials.

    ``composite`` is whether it must be asked for as a composite alarm.
    """

    name: str
    region: str
    account: AccountOption | None
    composite: bool


class BrakeKind(TextEnum):
    """What keeps hosts of a run from starting, or lets them start again."""

    ALARM = "alarm"
    """An alarm of patch_stop_alarms is in ALARM, or does not exist any more."""
    FAILURES = "failures"
    """Hosts failed: the failure budget is spent, a canary failed, or every other host would fail for the same cause."""
    STANDSTILL = "standstill"
    """The controller stood still."""
    STOP = "stop"
    """People did it."""
    RESUME = "resume"
    """People let the run continue."""
    ALARMS_UNKNOWN = "alarms_unknown"
    """The alarms of patch_stop_alarms cannot be read."""
    CANARIES = "canaries"
    """The canaries had not ended in time."""
    ACCOUNT = "account"
    """Hosts of one account failed, and the other accounts continue."""
    TIME = "time"
    """The end of the window or patch_deadline is near."""
    CREDENTIALS = "credentials"
    """The AWS credentials have ended, or end too early."""
    INTERRUPTED = "interrupted"
    """Another controller took the run for dead and closed it."""


class Brake(TypedDict):
    """What stopped a run or let it continue.

    ``at`` is in seconds since 1970, ``by`` a user and ``machine`` where they did it. ``reason`` is what they gave, or what
    CloudWatch says. Where it is of the hosts of one account only, ``account`` is that account's id.
    """

    kind: str
    at: float
    by: str | None
    machine: str | None
    reason: str
    account: NotRequired[str | None]


class RunSettings(TypedDict, total=False):
    """The settings of a run."""

    canary: Annotated[int, "hosts that go first, alone", "_run/admission"]
    canary_keys: Annotated[list[str], "keys of those hosts that the run holds", "_run/admission"]
    included: Annotated[int, "hosts that are not left out", "_run/slices"]
    live_report: Annotated[
        str | None, "folder of the page that is written each minute, empty for the default one", "_report/live"
    ]
    prices: Annotated[dict[str, float] | None, "USD an hour by instance type, or by region and type", "_report/build"]
    batch_size: Annotated[int, "hosts that are at work at once", "_run/progress"]
    pause_seconds: Annotated[float, "pause between two waves, in seconds", "_run/admission"]
    waves_began_at: Annotated[dict[str, float], "start of each wave that pauses, seconds since 1970", "_ledger/stored"]
    expected_seconds: Annotated[float, "expected duration of a host, in seconds", "_run/admission"]
    host_timeout_seconds: Annotated[
        float, "longest duration of any host, in seconds", "_run/admission, _power/watchdog"
    ]
    failure_budget_hosts: Annotated[int, "hosts that may fail", "_run/slices"]
    account_failure_budget: Annotated[
        int | str | None, "hosts that may fail in one account, a number or a percentage", "_run/account_breakers"
    ]
    account_hosts: Annotated[dict[str, int], "hosts that are not left out, by account", "_run/account_breakers"]
    slice: Annotated[Slice, "the other slices of its job", "_run/slices"]
    deadline_at: Annotated[float | None, "end of the run, seconds since 1970", "_run/admission"]
    begin_until_at: Annotated[float | None, "start of the window's cutoff, seconds since 1970", "_run/admission"]
    window: Annotated[str | None, "the window in a sentence", "_run/admission"]
    account_limits: Annotated[
        dict[str, Limits], "the same of accounts with a window of their own, by id", "_plan/account_windows"
    ]
    is_closed: Annotated[
        bool, "whether that window is closed while those of other accounts are not", "_plan/account_windows"
    ]
    credentials_expire_at: Annotated[float | None, "end of the credentials, seconds since 1970", "_plan/credentials"]
    tag_key: Annotated[str, "key of the targets' tag", "_run/admission"]
    tag_value: Annotated[str, "value of the targets' tag", "_run/admission"]
    keep_tag: Annotated[str | None, "tag of hosts to leave alone", "_fleet/claims, _power/watchdog"]
    scheduler_tag: Annotated[str | None, "tag of a scheduler's hosts", "_fleet/claims"]
    stop_alarms: Annotated[list[StopAlarm], "alarms in which no host starts", "_run/brakes"]
    brakes: Annotated[list[Brake], "what stopped the run, and let it continue", "_run/stopping, _report/build"]
    started_with: Annotated[
        str | None, "the command that started it, without secrets; null where it cannot be repeated", "_run/admission"
    ]
    max_running: Annotated[int | None, "instances that may be on because of runs", "_run/admission"]
    restore_points: Annotated[list[PointLocation], "where it may have taken restore points", "_run/restore_points"]
    outcome_tags: Annotated[bool, "whether outcomes are set as tags", "_run/publishing"]
    event_bus: Annotated[str | None, "bus that gets the outcomes as events", "_run/publishing"]
    no_run_message: Annotated[
        NoRunMessage | None, "the message that this run moves on when it is closed", "_run/no_run_message"
    ]
    fail_on_deferred: Annotated[bool, "whether hosts without time make the run fail", "_modules/patch_report"]
    history_days: Annotated[int, "days for which the run is kept", "_run/closing, _ledger/dynamodb_items"]
    account: Annotated[str | None, "AWS account of the hosts, None where it has none in AWS", "_run/recovery"]
    targets: Annotated[Targets, "which hosts were asked for", "_report/build"]
