# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change something in EC2 until EC2 shows that it is changed: AWS may give no answer, and what it did shows a little later."""

from __future__ import annotations

from collections.abc import Callable

from .._aws.errors import Unanswered
from .._base.errors import Failed
from .._model.reasons import Reason
from .._operation.context import OperationContext

ATTEMPTS, SHOWN_SECONDS = 3, 300.0


def change_until(
    context: OperationContext, change: Callable[[], object], is_done: Callable[[], bool], what: str
) -> None:
    """Change it up to ATTEMPTS times, each time waiting SHOWN_SECONDS until it is done; nothing is changed where it is done.

    Args:
        context: of the operation.
        change: one call of AWS.
        is_done: whether EC2 shows what is wanted.
        what: that as a clause, for messages: "vol-1 is detached".

    Raises:
        Failed: ``root_not_replaced``, or what EC2 answered.
    """
    for _attempt in range(ATTEMPTS):
        if is_done():
            return
        try:
            change()
        except Unanswered:
            context.report_progress(f"AWS gave no answer: checking whether {what}")
        if context.wait_until(is_done, context.deadline(SHOWN_SECONDS)):
            return
    raise Failed(f"EC2 does not show in time that {what}.", Reason.ROOT_NOT_REPLACED)
