# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said twice is the same: options and their documentation, variables and the roles' defaults, scripts and their names."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec

from ansible_collections.patchfleet.windows.plugins.module_utils._operation.operation import Operation
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import BY_NAME, OPTION_TYPES
from ansible_collections.patchfleet.windows.plugins.plugin_utils._controller_operation import ControllerOperation

ROOT = Path(__file__).parents[3]
PLUGINS = "ansible_collections.patchfleet.windows.plugins"
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
PATCHING_ROLES = [role for role in ROLES if role not in {"aws_prerequisites", "awx_job_templates", "prove_account"}]
"""Those that take part in a run, and so have its variables."""
SCRIPTS = sorted((ROOT / "roles").glob("*/files/*.ps1"))


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text()) if path.exists() else {}


def action_of(name: str) -> type[ControllerOperation]:
    plugin: type[ControllerOperation] = importlib.import_module(f"{PLUGINS}.action.{name}").ActionModule
    return plugin


def documentation_of(name: str) -> dict[str, Any]:
    """The options of a module as they are documented, fragments of this collection included."""
    module = importlib.import_module(f"{PLUGINS}.modules.{name}")
    documentation = yaml.safe_load(module.DOCUMENTATION)
    options = dict(documentation.get("options", {}))
    for fragment in documentation.get("extends_documentation_fragment", []):
        if fragment.startswith("patchfleet.windows."):
            file, _, part = fragment.removeprefix("patchfleet.windows.").partition(".")
            source = importlib.import_module(f"{PLUGINS}.doc_fragments.{file}").ModuleDocFragment
            text = getattr(source, part.upper() or "DOCUMENTATION")
            options.update(yaml.safe_load(text).get("options", {}))
    return {"options": options, "fragments": documentation.get("extends_documentation_fragment", [])}


def required_of(spec: dict[str, Any]) -> dict[str, Any]:
    """What an option's documentation and its argument spec both say."""
    default = spec.get("default")
    return {
        "type": spec.get("type", "str"),
        "required": bool(spec.get("required")),
        "default": default if default is None else str(default),
        "choices": spec.get("choices"),
        "elements": spec.get("elements"),
    }


# Modules and action plugins


@pytest.mark.parametrize("name", MODULES)
def test_a_module_documents_exactly_its_options(name: str) -> None:
    operation: Operation = action_of(name).operation
    documented = {option: required_of(spec) for option, spec in documentation_of(name)["options"].items()}
    assert documented == {option: required_of(spec) for option, spec in operation.argument_spec().items()}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_documented_by_this_collection_alone(name: str) -> None:
    """Galaxy and Automation Hub read the documentation without the collections that this one depends on."""
    fragments = documentation_of(name)["fragments"]
    assert [fragment for fragment in fragments if not fragment.startswith("patchfleet.windows.")] == []
    assert ("patchfleet.windows._aws" in fragments) is action_of(name).operation.uses_aws


def test_aws_options_are_documented_as_amazon_aws_takes_them() -> None:
    fragment = importlib.import_module(f"{PLUGINS}.doc_fragments._aws").ModuleDocFragment
    documented = yaml.safe_load(fragment.DOCUMENTATION)["options"]
    amazon = aws_argument_spec()
    assert {name: spec.get("aliases") for name, spec in documented.items()} == {
        name: spec.get("aliases") for name, spec in amazon.items()
    }
    for name, spec in amazon.items():
        _function, variables = spec.get("fallback", (None, []))
        assert re.findall(r"C\(((?:AWS|ANSIBLE)_\w+)\)", " ".join(documented[name]["description"])) == variables


@pytest.mark.parametrize("name", MODULES)
def test_a_module_and_its_action_plugin_are_one_operation_of_that_name(name: str) -> None:
    module = importlib.import_module(f"{PLUGINS}.modules.{name}")
    operation = action_of(name).operation
    assert operation.name == name
    assert operation in vars(module).values()


