# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The account: takes a call through gate, operation and trace. HTTP stands before it, or a test calls it directly."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab import scenario
from lab.aws import (
    alarms,
    associations,
    ebs,
    ec2_describe,
    ec2_power,
    events,
    iam,
    launch,
    made_windows,
    network,
    organizations,
    pricing,
    profiles,
    roles,
    root_volumes,
    s3,
    scheduler,
    snapshots,
    ssm_commands,
    ssm_nodes,
    ssm_patches,
    sts,
    tags,
    windows,
)
from lab.aws.arns import Arns
from lab.aws.automation import Execution
from lab.aws.cloudformation import changes, stack_sets, stacks
from lab.aws.errors import AwsError, not_implemented
from lab.aws.faults import ArmedFault, Faults
from lab.aws.gate import SERVICE, Gate
from lab.aws.logs import LogSink
from lab.aws.replicas import Replicas
from lab.aws.request import OTHER, Operation, Request, Result
from lab.aws.schedule_runs import DeadLetter
from lab.aws.ssm_commands import CommandCentre
from lab.aws.ssm_patches import PatchManager
from lab.guests import Guests, ModelGuests
from lab.trace import Entry, Trace
from lab.world import Fleet, Host

OPERATIONS: dict[str, dict[str, Operation]] = {
    "ec2": {
        **ec2_describe.OPERATIONS,
        **ec2_power.OPERATIONS,
        **ebs.OPERATIONS,
        **launch.OPERATIONS,
        **network.OPERATIONS,
        **profiles.OPERATIONS,
        **root_volumes.OPERATIONS,
        **snapshots.OPERATIONS,
        **tags.OPERATIONS,
    },
    "ssm": {
        **associations.OPERATIONS,
        **ssm_nodes.OPERATIONS,
        **ssm_commands.OPERATIONS,
        **ssm_patches.OPERATIONS,
        **windows.OPERATIONS,
        **launch.SSM_OPERATIONS,
        **made_windows.OPERATIONS,
    },
    "cloudwatch": alarms.OPERATIONS,
    "organizations": organizations.OPERATIONS,
    "pricing": pricing.OPERATIONS,
    "sts": sts.OPERATIONS,
    "iam": {**iam.IAM_OPERATIONS, **roles.OPERATIONS},
    "cloudformation": {**stacks.OPERATIONS, **changes.OPERATIONS, **stack_sets.OPERATIONS},
    "events": events.OPERATIONS,
    "scheduler": scheduler.OPERATIONS,
    "s3": s3.OPERATIONS,
    "service-quotas": iam.QUOTA_OPERATIONS,
}


@dataclass(frozen=True)
class Identity:
    """Who an account is. ``key`` goes into what is drawn at random in it, so that no two accounts draw the same."""

    id: str
    spec: scenario.Account
    key: tuple[str, ...] = ()

    @classmethod
    def of_member(cls, first: scenario.Account, member: scenario.Member) -> Identity:
        """A further account: guardrails, target tags and alarms are the first one's own affair."""
        own = dataclasses.replace(
            first,
            region=member.region,
            vcpu_quota=member.vcpu_quota,
            scp=(),
            accounts=(),
            target_tags=USUAL_TAGS,
            alarms={},
            composite_alarms={},
        )
        return cls(member.id, own, (member.id,))


@dataclass(frozen=True)
class Surroundings:
    """What all accounts share. ``is_recorded`` says whether the controller's ledger holds the original state of an id."""

    trace: Trace
    logs: LogSink
    is_recorded: Callable[[str], bool]


USUAL_TAGS = scenario.Account().target_tags


