# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugins: what they prepare from the play's variables, and that they perform the operation inside the controller."""

from __future__ import annotations

import multiprocessing
import os
import select
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ansible.template
import pytest
from ansible import constants
from ansible.errors import AnsibleError
from ansible.utils.display import Display

from ansible_collections.patchfleet.windows.plugins.action import (
    fleet_info,
    patch_baseline,
    patch_report,
    patch_run,
    patch_settings,
    system_drive_space,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import (
    Failed,
    InvalidOption,
    PatchFleetError,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._model.reasons import Reason
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.operation import Operation
from ansible_collections.patchfleet.windows.plugins.plugin_utils import (
    _controller_operation,
    _inventory_entries,
    _operation_call,
)
from ansible_collections.patchfleet.windows.plugins.plugin_utils._controller_operation import ControllerOperation
from ansible_collections.patchfleet.windows.plugins.plugin_utils._progress import (
    color_of,
    name_in_progress,
    progress_line,
)

from .fakes import ID, START
from .stage import RUN, Stage, a_host

FORK = multiprocessing.get_context("fork")


def work(context: OperationContext) -> dict[str, Any]:
    if context.params["trouble"]:
        raise Failed("C: is full.", Reason.NO_ROOM, {"free_gib": 1})
    context.report_progress("cleaning")
    return {"changed": not context.check_mode, "seen": context.params["seen"]}


class SomeAction(ControllerOperation):
    _load_name = "some_action"  # what ansible-core's loader gives a plugin
    operation = Operation(
        name="some_operation",
        arguments={
            "seen": {"type": "int", "default": 5},
            "trouble": {"type": "bool", "default": False},
            "detail": {"type": "str"},
        },
        work=work,
        phase="disk",
        uses_aws=False,
        rules={"required_if": [("trouble", True, ("detail",))]},
    )


def action(
    kind: Any,
    *,
    delegate_to: str | None = None,
    check_mode: bool = False,
    manager: Any = None,
    **args: Any,
) -> Any:
    task = SimpleNamespace(
        action="patchfleet.windows.some_operation",
        args=args,
        async_val=0,
        check_mode=check_mode,
        delegate_to=delegate_to,
        diff=False,
        no_log=False,
        remote_user=None,
        get_play=lambda: None,
        get_variable_manager=lambda: manager,
    )
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="unused"))
    return kind(
        task=task, connection=connection, play_context=None, loader=None, templar=Templar(), shared_loader_obj=None
    )


class Templar:
    """Answers a template as if its variable were defined as that."""

    def template(self, value: Any) -> Any:
        return {"{{ batch }}": "7"}.get(value, value) if isinstance(value, str) else value


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(Display, "display", lambda _self, text, *_args, **_kwargs: lines.append(text))
    return lines


# The base of all


def test_an_operation_runs_inside_the_controller(printed: list[str]) -> None:
    result = action(SomeAction).run(task_vars={"inventory_hostname": "dev-01"})
    assert (result["changed"], result["seen"]) == (True, 5)
    assert "failed" not in result
    assert len(printed) == 1
    assert printed[0].split()[1:] == ["dev-01", "disk", "cleaning"]


class PacedAction(ControllerOperation):
    operation = Operation(
        name="some_operation",
        arguments={"host": {"type": "str"}},
        work=lambda context: {"changed": False, "pace": vars(context.budget.pace) if context.budget else None},
    )


@pytest.mark.parametrize(
    ("variables", "rate", "share", "turns"),
    [
        ({}, None, 1.0, (0.0, 1.0)),
        ({"ansible_forks": 20}, None, 0.05, (0.0, 1.0)),
        ({"ansible_forks": 4, "patch_slice": "2/5", "patch_api_calls_per_second": 2}, 2.0, 0.05, (0.2, 0.4)),
        ({"patch_slice": "5/5"}, None, 0.2, (0.8, 1.0)),
    ],
)
def test_the_workers_of_all_slices_have_shares_and_turns_of_their_own(
    variables: dict[str, Any], rate: float | None, share: float, turns: tuple[float, float]
) -> None:
    paces = [action(PacedAction, host=f"i-{number}").run(task_vars=variables)["pace"] for number in range(200)]
    assert {(pace["calls_per_second"], round(pace["share"], 9)) for pace in paces} == {(rate, share)}
    drawn = {round(pace["turn"], 9) for pace in paces}
    assert all(turns[0] <= turn < turns[1] for turn in drawn)
    assert len(drawn) == variables.get("ansible_forks", 1)


