# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Repairs in a host: chosen by the cause, one a host and run."""

from __future__ import annotations

from typing import Any

from .._step import StepContext
from .causes import CACHE, Cause
from .run import run_guest_script

REPAIR_SECONDS = 1800
REBUILD_SECONDS = 7200
"""DISM and then sfc read every file of Windows, and DISM may load what is damaged from the update source."""


def may_repair(context: StepContext, cause: Cause) -> bool:
    """Whether there is a repair for the cause, its script is given, and none was tried in this host and run."""
    return bool(cause.repair) and cause.repair in context.params["scripts"] and not _tried(context)


def _tried(context: StepContext) -> list[str]:
    before = context.ledger.host(*context.place).facts.get("repaired") if context.place else None
    return list(context.learned.get("repaired") or before or [])


def repair(context: StepContext, cause: Cause, **values: Any) -> tuple[str, ...]:
    """Carry out the repair of a cause; returns what was repaired, which is in the report, too."""
    context.say(f"{cause.sentence.lower()}: {str(cause.repair).replace('_', ' ')}")
    seconds = REBUILD_SECONDS if cause.repair == "repair_components" else REPAIR_SECONDS
    answer = run_guest_script(context, str(cause.repair), seconds, **values)
    done = tuple(_told(answer)) or (str(cause.repair),)
    context.learn(repaired=list(done))
    return done


def _told(answer: dict[str, Any]) -> list[str]:
    return [f"service {service['name']}" for service in answer.get("repaired") or ()]


def tidy(context: StepContext, cause: Cause) -> None:
    """After a proof: remove what the repair had put aside."""
    if cause is CACHE and "remove_old_update_cache" in context.params["scripts"]:
        run_guest_script(context, "remove_old_update_cache", REPAIR_SECONDS)
