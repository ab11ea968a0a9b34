# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every command that messages and pages show is complete: its playbook exists and takes each of its variables."""

from __future__ import annotations

import ast
import itertools
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ansible_collections.patchfleet.windows.plugins.module_utils._base.commands import extra_variable, plain_command
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import default_ledger
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.commands import playbook_command

ROOT = Path(__file__).parents[3]
SOURCES = sorted([*(ROOT / "plugins").rglob("*.py"), *(ROOT / "roles").glob("*/tasks/*.yml")])
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])
UTILS = ROOT / "plugins" / "module_utils"
COMMANDS = {UTILS / "_base" / "commands.py", UTILS / "_operation" / "commands.py"}
IN_DOCUMENTATION = re.compile(r'^(?:DOCUMENTATION|EXAMPLES|RETURN) = r?""".*?^"""', re.MULTILINE | re.DOTALL)
INCOMPLETE = re.compile(r"(?<!windows\.)\b(?:restore|patch|plan|report|stop|resume|evidence|roll_back) -e \w+=")
"""Variables of a playbook without the program before it."""
ON_PAGE = re.compile(r"(?:^\$ |`|^)(?=ansible-playbook patchfleet\.windows\.)", re.MULTILINE)
BUILDERS = {"playbook_command", "plain_command", "command"}
"""``OperationContext.command`` is the first of them, with the ledger of the operation."""
PLAYBOOKS = "|".join(path.stem for path in sorted((ROOT / "playbooks").glob("*.yml")))
WITHOUT_COMMAND = re.compile(
    rf"\bplaybooks? `?(?:{PLAYBOOKS})\b|\b(?:[Rr]un|[Ss]tart|[Ll]aunch) (?:{PLAYBOOKS})\b(?! \{{)"
)
"""Words that send the reader to a playbook, and leave the command to him."""
DESCRIPTIONS = {"description", "short_description", "notes"}


def taken_by(playbook: str) -> str:
    """The text of a playbook, its tasks and its roles: a variable that it takes stands there, or its setting does."""
    text = (ROOT / "playbooks" / f"{playbook}.yml").read_text(encoding="utf-8")
    files = [*(ROOT / "playbooks" / "tasks").rglob("*.yml")] if "tasks/" in text else []
    text += "".join(path.read_text(encoding="utf-8") for path in files)
    for _depth in range(3):
        for role in set(re.findall(r"patchfleet\.windows\.(\w+)", text)):
            parts = (ROOT / "roles" / role).glob("*/*.yml")
            text += "".join(part for path in parts if (part := path.read_text(encoding="utf-8")) not in text)
    return text


MODULES = sorted((ROOT / "plugins" / "module_utils" / "_modules").glob("*.py"))
WITH_LEDGER = [
    f"patchfleet.windows.{path.stem}"
    for path in MODULES
    if re.search(r'"ledger": |TRACKING_', path.read_text(encoding="utf-8"))
]
TAKEN = {path.stem: taken_by(path.stem) for path in sorted((ROOT / "playbooks").glob("*.yml"))}


def is_taken(playbook: str, variable: str) -> bool:
    """The action plugins give ``patch_ledger`` to each module that has the option ``ledger``."""
    if variable == "patch_ledger":
        return any(f" {module}:" in TAKEN[playbook] for module in WITH_LEDGER)
    setting = variable.removeprefix("patch_")
    return re.search(rf"\b(?:{variable}\b|settings\.{setting}\b|{setting}: )", TAKEN[playbook]) is not None


