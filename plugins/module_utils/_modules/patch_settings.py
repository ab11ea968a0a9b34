# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation patch_settings."""

from __future__ import annotations

from .._base.errors import InvalidOption
from .._fleet.discover import check_tag_value
from .._model.settings import Settings
from .._operation.context import OperationContext
from .._operation.operation import Operation
from .._operation.results import Result
from .._plan.agreement import differences, read_hosts, refuse_other_selection
from .._plan.environment import refuse_thrown_away
from .._plan.variables import check_together, read


class SettingsResult(Result, total=False):
    """``warnings`` is there where Ansible shall show some."""

    settings: Settings
    warnings: list[str]


def work(context: OperationContext) -> SettingsResult:
    """Check the playbooks' variables; returns them typed, with defaults and without their prefix, under settings."""
    params = context.params
    of_hosts = read_hosts(params["host_variables"])
    settings = read(params["variables"])
    settings["of_hosts"] = differences(of_hosts, settings)
    by_tag = not settings["hosts"] or bool({"patch_tag_key", "patch_tag_value"} & set(params["variables"]))
    settings["by_tag"] = by_tag
    settings["tasks_on_host"] = list(params["tasks_on_host"])
    settings["slice_of"] = _job(settings, params["slice_of"])
    if by_tag:
        check_tag_value(settings["tag_value"])
    if params["searched_with"]:
        refuse_other_selection(settings, params["searched_with"])
    if not params["partial"]:
        check_together(settings, params["forks"], context.clock.now())
    warnings = _environment_warnings(settings["ledger"] or params["ledger"], settings, only_plan=params["only_plan"])
    if not params["partial"]:
        warnings += context.ledger.check()  # a ledger that cannot be used ends the run before anything is touched
    result: SettingsResult = {"changed": False, "settings": settings}
    if warnings:
        result["warnings"] = warnings
    return result


def _job(settings: Settings, job_of_awx: str | None) -> str | None:
    """The job that the run is a slice of. Slices of slices would leave hosts out."""
    if not settings["slice"]:
        return job_of_awx
    if job_of_awx:
        right = "AWX slices this job itself (Job slicing). Leave patch_slice out, or set Job slicing to 1."
        raise InvalidOption("patch_slice", settings["slice"], right)
    return settings["run_id"]


def _environment_warnings(ledger: str | None, settings: Settings, *, only_plan: bool) -> list[str]:
    """A plan writes nothing into the ledger, so it may also run where a run would lose it: in a container or a cloud shell."""
    try:
        refuse_thrown_away(ledger, settings["ledger_ephemeral_ok"])
    except InvalidOption as error:
        if not only_plan:
            raise
        return [f"A run would be refused here. {error.reason}"]
    return []


OPERATION = Operation(
    name="patch_settings",
    arguments={
        "variables": {"type": "dict", "default": {}},
        "host_variables": {"type": "dict", "default": {}},
        "searched_with": {"type": "dict"},
        "forks": {"type": "int", "default": 5},
        "tasks_on_host": {"type": "list", "elements": "str", "default": []},
        "slice_of": {"type": "str"},
        "partial": {"type": "bool", "default": False},
        "only_plan": {"type": "bool", "default": False},
        "ledger": {"type": "str"},
    },
    work=work,
    uses_aws=False,
)
