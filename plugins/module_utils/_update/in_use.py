# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts on which something runs that a reboot must not interrupt (patch_skip_when)."""

from __future__ import annotations

from .._base.errors import Deferred, Unreachable
from .._host.cluster_answers import HostUse, InspectedCluster
from .._host.guest_scripts import run_guest_script
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .messages import in_use
from .skip_when import read_skip_when

ASK_SECONDS = 300
SCRIPT_SECONDS = 120


def refuse_host_in_use(context: OperationContext) -> None:
    """Ask the host, before anything is changed on it.

    Raises:
        Deferred: ``in_use``, or ``unreachable``.
    """
    given = context.params["skip_when"]
    if not given:
        return
    wanted = read_skip_when("patch_skip_when", given)
    try:
        use = HostUse((), None)
        if wanted["processes"] or wanted["script"]:
            use = run_guest_script(
                context,
                HostUse,
                ASK_SECONDS,
                processes=wanted["processes"],
                script=wanted["script"],
                seconds=SCRIPT_SECONDS,
            )
        roles = _owned_roles(context, wanted["cluster_role"]) if wanted["cluster_role"] else []
    except Unreachable as error:  # nothing was started yet
        raise Deferred(error.reason, error.code) from error
    if use.processes or use.detail is not None or roles:
        raise Deferred(in_use(use, roles), Reason.IN_USE)


def _owned_roles(context: OperationContext, names: list[str]) -> list[str]:
    cluster = run_guest_script(context, InspectedCluster, ASK_SECONDS).cluster
    wanted = {name.casefold() for name in names}
    return [role for role in (cluster.roles if cluster else ()) if role.casefold() in wanted]
