# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The window in which a run may work: an SSM maintenance window, or a change calendar.

Sources: Systems Manager API reference (MaintenanceWindowIdentity, DescribeMaintenanceWindowExecutions, GetCalendarState). Once a
window has opened AWS shows only its next opening, so its last execution shows that it is open now.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._aws.api import Aws
from .._aws.errors import AwsError
from .._aws.ssm import describe_window_executions, describe_windows, get_calendar_state
from .._base.clock import iso, parse_iso
from .._base.errors import InvalidOption
from .._model.settings import Settings
from .._operation.context import OperationContext

if TYPE_CHECKING:
    from mypy_boto3_ssm.type_defs import MaintenanceWindowIdentityTypeDef

VARIABLE = "patch_maintenance_window"
NO_CALENDAR = frozenset({"InvalidDocument", "InvalidDocumentType", "UnsupportedCalendarException"})


@dataclass(frozen=True)
class Window:
    """A window as it is now; times are seconds since 1970, None where AWS knows none.

    Attributes:
        begin_until_at: of one that is open: no host starts later (its end without its cutoff).
        ends_at: of one that is open.
        opens_at: its next opening, of one that is closed.
        is_enabled: of a maintenance window, which stays closed while it is not.
    """

    name: str
    is_open: bool
    begin_until_at: float | None = None
    ends_at: float | None = None
    opens_at: float | None = None
    is_enabled: bool = True

    def takes(self, now: float) -> bool:
        """Whether hosts may start in it now."""
        return self.is_open and (self.begin_until_at is None or now < self.begin_until_at)

    def sentence(self) -> str:
        """The window as a sentence, for the plan and for a run outside it."""
        if not self.is_enabled:
            return f"{self.name} is disabled."
        if not self.is_open and self.opens_at:
            return f"{self.name} is closed; it opens next at {iso(self.opens_at)}."
        if not self.is_open:
            return f"{self.name} is closed; AWS knows no next opening."
        if self.ends_at is None:
            return f"{self.name} is open, and AWS knows no end of it."
        return f"{self.name} is open until {iso(self.ends_at)}; no host starts after {iso(self.begin_until_at)}."


def find_window(context: OperationContext, settings: Settings) -> Window | None:
    """The window of patch_maintenance_window, in the first region of the run; None where none is set.

    Raises:
        InvalidOption: there is no such window or calendar, or several windows have that name.
    """
    named = settings["maintenance_window"]
    if not named:
        return None
    aws = context.aws.in_region(region_of(named, settings["regions"]))
    return window_named(aws, named, VARIABLE, context.clock.now())


def region_of(named: str, regions: Sequence[str]) -> str | None:
    """Where the window is searched: in the region of its ARN, else in the first of these, else in that of the credentials."""
    arn = named.split(":") if named.startswith("arn:") else []
    return arn[3] if len(arn) > 3 else next(iter(regions), None)


def window_named(aws: Aws, named: str, option: str, now: float) -> Window:
    """The window or calendar with this id, name or ARN.

    Args:
        aws: in its account and region.
        option: the variable that names it, for messages.
        now: in seconds since 1970.

    Raises:
        InvalidOption: there is no such window or calendar, or several windows have that name.
    """
    found = [] if named.startswith("arn:") else _windows_named(aws, named)
    if len(found) > 1:
        ids = ", ".join(sorted(window["WindowId"] for window in found))
        raise InvalidOption(option, named, f"Several windows have that name: give the id of one ({ids}).")
    return _maintenance_window(aws, found[0], now) if found else _calendar(aws, named, option, now)


def within(settings: Settings, window: Window | None, now: float) -> Settings:
    """The settings of a run in that window: its end is a deadline, too. Outside it and in its cutoff there is none of its own."""
    inside = window if window and window.takes(now) else None
    until, ends_at = (inside.begin_until_at, inside.ends_at) if inside else (None, None)
    deadlines = [at for at in (settings["deadline_at"], ends_at) if at is not None]
    sentence = window.sentence() if window else None
    return {**settings, "deadline_at": min(deadlines, default=None), "begin_until_at": until, "window": sentence}


def _windows_named(aws: Aws, named: str) -> list[MaintenanceWindowIdentityTypeDef]:
    return [window for window in describe_windows(aws) if named in {window["WindowId"], window["Name"]}]


def _maintenance_window(aws: Aws, window: MaintenanceWindowIdentityTypeDef, now: float) -> Window:
    """One that is switched off is closed for good. Hours are hours, whatever its time zone does meanwhile."""
    name = f"The maintenance window {window['Name']} ({window['WindowId']})"
    if not window["Enabled"]:
        return Window(name, False, is_enabled=False)
    duration_seconds = window["Duration"] * 3600.0
    executions = describe_window_executions(aws, window["WindowId"], str(iso(now - duration_seconds)))
    opened = [execution["StartTime"].timestamp() // 60 * 60 for execution in executions]  # schedules know no seconds
    ends_at = max(opened, default=0.0) + duration_seconds
    if now < ends_at:
        return Window(name, True, ends_at - window["Cutoff"] * 3600.0, ends_at)
    return Window(name, False, opens_at=_moment(window.get("NextExecutionTime")))


def _calendar(aws: Aws, named: str, option: str, now: float) -> Window:
    try:
        answer = get_calendar_state(aws, named, str(iso(now)))
    except AwsError as error:
        if error.aws_code not in NO_CALENDAR:
            raise
        right = (
            f"{aws.region} has no maintenance window of that id or name, and no change calendar of that name or ARN."
        )
        raise InvalidOption(option, named, right) from error
    changes_at = _moment(answer.get("NextTransitionTime"))
    name = f"The change calendar {named}"
    if answer["State"] == "OPEN":
        return Window(name, True, changes_at, changes_at)
    return Window(name, False, opens_at=changes_at)


def _moment(text: str | None) -> float | None:
    """AWS's times may name their zone behind the offset: 2026-11-14T23:00+01:00[Europe/Berlin]."""
    return parse_iso(re.sub(r"\[.*\]$", "", text)) if text else None
