# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call has to pass before its operation: credentials, throttling and rights.

Token buckets are per region and operation. EC2's are those of its developer guide ("Request throttling"); SSM's rates are
unpublished, these are of the size that people report.
"""

from __future__ import annotations

import base64
import fnmatch
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from lab.aws.errors import AwsError, expired, throttled, unknown_key
from lab.aws.policy import Need, Statement, deciding, denying, missing_keys, statements_of
from lab.aws.request import Request
from lab.aws.rights import needs_of
from lab.scenario import Account
from lab.world import Fleet, Host

SERVICE = "service:"


@dataclass
class Bucket:
    """A token bucket in lab time."""

    size: float
    per_second: float
    tokens: float
    at: float = 0.0

    def take(self, now: float, tokens: float) -> bool:
        self.tokens = min(self.size, self.tokens + (now - self.at) * self.per_second)
        self.at = now
        if tokens > self.tokens:
            return False
        self.tokens -= tokens
        return True


# (size, refill per second) by kind; which ones a call needs is said in `_buckets_of`.
RATES = {
    "ec2:Describe": (100, 20),
    "ec2:Describe everything": (50, 10),
    "ec2:StartInstances": (5, 2),
    "ec2:other": (50, 5),
    "ec2:started instances": (1000, 2),
    "ec2:stopped instances": (1000, 20),
    "ssm:SendCommand": (20, 5),
    "ssm:other": (60, 20),
}
# Parameters by which a read of EC2 is filtered or paginated.
NARROWING = (
    "Filters",
    "MaxResults",
    "NextToken",
    "InstanceIds",
    "VolumeIds",
    "SnapshotIds",
    "RegionNames",
    "InstanceTypes",
)
Draw = tuple[str, str, int]
"""Kind and name of a bucket, and how much is drawn from it."""


def _buckets_of(request: Request) -> list[Draw]:
    """The buckets that a call draws from. EC2 and SSM count each of their operations by itself."""
    operation = request.operation
    if request.service == "ssm":
        return [("ssm:SendCommand" if operation == "SendCommand" else "ssm:other", operation, 1)]
    if request.service != "ec2":
        return []
    if operation.startswith("Describe"):
        narrowed = any(request.params.get(name) for name in NARROWING)
        return [("ec2:Describe" if narrowed else "ec2:Describe everything", operation, 1)]
    instances = len(request.params.get("InstanceIds", ()))
    if operation == "StartInstances":
        return [("ec2:StartInstances", operation, 1), ("ec2:started instances", "", instances)]
    if operation == "StopInstances":
        return [("ec2:other", operation, 1), ("ec2:stopped instances", "", instances)]
    return [("ec2:other", operation, 1)]


@dataclass(frozen=True)
class Decision:
    """Of a simulation. ``missing`` are the condition keys that it would have needed."""

    decision: str
    allowed_by_organizations: bool
    missing: list[str]


class Gate:
    """Lets a call through or raises the AwsError that the client gets instead."""

    def __init__(self, world: Fleet, account: Account, policies_of: Callable[[str], list[Statement]]) -> None:
        """``policies_of`` gives the statements of a role."""
        self._world = world
        self._policies_of = policies_of
        self._statements: dict[str, list[Statement]] = {}
        self._roles: dict[str, str | None] = {}
        self._account = account
        self._keys: dict[str, bool] = {}  # access key -> still valid
        self._ends: dict[str, float] = {}
        self._buckets: dict[tuple[str, str, str], Bucket] = {}
        self._guardrails = [
            statement for text in account.scp for statement in statements_of(f'{{"Statement": {text}}}')
        ]
        self._calls: Counter[str] = Counter()
        self.used: set[tuple[str, str, str]] = set()  # rights by which calls were allowed: role, Sid, action

    def admit_key(self, access_key: str, role: str | None = None) -> None:
        """Credentials of a role, whose policies hold for them; or of an administrator, who may do everything."""
        self._keys[access_key] = True
        self._roles[access_key] = role

    def knows(self, access_key: str) -> bool:
        return access_key in self._keys

    def end_at(self, access_key: str, seconds: float) -> None:
        """The credentials are not accepted any more from that lab second on."""
        self._ends[access_key] = seconds

    def session_of(self, role: str) -> str:
        """The caller of what a service does with a role that it has assumed: its keys do not expire, and it repeats what is
        throttled by itself.
        """
        caller = f"{SERVICE}{role}"
        self._roles[caller] = role
        return caller

    def forget(self, role: str) -> None:
        """The policies of a role have changed."""
        self._statements.pop(role, None)

    def role_of(self, access_key: str) -> str | None:
        return self._roles.get(access_key)

    def expire_newest_key(self) -> None:
        """The credentials that were given out last are not accepted any more."""
        if self._keys:
            self._keys[list(self._keys)[-1]] = False

    def check(self, request: Request, hosts: list[Host]) -> None:
        """``hosts`` are those that the call names."""
        if not request.caller.startswith(SERVICE):
            self._check_credentials(request)
            self._check_rate(request, hosts)
        self._check_rights(request, hosts)

    def _check_credentials(self, request: Request) -> None:
        if request.caller not in self._keys:
            raise unknown_key(request.service)
        if not self._keys[request.caller] or request.sim.now >= self._ends.get(request.caller, math.inf):
            raise expired(request.service)

    def _check_rate(self, request: Request, hosts: list[Host]) -> None:
        call = f"{request.action}/{','.join(host.name for host in hosts)}"
        self._calls[call] += 1
        luck = self._world.sim.random("throttle", call, self._calls[call]).random()
        if luck < self._account.throttle:
            raise throttled(request.service)
        if self._account.buckets and not all(self._take(request, *draw) for draw in _buckets_of(request)):
            raise throttled(request.service)

    def _take(self, request: Request, kind: str, name: str, tokens: int) -> bool:
        key = (request.region, kind, name)
        if key not in self._buckets:
            size, per_second = RATES[kind]
            self._buckets[key] = Bucket(size, per_second, size)
        return self._buckets[key].take(self._world.sim.now, tokens)

    def is_denied(self, action: str) -> bool:
        return any(fnmatch.fnmatchcase(action.lower(), denied.lower()) for denied in self._account.deny)

    def decide(self, role: str, need: Need) -> Decision:
        """What a simulation says of a role: with the context that it was given, and no other."""
        statements = [*self._policies(role), *self._guardrails]
        denied = any(not statement.allows and statement.applies(need) for statement in statements)
        allowed = not self.is_denied(need.action) and deciding(statements, need) is not None
        return Decision(
            "explicitDeny" if denied else "allowed" if allowed else "implicitDeny",
            allowed_by_organizations=denying(self._guardrails, need) is None,
            missing=missing_keys(statements, need),
        )

    def _policies(self, role: str) -> list[Statement]:
        if role not in self._statements:
            self._statements[role] = self._policies_of(role)
        return self._statements[role]

    def _check_rights(self, request: Request, hosts: list[Host]) -> None:
        for need in needs_of(request, hosts):
            why = self._why_not(request.role, need)
            if why and not self._ends_as_invocation(request, need):
                raise _refusal(request, need, why)

    def _ends_as_invocation(self, request: Request, need: Need) -> bool:
        """Run Command takes a command to a node whose tags alone forbid it; the node's invocation is then AccessDenied.

        Source: Systems Manager user guide, "Restricting Run Command access based on tags".
        """
        if request.action != "ssm:SendCommand" or request.role is None or denying(self._guardrails, need):
            return False
        policies = self._policies(request.role)
        allowing = any(statement.allows and statement.lacks_a_tag(need) for statement in policies)
        return allowing and not denying(policies, need) and not self.is_denied(need.action)

    def forbidden_by_tags(self, request: Request, hosts: list[Host]) -> list[Host]:
        """The nodes to which the caller's policies let no command be sent because of their tags."""
        if request.role is None:
            return []
        needs = {host.name: needs_of(request, [host])[-1] for host in hosts}
        return [host for host in hosts if self._why_not(request.role, needs[host.name])]

    def _why_not(self, role: str | None, need: Need) -> str:
        """Why a call may not be made, in AWS's words; empty when it may. A right that is used is noted."""
        if denying(self._guardrails, need):
            return "with an explicit deny in a service control policy"
        nothing = f"because no identity-based policy allows the {need.action} action"
        if self.is_denied(need.action):
            return nothing
        if role is None:
            return ""
        policies = self._policies(role)
        if denying(policies, need):
            return "with an explicit deny in an identity-based policy"
        statement = deciding(policies, need)
        if statement is None:
            return nothing
        self.used.add((role, statement.sid, need.action))
        return ""


def _refusal(request: Request, need: Need, why: str) -> AwsError:
    text = (
        f"User: {request.arns.caller(request.role)} is not authorized to perform: {need.action} on resource: "
        f"{need.resource} {why}"
    )
    if request.service == "ec2":
        encoded = base64.urlsafe_b64encode(f"{need.action} denied".encode()).decode()
        return AwsError(
            "UnauthorizedOperation",
            f"You are not authorized to perform this operation. {text}. "
            f"Encoded authorization failure message: {encoded}",
        )
    return AwsError(
        "AccessDenied" if request.service in ("cloudwatch", "sts", "iam", "s3") else "AccessDeniedException", text
    )
