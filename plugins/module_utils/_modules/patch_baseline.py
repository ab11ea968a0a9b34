# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the module patch_baseline."""

from __future__ import annotations

from .._model.phases import Phase
from .._operation.arguments import TRACKING_ARGUMENTS
from .._operation.context import OperationContext
from .._operation.operation import Operation
from .._plan.checks import read_checks, read_evidence, refuse_unfit_scripts
from .._plan.variables import module_options
from .._update.channels import open_channel
from .._update.install import InstallResult, install, reboot


def install_updates(context: OperationContext) -> InstallResult:
    """See install. A task may give the checks as a user writes them."""
    _read_checks(context)
    return install(context)


def reboot_host(context: OperationContext) -> InstallResult:
    """See reboot, with the same checks."""
    _read_checks(context)
    return reboot(context)


def _read_checks(context: OperationContext) -> None:
    context.params["checks"] = read_checks("checks", context.params["checks"])
    context.params["evidence"] = read_evidence("evidence", context.params["evidence"])
    refuse_unfit_scripts("checks", context.params["checks"])


OPERATION = Operation(
    name="patch_baseline",
    phase=Phase.PATCH,
    arguments={
        **TRACKING_ARGUMENTS,
        "state": {"type": "str", "choices": ["installed", "rebooted"], "default": "installed"},
        "instance_id": {"type": "str", "required": True},
        "snapshot_id": {"type": "str", "required": True},
        "history_script": {"type": "str", "required": True},
        "boot_script": {"type": "str"},
        "scripts": {"type": "dict", "default": {}},
        **module_options("patch_baseline"),
        "cloudwatch_log_group": {"type": "str"},
    },
    open_channel=open_channel,
    work={"installed": install_updates, "rebooted": reboot_host},
)