def built() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Where a command is built, the playbook, and the variables that are given as they stand."""
    for path in SOURCES:
        if path.suffix != ".py" or path in COMMANDS:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = [node.func.attr] if isinstance(node.func, ast.Attribute) and node.func.attr == "command" else []
            names = called + [part.id for part in (node.func, *node.args[:1]) if isinstance(part, ast.Name)]
            if not BUILDERS & set(names):
                continue
            playbook = next((part.value for part in node.args if isinstance(part, ast.Constant)), None)
            if playbook is None:  # a builder that calls another one
                continue
            keys = [key for part in node.args if isinstance(part, ast.Dict) for key in part.keys]
            variables = tuple(str(key.value) for key in keys if isinstance(key, ast.Constant))
            yield f"{path.relative_to(ROOT)}:{node.lineno}", str(playbook), variables


BUILT = list(built())


def on_pages() -> Iterator[tuple[str, str]]:
    for path in PAGES:
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")
        for found in ON_PAGE.finditer(text):
            yield str(path.relative_to(ROOT)), command_at(text, found.end())


def command_at(text: str, start: int) -> str:
    """To the end of its line or of its code; the text of a quotation may have several lines."""
    end = start
    while True:
        ends = [at for mark in ("\n", "`") if (at := text.find(mark, end + 1)) >= 0]
        end = min(ends, default=len(text))
        try:
            shlex.split(text[start:end], comments=True)
        except ValueError:
            assert end < len(text), text[start : start + 200]
        else:
            return text[start:end].strip()


ON_PAGES = sorted(set(on_pages()))


def variables_of(command: str) -> list[str]:
    words = shlex.split(command, comments=True)
    given = [after for word, after in itertools.pairwise(words) if word in {"-e", "--extra-vars"}]
    names = []
    for value in given:
        if value.startswith("{"):
            names += list(json.loads(value))
        elif not value.startswith("@"):
            names += [part.partition("=")[0] for part in shlex.split(value)]
    return names


def test_the_kinds_are_found() -> None:
    assert {"restore", "setup_aws", "prove_account"} <= {playbook for _where, playbook, _variables in BUILT}
    assert len(ON_PAGES) > 50


@pytest.mark.parametrize(("where", "playbook", "variables"), BUILT, ids=[one[0] for one in BUILT])
def test_a_command_of_a_message_has_variables_that_its_playbook_takes(
    where: str, playbook: str, variables: tuple[str, ...]
) -> None:
    assert [name for name in variables if not is_taken(playbook, name)] == [], where


def test_each_command_of_a_page_has_variables_that_its_playbook_takes() -> None:
    wrong = []
    for page, command in ON_PAGES:
        playbook = shlex.split(command, comments=True)[1].removeprefix("patchfleet.windows.")
        if playbook not in TAKEN:
            wrong.append(f"{page}: no such playbook: {command}")
            continue
        unknown = [name for name in variables_of(command) if not is_taken(playbook, name)]
        wrong += [f"{page}: {playbook} takes no {name}: {command}" for name in unknown]
    assert wrong == []


def test_no_message_writes_a_command_by_hand() -> None:
    """What the builders make is quoted and names the ledger; variables without the program cannot be typed."""
    texts = {path: IN_DOCUMENTATION.sub("", path.read_text(encoding="utf-8")) for path in SOURCES}
    by_hand = [path for path, text in texts.items() if path.suffix == ".py" and "ansible-playbook patchfleet" in text]
    assert [path for path in by_hand if path not in COMMANDS] == []
    assert [(path, found[0]) for path, text in texts.items() if (found := INCOMPLETE.search(text))] == []


def messages_of(source: str) -> Iterator[tuple[int, str]]:
    """Texts of Python code but for what documents it: docstrings, and descriptions of variables and modules."""
    tree = ast.parse(source)
    documentation = {
        id(part)
        for node in ast.walk(tree)
        for text in (
            [node.value]
            if isinstance(node, (ast.Expr, ast.Assign)) and is_documentation(node)
            else [given.value for given in node.keywords if given.arg in DESCRIPTIONS]
            if isinstance(node, ast.Call)
            else []
        )
        for part in ast.walk(text)
    }
    for node in ast.walk(tree):
        if id(node) in documentation:
            continue
        if isinstance(node, ast.JoinedStr):
            parts = [str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values]
            yield node.lineno, "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def is_documentation(node: ast.Expr | ast.Assign) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return any(
        isinstance(name, ast.Name) and name.id in {"DOCUMENTATION", "EXAMPLES", "RETURN"} for name in node.targets
    )


def sends_without_command(source: str) -> list[tuple[int, str]]:
    return [(line, text) for line, text in messages_of(source) if WITHOUT_COMMAND.search(text)]


def test_no_message_sends_the_reader_to_a_playbook_without_its_command() -> None:
    """At night, "run the playbook restore" leaves open how, and with which ledger."""
    found = {
        f"{path.relative_to(ROOT)}:{line}": text
        for path in sorted((ROOT / "plugins").rglob("*.py"))
        if path.parent.name != "doc_fragments" and path.name != "_assets.py"
        for line, text in sends_without_command(path.read_text(encoding="utf-8"))
    }
    shown = {
        f"{path.relative_to(ROOT)}": lines[0]
        for folder in ("roles", "playbooks")
        for path in sorted((ROOT / folder).rglob("*.yml"))
        if path.parent.name != "meta"
        and (
            lines := re.findall(
                rf"^(?!\s*#).*(?:ansible-playbook|{WITHOUT_COMMAND.pattern}).*",
                path.read_text(encoding="utf-8"),
                re.MULTILINE,
            )
        )
    }
    assert (found, shown) == ({}, {})


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ('"Check it, then run the playbook restore."', True),
        ('f"{host} is on. Run restore with credentials of {account}."', True),
        ('"To continue: run patch again."', True),
        ('"Fix that " "and run the playbook " "status."', True),
        ('f"Check it, then run {command}."', False),
        ('"""What the playbook restore does."""', False),
        ('Variable(description="For the playbook restore.")', False),
        ('f"Run {run_id} ends."', False),
    ],
)
def test_such_a_message_is_noticed(text: str, is_found: bool) -> None:
    assert bool(sends_without_command(text if text.startswith('"""') else f"shown = {text}")) is is_found


# What a builder makes


def test_the_default_ledger_is_not_named() -> None:
    assert playbook_command("restore", None) == "ansible-playbook patchfleet.windows.restore"
    assert playbook_command("restore", default_ledger()) == playbook_command("restore", None)


def test_a_ledger_is_named_from_every_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert playbook_command("restore", "night.sqlite").endswith(f" -e patch_ledger={tmp_path}/night.sqlite")
    assert playbook_command("restore", "dynamodb://T?region=eu-west-1").endswith(
        """ -e '{"patch_ledger": "dynamodb://T?region=eu-west-1"}'"""
    )


@pytest.mark.parametrize(
    "value",
    [
        "web-01",
        "Web 01",
        "it's",
        "a;reboot",
        "$(x)",
        "{{ x }}",
        True,
        ["eu-west-1", "eu-west-2"],
        ["a,b"],
        [{"name": "x"}],
        {"a": [1]},
        "C:\\x",
        '"',
    ],
)
def test_a_shell_and_ansible_read_the_same_value(value: object) -> None:
    (_program, _playbook, _option, given) = shlex.split(plain_command("restore", {"patch_let_go": value}))
    if given.startswith("{"):
        assert json.loads(given) == {"patch_let_go": value}
    else:
        name, _, text = given.partition("=")
        typed = ",".join(value) if isinstance(value, list) else value  # as people type it; the modules take both
        assert (name, yaml.safe_load(text)) == ("patch_let_go", typed)
        assert extra_variable("patch_let_go", value) == given
