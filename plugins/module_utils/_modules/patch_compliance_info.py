# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the module patch_compliance_info."""

from __future__ import annotations

from .._model.phases import Phase
from .._operation.arguments import TRACKING_ARGUMENTS
from .._operation.operation import Operation
from .._plan.variables import module_options
from .._update.channels import open_channel
from .._update.install import scan_compliance, search_before

OPERATION = Operation(
    name="patch_compliance_info",
    phase=Phase.VERIFY,
    arguments={
        **TRACKING_ARGUMENTS,
        "state": {"type": "str", "choices": ["scanned", "searched"], "default": "scanned"},
        "instance_id": {"type": "str", "required": True},
        "snapshot_id": {"type": "str", "required": True},
        "scripts": {"type": "dict", "default": {}},
        **module_options("patch_compliance_info"),
        "cloudwatch_log_group": {"type": "str"},
    },
    open_channel=open_channel,
    work={"scanned": scan_compliance, "searched": search_before},
)
