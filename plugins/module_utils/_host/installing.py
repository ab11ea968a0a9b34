# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a message says of a host in which Windows installs updates for too long: what is known of it, and what to do."""

from __future__ import annotations

from .._base.clock import iso
from .._base.commands import in_text
from .._base.errors import LeaseLost, PatchFleetError
from .._base.text import join_names, join_sentences
from .._operation.commands import playbook_command
from .._operation.context import OperationContext
from .guest_scripts import has_script
from .servicing import last_servicing_state, last_written_at, servicing_state
from .update_answers import ServicingState

NAMED = 5
"""The number of servicing processes that are named."""


def still_installing(
    context: OperationContext, instance_id: str, since: float | None = None, command_id: str | None = None
) -> str:
    """Since when, the last progress, how to check the host, how to put it back later, and how to release it.

    Args:
        context: of an operation about the host.
        instance_id: of the instance or managed node, or the name of a host without one.
        since: when the installation began or was found, in seconds since 1970.
        command_id: of the command of Run Command that installs.
    """
    state = _state(context)
    written_at = last_written_at(context, state)
    return join_sentences(
        f"Windows has been installing updates in it since {iso(since)}."
        if since is not None
        else "Windows still installs updates in it.",
        f"The command is {command_id}." if command_id else None,
        f"The servicing log was last written at {iso(written_at)}." if written_at is not None else None,
        f"Servicing processes: {join_names(state.processes, NAMED)}." if state and state.processes else None,
        "Cutting its power now could break Windows, so it stays on.",
        _what_to_do(context, instance_id),
    )


def _what_to_do(context: OperationContext, instance_id: str) -> str:
    ledger = context.params.get("ledger")
    restore = playbook_command("restore", ledger)
    let_go = playbook_command("restore", ledger, {"patch_let_go": context.host_key or instance_id})
    region = context.params.get("region") or (context.host.region if context.tracked_host else None)
    session = _session(instance_id, region)
    return join_sentences(
        f"Check it: {in_text(session)}." if session else "Check it over its connection.",
        f"While C:\\Windows\\Logs\\CBS\\CBS.log grows, wait, then run {in_text(restore)}.",
        f"If it has not grown for two hours, restart Windows there with {in_text('Restart-Computer -Force')}, then run the same.",
        f"To leave the host on for good and close its record: {in_text(let_go)}.",
    )


def _session(instance_id: str, region: str | None) -> str | None:
    """The command that opens a shell in the host; None for one that Systems Manager does not manage."""
    if not instance_id.startswith(("i-", "mi-")):
        return None
    return f"aws ssm start-session --target {instance_id}{f' --region {region}' if region else ''}"


def _state(context: OperationContext) -> ServicingState | None:
    """As the host has answered last in this operation. One that was not asked yet is asked once; its silence changes nothing."""
    known = last_servicing_state(context)
    if known is None and has_script(context, ServicingState):
        try:
            return servicing_state(context)
        except LeaseLost:
            raise
        except PatchFleetError:
            return None
    return known
