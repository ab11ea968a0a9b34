# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of a run and what is left of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.process import Process, marked

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def shell(text: str, folder: Path) -> Process:
    """A started shell whose output goes to ``folder/log``."""
    return Process(["/bin/sh", "-c", text], ENVIRONMENT, log=folder / "log", cwd=folder)


def wait_until_ready(folder: Path) -> None:
    """Until the shell has written into the pipe that ``pipe`` has made."""
    (folder / "ready").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "ready")
    return tmp_path


@pytest.mark.parametrize(("text", "result"), [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143)])
def test_the_exit_code_is_as_a_shell_shows_it(text: str, result: int, tmp_path: Path) -> None:
    process = shell(text, tmp_path)
    process.wait(None)
    assert process.result() == result


def test_both_outputs_are_in_the_log_in_order(tmp_path: Path) -> None:
    process = shell("echo one; echo two >&2; echo three", tmp_path)
    process.wait(None)
    assert (tmp_path / "log").read_text(encoding="utf-8") == "one\ntwo\nthree\n"


def test_kill_reaches_descendants_in_sessions_of_their_own(folder: Path) -> None:
    process = shell("setsid sh -c 'sleep 600 & echo up > ready; wait' & wait", folder)
    wait_until_ready(folder)
    process.kill()
    process.wait(None)
    assert process.result() == "killed"
    assert marked(process.mark) == set()


def test_kill_reaches_orphans(folder: Path) -> None:
    process = shell("(sleep 600 & echo up > ready) & wait", folder)
    wait_until_ready(folder)
    process.wait(None)
    assert len(marked(process.mark)) == 1
    process.kill()
    assert process.result() == 0  # it had ended by itself
    assert marked(process.mark) == set()


def test_terminate_reaches_the_whole_group(folder: Path) -> None:
    child = "sh -c 'trap \"echo child; exit\" TERM; echo up > ready; while :; do sleep 600 & wait; done'"
    process = shell(f"trap 'wait; exit 7' TERM; {child} & wait", folder)
    wait_until_ready(folder)
    process.terminate()
    process.wait(None)
    assert process.result() == 7
    assert (folder / "log").read_text(encoding="utf-8") == "child\n"
    process.sweep()


def test_what_does_not_end_is_cut_off(tmp_path: Path) -> None:
    process = shell("sleep 600", tmp_path)
    process.wait(0)
    assert process.result() == "timeout"
    assert not process.running


def test_acts_on_what_has_ended_do_nothing(tmp_path: Path) -> None:
    process = shell("exit 0", tmp_path)
    process.wait(None)
    process.terminate()
    process.kill()
    assert process.result() == 0