@pytest.mark.parametrize("here", [None, "localhost", "127.0.0.1", "::1"])
def test_an_operation_that_is_delegated_to_the_controller_runs_there_too(printed: list[str], here: str | None) -> None:
    assert action(SomeAction, delegate_to=here).run(task_vars={})["seen"] == 5
    assert printed


def test_an_operation_that_is_delegated_elsewhere_runs_as_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def execute(_self: Any, module_name: str, module_args: Any, task_vars: Any) -> dict[str, Any]:
        asked.append((module_name, module_args))
        return {"changed": True, "from": "module"}

    monkeypatch.setattr(SomeAction, "_execute_module", execute)
    assert action(SomeAction, delegate_to="jump-host").run(task_vars={})["from"] == "module"
    assert asked == [("patchfleet.windows.some_operation", {"seen": 5, "trouble": False})]


def test_what_only_the_controller_can_read_goes_along_to_the_module(
    monkeypatch: pytest.MonkeyPatch, role_files: Path
) -> None:
    """Else the path of a script would arrive in the guest as if it were the script."""
    (role_files / "measure.ps1").write_text("the text")
    monkeypatch.setattr(
        ControllerOperation, "_execute_module", lambda _self, module_args, **_other: {"scripts": module_args["scripts"]}
    )
    args = {"instance_id": ID, "scripts": {"measure_disk": "measure.ps1"}}
    result = action(system_drive_space.ActionModule, delegate_to="jump-host", **args).run(task_vars={})
    assert result["scripts"]["measure_disk"].endswith("\nthe text")


def test_a_worker_ends_with_its_controller(monkeypatch: pytest.MonkeyPatch) -> None:
    """The controller is a process between this one and the worker, and ends while the worker works."""
    gone, gone_too = os.pipe()
    message, lifeline = os.pipe()

    def work(context: OperationContext) -> dict[str, Any]:
        context.lease.renew()
        os.write(lifeline, b"lives, ")
        os.close(gone_too)
        os.read(gone, 1)  # nothing, once the controller is not there to write
        os.write(lifeline, b"looks")
        context.lease.renew()
        os.write(lifeline, b" and goes on")
        return {}

    class Worker(SomeAction):
        operation = Operation("some_operation", {}, work, uses_aws=False)

    def control() -> None:
        monkeypatch.setattr(_operation_call, "CONTROLLER", os.getpid())
        FORK.Process(target=action(Worker).run).start()
        while select.select([message], [], [], 30)[0] == []:
            pass
        os._exit(0)

    controller = FORK.Process(target=control)
    controller.start()
    controller.join()
    os.close(gone_too)
    os.close(lifeline)
    assert b"".join(iter(lambda: os.read(message, 100), b"")) == b"lives, looks"


def test_an_operation_that_fails_is_a_failed_task_with_its_reason() -> None:
    result = action(SomeAction, trouble=True, detail="x").run(task_vars={})
    assert (result["failed"], result["msg"], result["reason_code"]) == (True, "C: is full.", "no_room")
    assert result["free_gib"] == 1


def test_options_are_converted_and_checked_as_a_module_does_it(printed: list[str]) -> None:
    assert action(SomeAction, seen="12", trouble="no").run(task_vars={})["seen"] == 12
    for wrong in ({"nonsense": 1}, {"seen": "many"}, {"trouble": True}):
        with pytest.raises(AnsibleError, match=r"nonsense|seen|detail"):
            action(SomeAction, **wrong).run(task_vars={})
    assert len(printed) == 1


