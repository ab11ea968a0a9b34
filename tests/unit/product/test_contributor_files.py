# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files for contributors that GitHub, an editor or a bot reads: what they name is there. `make lint` lints the workflows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
FORMS = [path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml"]
ELEMENTS = {"markdown", "textarea", "input", "dropdown", "checkboxes"}
"""https://docs.github.com/en/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-githubs-form-schema"""


def document(name: str) -> Any:
    text = (ROOT / name).read_text(encoding="utf-8")
    return json.loads(text) if name.endswith(".json") else yaml.safe_load(text)


def targets_of(command: str) -> set[str]:
    assert command.startswith("make ")
    return set(command.split()[1:])


def test_pre_commit_and_the_dev_container_call_targets_that_there_are() -> None:
    hooks = [hook for repo in document(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    commands = [hook["entry"] for hook in hooks] + [document(".devcontainer/devcontainer.json")["postCreateCommand"]]
    assert hooks
    assert set().union(*map(targets_of, commands)) <= TARGETS


def test_each_linter_is_part_of_make_lint() -> None:
    (lint,) = re.findall(r"^lint: ([^#\n]*)", MAKEFILE, re.MULTILINE)
    assert set(lint.split()) == {target for target in TARGETS if target.startswith("lint-")}


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.name)
def test_a_form_for_issues_is_one(form: Path) -> None:
    content = yaml.safe_load(form.read_text(encoding="utf-8"))
    assert content["name"]
    assert content["description"]
    assert all(element["type"] in ELEMENTS and element["attributes"] for element in content["body"])
    names = [element["id"] for element in content["body"] if element["type"] != "markdown"]
    assert len(names) == len(set(names)) > 0


def test_renovate_knows_files_of_requirements() -> None:
    config = document("renovate.json")
    assert "config:recommended" in config["extends"]
    dependencies = set(re.findall(r"^([A-Za-z0-9_.-]+)", (ROOT / "requirements/lab.txt").read_text(), re.MULTILINE))
    named = {name for rule in config["packageRules"] for name in rule["matchPackageNames"]}
    assert named <= {*dependencies, "ansible-core", *document("galaxy.yml")["dependencies"]}


@pytest.mark.parametrize(
    "name", ["SECURITY.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", ".github/PULL_REQUEST_TEMPLATE.md"]
)
def test_links_of_pages_for_contributors_lead_somewhere(name: str) -> None:
    page = ROOT / name
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_file_has_an_owner() -> None:
    lines = (ROOT / ".github" / "CODEOWNERS").read_text(encoding="utf-8").splitlines()
    rules = [line.split() for line in lines if line and not line.startswith("#")]
    assert rules[0][0] == "*"
    assert all(owner.startswith("@") for rule in rules for owner in rule[1:])
