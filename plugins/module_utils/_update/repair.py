# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Repairs in a host: chosen by the cause, one a host and run. Services that are made usable for the run do not count as it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .._base.errors import Failed
from .._host.guest_scripts import run_guest_script
from .._host.update_answers import RebuiltComponents, RemovedCache, RepairedServices, ResetCache, Service
from .._operation.context import OperationContext
from . import messages
from .causes import METADATA, Cause
from .hresults import NO_REPAIR_SOURCE
from .services import store_found, store_repaired

OF_SERVICES = "repair_services"
REPAIR_SECONDS = 1800
REBUILD_SECONDS = 7200
"""DISM and then sfc read every file of Windows, and DISM may load what is damaged from the update source."""


KINDS = {OF_SERVICES: "services", "reset_update_cache": "cache", "repair_components": "components"}
"""What patch_repair calls each repair."""


def may_repair(context: OperationContext, cause: Cause) -> bool:
    """Whether there is a repair for the cause, patch_repair allows it, its script is given, and none of its kind was tried in this
    host and run.

    Services that are disabled on purpose are enabled for the run only, so a host that has them still gets its one repair.
    """
    of_services = [_is_of_services(done) for done in _tried(context)]
    return (
        bool(cause.repair)
        and not forbidden(context, [cause])
        and cause.repair in context.params["scripts"]
        and (cause.repair == OF_SERVICES) not in of_services
    )


def forbidden(context: OperationContext, causes: Iterable[Cause]) -> list[str]:
    """The repairs for these causes that patch_repair does not allow, by its names."""
    kinds = dict.fromkeys(KINDS[cause.repair] for cause in causes if cause.repair)
    return [kind for kind in kinds if kind not in context.params["repair"]]


def _tried(context: OperationContext) -> list[str]:
    return list(context.facts.get("repaired", []))


def _is_of_services(done: str) -> bool:
    return done == OF_SERVICES or done.startswith("service ")


def repair(context: OperationContext, cause: Cause, services: Sequence[Service] = ()) -> tuple[str, ...]:
    """Carry out the repair of a cause; returns what was repaired, which is in the report, too.

    Args:
        context: of the operation.
        cause: one with a repair.
        services: what repair_services makes usable, as it was found.
    """
    context.report_progress(f"{cause.sentence} The repair {cause.repair} starts.")
    done, kept = REPAIRS[str(cause.repair)](context, cause, services)
    context.update_facts(repaired=[*_tried(context), *done], old_cache=[*old_cache(context), *kept])
    return done


def _repair_services(
    context: OperationContext, _cause: Cause, services: Sequence[Service]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    store_found(context, services)
    names = [service.name for service in services]
    answer = run_guest_script(context, RepairedServices, REPAIR_SECONDS, services=names)
    store_repaired(context, answer.services)
    return tuple(f"service {service.name}" for service in answer.services) or (OF_SERVICES,), ()


def _reset_update_cache(
    context: OperationContext, cause: Cause, _services: Sequence[Service]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Microsoft advises new signature catalogs (catroot2) only for invalid metadata."""
    answer = run_guest_script(context, ResetCache, REPAIR_SECONDS, catroot2=cause is METADATA)
    return ("reset_update_cache",), answer.renamed


def _repair_components(
    context: OperationContext, _cause: Cause, _services: Sequence[Service]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    rebuilt = run_guest_script(context, RebuiltComponents, REBUILD_SECONDS, NO_REPAIR_SOURCE)
    context.report_progress(messages.components_rebuilt(rebuilt.restore_health, rebuilt.system_files))
    return ("repair_components",), ()


REPAIRS = {
    OF_SERVICES: _repair_services,
    "reset_update_cache": _reset_update_cache,
    "repair_components": _repair_components,
}
"""What each repair does; returns what was repaired and the folders that it kept of the old cache."""


def remove_backup(context: OperationContext) -> None:
    """Remove the old cache after a proof. The host is repaired even if that fails."""
    if not old_cache(context):
        return
    try:
        left = run_guest_script(context, RemovedCache, REPAIR_SECONDS).left
    except Failed as error:
        context.report_progress(f"the old update cache stays: {error.reason}")
        return
    context.update_facts(old_cache=list(left))
    if left:
        context.report_progress(f"the old update cache stays: {', '.join(left)}")


def old_cache(context: OperationContext) -> list[str]:
    """The folders that a repair kept, until a scan or search proves that they are not needed any more."""
    return list(context.facts.get("old_cache", []))
