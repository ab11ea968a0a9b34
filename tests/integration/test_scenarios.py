# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every scenario in ``tests/scenarios``, played as a user plays it.

``not-yet.yml`` lists those that are not expected to hold, each with the capability that is missing. One that holds
although it is listed is an error too, so the list can only shrink.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lab.cli import main
from lab.powershell.process import WHERE_FROM, find

TESTS = Path(__file__).parents[1]
SCENARIOS = sorted((TESTS / "scenarios").glob("[0-9]*.yml"))
OF_THIS_FOLDER = sorted((Path(__file__).parent / "scenarios").glob("*.yml"))
NOT_YET: dict[str, str] = yaml.safe_load((TESTS / "scenarios" / "not-yet.yml").read_text(encoding="utf-8")) or {}

# Real seconds; the longest scenario takes about two minutes on a machine that does nothing else.
LIMIT_SECONDS = 300
TAIL_LINES = 60


# What happens inside a host is played with a real PowerShell, too.
OF_WINDOWS = ("64", "65", "72")
INSIDE_HOSTS = [path for path in SCENARIOS if "20" <= path.name[:2] <= "31" or path.name[:2] in OF_WINDOWS]


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    play(path, tmp_path / "run", "model", capsys)


@pytest.mark.parametrize("path", OF_THIS_FOLDER, ids=lambda path: path.stem)
def test_scenario_that_is_not_carried(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    play(path, tmp_path / "run", "model", capsys)


@pytest.mark.skipif(find() is None, reason=WHERE_FROM)
@pytest.mark.parametrize("path", INSIDE_HOSTS, ids=lambda path: path.stem)
def test_scenario_in_a_real_powershell(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    play(path, tmp_path / "run", "powershell", capsys)


def play(path: Path, out: Path, guests: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Run a scenario; it holds, or is listed and does not.

    By the function below ``tests/lab/run``, which test_ledger_table.py starts: to import the lab takes longer than it works.
    """
    code = main(["run", str(path), "--out", str(out), "--limit-seconds", str(LIMIT_SECONDS), "--guests", guests])
    missing = NOT_YET.get(path.name)
    if missing is None:
        assert code == 0, reported(path, code, capsys.readouterr().out, out)
    else:
        assert code != 0, f"{path.name} holds; take it out of not-yet.yml, which says: {missing}"
        assert code in (1, 2), reported(
            path, code, capsys.readouterr().out, out
        )  # does not hold, or cannot be played yet


def test_the_list_names_scenarios_and_what_they_lack() -> None:
    assert NOT_YET.keys() <= {path.name for path in SCENARIOS}
    assert all(isinstance(missing, str) and missing for missing in NOT_YET.values())


def reported(path: Path, code: int, output: str, out: Path) -> str:
    """What the judge said, where the run lies, and the end of what each step printed."""
    parts = [f"{path.name} ended with {code}; what it left is in {out}", output]
    for log in sorted([*out.glob("step-*.log"), *out.glob("report.log")]):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        parts += [f"---- the end of {log.name}", *lines[-TAIL_LINES:]]
    return "\n".join(parts)