def test_every_module_has_an_action_plugin_and_is_in_the_action_group_if_it_calls_aws() -> None:
    """One that does not has no option region, and would fail where the group's defaults set it."""
    actions = sorted(path.stem for path in (ROOT / "plugins" / "action").glob("*.py"))
    group = load(ROOT / "meta" / "runtime.yml")["action_groups"]["aws"]
    assert actions == MODULES
    assert [name for name in group if isinstance(name, str)] == [
        name for name in MODULES if action_of(name).operation.uses_aws
    ]
    assert group[0] == {"metadata": {"extend_group": ["amazon.aws.aws"]}}


@pytest.mark.parametrize("name", MODULES)
def test_options_of_an_operation_do_not_shadow_those_of_aws(name: str) -> None:
    operation = action_of(name).operation
    if operation.uses_aws:
        spec = operation.argument_spec()
        assert len(spec) > len(operation.arguments)
        assert {option: spec[option] for option in operation.arguments} == operation.arguments
        assert not set(operation.arguments) & {"access_key", "secret_key", "session_token", "profile", "endpoint_url"}


# Roles


def options_of(role: str) -> dict[str, Any]:
    """The options of all entry points of a role."""
    specs = load(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]
    return {name: spec for entry in specs.values() for name, spec in (entry.get("options") or {}).items()}


@pytest.mark.parametrize("role", ROLES)
def test_a_roles_defaults_are_those_of_its_argument_specs(role: str) -> None:
    specified = {name: spec["default"] for name, spec in options_of(role).items() if "default" in spec}
    assert load(ROOT / "roles" / role / "defaults" / "main.yml") == specified


@pytest.mark.parametrize("role", PATCHING_ROLES)
def test_a_roles_options_are_variables_of_the_playbooks(role: str) -> None:
    for name, spec in options_of(role).items():
        variable = BY_NAME[name]
        assert spec["type"] == OPTION_TYPES[variable.kind]
        assert tuple(spec.get("choices", ())) == variable.choices
        expected = variable.default
        assert str(spec.get("default")) == str(expected) or (expected is not None and "default" not in spec), name


@pytest.mark.parametrize("role", ROLES)
def test_a_role_explains_each_of_its_options(role: str) -> None:
    text = (ROOT / "roles" / role / "README.md").read_text()
    assert [name for name in options_of(role) if name not in text] == []


def test_every_variable_that_roles_and_playbooks_use_is_known() -> None:
    files = [*(ROOT / "roles").glob("*/tasks/*.yml"), *(ROOT / "playbooks").rglob("*.yml")]
    used = {name for path in files for name in re.findall(r"\bpatch_(?!_)[a-z_]+", path.read_text())}
    modules = {name for name in used if name in MODULES or name in ROLES}
    assert used - modules - set(BY_NAME) == set()


# Scripts


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_answers_under_the_name_of_its_file(script: Path) -> None:
    text = script.read_text()
    assert re.findall(r"Invoke-PatchFleetScript -Name '(\w+)'", text) == [script.stem]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_can_be_sent_as_it_is(script: Path) -> None:
    """SSM resolves double braces, and Windows PowerShell 5.1 reads what has no byte order mark as ANSI."""
    text = script.read_text()
    assert text.isascii()
    assert "{{" not in text
    assert not re.search(r"\?\?|\?\.|&&|\|\|", text), "newer than PowerShell 5.1"


def test_every_script_that_a_role_names_is_there() -> None:
    tasks = list((ROOT / "roles").glob("*/tasks/*.yml"))
    named = {
        (other or path.parents[1].name, name)  # a role may run a script of another one
        for path in tasks
        for other, name in re.findall(r"(?:dirname \}\}/(\w+)/)?files/(\w+\.ps1)", path.read_text())
    }
    assert {(path.parents[1].name, path.name) for path in SCRIPTS} == named


# JSON


def test_no_number_that_is_none_gets_into_json() -> None:
    """Python writes NaN and Infinity, which other readers of JSON refuse (RFC 8259, section 6)."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "plugins").rglob("*.py"))}
    lines = {
        f"{path.relative_to(ROOT)}:{node.lineno}": {
            keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords
        }
        for path, text in texts.items()
        if "json.dump" in text
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"json.dumps", "json.dump"}
    }
    assert len(lines) > 10
    assert [line for line, keywords in lines.items() if keywords.get("allow_nan") != "False"] == []
