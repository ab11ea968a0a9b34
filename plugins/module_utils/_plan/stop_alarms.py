# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The alarms of patch_stop_alarms, found before anything is touched.

Sources: CloudWatch API reference, DescribeAlarms (composite alarms are shown only to who has the right on "*"); Service
Authorization Reference, Amazon CloudWatch (an alarm's ARN).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .._aws.api import Aws
from .._aws.cloudwatch import AlarmState, alarm_states
from .._aws.errors import AwsError
from .._aws.iam import caller_account
from .._base.errors import InvalidOption
from .._fleet.hosts import FleetHost
from .._model.account import Account, account_from
from .._model.run_settings import StopAlarm
from .._model.settings import Settings
from .._operation.context import OperationContext
from .window import region_of

VARIABLE = "patch_stop_alarms"
ARN = re.compile(r"arn:[a-z-]+:cloudwatch:([a-z0-9-]+):(\d{12}):alarm:(.+)")
NO_ARN = "It must be the name of an alarm, or its ARN (arn:aws:cloudwatch:REGION:ACCOUNT:alarm:NAME)."


def find_stop_alarms(
    context: OperationContext, settings: Settings, hosts: Sequence[FleetHost]
) -> tuple[list[StopAlarm], list[str]]:
    """The alarms, and a sentence about each that is not in the state OK. Nothing is called where none are set.

    Args:
        hosts: those that were found, whose accounts an ARN may name.

    Raises:
        InvalidOption: there is no such alarm, or it is in an account that the run does not reach.
        AwsError: the right to read alarms is missing.
    """
    found: list[StopAlarm] = []
    sentences: list[str] = []
    for named in dict.fromkeys(settings["stop_alarms"]):
        account, region, name = _location(context, settings, hosts, named)
        aws = context.aws_of(account, region)
        state = _state(aws, named, name)
        option = account.as_option() if account else None
        found.append({"name": name, "region": aws.region, "account": option, "composite": state["composite"]})
        sentences += _sentences(name, aws.region, state)
    return found, sentences


def _location(
    context: OperationContext, settings: Settings, hosts: Sequence[FleetHost], named: str
) -> tuple[Account | None, str | None, str]:
    """Account (None: that of the credentials), region (None: theirs) and name of an alarm."""
    if not named.startswith("arn:"):
        return None, region_of(named, settings["regions"]), named
    parts = ARN.fullmatch(named)
    if parts is None:
        raise InvalidOption(VARIABLE, named, NO_ARN)
    region, account_id, name = parts.groups()
    if caller_account(context.aws.in_region(region)) == account_id:
        return None, region, name
    reached = [account_from(setting) for setting in settings["accounts"]] + [host.account for host in hosts]
    for account in reached:
        if account and account.id == account_id:
            return account, region, name
    right = f"The run reaches no account {account_id}: it is neither that of the credentials nor one of patch_accounts."
    raise InvalidOption(VARIABLE, named, right)


def _state(aws: Aws, named: str, name: str) -> AlarmState:
    """Metric alarms first: the right to see composite ones is wider, and not everybody needs it."""
    found = alarm_states(aws, [name], composite=False)
    if name in found:
        return found[name]
    try:
        found = alarm_states(aws, [name], composite=True)
    except AwsError as error:
        if not error.is_denied:
            raise
        right = (
            f"{aws.region} has no metric alarm of that name. Composite alarms are shown only to who has "
            'cloudwatch:DescribeAlarms on "*" (StopAlarms=all in setup_aws), and these credentials have not.'
        )
        raise InvalidOption(VARIABLE, named, right) from error
    if name not in found:
        raise InvalidOption(VARIABLE, named, f"{aws.region} has no alarm of that name. Nothing was touched.")
    return found[name]


def _sentences(name: str, region: str, state: AlarmState) -> list[str]:
    if state["state"] == "ALARM":
        return [f"The alarm {name} ({region}) is in ALARM since {state['since']}. As long as it is, no host starts."]
    if state["state"] == "OK":
        return []
    return [f"The alarm {name} ({region}) is in {state['state']}, which stops no run."]
