# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The runbook says what to do about each reason, in the section that the reason names, and about nothing else."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from ansible_collections.patchfleet.windows.plugins.module_utils._model.outcomes import Outcome
from ansible_collections.patchfleet.windows.plugins.module_utils._model.reasons import Reason, Section

ROOT = Path(__file__).parents[3]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
CODE = re.compile(r"`([a-z0-9_]+)`")
OUTCOMES_ONLY = "By outcome"


def codes_by_heading() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for part in RUNBOOK.split("\n## ")[1:]:
        heading, _, text = part.partition("\n")
        rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
        found[heading] = {code for row in rows or [text] for code in CODE.findall(row)}
    return found


CODES = codes_by_heading()
SCRIPTS = sorted([*(ROOT / "roles").glob("*/files/*.ps1"), *(ROOT / "plugins").rglob("*.ps1")])


def test_each_reason_stands_in_its_section() -> None:
    assert [reason for reason in Reason if str(reason) not in CODES[reason.section.heading]] == []


@pytest.mark.parametrize("section", Section)
def test_a_section_has_no_code_that_is_none(section: Section) -> None:
    assert CODES[section.heading] - set(map(str, Reason)) == set()


def test_the_table_of_outcomes_has_each() -> None:
    assert CODES[OUTCOMES_ONLY] == set(map(str, Outcome))


@pytest.mark.parametrize("section", Section)
def test_links_to_a_section_hold(section: Section) -> None:
    headings = re.findall(r"^## (.+)$", RUNBOOK, re.MULTILINE)
    assert section.heading in headings
    assert re.fullmatch(r"[a-z0-9-]+", section.anchor)


def test_the_scripts_end_with_known_reasons() -> None:
    texts = [path.read_text() for path in SCRIPTS]
    given = {code for text in texts for code in re.findall(r"New-PatchFleet(?:Error|Failure) '([a-z_]+)' ", text)}
    given |= {code for text in texts for code in re.findall(r'"category": "([a-z_]+)"', text)}
    assert {"no_room", "constrained_language"} <= given
    assert given - {"category"} - set(map(str, Reason)) == set()


HELD = re.compile(r"(?:NeedsAttention|ServicesLeft)\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*?Reason\.([A-Z_]+)")


def test_each_reason_that_holds_a_host_says_what_to_do_about_a_held_one() -> None:
    """It may stand in another section as well: a host can fail for it, too."""
    names = {name for path in (ROOT / "plugins").rglob("*.py") for name in HELD.findall(path.read_text())}
    assert {"REBOOT_PENDING", "SERVICES_LEFT", "STILL_STOPPING"} <= names
    assert {str(Reason[name]) for name in names} - CODES["`held`"] == set()


# Commands of the AWS CLI

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
AWS = re.compile(r"`(aws [a-z0-9-]+ [a-z0-9-]+ [^`]+)`|^ *(?:\$ )?(aws [a-z0-9-]+ [a-z0-9-]+ .+)$", re.MULTILINE)
GLOBAL_OPTIONS = {"query", "region", "output", "profile", "no-cli-pager"}
"""AWS CLI user guide, "Command line options"."""
OWN_COMMANDS = {"s3", "configure", "sso"}
"""Of the CLI itself: they are no operations of a service."""
SESSION = botocore.session.get_session()


def aws_commands() -> list[str]:
    texts = (page.read_text(encoding="utf-8").replace("\\\n", " ") for page in PAGES)
    found = (inline or line for text in texts for inline, line in AWS.findall(text))
    return sorted({" ".join(command.split()) for command in found if command.split()[1] not in OWN_COMMANDS})


def test_the_pages_have_commands_of_the_aws_cli() -> None:
    assert {command.split()[2] for command in aws_commands()} >= {
        "send-command",
        "get-command-invocation",
        "list-commands",
    }


@pytest.mark.parametrize("command", aws_commands())
def test_a_command_of_the_aws_cli_has_what_its_operation_takes(command: str) -> None:
    _aws, service, name, *words = shlex.split(command)
    model = SESSION.get_service_model(service)
    operations = {xform_name(one, "-"): one for one in model.operation_names}
    shape = model.operation_model(operations[name]).input_shape
    members = {xform_name(member, "-") for member in shape.members} if shape else set()
    required = {xform_name(member, "-") for member in shape.required_members} if shape else set()
    options = {word.removeprefix("--") for word in words if word.startswith("--")}
    assert options - GLOBAL_OPTIONS - members - {f"no-{member}" for member in members} == set()
    assert required - options == set()
