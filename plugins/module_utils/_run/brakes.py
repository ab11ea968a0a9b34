# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps further hosts of a run from starting, and who hears of it: first of all the alarms of patch_stop_alarms, for which the
admission asks. Hosts at work are finished.
"""

from __future__ import annotations

from collections.abc import Iterable

from .._aws.cloudwatch import AlarmState
from .._aws.errors import EXPIRED, AwsError, NotReached
from .._base.errors import Deferred, PatchFleetError
from .._ledger.breaker import brake_without_person, keep_brake_once
from .._ledger.records import Host, Run
from .._ledger.stored import has_brake
from .._model.account import Account, account_from
from .._model.reasons import Reason, ReasonCode
from .._model.run_settings import BrakeKind, StopAlarm
from .._operation.context import OperationContext
from .._operation.polled import polled_alarms
from .account_breakers import account_id
from .messages import alarm_raised, alarms_unknown, alarms_unread, first_not_started, no_host_starts
from .notices import BRAKED, STOPPED, notify_of_brake
from .slices import slices

IN_ALARM = "ALARM"
BY_CODE: dict[ReasonCode, BrakeKind] = {
    Reason.NO_TIME: BrakeKind.TIME,
    Reason.CREDENTIALS_TOO_SHORT: BrakeKind.CREDENTIALS,
    Reason.CREDENTIALS_EXPIRED: BrakeKind.CREDENTIALS,
    Reason.RUN_INTERRUPTED: BrakeKind.INTERRUPTED,
}
"""Reasons of a host that is not admitted, which hosts after it have, too."""

OF_ACCOUNTS = frozenset({BrakeKind.ACCOUNT, BrakeKind.TIME})
"""Each account has its own failure budget and window."""


class NotStarted(Deferred):
    """A host is not admitted for a cause of other hosts, though the breaker of its run is closed.

    Attributes:
        kind: of the brake.
        sentence: what it says of the run.
    """

    def __init__(self, reason: str, kind: BrakeKind, sentence: str) -> None:
        super().__init__(reason, Reason.BREAKER)
        self.kind = kind
        self.sentence = sentence


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
        raise NotStarted(alarms_unknown(error.reason), BrakeKind.ALARMS_UNKNOWN, alarms_unread(error.reason)) from error
    if raised is None:
        return
    alarm, state = raised
    sentence = alarm_raised(alarm, state)
    open_breaker(context, run, BrakeKind.ALARM, sentence)
    raise Deferred(no_host_starts(sentence), Reason.BREAKER)


def open_breaker(context: OperationContext, run: Run, kind: BrakeKind, sentence: str) -> None:
    """Let no other host of the run start, for the first reason that is found. The host that opens it sends the message."""
    if context.check_mode:
        return
    brake = brake_without_person(kind, context.clock.now(), sentence)
    if context.ledger.change_breaker(run.run_id, None, sentence, brake):
        notify_of_brake(context, run, STOPPED, sentence)


def announce_refusal(context: OperationContext, run: Run, host: Host, error: PatchFleetError) -> None:
    """Keep with the run why a host is not admitted, where that is so of hosts after it, too, and send the message: once for each
    kind and account. An open breaker has had its message.
    """
    if isinstance(error, NotStarted):
        kind, sentence = error.kind, error.sentence
    elif error.code in BY_CODE:
        kind, sentence = BY_CODE[error.code], first_not_started(host.name, error.reason)
    else:
        return
    brake = brake_without_person(kind, context.clock.now(), sentence)
    if kind in OF_ACCOUNTS:
        brake["account"] = account_id(host)
    if context.check_mode or any(has_brake(one.settings, brake) for one in slices(context.ledger, run)):
        return
    if keep_brake_once(context.ledger, run.run_id, brake):
        notify_of_brake(context, run, BRAKED, sentence)


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
