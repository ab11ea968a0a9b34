# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reboots that Windows waits for, as the host itself says.

Patch Manager counts what it installed itself. What others installed, roles, and clean-ups of the component store leave a reboot
pending that Patch Manager does not see; file renames alone are no reason for one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from .._base.errors import Failed
from .._host.guest_scripts import has_script
from .._host.servicing import servicing_state, wait_until_quiet
from .._host.update_answers import ServicingState
from .._operation.channel import Scan
from .._operation.context import OperationContext

SERVICING_SECONDS = 7200.0
"""Where the operation has no time for an installation."""


@dataclass(frozen=True)
class OwnWord:
    """What the host says of itself.

    Attributes:
        pending: what waits for a reboot.
        waited: whether Windows was still at work, which has ended since: after a reboot it continues with updates for a while.
    """

    pending: tuple[str, ...]
    waited: bool


def own_word(context: OperationContext) -> OwnWord | None:
    """Ask the host, once Windows installs nothing; None where it cannot be asked."""
    if not has_script(context, ServicingState):
        return None
    try:
        state = servicing_state(context)
        waited = bool(state.installing)
        if waited:
            _wait_for_servicing(context)
            state = servicing_state(context)
    except Failed:
        return None
    context.note_facts(reboot_pending=bool(state.pending_reboot))
    return OwnWord(state.pending_reboot, waited)


def _wait_for_servicing(context: OperationContext) -> None:
    """Wait until Windows installs nothing. One that does not end is left to the stop of the host, which does not cut it off."""
    context.report_progress("Windows still works on updates: waiting")
    context.update_facts(servicing=True)
    installs = "install_timeout_seconds" in context.params
    seconds = context.install_timeout_seconds if installs else SERVICING_SECONDS
    if wait_until_quiet(context, context.params["instance_id"], context.deadline(seconds)):
        context.update_facts(servicing=False)


def pending_reboots(context: OperationContext) -> tuple[str, ...] | None:
    """What waits for a reboot; None where the host cannot be asked."""
    word = own_word(context)
    return None if word is None else word.pending


def reboot_if_pending(context: OperationContext) -> bool:
    """Reboot where one is pending; whether that was tried. The search that follows shows what it achieved."""
    if not pending_reboots(context):
        return False
    context.report_progress("a reboot is pending: rebooting")
    try:
        context.channel.reboot(context.install_timeout_seconds)
    except Failed as error:
        context.report_progress(f"the reboot: {error.reason}")
    return True


def search_with_own_word(context: OperationContext, search: Callable[[], Scan]) -> Scan:
    """A fresh search with the reboots that the host itself knows of; repeated where Windows was still at work meanwhile."""
    found = search()
    if found.pending_reboot:
        context.update_facts(reboot_pending=True)
        return found
    word = own_word(context)
    if word is not None and word.waited:
        found = search()
    return replace(found, pending_reboot=found.pending_reboot or 1) if word is not None and word.pending else found
