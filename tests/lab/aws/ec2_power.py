# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2: starting, stopping and terminating instances. A call is carried out for all of its instances or for none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lab.aws.ec2_describe import find_instances
from lab.aws.errors import AwsError
from lab.aws.instance_types import is_standard, size_of
from lab.aws.request import Operation, Request, Result
from lab.instance import STATE_CODES
from lab.world import Host


def check_dry_run(request: Request) -> None:
    """The answer to DryRun of a call that would be allowed (a denied one does not come so far)."""
    if request.dry_run:
        raise AwsError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")


def start_instances(request: Request) -> Result:
    hosts = find_instances(request, request.params["InstanceIds"])
    check_dry_run(request)
    for host in hosts:
        _check_start(host)
    starting = [host for host in hosts if _state(host) == "stopped"]
    check_quota(request, [host.spec.type for host in starting if not host.spec.spot])
    before = {host.name: _state(host) for host in hosts}
    for host in starting:
        assert host.instance
        host.instance.start(request.by_us)
    return {"StartingInstances": _changes(hosts, before)}


def _check_start(host: Host) -> None:
    if _state(host) not in ("stopped", "pending", "running"):
        raise _wrong_state(host, "started")
    if _state(host) != "stopped":
        return
    if host.spec.spot:
        raise AwsError(
            "IncorrectSpotRequestState",
            f"You can't start the Spot Instance '{host.id}' because the associated Spot Instance request is not in "
            "an appropriate state to support start.",
        )
    _check_not_managed(host)


def check_quota(request: Request, starting: list[str]) -> None:
    """Running, pending and just requested vCPUs of the Standard families; Spot has a quota of its own. ``starting`` are types."""
    on = [host for host in request.world.ec2_hosts.get(request.region, ()) if _state(host) in ("pending", "running")]
    quota = request.account.spec.vcpu_quota
    requested = _standard_vcpus(starting)
    if requested and _standard_vcpus(host.spec.type for host in on if not host.spec.spot) + requested > quota:
        raise AwsError(
            "VcpuLimitExceeded",
            f"You have requested more vCPU capacity than your current vCPU limit of {quota} allows for the instance "
            "bucket that the specified instance type belongs to. Please visit "
            "http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.",
        )


def _standard_vcpus(types: Iterable[str]) -> int:
    return sum(size_of(name)[0] for name in types if is_standard(name))


def stop_instances(request: Request) -> Result:
    hosts = find_instances(request, request.params["InstanceIds"])
    check_dry_run(request)
    for host in hosts:
        _check_stop(host)
    before = {host.name: _state(host) for host in hosts}
    for host in hosts:
        assert host.instance
        if _state(host) == "running":
            host.instance.stop(request.by_us)
    return {"StoppingInstances": _changes(hosts, before)}


def _check_stop(host: Host) -> None:
    if _state(host) not in ("running", "stopping", "stopped"):
        raise _wrong_state(host, "stopped")
    if _state(host) != "running":
        return
    if host.spec.stop_protected:
        raise AwsError(
            "OperationNotPermitted",
            f"The instance '{host.id}' may not be stopped. Modify its 'disableApiStop' instance attribute and try "
            "again.",
        )
    if host.spec.spot:
        raise AwsError(
            "UnsupportedOperation",
            f"You can't stop the Spot Instance '{host.id}' because it is associated with a one-time Spot Instance "
            "request. You can only stop Spot Instances associated with persistent Spot Instance requests.",
        )
    if host.spec.instance_store:
        raise AwsError(
            "UnsupportedOperation",
            f"The instance '{host.id}' does not have an 'ebs' root device type and cannot be stopped.",
        )
    _check_not_managed(host)


def _check_not_managed(host: Host) -> None:
    if host.spec.managed_by_service:
        raise AwsError(
            "OperationNotPermitted",
            f"The instance '{host.id}' is managed by a service provider; only the provider may do this.",
        )


def terminate_instances(request: Request) -> Result:
    """Once more is no error. Volumes that are deleted on termination go with it."""
    hosts = find_instances(request, request.params["InstanceIds"])
    check_dry_run(request)
    before = {host.name: _state(host) for host in hosts}
    for host in hosts:
        assert host.instance
        if _state(host) not in ("shutting-down", "terminated"):
            host.instance.terminate(request.by_us)
    return {"TerminatingInstances": _changes(hosts, before)}


def _state(host: Host) -> str:
    assert host.instance
    return host.instance.state


def _wrong_state(host: Host, verb: str) -> AwsError:
    return AwsError(
        "IncorrectInstanceState",
        f"The instance '{host.id}' is not in a state from which it can be {verb}.",
    )


def _changes(hosts: list[Host], before: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "InstanceId": host.id,
            "CurrentState": {"Code": STATE_CODES[_state(host)], "Name": _state(host)},
            "PreviousState": {"Code": STATE_CODES[before[host.name]], "Name": before[host.name]},
        }
        for host in hosts
    ]


OPERATIONS: dict[str, Operation] = {
    "StartInstances": start_instances,
    "StopInstances": stop_instances,
    "TerminateInstances": terminate_instances,
}