class Account:
    """One emulated account in all its regions.

    ``world`` are its hosts. ``estate`` are all accounts, this one among them and the controller's own first.
    """

    def __init__(self, identity: Identity, world: Fleet, around: Surroundings) -> None:
        self.spec = identity.spec
        self.arns = Arns(identity.id, identity.spec.partition)
        self.key = identity.key
        self.world = world
        self.trace = around.trace
        self.estate = [self]
        self.organization: organizations.Organization | None = None  # of the first account
        self.stacks = stacks.Stacks(self.arns)
        self.roles = roles.Roles(self.stacks)
        self.gate = Gate(world, self.spec, self.roles.statements_of)
        self.faults = Faults(world)
        self.replicas = Replicas(self.spec)
        self.logs = around.logs
        self.guests: Guests = ModelGuests()
        self.alarms = alarms.alarms_of(self.spec, world.sim.time)
        self.buckets: dict[str, dict[str, s3.StoredObject]] = {}
        self.snapshots: dict[str, snapshots.Snapshot] = {}
        self.snapshots_taken = self.volumes_made = 0
        self.volume_tokens: dict[str, str] = {}  # id of the volume, by the client token of its making
        self.replace_tasks: list[root_volumes.ReplaceTask] = []
        self.launched: dict[str, Host] = {}  # by the token of their launch
        self.made_windows: dict[str, made_windows.MadeWindow] = {}
        self.schedules = scheduler.Schedules()
        self.failed_schedules: list[str] = []  # ARNs of those whose last attempt failed
        self.dead_letters: list[DeadLetter] = []
        self.published: list[dict[str, str]] = []  # what topics got: TopicArn, Subject and Message
        self.networks: dict[str, network.Network] = {}
        self.associations: dict[str, list[dict[str, Any]]] = {}
        self.management_roles: dict[str, str] = {}
        self.executions: list[Execution] = []
        self.web_requests: list[events.WebRequest] = []
        self.patches = PatchManager(world)
        self.commands = CommandCentre(self)
        self.secrets: list[str] = []  # of the sessions that STS has given out
        self._is_recorded = around.is_recorded

    def of_key(self, access_key: str) -> Account:
        """The account whose credentials these are; for unknown ones this one, which refuses them."""
        return next((account for account in self.estate if account.gate.knows(access_key)), self)

    def of_host(self, host: Host) -> Account:
        return next(account for account in self.estate if host.name in account.world.hosts)

    def call(self, service: str, operation: str, params: dict[str, Any], region: str, caller: str) -> Result:
        """Carry out one call.

        Raises:
            AwsError: what the client gets instead of the result.
            AnswerLost: the client gets nothing, and the operation is done.
        """
        request = Request(self, service, operation, params, region, caller)
        work = OPERATIONS.get(service, {}).get(operation)
        if work is None:
            raise self.refuse(request)
        unrecorded = self._unrecorded(request)  # before the lock: it reads a file
        with self.world.sim.current():
            for host in unrecorded:
                host.unrecorded_starts += 1
            return self.carry_out(request, lambda: work(request))

    def pass_through(self, request: Request, forward: Callable[[], Result]) -> Result:
        """The same for an operation that moto answers: ``forward`` has it done."""
        with self.world.sim.current():
            return self.carry_out(request, forward)

    def refuse(self, request: Request) -> AwsError:
        """A call that the lab does not know, and its mark in the trace."""
        error = not_implemented(f"{request.service} {request.operation}")
        with self.world.sim.current():
            self._write(request, error.code, [])
        return error

    def unknown_script(self, name: str, host: Host) -> None:
        """A script that the guests do not know counts like an operation that the lab does not know."""
        self.note("guest", name, {"InstanceIds": [host.id]}, host, "NotImplemented")

    def note(self, service: str, operation: str, params: dict[str, Any], host: Host, error: str | None = None) -> None:
        """Something for the trace that did not come in as a call of ours."""
        self.trace.write(Entry(self._now, service, operation, params, OTHER, error, [host.name], self.arns.account_id))

    def carry_out(self, request: Request, work: Callable[[], Result]) -> Result:
        """Through the gate and into the trace, with the lock held."""
        hosts = self.hosts_named(request)
        fault = None
        try:
            if request.by_us:
                self.gate.check(request, hosts)
                fault = self._met_fault(request, hosts)
            result = work()
        except AwsError as error:
            self._write(request, error.code, hosts)
            raise
        self._write(request, None, hosts)
        if fault:
            fault.strike(request)
        return result

    def _met_fault(self, request: Request, hosts: list[Host]) -> ArmedFault | None:
        """The fault that will lose the answer; one that is an error is raised. What AWS itself does loses no answer."""
        fault = None if request.dry_run else self.faults.of_call(request, hosts)
        if fault and not fault.loses_the_answer:
            fault.strike(request)
        return None if request.caller.startswith(SERVICE) else fault

    def _write(self, request: Request, error: str | None, hosts: list[Host]) -> None:
        names = [host.name for host in hosts]
        call = (request.service, request.operation, request.params, request.caller)
        self.trace.write(Entry(self._now, *call, error, names, self.arns.account_id))
        if request.by_us and not request.dry_run:
            self.trace.count(request.service, request.operation)

    @property
    def _now(self) -> float:
        return round(self.world.sim.now, 3)

    def _unrecorded(self, request: Request) -> list[Host]:
        """The hosts that a StartInstances of ours names although the ledger has no record of them yet."""
        if (request.service, request.operation) != ("ec2", "StartInstances") or request.dry_run or not request.by_us:
            return []
        return [host for host in self.hosts_named(request) if host.id and not self._is_recorded(host.id)]

    def hosts_named(self, request: Request) -> list[Host]:
        """The scenario's hosts that the parameters name: by instance, volume, snapshot or command."""
        found: dict[str, Host] = {}
        for identifier in _identifiers(request):
            for host in self._hosts_of(identifier):
                found[host.name] = host
        return list(found.values())

    def _hosts_of(self, identifier: str) -> list[Host]:
        host = self.world.by_id.get(identifier) or self.world.by_volume_id.get(identifier)
        if host:
            return [host]
        if identifier in self.snapshots:
            return [self.world.by_volume_id[self.snapshots[identifier].volume_id]]
        command = self.commands.find(identifier)
        return command.hosts if command else []


# Members whose values name things of a host.
_NAMING = (
    "InstanceId",
    "InstanceIds",
    "Target",
    "ResourceId",
    "ResourceIds",
    "Resources",
    "VolumeId",
    "VolumeIds",
    "SnapshotId",
    "SnapshotIds",
    "CommandId",
)


_IN_TEXT = re.compile(r"\bm?i-[0-9a-f]{8,17}\b")


def _identifiers(request: Request) -> list[str]:
    params, names = request.params, list[str]()
    if request.service == "scheduler":  # a schedule names its host in its name and in what it will send
        names += _IN_TEXT.findall(f"{params.get('Name')} {params.get('Target')}")
    for key in _NAMING:
        value = params.get(key) or params.get("InstanceSpecification", {}).get(key)
        names += [value] if isinstance(value, str) else list(value or ())
    for condition in params.get("Filters", ()):
        if isinstance(condition, dict) and condition.get("Name", condition.get("Key")) in (
            "instance-id",
            "InstanceIds",
        ):
            names += condition.get("Values", ())
    return names