def test_check_mode_reaches_the_operation(printed: list[str]) -> None:
    assert action(SomeAction, check_mode=True).run(task_vars={})["changed"] is False
    assert printed


def test_a_line_of_progress_has_the_clocks_time_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    monkeypatch.setenv("PATCHFLEET_CLOCK", f"0.000001,{START + 845},0")
    assert progress_line("dev-01", "ready", "the agent answered").startswith("  22:")
    assert progress_line("dev-01", None, "").endswith("dev-01")
    red = constants.COLOR_ERROR
    ends = {
        text: color_of(text) for text in ("failed: C: is full.", "held: It is on.", "patched", "deferred: No time.")
    }
    assert list(ends.values()) == [red, red, None, None], "a host that needs a person is no quieter than the others"
    assert "dev-01                ready    the agent answered" in progress_line("dev-01", "ready", "the agent answered")


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"inventory_hostname": "localhost"}, "localhost"),
        ({"inventory_hostname": "dev-01", "patch__host": {"name": "dev-01"}}, "dev-01"),
        ({"inventory_hostname": "i-0123", "patch__host": {"name": "dev-01"}}, "dev-01 (i-0123)"),
    ],
)
def test_progress_names_a_host_as_people_do(variables: dict[str, Any], name: str) -> None:
    assert name_in_progress(variables) == name


# patch_settings


def template(text: str) -> str:
    """A text of a playbook or inventory; from ansible-core 2.19 on only such a text is rendered."""
    trusted: str = getattr(ansible.template, "trust_as_template", str)(text)
    return trusted


class Manager:
    """ansible-core's variable manager, with these variables by host."""

    def __init__(self, of_hosts: dict[str, dict[str, Any]], of_play: dict[str, Any] | None = None) -> None:
        self._of_hosts, self._of_play = of_hosts, of_play or {}
        self._inventory = SimpleNamespace(get_host=lambda name: name)

    def get_vars(self, host: str | None = None, **_other: Any) -> dict[str, Any]:
        return self._of_hosts[host] if host else self._of_play


def settings_read(of_hosts: dict[str, dict[str, Any]] | None = None, **variables: Any) -> Any:
    hosts = of_hosts or {"x": variables}
    task_vars = {"ansible_forks": 20, "inventory_hostname": "x", "ansible_play_hosts_all": list(hosts), **variables}
    plugin = action(patch_settings.ActionModule, manager=Manager(hosts))
    return plugin.prepare({"variables": {}, "forks": 5, "partial": False}, task_vars)


def test_the_plays_variables_are_read_with_their_templates() -> None:
    of_host = {"patch_batch_size": "{{ batch }}", "patch__run_id": "internal", "batch": "7"}
    found = settings_read({"x": of_host}, patch_batch_size="{{ batch }}", patch__run_id="internal", other="x")
    assert found["variables"] == {"patch_batch_size": "7"}
    assert found["forks"] == 20


def test_the_variables_of_each_host_are_read_with_its_own_templates() -> None:
    of_hosts = {"a": {"patch_free_gib": template("{{ room }}"), "room": 30, "other": 1}, "b": {"patch_free_gib": 40}}
    assert settings_read(of_hosts)["host_variables"] == {"a": {"patch_free_gib": 30}, "b": {"patch_free_gib": 40}}
    with pytest.raises(InvalidOption, match=r"patch_free_gib: .* cannot be rendered for c: .*nowhere"):
        settings_read({**of_hosts, "c": {"patch_free_gib": template("{{ nowhere }}")}})


SLICED = {"awx_workflow_job_id": 41, "awx_workflow_job_name": "Patch", "awx_job_template_name": "Patch"}


@pytest.mark.parametrize(
    ("job", "whose"),
    [
        (SLICED, "41"),
        ({**SLICED, "awx_workflow_job_name": "Plan, approve, patch"}, None),
        ({"awx_job_template_name": "Patch"}, None),
        ({}, None),
    ],
)
def test_a_slice_of_a_job_is_known_by_its_workflow_job(job: dict[str, Any], whose: str | None) -> None:
    assert settings_read(**job)["slice_of"] == whose


