# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of the pages about restore points, single updates, clusters, the history and the runbook, typed as they stand there.

docs/brakes.md, docs/watching.md, docs/inventory.md, docs/awx.md and docs/start have tests of their own.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from living_lab import UPDATE, LivingLab

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^( *)```(?:sh|console)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(ansible-playbook [^`]+)`")
PLAYBOOK = "ansible-playbook "


def commands_of(page: str) -> list[str]:
    """Those of its blocks and sentences, each once, in their order."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8").replace("\\\n", " ")
    found = [line.strip().removeprefix("$ ") for block in BLOCK.finditer(text) for line in block[2].splitlines()]
    found += INLINE.findall(text)
    return list(dict.fromkeys(" ".join(line.split()) for line in found if line.startswith(PLAYBOOK)))


@dataclass(frozen=True)
class Page:
    """What a page needs around its commands.

    Attributes:
        hosts: of the lab.
        before: variables of runs of patch that come first.
        files: of the reader's, by name.
        keys: more of the lab.
        drilled: parts of commands that test_drills.py and test_lost_ledger.py type in the situation that they are for.
    """

    hosts: list[dict[str, Any]]
    before: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    keys: dict[str, Any] = field(default_factory=dict)
    drilled: tuple[str, ...] = ()


def an_update(kb: str) -> dict[str, Any]:
    return {**UPDATE, "kb": kb}


POINT = {"patch_restore_point": "root"}
LATE = {"start": "2026-11-14T22:30:00Z"}
"""The window of the set-up has opened."""
APP = {"name": "app-01", "state": "stopped", "updates": [an_update("KB5044281")], "groups": ["app"]}
PAGES = {
    "restore-points": Page([APP], [POINT]),
    "single-updates": Page(
        [{"name": "web-01", "updates": [an_update("KB5031364"), an_update("KB5046547")]}], keys=LATE
    ),
    "clusters": Page(
        [{"name": "web-{1..2}", "tags": {"PatchGroup": "Windows", "Role": "web"}}], files={"busy.ps1": "$false\n"}
    ),
    "window": Page([{"name": "web-01"}], keys=LATE),
    "history": Page([{"name": "web-07", "updates": [an_update("KB5044281")]}], [{}]),
    "runbook": Page([APP], [POINT], drilled=("patch_let_go", "patch_from_account")),
}


@pytest.mark.parametrize("page", PAGES)
def test_each_command_of_a_page_works_as_it_stands_there(page: str, tmp_path: Path) -> None:
    needs, commands = PAGES[page], commands_of(page)
    assert commands
    with LivingLab(tmp_path, needs.hosts, scale=200, **needs.keys) as lab:
        for name, content in needs.files.items():
            lab.file(name, content)
        for variables in needs.before:
            assert lab.playbook("patch", variables=variables).code == 0
        for command in commands:
            if any(part in command for part in needs.drilled):
                continue
            _program, playbook, *options = shlex.split(command)
            ended = lab.playbook(playbook, *options)
            assert ended.code == 0, f"{command}\n{ended.output}"


@pytest.mark.parametrize("page", PAGES)
def test_what_a_drill_types_is_on_the_page(page: str) -> None:
    commands = commands_of(page)
    assert all(any(part in command for command in commands) for part in PAGES[page].drilled)
