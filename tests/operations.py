# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Performs operations of the product as their modules and action plugins do, with a context that a test has made."""

from __future__ import annotations

from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.failures import attempt
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.operation import Operation


def perform(operation: Operation, context: OperationContext) -> dict[str, Any]:
    """The result of an operation.

    Raises:
        PatchFleetError: why it failed, after it was written into the run.
    """
    with attempt(operation) as attempted:
        attempted.begin(context)
        attempted.result = operation.function(context)(context)
    if attempted.error:
        raise attempted.error
    return dict(attempted.result)
