# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The main function of every module of this collection."""

from __future__ import annotations

from typing import Any

from .._model.text_enum import plain
from .failures import attempt
from .operation import Operation, make_context


def run_as_module(operation: Operation) -> None:
    """Parse the options, perform the operation, exit."""
    module = _module_class(operation)(
        argument_spec=dict(operation.arguments), supports_check_mode=True, **operation.rules
    )
    with attempt(operation) as attempted:
        context = make_context(operation, dict(module.params), check_mode=module.check_mode)
        attempted.begin(context)
        attempted.result = operation.function(context)(context)
    leave = module.fail_json if attempted.error else module.exit_json
    leave(**plain(attempted.result))


def _module_class(operation: Operation) -> Any:
    if operation.uses_aws:
        from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule  # noqa: PLC0415

        return AnsibleAWSModule
    from ansible.module_utils.basic import AnsibleModule  # noqa: PLC0415

    return AnsibleModule