def test_a_variable_that_no_one_knows_is_found_at_every_host_of_the_play() -> None:
    known = {"a": {"patch_free_gib": 30, "patch__host": {}}}
    assert settings_read(known)["forks"] == 20
    with pytest.raises(PatchFleetError, match=r"no variable patch_fre_gib\. Did you mean patch_free_gib"):
        settings_read({**known, "b": {"patch_fre_gib": 30}})


def test_an_ansible_core_that_is_too_old_is_reported(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patch_settings, "core_version", "2.16.14")
    context = stage.context(patch_settings.ActionModule.operation)
    with pytest.raises(PatchFleetError, match=r"ansible-core 2\.16\.14 is too old: 2\.17 or newer") as caught:
        action(patch_settings.ActionModule).perform(context, {})
    assert caught.value.code == Reason.CORE_TOO_OLD


@pytest.mark.parametrize("version", ["2.17.0", "2.19.14", "2.21.0rc1", "3.0.0"])
def test_newer_ones_are_fine(stage: Stage, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(patch_settings, "core_version", version)
    context = stage.context(patch_settings.ActionModule.operation)
    assert action(patch_settings.ActionModule).perform(context, {})["settings"]["batch_size"] == 5


# fleet_info

HOSTVARS: dict[str, Any] = {
    "web": {"instance_id": ID, "placement": {"region": "us-east-1"}, "ansible_connection": "winrm"},
    "tagged": {"instance_id": "i-2", "patch__region": "eu-west-1", "patch__by_tag": True},
    "store": {"instance_id": "mi-1", "region": "eu-west-2"},
    "dc": {"ansible_connection": "psrp"},
}


def test_hosts_of_the_inventory_are_described_by_their_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_inventory_entries, "resolve", lambda names: {name: ["10.0.0.9"] for name in names})
    plugin = action(fleet_info.ActionModule, inventory_hosts=["web", "tagged", "store", "dc", {"name": "as it is"}])
    entries = plugin.prepare({}, {"hostvars": HOSTVARS})["inventory_hosts"]
    assert [(entry["instance_id"], entry["region"], entry["by_tag"]) for entry in entries[:-1]] == [
        (ID, "us-east-1", False),
        ("i-2", "eu-west-1", True),
        ("mi-1", "eu-west-2", False),
        ("", None, False),
    ]
    assert entries[0]["connection"] == "winrm"
    assert [entry.get("addresses") for entry in entries] == [None, None, None, ["10.0.0.9"], None]
    assert entries[-1] == {"name": "as it is"}


def found(monkeypatch: pytest.MonkeyPatch, stage: Stage, *hosts: tuple[str, str], **task_vars: Any) -> list[str]:
    """The inventory names that fleet_info gives to found hosts of (key, name)."""
    rows = [{"key": key, "name": name, "inventory_name": None} for key, name in hosts]
    monkeypatch.setattr(ControllerOperation, "perform", lambda *_args: {"hosts": rows})
    result = action(fleet_info.ActionModule).perform(stage.context(fleet_info.ActionModule.operation), task_vars)
    return [host["inventory_name"] for host in result["hosts"]]


def test_a_host_that_the_inventory_knows_keeps_its_name_there(monkeypatch: pytest.MonkeyPatch, stage: Stage) -> None:
    known = {"hostvars": HOSTVARS, "groups": {"all": list(HOSTVARS)}}
    assert found(monkeypatch, stage, (ID, "dev-01"), **known) == ["web"]


def test_a_new_host_is_called_by_its_name_where_that_is_harmless_and_free(
    monkeypatch: pytest.MonkeyPatch, stage: Stage
) -> None:
    """Names are tags: two hosts may share one, and one may be a pattern, a path, a template or the name of a group."""
    hosts = [
        ("i-a1", "dev-01"),
        ("i-a2", "dev-01"),
        ("i-a3", "web"),
        ("i-a4", "web server"),
        ("i-a5", "all:!x"),
        ("i-a6", "{{ x }}"),
        ("i-a7", ""),
        ("i-a8", "-web"),
        ("i-a9", "all"),
        ("i-a10", "stage_test"),
        ("i-a11", "patchfleet_planned"),
        ("i-a12", "localhost"),
    ]
    known = {"hostvars": HOSTVARS, "groups": {"all": list(HOSTVARS), "stage_test": []}}
    assert found(monkeypatch, stage, *hosts, **known) == ["dev-01", *(f"i-a{number}" for number in range(2, 13))]


