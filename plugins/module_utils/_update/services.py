# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services of Windows Update that a repair has enabled, and that get their start types back at the end.

What was disabled on purpose is disabled again: whether the repair worked, the host stays on, or a later run puts it back.
"""

from __future__ import annotations

from collections.abc import Sequence

from .._base.errors import Failed, NeedsAttention
from .._host.guest_scripts import run_guest_script
from .._host.installing import still_installing
from .._host.servicing import is_quiet
from .._host.update_answers import RepairedService, RestoredServices, Service, UpdateHealth
from .._ledger.earlier import earlier_hosts
from .._ledger.records import Host
from .._model.fact_values import FoundService
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._operation.results import Result
from .causes import Cause

INSPECT_SECONDS, RESTORE_SECONDS = 300, 600
LEFT = "services_left"


class ServicesLeft(NeedsAttention):
    """Services that a repair has enabled do not have their start types back."""


def disabled(health: UpdateHealth) -> list[Service]:
    """The services that are disabled, but for those that a policy disables: they would not stay enabled."""
    return [
        service
        for service in health.services
        if service.start_type == "disabled" and service.name not in health.services_of_policy
    ]


def to_repair(health: UpdateHealth, cause: Cause) -> list[Service]:
    """Those that are disabled; where the agent or the search fails all the same, those that the cause names, too."""
    found = disabled(health)
    if found and health.agent.ok:
        return found
    known = {service.name: service for service in health.services}
    named = [known.get(name, Service(name, "unknown", "unknown")) for name in cause.services]
    return [*found, *(service for service in named if service not in found)]


def ask_what_to_repair(context: OperationContext, cause: Cause) -> list[Service]:
    """The same, as the host shows them now; what it has made of a search is known by then."""
    return to_repair(run_guest_script(context, UpdateHealth, INSPECT_SECONDS, search=False), cause)


def store_found(context: OperationContext, services: Sequence[Service]) -> None:
    """Write down which services are disabled, before they are enabled: a controller may die in between."""
    found = [
        FoundService(name=service.name, start_type=service.start_type, status=service.status, expected_start_type=None)
        for service in services
        if service.start_type == "disabled"
    ]
    if found:
        context.update_facts(services_found=found)


def store_repaired(context: OperationContext, services: Sequence[RepairedService]) -> None:
    """Write down what each service was, and what it is now: another start type at the end was set by another program."""
    changed = [
        FoundService(
            name=service.name,
            start_type=service.was_start_type,
            status=service.was_status,
            expected_start_type=service.start_type,
        )
        for service in services
        if service.was_start_type != service.start_type
    ]
    context.update_facts(services_found=changed)


class ServicesResult(Result):
    """The names of the services that have their start types back."""

    restored: list[str]


def restore_services(context: OperationContext) -> ServicesResult:
    """Give the services that this run, or one that it took the host over from, has enabled their start types back.

    Returns:
        changed, restored (names of services).

    Raises:
        ServicesLeft: the host does not answer, or installs something for too long.
    """
    hosts = _hosts_with_services(context)
    if not hosts:
        return {"changed": False, "restored": []}
    services = _merged(hosts)
    names = [service["name"] for service in services]
    if not context.check_mode:
        try:
            wait_until_quiet(context)
            answer = run_guest_script(context, RestoredServices, RESTORE_SECONDS, services=services)
        except Failed as error:
            raise ServicesLeft(
                f"The start types of {', '.join(names)} are not as they were found: {error.reason} Disable them by hand, or "
                f"run {context.command('restore')}.",
                Reason.SERVICES_LEFT,
            ) from error
        for trouble in answer.troubles:
            context.report_progress(trouble)
        for host in hosts:
            context.update_facts_in(host, {"services_found": []})
        context.report_progress(f"start types set back: {', '.join(names)}")
    return {"changed": True, "restored": names}


def restore_services_first(context: OperationContext) -> bool:
    """restore_services before the host is put back; whether something was changed in it.

    That it fails does not keep the host on: raise_if_services_left says so afterwards.
    """
    if LEFT in context.cache:
        return False
    try:
        return bool(restore_services(context)["changed"])
    except ServicesLeft as error:
        context.cache[LEFT] = error
        return False


def raise_if_services_left(context: OperationContext) -> None:
    """ServicesLeft where restore_services_first has failed."""
    if LEFT in context.cache:
        raise context.cache[LEFT]


def _hosts_with_services(context: OperationContext) -> list[Host]:
    """The newest run first."""
    if not context.tracked_host:
        return []
    run_id, key = context.tracked_host
    hosts = earlier_hosts(context.ledger, [run_id], key, context.row)
    return [host for host in hosts if host.facts.get("services_found")]


def _merged(hosts: Sequence[Host]) -> list[FoundService]:
    """Each service as the oldest run found it, and as the newest one left it."""
    merged: dict[str, FoundService] = {}
    for host in reversed(hosts):
        for service in host.facts["services_found"]:
            first = merged.setdefault(service["name"], service)
            expected = service["expected_start_type"]
            merged[service["name"]] = FoundService(
                name=first["name"],
                start_type=first["start_type"],
                status=first["status"],
                expected_start_type=expected,
            )
    return list(merged.values())


def wait_until_quiet(context: OperationContext) -> None:
    """A service that Windows Update needs is not stopped while Windows installs something, and a node of a cluster is not resumed.

    Raises:
        Failed: ``installation_running``, or the host does not say it.
    """
    instance_id = context.params["instance_id"]
    deadline = context.clock.now() + context.install_timeout_seconds
    if not context.wait_until(lambda: is_quiet(context, instance_id), deadline, 60.0, 120.0):
        raise Failed(still_installing(context, instance_id), Reason.INSTALLATION_RUNNING)
