# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The alarms in which a run starts no other host (patch_stop_alarms). The admission asks for them; hosts at work are finished."""

from __future__ import annotations

from collections.abc import Iterable

from .._aws.cloudwatch import AlarmState
from .._aws.errors import EXPIRED, AwsError, NotReached
from .._base.errors import Deferred
from .._ledger.records import Host, Run
from .._model.account import Account, account_from
from .._model.reasons import Reason
from .._model.run_settings import Brake, StopAlarm
from .._operation.context import OperationContext
from .._operation.polled import polled_alarms
from .messages import alarm_raised, alarms_unknown, no_host_starts
from .notices import STOPPED, notify_of_brake

IN_ALARM = "ALARM"
ALARM, FAILED_HOSTS = "alarm", "failures"
"""Kinds of brakes."""


def refuse_in_alarm(context: OperationContext, run: Run, _host: Host) -> None:
    """Open the breaker of the run where one of its alarms is in ALARM, or does not exist any more.

    Raises:
        Deferred: ``breaker``; also where the alarms cannot be read, when only this host is deferred.
    """
    alarms = run.settings.get("stop_alarms")
    if not alarms:
        return
    try:
        raised = _first_raised(context, alarms)
    except (AwsError, NotReached) as error:
        if isinstance(error, AwsError) and error.aws_code in EXPIRED:
            raise
        raise Deferred(alarms_unknown(error.reason), Reason.BREAKER) from error
    if raised is None:
        return
    alarm, state = raised
    sentence = alarm_raised(alarm, state)
    open_breaker(context, run, ALARM, sentence)
    raise Deferred(no_host_starts(sentence), Reason.BREAKER)


def open_breaker(context: OperationContext, run: Run, kind: str, sentence: str) -> None:
    """Let no other host of the run start, for the first reason that is found. The host that opens it sends the message."""
    if context.check_mode:
        return
    brake: Brake = {"kind": kind, "at": context.clock.now(), "by": None, "machine": None, "reason": sentence}
    if context.ledger.change_breaker(run.run_id, None, sentence, brake):
        notify_of_brake(context, run, STOPPED, sentence)


def _first_raised(context: OperationContext, alarms: Iterable[StopAlarm]) -> tuple[StopAlarm, AlarmState | None] | None:
    """The first alarm that stops the run, with its state; None for one that does not exist any more."""
    for (account, region), there in _by_location(alarms).items():
        names = [alarm["name"] for alarm in there]
        composite = any(alarm["composite"] for alarm in there)
        states = polled_alarms(context, account, region, names, composite=composite)
        for alarm in there:
            state = states.get(alarm["name"])
            if state is None or state["state"] == IN_ALARM:
                return alarm, state
    return None


def _by_location(alarms: Iterable[StopAlarm]) -> dict[tuple[Account | None, str], list[StopAlarm]]:
    """One call for each account and region."""
    found: dict[tuple[Account | None, str], list[StopAlarm]] = {}
    for alarm in alarms:
        found.setdefault((account_from(alarm["account"]), alarm["region"]), []).append(alarm)
    return found