# patch_run, patch_report


def test_the_plan_is_printed_and_an_opened_run_remembered(
    monkeypatch: pytest.MonkeyPatch, stage: Stage, printed: list[str]
) -> None:
    noted: list[tuple[Any, str]] = []
    monkeypatch.setattr(patch_run, "store_run_id", lambda ledger, run_id: noted.append((ledger, run_id)))
    results = iter([{"lines": ["wave 1  dev-01", ""], "run_id": RUN}, {"lines": ["planned"], "run_id": None}, {}])
    monkeypatch.setattr(Operation, "function", lambda *_args: lambda _context: next(results))
    plugin = action(patch_run.ActionModule)
    plugin.perform(stage.context(patch_run.ActionModule.operation, state="opened", ledger="/l"), {})
    plugin.perform(stage.context(patch_run.ActionModule.operation, state="opened"), {})
    plugin.perform(stage.context(patch_run.ActionModule.operation, state="closed"), {})
    assert printed == ["  wave 1  dev-01", "", "  planned"]
    assert noted == [("/l", RUN)]


def test_the_report_is_shown_with_its_files(stage: Stage, tmp_path: Path, printed: list[str]) -> None:
    stage.open_run(a_host(outcome="patched"))
    context = stage.context(patch_report.ActionModule.operation, report_dir=str(tmp_path))
    action(patch_report.ActionModule).perform(context, {})
    assert any("dev-01" in line for line in printed)
    assert f"report.html: {tmp_path}/report.html" in printed


# Scripts


@pytest.fixture
def role_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(ControllerOperation, "_find_needle", lambda _self, _folder, name: str(tmp_path / name))
    return tmp_path


def test_scripts_are_read_from_the_roles_files_behind_the_common_beginning(role_files: Path) -> None:
    (role_files / "measure.ps1").write_text("Invoke-PatchFleetScript -Name 'measure_disk'")
    plugin = action(system_drive_space.ActionModule)
    scripts = plugin.prepare({"scripts": {"measure_disk": "measure.ps1"}}, {})["scripts"]
    assert "function Invoke-PatchFleetScript" in scripts["measure_disk"]
    assert scripts["measure_disk"].endswith("\nInvoke-PatchFleetScript -Name 'measure_disk'")


def test_an_operation_without_scripts_reads_none() -> None:
    assert action(system_drive_space.ActionModule).prepare({"scripts": None}, {})["scripts"] == {}


@pytest.mark.parametrize("option", ["history_script", "boot_script"])
def test_the_scripts_of_an_installation_are_read(role_files: Path, option: str) -> None:
    (role_files / "history.ps1").write_text("the text")
    plugin = action(patch_baseline.ActionModule)
    assert plugin.prepare({option: "history.ps1", "checks": []}, {})[option].endswith("the text")


@pytest.mark.parametrize(
    ("set_to", "clock", "becomes"),
    [
        (0.001, "", 0.05),
        (0.001, "240,1794693600,1794693600", 0.001),  # the lab's time: no host becomes slower there
        (0.001, "nonsense", 0.001),  # the first task says it
        (0.2, "", 0.2),  # a user's own
    ],
)
def test_the_idle_loop_of_the_controller_turns_less_often(
    monkeypatch: pytest.MonkeyPatch, set_to: float, clock: str, becomes: float
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("PATCHFLEET_CLOCK", clock)
    monkeypatch.setattr(constants, "DEFAULT_INTERNAL_POLL_INTERVAL", set_to)
    _controller_operation.slow_down_idle_loop()
    assert becomes == constants.DEFAULT_INTERNAL_POLL_INTERVAL
