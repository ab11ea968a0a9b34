# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/architecture.md describes the playbook and the packages as they are."""

from __future__ import annotations

import ast
import functools
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, NamedTuple, Self

import pytest
import yaml

from ansible_collections.patchfleet.windows.plugins.action import (
    host_result,
    instance_power,
    patch_report,
    patch_run,
    windows_update_health,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.api import Aws
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.sqlite import SqliteLedger
from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase
from ansible_collections.patchfleet.windows.plugins.module_utils._model.reasons import Reason
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.operation import Operation
from ansible_collections.patchfleet.windows.plugins.plugin_utils import _operation_call
from ansible_collections.patchfleet.windows.plugins.plugin_utils._controller_operation import ControllerOperation

from .fakes import ID, complained, shown
from .stage import RUN, Stage
from .test_actions import action

ROOT = Path(__file__).parents[3]
UTILS = ROOT / "plugins" / "module_utils"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
COLLECTION = "patchfleet.windows."
NO_ROLE = "–"
PLACEHOLDERS = frozenset({"_modules/X.py", "plugins/action/X.py"})
OWN_TASKS = ("user_tasks", "user_tasks_result")
"""Where users' own tasks run; the text below the table says where that is."""


class Row(NamedTuple):
    """A row of the table: its phase, its modules, where their code is, and the role whose tasks call them."""

    phase: str
    modules: tuple[str, ...]
    packages: tuple[str, ...]
    role: str


def rows() -> list[Row]:
    table = PAGE.partition("| phase | module | package | role |\n")[2].partition("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[1:]]
    return [
        Row(phase, tuple(re.findall("`(.+?)`", modules)), tuple(re.findall("`(.+?)`", packages)), role.strip("`"))
        for phase, modules, packages, role in cells
    ]


def calls(tasks: list[dict[str, Any]], path: Path) -> Iterator[tuple[str, str]]:
    """The role and module of each task of this collection in the order of the file, with the files and roles it imports."""
    role = path.parent.parent.name if "roles" in path.parts else NO_ROLE
    for task in tasks:
        for part in ("block", "always"):
            yield from calls(task.get(part, []), path)
        for name, options in task.items():
            action = name.removeprefix("ansible.builtin.")
            if name.startswith(COLLECTION):
                yield role, name.removeprefix(COLLECTION)
            elif action in {"import_role", "include_role"}:
                name_of_role = options["name"].removeprefix(COLLECTION)
                yield from calls_of(ROOT / "roles" / name_of_role / "tasks" / f"{options['tasks_from']}.yml")
            elif action in {"import_tasks", "include_tasks"}:
                file = options if isinstance(options, str) else options["file"]
                if path.name == "admission.yml":
                    yield from calls_of(path.with_name("host.yml"))  # it has all steps
                elif "{{" not in file:
                    yield from calls_of(path.parent / file)


def calls_of(path: Path) -> Iterator[tuple[str, str]]:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    for play in document if path.name == "patch.yml" else [{"tasks": document}]:
        yield from calls(play["tasks"], path)


CALLS = list(dict.fromkeys(call for call in calls_of(ROOT / "playbooks" / "patch.yml") if call != OWN_TASKS))


def test_the_table_has_each_module_that_the_playbook_calls_with_its_role() -> None:
    assert {(row.role, module) for row in rows() for module in row.modules} == set(CALLS)
    assert len(CALLS) > 10


def test_the_table_has_the_order_of_the_playbook() -> None:
    first_calls = [min(CALLS.index((row.role, module)) for module in row.modules) for row in rows()]
    assert first_calls == sorted(first_calls)


def test_the_table_has_each_phase_in_its_order() -> None:
    named = [phase for row in rows() for phase in row.phase.split(", ") if phase in set(Phase)]
    assert list(dict.fromkeys(named)) == [str(phase) for phase in Phase]


def imported(file: Path) -> set[Path]:
    """The files and packages of module_utils that a file imports, also through others."""
    found: set[Path] = set()
    open_files = [file]
    while open_files:
        path = open_files.pop()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not node.level:
                continue
            folder = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            for target in (folder.with_suffix(".py"), *(folder / f"{alias.name}.py" for alias in node.names)):
                if target.is_file() and target not in found:
                    found.add(target)
                    open_files.append(target)
    return found


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.phase)
def test_the_code_of_a_module_is_where_the_table_says(row: Row) -> None:
    reached = {path for module in row.modules for path in imported(UTILS / "_modules" / f"{module}.py")}
    reachable = reached | {path.parent for path in reached}
    assert [package for package in row.packages if UTILS / package not in reachable] == []


def test_the_page_names_each_package_in_the_order_of_the_layers() -> None:
    contract = (
        (ROOT / ".importlinter").read_text(encoding="utf-8").partition("layers =\n")[2].partition("containers")[0]
    )
    layers = re.findall(r"_\w+", contract)
    table = PAGE.partition("| package | for |\n")[2].partition("\n\n")[0]
    named = [name for line in table.splitlines()[1:] for name in re.findall("`(_[a-z]+)`", line.split("|")[1])]
    assert named == layers


def test_each_file_that_the_page_names_exists() -> None:
    """Files of packages as ``_power/start.py``, others from the root of the repository or of ``plugins``."""
    today = re.sub(r"Before: `.*?\n\n", "\n", PAGE, flags=re.DOTALL)
    paths = set(re.findall(r"`((?:_\w+|[a-z_.]+)/[\w./-]+\.(?:py|yml|ps1|md|txt))`", today))
    assert len(paths) > 20
    homes = (ROOT, ROOT / "plugins", UTILS)
    assert [path for path in sorted(paths - PLACEHOLDERS) if not any((home / path).is_file() for home in homes)] == []


SECTION = PAGE.partition("### Three walks through the code")[2].partition("\n## ")[0]
BEFORE = "Before:"
OLD_PATHS = re.compile(r"`((?:plugins|roles|playbooks)/[^`]+|README\.md)`")


def walks() -> dict[str, tuple[list[str], list[str]]]:
    """Of each walk, the files of today and those before."""
    found = re.findall(r"^\*\*(.+?)\.\*\*\n\n(.*?)(?=^\*\*|\Z)", SECTION, re.DOTALL | re.MULTILINE)
    return {
        name: (re.findall(r"^\d+\. `([^`]+)`", text, re.MULTILINE), OLD_PATHS.findall(text.partition(BEFORE)[2]))
        for name, text in found
    }


LINKS = {
    "The context of a start": [
        ("windows.instance_power:", "class ControllerOperation"),
        ("self.operation.function(context)(context)", "def start(context"),
        ("start_instance(", "def start_instance("),
    ],
    "The variable `patch_free_gib`": [
        ("patch_free_gib", "patch_free_gib"),
        ("windows.system_drive_space:", 'name="system_drive_space"'),
        ("_disk.free_space import", 'params["free_gib"]'),
    ],
    "A failure from the guest to the exit code": [
        ("New-PatchFleetError", "function New-PatchFleetError"),
        ("ConvertTo-Json", "json.loads"),
        ("raise script_error(", "except PatchFleetError as error"),
        ("ledger.set_outcome(", "def set_outcome("),
        ("def hosts(", "ledger.hosts("),
        ('"verdicts"', "verdicts["),
    ],
}
"""Of each walk, what each file has that leads to the next one, and what that one has of it."""


@pytest.mark.parametrize(("name", "walk"), walks().items())
def test_each_walk_goes_from_file_to_file(name: str, walk: tuple[list[str], list[str]]) -> None:
    files, _before = walk
    texts = [_text_of(file) for file in files]
    assert len(files) == len(LINKS[name]) + 1
    for (leads_on, arrives), here, following in zip(LINKS[name], texts, texts[1:], strict=False):
        assert (leads_on, leads_on in here) == (leads_on, True)
        assert (arrives, arrives in following) == (arrives, True)


def _path_of(file: str) -> Path:
    (path,) = [home / file for home in (ROOT, ROOT / "plugins", UTILS) if (home / file).is_file()]
    return path


def _text_of(file: str) -> str:
    return _path_of(file).read_text(encoding="utf-8")


def test_there_are_three_walks() -> None:
    assert set(walks()) == set(LINKS)


def test_the_table_of_walks_has_the_number_of_files_that_are_listed() -> None:
    table = SECTION.partition("| walk | before | today |\n|---|---|---|\n")[2].partition("\n\n")[0]
    rows_of_table = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    counted = {name: (len(before), len(files)) for name, (files, before) in walks().items()}
    assert {name: (int(before), int(today.split(",")[0])) for name, before, today in rows_of_table} == counted


def test_no_hop_is_generated() -> None:
    """One that is would count as nothing, though a reader has to open it."""
    files = [file for of_today, _before in walks().values() for file in of_today]
    assert [file for file in files if "generated by make generate" in _text_of(file).splitlines()[3]] == []


def test_the_call_stack_of_a_start_is_the_walk_of_the_page(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of plugins on the call stack of StartInstances, from the action plugin on; ``_aws`` counts once."""
    sent: list[Path] = []
    perform = Aws.perform

    def noted(aws: Aws, call: Any) -> dict[str, Any]:
        if call.operation == "start_instances":
            sent.extend(Path(frame.filename).resolve() for frame in traceback.extract_stack())
        return perform(aws, call)

    monkeypatch.setattr(Aws, "perform", noted)
    stage.open_run()
    stage.record("stopped")
    stage.account.on("start_instances", {"StartingInstances": []})
    stage.account.on("describe_instances", shown("stopped"), shown("pending", launched=5), shown("running", launched=5))
    options = {"run_id": RUN, "host": ID, "instance_id": ID, "state": "started"}
    plugin = object.__new__(instance_power.ActionModule)
    plugin.perform(stage.context(instance_power.OPERATION, **options), {})
    of_plugins = [path for path in dict.fromkeys(sent) if path.is_relative_to(ROOT / "plugins")]
    first_of_aws = next(number for number, path in enumerate(of_plugins) if path.parent.name == "_aws")
    assert {path.parent.name for path in of_plugins[first_of_aws:]} == {"_aws"}
    files, _before = walks()["The context of a start"]
    assert of_plugins[: first_of_aws + 1] == [_path_of(file) for file in files[1:]]


# A failure


class Followed:
    """In which files of plugins errors with this reason code are raised, and in which a handler catches them."""

    def __init__(self, code: Reason) -> None:
        self.raised: set[Path] = set()
        self.caught: list[Path] = []
        self._code = code
        self._in_flight: dict[FrameType, PatchFleetError] = {}
        self._before: Any = None

    def __enter__(self) -> Self:
        self._before = sys.gettrace()
        sys.settrace(self._enter_function)
        return self

    def __exit__(self, *_error: object) -> None:
        sys.settrace(self._before)

    def _enter_function(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        if "/patchfleet/windows/plugins/" not in frame.f_code.co_filename:
            return None
        if frame.f_code.co_name == "__exit__" and any(map(self._is_followed, frame.f_locals.values())):
            self.caught.append(Path(frame.f_code.co_filename).resolve())
        return self._follow

    def _follow(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "exception" and self._is_followed(argument[1]):
            self._in_flight[frame] = argument[1]
            if [one for one, _line in traceback.walk_tb(argument[2])][-1] is frame:
                self.raised.add(Path(frame.f_code.co_filename).resolve())
        elif event == "line" and frame in self._in_flight:
            path = Path(frame.f_code.co_filename).resolve()
            if frame.f_lineno in lines_of_handlers(path):
                del self._in_flight[frame]
                self.caught.append(path)
        elif event == "return":
            self._in_flight.pop(frame, None)
        return self._follow

    def _is_followed(self, value: object) -> bool:
        return isinstance(value, PatchFleetError) and value.code == self._code


@functools.cache
def lines_of_handlers(path: Path) -> frozenset[int]:
    """The lines inside the ``except`` clauses of a file."""
    handlers = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ExceptHandler)]
    ranges = [range(node.body[0].lineno, (node.body[-1].end_lineno or 0) + 1) for node in handlers]
    return frozenset(line for lines in ranges for line in lines)


def files_of_stack() -> list[Path]:
    """The files of plugins on the call stack, without those of the ledger."""
    paths = dict.fromkeys(Path(frame.filename).resolve() for frame in traceback.extract_stack())
    return [path for path in paths if path.is_relative_to(ROOT / "plugins") and path.parent.name != "_ledger"]


@pytest.fixture
def play(stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Run a task of the playbook by its action plugin, with the ledger and the host of the stage."""

    def context_of(operation: Operation, params: dict[str, Any], **_parts: Any) -> OperationContext:
        return stage.context(operation, **{name: params[name] for name in operation.arguments})

    monkeypatch.setattr(_operation_call, "make_context", context_of)
    monkeypatch.setattr(ControllerOperation, "_find_needle", lambda _self, _folder, name: str(tmp_path / name))

    def run(module: ModuleType, **options: Any) -> dict[str, Any]:
        for file in options.get("scripts", {}).values():
            (tmp_path / file).touch()
        result: dict[str, Any] = action(module.ActionModule, **options).run(task_vars={})
        return result

    return run


SCRIPTS = {"inspect_windows_update": "inspect.ps1", "repair_components": "repair.ps1"}
DAMAGED: dict[str, Any] = {
    "services": [],
    "agent": {"ok": True},
    "search": {"ok": False, "hresult": "0x80073712"},
    "pending_reboot": [],
    "update_source": {"kind": "microsoft"},
    "sessions": 0,
    "installing": False,
}


def test_a_failure_takes_the_walk_of_the_page(
    stage: Stage, play: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is raised in one file, caught in one and written once, though the host and the run go on to their ends after it."""
    writes: list[list[Path]] = []
    reads: list[list[Path]] = []
    set_outcome, hosts = SqliteLedger.set_outcome, SqliteLedger.hosts
    monkeypatch.setattr(
        SqliteLedger, "set_outcome", lambda *args, **more: writes.append(files_of_stack()) or set_outcome(*args, **more)
    )
    monkeypatch.setattr(SqliteLedger, "hosts", lambda *args: reads.append(files_of_stack()) or hosts(*args))
    stage.open_run()
    stage.guest.answers("inspect_windows_update", DAMAGED)
    failure = complained("repair_components", "restore_health_failed", "It could not be rebuilt.", "0x800F081F")
    stage.guest.on("repair_components", failure)
    with Followed(Reason.RESTORE_HEALTH_FAILED) as followed:
        failed = play(windows_update_health, run_id=RUN, host=ID, instance_id=ID, scripts=SCRIPTS)
        assert failed["outcome"] == "failed", "what makes the rescue of the playbook leave it alone"
        written = stage.ledger.host(RUN, ID)
        play(host_result, state="finished", run_id=RUN, host=ID)
        play(patch_run, state="closed", run_id=RUN)
        reported = play(patch_report, run_id=RUN)
    assert failed["failed"] is True
    assert reported["verdicts"] == {ID: f"failed: {failed['msg']}"}
    assert stage.ledger.host(RUN, ID) == written
    files = [_path_of(file) for file in walks()["A failure from the guest to the exit code"][0]]
    _script, _prelude, raises, catches, stores, reports, _role = files
    assert (followed.raised, followed.caught) == ({raises}, [catches])
    caller = _path_of("plugin_utils/_controller_operation.py")
    assert writes == [[caller, catches]]
    assert reads[-1] == [caller, reports]
    assert stores == Path(inspect.getfile(SqliteLedger)).resolve()


def test_no_caller_of_an_operation_catches_its_failure() -> None:
    callers = ("plugin_utils/_controller_operation.py", "_operation/module_main.py", "_operation/operation.py")
    assert [file for file in callers if lines_of_handlers(_path_of(file))] == []
