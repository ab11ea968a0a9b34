# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options by which a task belongs to a run and to its host, so that the tasks of roles and playbooks need not name them.

The play's variables hold them: ``patch_ledger``, ``patch__run_id`` and ``patch__host``, which the plan gives each host. An
option that a task names itself stays as it is.

Tasks of users, in the files of ``patch_pre_tasks`` and the like, get them only for operations without a phase, such as
ssm_command and windows_script: their changes stop when another run takes the host over, and the run's lease is renewed while they
wait. An operation with a phase would record its times and its failure as if it were a phase of the run itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._operation.operation import Operation

USERS_TASK = "patch__users_task"
"""The role user_tasks sets this variable for the tasks of a user's file."""


def tracking_options(operation: Operation, args: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
    """The options that the task does not name and the play's variables give.

    Args:
        operation: what the task does.
        args: the task's own options.
        task_vars: the variables of the task's host.
    """
    if task_vars.get(USERS_TASK) and operation.phase is not None:
        return {}
    host = task_vars.get("patch__host") or {}
    found = {"ledger": task_vars.get("patch_ledger"), "run_id": task_vars.get("patch__run_id")}
    if _is_about(host, args, found["run_id"]) and operation.is_about_a_host:
        found |= {"host": host.get("key"), "fence": host.get("fence"), **_address(host, args)}
    options = operation.argument_spec()
    return {name: value for name, value in found.items() if value and name in options and name not in args}


def _is_about(host: Mapping[str, Any], args: Mapping[str, Any], run_id: str | None) -> bool:
    """Whether the task is about the play's host in the play's run, and not about one that it names itself."""
    key = host.get("key")
    return bool(args.get("host", key) == key and args.get("run_id", run_id) == run_id)


def _address(host: Mapping[str, Any], args: Mapping[str, Any]) -> dict[str, Any]:
    """Where SSM finds the host; a host without an id goes by its key."""
    instance_id = host.get("instance_id") or host.get("key")
    if args.get("instance_id", instance_id) != instance_id:
        return {}
    return {"instance_id": instance_id, "region": host.get("region"), "account": host.get("account")}
