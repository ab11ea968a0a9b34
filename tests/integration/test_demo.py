# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a newcomer tries first: `make demo` does what it says, and its report is true; a shell in the lab has all that is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from lab.checker import check
from lab.scenario import load

DEMO = Path(__file__).parents[1] / "demo"


def test_the_demo_shows_plan_progress_and_report_and_its_report_is_true(tmp_path: Path) -> None:
    ended = subprocess.run([DEMO / "run", tmp_path], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    shown = ended.stdout
    assert shown.index("wave 1") < shown.index("starting") < shown.index("HOST ") < shown.index("demo again")
    assert any(f"{tmp_path}/report.html" in line for line in shown.splitlines()[-8:])
    assert (tmp_path / "report.html").stat().st_size > 0
    (tmp_path / "step-1.log").write_text(shown, encoding="utf-8")
    (tmp_path / "step-1.rc").write_text("2\n", encoding="utf-8")
    assert check(load(DEMO / "fleet.yml"), tmp_path) == []
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["totals"] == {"patched": 9, "compliant": 1, "failed": 1, "excluded": 1}


def test_a_shell_in_the_lab_has_all_that_is_needed(tmp_path: Path) -> None:
    typed = (
        "ansible-playbook patchfleet.windows.plan\n"
        """ansible-playbook patchfleet.windows.patch -e '{"patch_operation": "scan", "patch_filters": {"tag:Name": "web-01"}}'\n"""
    )
    shell = DEMO.parent / "lab" / "shell"
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "AWS_", "PATCHFLEET_"))
    }
    ended = subprocess.run(
        [shell, DEMO / "fleet.yml", "--out", tmp_path],
        input=typed,
        env={**environment, "SHELL": "/bin/sh", "PATCHFLEET_VENV": sys.prefix},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (tmp_path / "patchfleet" / "ledger.sqlite").exists()
    assert "11 hosts will be patched" in ended.stdout
    assert list((tmp_path / "patchfleet" / "reports").rglob("report.html"))
