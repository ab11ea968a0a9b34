# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EventBridge: events go by the rules that stacks have made to their API destinations. No request leaves the lab: it is kept.

Source: EventBridge API reference (PutEvents); user guide, "API destinations as targets".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from lab.aws.cloudformation.resources import Resource
from lab.aws.errors import AwsError, not_implemented
from lab.aws.request import Operation, Request, Result

if TYPE_CHECKING:
    from lab.aws.account import Account


@dataclass(frozen=True)
class WebRequest:
    """What a service in the internet would have got."""

    method: str
    url: str
    headers: dict[str, str]
    body: str


def put_events(request: Request) -> Result:
    """On the default bus; the sender of an event does not learn what a rule does with it."""
    entries = request.params["Entries"]
    for entry in entries:
        for rule in request.account.stacks.resources("AWS::Events::Rule"):
            if rule.region == request.region and _matches(rule.properties["EventPattern"], _event(request, entry)):
                _deliver(request.account, rule)
    return {"FailedEntryCount": 0, "Entries": [{"EventId": f"{number:08x}"} for number, _ in enumerate(entries)]}


def _event(request: Request, entry: dict[str, str]) -> dict[str, str]:
    """What a rule sees of an entry (EventBridge user guide, "AWS service event metadata")."""
    return {"account": request.arns.account_id, "source": entry["Source"], "detail-type": entry["DetailType"]}


def _matches(pattern: dict[str, list[str]], event: dict[str, str]) -> bool:
    if not pattern.keys() <= event.keys():
        raise not_implemented(f"the event pattern {pattern}")
    return all(event[field] in values for field, values in pattern.items())


def _deliver(account: Account, rule: Resource) -> None:
    """To each target, as the target's role may."""
    for target in rule.properties["Targets"]:
        role = target["RoleArn"].rpartition("/")[2]
        if not account.stacks.is_trusted(role, "events.amazonaws.com"):
            continue
        params = {"ApiDestinationArn": target["Arn"]}
        caller = account.gate.session_of(role)
        request = Request(account, "events", "InvokeApiDestination", params, rule.region, caller)
        try:
            account.carry_out(request, partial(_invoke, account, target))
        except AwsError as error:
            if error.code == "NotImplemented":
                raise
            # Only the trace shows it, as in AWS without a dead-letter queue.


def _invoke(account: Account, target: dict[str, Any]) -> Result:
    destination = _of_arn(account, "AWS::Events::ApiDestination", target["Arn"]).properties
    connection = _of_arn(account, "AWS::Events::Connection", destination["ConnectionArn"]).properties
    key = connection["AuthParameters"]["ApiKeyAuthParameters"]
    account.web_requests.append(
        WebRequest(
            method=destination["HttpMethod"],
            url=destination["InvocationEndpoint"],
            headers={"Content-Type": "application/json; charset=utf-8", key["ApiKeyName"]: key["ApiKeyValue"]},
            body=target["Input"],
        )
    )
    return {}


def _of_arn(account: Account, resource_type: str, arn: str) -> Resource:
    for resource in account.stacks.resources(resource_type):
        if resource.attribute("Arn") == arn:
            return resource
    raise AwsError("ResourceNotFoundException", f"{arn} does not exist.")


OPERATIONS: dict[str, Operation] = {"PutEvents": put_events}
