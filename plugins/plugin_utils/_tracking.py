# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options by which a task belongs to a run and to its host, so that the tasks of roles and playbooks need not name them.

The play's variables hold them: ``patch_ledger``, ``patch__run_id`` and ``patch__host``, which the plan gives each host. An
option that a task names itself stays as it is.

Tasks of users, in the files of ``patch_pre_tasks`` and the like, get them only for operations without a phase, such as
ssm_command and windows_script: their changes stop when another run takes the host over, and the run's lease is renewed while they
wait. An operation with a phase would record its times and its failure as if it were a phase of the run itself. The admission is
the exception: it stands in the playbook itself, which projects of AWX and users copy.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import Operation

COLLECTION = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))


def is_ours(task_path: str | None) -> bool:
    """Whether a task is one of this collection's roles and playbooks; ``task_path`` is what ``Task.get_path`` gives."""
    return bool(task_path) and os.path.realpath(str(task_path)).startswith(COLLECTION + os.sep)


def tracking_options(
    operation: Operation, args: Mapping[str, Any], task_vars: Mapping[str, Any], *, ours: bool
) -> dict[str, Any]:
    """The options that the task does not name and the play's variables give.

    Args:
        operation: what the task does.
        args: the task's own options.
        task_vars: the variables of the task's host.
        ours: whether the task is one of this collection.
    """
    if not ours and operation.phase is not None and operation.phase is not Phase.ADMIT:
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
    return {"instance_id": instance_id, "region": host.get("region")}
