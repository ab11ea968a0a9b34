# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reboots that Windows waits for, as the host itself says.

Patch Manager counts what it installed itself. What others installed, roles, and clean-ups of the component store leave a reboot
pending that Patch Manager does not see; file renames alone are no reason for one.
"""

from __future__ import annotations

from dataclasses import replace

from .._base.errors import Failed
from .._host.guest_scripts import has_script
from .._host.servicing import servicing_state
from .._host.update_answers import ServicingState
from .._operation.channel import Scan
from .._operation.context import OperationContext


def pending_reboots(context: OperationContext) -> tuple[str, ...] | None:
    """What waits for a reboot; None where the host cannot be asked."""
    if not has_script(context, ServicingState):
        return None
    try:
        pending = servicing_state(context).pending_reboot
    except Failed:
        return None
    context.update_facts(reboot_pending=bool(pending))
    return pending


def reboot_if_pending(context: OperationContext) -> bool:
    """Reboot where one is pending; whether that was tried. The search that follows shows what it achieved."""
    if not pending_reboots(context):
        return False
    context.report_progress("a reboot is pending: rebooting")
    try:
        context.channel.reboot(context.params["install_timeout_seconds"])
    except Failed as error:
        context.report_progress(f"the reboot: {error.reason}")
    return True


def with_own_word(context: OperationContext, found: Scan) -> Scan:
    """A scan with the reboots that the host itself knows of."""
    if found.pending_reboot:
        context.update_facts(reboot_pending=True)
        return found
    return replace(found, pending_reboot=1) if pending_reboots(context) else found
