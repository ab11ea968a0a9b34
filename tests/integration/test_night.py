# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback night: a run in a real terminal and in a file, and errors of Ansible, which are never lost."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from living_lab import TWO_MINUTES_WITH_A_REBOOT, LivingLab
from terminal import COLUMNS, LIMIT_SECONDS, ROOT, keep

from ansible_collections.patchfleet.windows.plugins.module_utils._report.table import columns_of
from lab.runner import ansible_playbook

PAGE = (ROOT / "docs" / "watching.md").read_text(encoding="utf-8")
((CALLBACK, COMMAND),) = re.findall(r"^ANSIBLE_STDOUT_CALLBACK=(\S+) ansible-playbook (.*)$", PAGE, re.MULTILINE)
NIGHT = {"ANSIBLE_STDOUT_CALLBACK": CALLBACK}
FLEET: list[dict[str, Any]] = [
    {"name": "off", "state": "stopped"},
    {"name": "on"},
    {"name": "broken", "windows_update": "no_route"},
]
BAR = re.compile(r"^[█░]+ \d of 3 done, \d+ %$")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingLab]:
    keys: dict[str, Any] = {"defaults": {"updates": [TWO_MINUTES_WITH_A_REBOOT]}}
    with LivingLab(tmp_path_factory.mktemp("night"), FLEET, **keys) as lab:
        yield lab


def test_in_a_terminal_a_board_stands_still_below_the_lines_of_the_run(lab: LivingLab, tmp_path: Path) -> None:
    command = [ansible_playbook(), *COMMAND.split(), "-e", f"patch_report_dir={tmp_path}/report"]
    command += ["-e", f"patch_ledger={tmp_path}/ledger.sqlite"]
    boards: list[list[str]] = []
    everything: set[str] = set()

    def on_screen(lines: list[str]) -> None:
        everything.update(lines)
        assert sum(line.startswith("Run 2") for line in lines) <= 1, lines
        if any(map(BAR.match, lines)):
            boards.append(lines)

    last = lab.in_terminal(command, on_screen, NIGHT)
    keep("night-ended", last)
    assert boards, last
    fullest = max(boards, key=lambda lines: sum(bool(line) for line in lines))
    keep("night-at-work", fullest)
    assert any(line.startswith("At work: ") for line in fullest)
    first = next(at for at, line in enumerate(fullest) if line.startswith("Run 2"))
    assert any(re.match(r"  \d\d:\d\d:\d\d  on +patch", line) for line in fullest[:first]), (
        "progress is above the board"
    )
    assert not any(line.startswith(("TASK [", "PLAY [", "ok: [", "changed: [", "skipping: [")) for line in everything)
    assert any(re.match(r"  \d\d:\d\d:\d\d  broken .*failed: ", line) for line in everything)
    assert not any(map(BAR.match, last)), "the board is gone at the end"
    assert any(line.startswith("PLAY RECAP") for line in last)
    assert any(re.match(r"\S+ +: ok=\d+ .*failed=1 ", line) for line in last)


def test_in_a_file_a_run_prints_lines_only(lab: LivingLab) -> None:
    variables = {"patch_operation": "scan"}
    quiet = lab.playbook("patch", variables=variables, environment=NIGHT)
    keep("night-in-a-file", quiet.output.splitlines())
    assert "\x1b" not in quiet.output
    assert not re.search(r"^(TASK|PLAY) \[|^(ok|changed|skipping|included): ", quiet.output, re.MULTILINE)
    assert re.search(r"^  \d\d:\d\d:\d\d  \d of 3 done, ", quiet.output, re.MULTILINE), "a line a minute"
    assert re.search(r"^  \d\d:\d\d:\d\d  on +verify ", quiet.output, re.MULTILINE)
    assert re.findall(r"^\S+ +: ok=\d+ .*failed=(\d)", quiet.output, re.MULTILINE) == ["1"]
    assert "\n3 of 4 hosts without a failure." in quiet.output, "localhost is one of them"
    (verdict,) = re.findall(r"^  .* failed: The host does not .*…$", quiet.output, re.MULTILINE)
    assert columns_of(verdict) <= COLUMNS, "the table has the whole text"


# Errors of Ansible itself

PLAY: dict[str, Any] = {"hosts": "localhost", "connection": "local", "gather_facts": False, "ignore_errors": True}
ERRORS = {
    "module": {"ansible.builtin.command": {"cmd": "sh -c 'echo out; echo err >&2; exit 7'"}},
    "no module": {"ansible.builtin.stat": {"path": "/", "no_such_option": 1}},
    "template": {"ansible.builtin.debug": {"msg": "{{ no_such_variable }}"}},
    "loop": {"ansible.builtin.command": {"cmd": "{{ item }}"}, "loop": ["true", "false"]},
    "unreachable": {
        "ansible.builtin.ping": {},
        "delegate_to": "nobody@127.0.0.1",
        "vars": {"ansible_connection": "ssh", "ansible_port": 1},
        "ignore_unreachable": True,
    },
}


def output_of(tmp_path: Path, text: str, *options: str, **environment: str) -> str:
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(text, encoding="utf-8")
    ended = subprocess.run(
        [ansible_playbook(), str(playbook), *options],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
    )
    return ended.stdout + ended.stderr


def test_what_ansible_says_of_an_error_is_printed_as_ever(tmp_path: Path) -> None:
    text = yaml.safe_dump([{**PLAY, "tasks": [{"name": name, **task} for name, task in ERRORS.items()]}])
    quiet, usual = output_of(tmp_path, text, **NIGHT), output_of(tmp_path, text)

    def errors(output: str) -> list[str]:
        """Without what differs from run to run: times of commands."""
        found = [line for line in output.splitlines() if re.match(r"fatal: |failed: |\[ERROR\]|\[WARNING\]", line)]
        return [re.sub(r"\d+:\d+:\d+\.\d+|\d{4}-\d\d-\d\d|0x[0-9a-f]+", "", line) for line in found]

    assert len([line for line in errors(usual) if line.startswith(("fatal: ", "failed: "))]) >= len(ERRORS)
    assert errors(quiet) == errors(usual)
    assert all(f"TASK [{name}]" in quiet for name in ERRORS), "an error has the heading of its task"


def test_a_playbook_that_is_no_yaml_is_refused_as_ever(tmp_path: Path) -> None:
    text = "- hosts: localhost\n  tasks: [\n"
    assert output_of(tmp_path, text, **NIGHT) == output_of(tmp_path, text)


def test_sentences_of_a_playbook_results_of_debug_and_warnings_are_printed(tmp_path: Path) -> None:
    tasks = [
        {"ansible.builtin.debug": {"msg": "what the user wants to see"}},
        {"name": "Refuse", "ansible.builtin.fail": {"msg": "Two things\nare wrong."}},
        {"ansible.builtin.command": {"cmd": "true"}},
    ]
    output = output_of(tmp_path, yaml.safe_dump([{**PLAY, "tasks": tasks}]), **NIGHT)
    assert '"msg": "what the user wants to see"' in output
    assert re.search(r"^  \d\d:\d\d:\d\d  localhost +failed: Two things are wrong. \(ignored\)$", output, re.MULTILINE)
    assert "changed: [localhost]" not in output
    assert "\n1 of 1 hosts without a failure." in output


def test_verbose_it_prints_everything(tmp_path: Path) -> None:
    output = output_of(tmp_path, yaml.safe_dump([{**PLAY, "tasks": [{"ansible.builtin.ping": {}}]}]), "-v", **NIGHT)
    assert "PLAY [localhost]" in output
    assert "ok: [localhost] => " in output
