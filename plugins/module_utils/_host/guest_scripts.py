# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a role's script in a host and reads its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from .._operation.context import OperationContext
from .answers import Answer, CleanedDisk
from .fields import Fields
from .scripts import NO_MEANINGS, ErrorMeaning, compose, run_script
from .update_answers import RebuiltComponents

T = TypeVar("T", bound=Answer)

SERVICING = frozenset({CleanedDisk.SCRIPT, RebuiltComponents.SCRIPT})
"""Scripts during which Windows is serviced: DISM works on the component store."""


def run_guest_script(
    context: OperationContext,
    answer: type[T],
    timeout_seconds: int,
    meanings: Mapping[str, ErrorMeaning] = NO_MEANINGS,
    **values: Any,
) -> T:
    """Run the script of this answer with these parameters; its text is in the option ``scripts``.

    Raises:
        PatchFleetError: see scripts.run_script; ``invalid_answer`` where the answer is not what the script says.
    """
    lines = compose(answer.SCRIPT, context.params["scripts"][answer.SCRIPT], values)
    services_windows = answer.SCRIPT in SERVICING
    data = run_script(context, lines, timeout_seconds, services_windows=services_windows, meanings=meanings)
    return answer.read(Fields(answer.SCRIPT, data))


def run_guest_text(context: OperationContext, answer: type[T], text: str, timeout_seconds: int, **values: Any) -> T:
    """The same for a script whose text is in an option of its own."""
    data = run_script(context, compose(answer.SCRIPT, text, values), timeout_seconds)
    return answer.read(Fields(answer.SCRIPT, data))


def has_script(context: OperationContext, answer: type[Answer]) -> bool:
    """Whether the option ``scripts`` has the script of this answer."""
    return answer.SCRIPT in (context.params.get("scripts") or {})
