# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which options of a task the action plugin fills in from the run and the host that the task works for."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from ansible_collections.patchfleet.windows.plugins.module_utils._modules import (
    fleet_info,
    host_admission,
    host_result,
    instance_power,
    patch_report,
    patch_run,
    run_recovery,
    ssm_command,
    system_drive_space,
    user_tasks_result,
    windows_script,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.operation import Operation
from ansible_collections.patchfleet.windows.plugins.plugin_utils._tracking import USERS_TASK, tracking_options

from .fakes import ID
from .stage import RUN

ROOT = Path(__file__).parents[3]
REGION = "eu-central-1"
LEDGER = "/var/ledger.sqlite"
PLANNED = {"key": ID, "instance_id": ID, "region": REGION, "fence": 7}
TASK_VARS = {"patch_ledger": LEDGER, "patch__run_id": RUN, "patch__host": PLANNED}
OF_RUN = {"ledger": LEDGER, "run_id": RUN}
OF_HOST = {"host": ID, "fence": 7, "instance_id": ID, "region": REGION}


def filled_in(operation: Operation, task_vars: dict[str, Any] | None = None, **args: Any) -> dict[str, Any]:
    return tracking_options(operation, args, TASK_VARS if task_vars is None else task_vars)


def test_a_task_for_a_host_gets_its_run_and_its_host() -> None:
    assert filled_in(system_drive_space.OPERATION) == {**OF_RUN, **OF_HOST}


def test_only_options_that_the_module_has_are_filled_in() -> None:
    assert filled_in(host_admission.OPERATION) == {**OF_RUN, "host": ID, "fence": 7, "region": REGION}
    assert filled_in(patch_report.OPERATION) == OF_RUN
    assert filled_in(fleet_info.OPERATION) == {}


@pytest.mark.parametrize(
    ("module", "about_a_host"),
    [(patch_run, False), (run_recovery, False), (host_result, True), (user_tasks_result, True)],
)
def test_a_task_for_the_whole_run_gets_no_host(module: ModuleType, about_a_host: bool) -> None:
    assert ("host" in filled_in(module.OPERATION)) is about_a_host


def test_what_a_task_names_itself_stays() -> None:
    given = filled_in(instance_power.OPERATION, region="us-east-1", ledger="other.sqlite", fence=3)
    assert given == {"run_id": RUN, "host": ID, "instance_id": ID}


def test_a_task_for_another_host_gets_nothing_of_this_one() -> None:
    assert filled_in(instance_power.OPERATION, host="i-0fedcba9876543210") == OF_RUN


def test_a_task_for_another_run_gets_no_host_and_no_fence() -> None:
    assert filled_in(instance_power.OPERATION, run_id="another") == {"ledger": LEDGER}


def test_a_command_for_another_instance_keeps_its_own_region() -> None:
    """It belongs to the host whose workflow it is part of, so it ends with that host's lease."""
    assert filled_in(ssm_command.OPERATION, instance_id="i-0fedcba9876543210") == {**OF_RUN, "host": ID, "fence": 7}


def test_a_host_without_an_id_goes_by_its_key() -> None:
    hall = {**TASK_VARS, "patch__host": {"key": "hall-01", "instance_id": None, "region": None, "fence": 2}}
    assert filled_in(windows_script.OPERATION, hall) == {
        **OF_RUN,
        "host": "hall-01",
        "fence": 2,
        "instance_id": "hall-01",
    }


@pytest.mark.parametrize("task_vars", [{}, {"patch_ledger": ""}], ids=str)
def test_without_a_run_nothing_is_filled_in(task_vars: dict[str, Any]) -> None:
    assert filled_in(ssm_command.OPERATION, task_vars) == {}


def test_commands_and_scripts_of_users_belong_to_the_run_and_other_operations_of_theirs_do_not() -> None:
    """Their failure may be one that the user's own task ignores or rescues, so it must not be the host's."""
    of_users = {**TASK_VARS, USERS_TASK: True}
    for operation in (ssm_command.OPERATION, windows_script.OPERATION):
        assert filled_in(operation, of_users) == {**OF_RUN, **OF_HOST}
    for operation in (system_drive_space.OPERATION, instance_power.OPERATION, host_admission.OPERATION):
        assert filled_in(operation, of_users) == {}


def test_the_role_marks_the_tasks_of_users() -> None:
    """Playbooks and roles may be copied into a project, so the place of a file does not say whose its tasks are."""
    tasks = yaml.safe_load((ROOT / "roles/user_tasks/tasks/run.yml").read_text())[0]["block"]
    (include,) = [task for task in tasks if "ansible.builtin.include_tasks" in task]
    assert include["vars"][USERS_TASK] is True
