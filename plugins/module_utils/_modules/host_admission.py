# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation host_admission."""

from __future__ import annotations

from .._model.phases import Phase
from .._operation.arguments import TRACKING_REQUIRED
from .._operation.operation import Operation
from .._plan.variables import module_options
from .._run.admission import admit

OPERATION = Operation(
    name="host_admission",
    phase=Phase.ADMIT,
    arguments={
        **TRACKING_REQUIRED,
        **module_options("host_admission"),
    },
    work=admit,
)
