# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation windows_script."""

from __future__ import annotations

from collections.abc import Mapping

from .._base.errors import InvalidOption
from .._host.run_command import refuse_templates
from .._host.scripts import compose, reads_only, run_script
from .._model.phases import Phase
from .._operation.arguments import TRACKING_ARGUMENTS
from .._operation.context import OperationContext
from .._operation.operation import Operation
from .._operation.results import Result
from .._update.channels import open_channel


class ScriptResult(Result):
    """``data`` is what the script answered: JSON whose texts are clean."""

    data: Mapping[str, object]


def work(context: OperationContext) -> ScriptResult:
    """Run a script in the host; returns changed and the script's data."""
    params = context.params
    name, text = params["name"], params["script"]
    if text.endswith(".ps1"):
        raise InvalidOption("script", text, "It must be the script's text, or a file that the controller can read.")
    refuse_templates("input", params["input"])
    changes = not reads_only(name)
    if context.check_mode and changes:
        return {"changed": True, "data": {}}
    try:
        lines = compose(name, text, params["input"])
    except ValueError as error:
        raise InvalidOption("input", params["input"], "Its numbers must be finite.") from error
    data = run_script(context, lines, params["timeout_seconds"])
    return {"changed": changes, "data": data}


OPERATION = Operation(
    name="windows_script",
    arguments={
        **TRACKING_ARGUMENTS,
        "instance_id": {"type": "str", "required": True},
        "name": {"type": "str", "required": True},
        "script": {"type": "str", "required": True},
        "input": {"type": "dict", "default": {}},
        "timeout_seconds": {"type": "int", "default": 600},
        "step": {"type": "str", "choices": [str(phase) for phase in Phase]},
    },
    open_channel=open_channel,
    work=work,
)
