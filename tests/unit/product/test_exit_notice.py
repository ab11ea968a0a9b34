# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ctrl-C and SIGTERM: the last line says what is still on because of us, and the one command that puts it back."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import default_ledger
from ansible_collections.patchfleet.windows.plugins.module_utils._model.host_facts import HostFacts
from ansible_collections.patchfleet.windows.plugins.plugin_utils import _exit_notice
from ansible_collections.patchfleet.windows.plugins.plugin_utils._exit_notice import exit_notice, store_run_id

from .fakes import ID, START
from .stage import RUN, Stage, a_host

CHILD = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in a background job of a script
sys.path[:0] = sys.argv[2:]
from ansible_collections.patchfleet.windows.plugins.module_utils._model.host_facts import HostFacts
from ansible_collections.patchfleet.windows.plugins.plugin_utils import _exit_notice
_exit_notice.listen()
_exit_notice.store_run_id(sys.argv[1], "RUN_ID")
print("ready", flush=True)
signal.pause()
""".replace("RUN_ID", RUN)


@pytest.fixture(autouse=True)
def state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    yield
    os.ftruncate(_exit_notice._note, 0)  # noqa: SLF001 - what a test left there


@pytest.fixture
def where(stage: Stage, tmp_path: Path) -> str:
    """The ledger of a run that has a host on."""
    stage.open_run()
    stage.record("stopped")
    stage.ledger.note_start(ID, RUN, START)
    return str(tmp_path / "ledger.sqlite")


def test_a_run_that_was_closed_and_left_nothing_on_needs_no_words(stage: Stage, where: str) -> None:
    stage.ledger.close_power(ID, "restored", START)
    stage.ledger.close_run(RUN, START)
    assert exit_notice(where, RUN) is None


def test_what_is_on_because_of_it_is_named_with_the_command_that_puts_it_back(where: str) -> None:
    first, second = str(exit_notice(where, RUN)).splitlines()
    assert first == f"Run {RUN} was interrupted. Still on because of it: dev-01 ({ID})."
    command = second.partition(":  ")[2]
    assert shlex.split(command) == [
        "ansible-playbook",
        "patchfleet.windows.restore",
        "-e",
        f"patch_run_id={RUN}",
        "-e",
        "patch_take_over=true",
        "-e",
        f"patch_ledger={where}",
    ]


def test_the_default_ledger_is_not_named() -> None:
    default = Stage(Path(default_ledger()).parent)
    default.open_run()
    default.record("stopped")
    default.ledger.note_start(ID, RUN, START)
    assert "patch_ledger" not in str(exit_notice(default_ledger(), RUN))


def test_a_run_that_left_nothing_on_says_so(stage: Stage, where: str) -> None:
    stage.ledger.close_power(ID, "restored", START)
    sentence = str(exit_notice(where, RUN))
    assert "Nothing is on because of it" in sentence
    assert "run the same command again with -e patch_take_over=true" in sentence


@pytest.mark.parametrize(
    "facts", [{"installing_command_id": "1-2", "working_since": START}, {"servicing": True, "working_since": START}]
)
def test_a_host_that_installs_is_named_before_the_command(stage: Stage, where: str, facts: HostFacts) -> None:
    stage.ledger.update_facts(RUN, ID, facts)
    installing = "Windows may still be installing, and may reboot by itself: dev-01 (since 2026-11-14T22:00:00Z)."
    assert str(exit_notice(where, RUN)).splitlines()[1] == f"{installing} The next run waits for it."
    stage.ledger.close_power(ID, "restored", START)  # as for a host that was found on
    sentence = str(exit_notice(where, RUN))
    assert installing in sentence
    assert "Nothing is on" not in sentence
    stage.ledger.update_facts(RUN, ID, {"installing_command_id": "", "servicing": False})
    assert "Nothing is on because of it." in str(exit_notice(where, RUN))


def test_what_it_adopted_from_an_earlier_run_is_on_because_of_it_too(stage: Stage, where: str) -> None:
    stage.ledger.close_run(RUN, START)
    stage.open_run(run_id="second")
    sentence = str(exit_notice(where, "second"))
    assert f"dev-01 ({ID})" in sentence
    assert "patch_run_id=second" in sentence


def test_what_a_run_that_was_closed_left_on_is_named(stage: Stage, where: str) -> None:
    """A play of roles has no `always`: a host that failed in its workflow stays on, and the report closes the run."""
    stage.ledger.close_run(RUN, START)
    sentence = str(exit_notice(where, RUN))
    assert sentence.startswith(f"Run {RUN} has ended. Still on because of it: dev-01 ({ID}).")
    assert f"-e patch_run_id={RUN}" in sentence
    stage.open_run(run_id="second")
    assert exit_notice(where, RUN) is None


def test_what_another_run_has_on_is_not_named(stage: Stage, where: str) -> None:
    stage.open_run(a_host("i-9", "second"), run_id="second")
    assert "Nothing is on because of it" in str(exit_notice(where, "second"))


def test_a_ledger_in_an_odd_folder_is_named_so_that_a_shell_and_ansible_read_it(stage: Stage, tmp_path: Path) -> None:
    odd = Stage(tmp_path / "my ledger's")
    odd.open_run()
    odd.record("stopped")
    odd.ledger.note_start(ID, RUN, START)
    where = str(tmp_path / "my ledger's" / "ledger.sqlite")
    command = shlex.split(str(exit_notice(where, RUN)).partition(":  ")[2])
    assert command[-1] == f'{{"patch_ledger": "{where}"}}'


def test_it_is_said_once(where: str, capsys: pytest.CaptureFixture[str]) -> None:
    store_run_id(where, RUN)
    _exit_notice._speak()  # noqa: SLF001 - what the end of the process calls
    assert f"Still on because of it: dev-01 ({ID})" in capsys.readouterr().err
    _exit_notice._speak()  # noqa: SLF001
    assert capsys.readouterr().err == ""


def test_only_the_controller_says_it(
    where: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    store_run_id(where, RUN)
    monkeypatch.setattr(_exit_notice, "_controller", -1)
    _exit_notice._speak()  # noqa: SLF001
    assert capfd.readouterr().err == ""


def test_a_run_that_opened_nothing_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    _exit_notice._speak()  # noqa: SLF001
    assert capsys.readouterr().err == ""


def test_a_ledger_that_cannot_be_read_any_more_is_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    store_run_id(str(tmp_path / "file" / "ledger.sqlite"), RUN)
    _exit_notice._speak()  # noqa: SLF001
    errors = capsys.readouterr().err
    assert f"Run {RUN} was interrupted" in errors
    assert "patch_ledger" in errors


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_controller_that_is_asked_to_stop_says_it_and_ends_by_that_signal(where: str, signum: signal.Signals) -> None:
    command = [sys.executable, "-c", CHILD, where, *sys.path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signum)
        try:
            _out, errors = child.communicate(timeout=30)
        finally:
            child.kill()
    assert errors.count("Still on because of it") == 1
    assert child.returncode == -signum
