# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A display stands still in a terminal: each drawing takes the place of the one before."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._report.status import Line, Style
from ansible_collections.patchfleet.windows.plugins.plugin_utils import _live_display
from ansible_collections.patchfleet.windows.plugins.plugin_utils._live_display import LiveDisplay, open_display, redraw

from .screen import ROWS, Terminal


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.close()


def test_a_drawing_takes_the_place_of_the_one_before(terminal: Terminal) -> None:
    os.write(terminal.descriptor, b"TASK [Show where the run stands] ****\r\n")
    display = LiveDisplay(terminal.descriptor)
    display.draw([Line("Run 1"), Line("first host"), Line("second host"), Line("third host")])
    assert terminal.lines[1:] == ["Run 1", "first host", "second host", "third host"]
    display.draw([Line("Run 1"), Line("one host")])
    assert terminal.lines == ["TASK [Show where the run stands] ****", "Run 1", "one host"]
    display.draw([Line("Run 1"), Line("none"), Line("the end")])
    display.close()
    os.write(terminal.descriptor, b"ok: [localhost]\r\n")
    assert terminal.lines[1:] == ["Run 1", "none", "the end", "ok: [localhost]"]


def test_more_lines_than_the_terminal_has_are_cut_and_stand_still(terminal: Terminal) -> None:
    display = LiveDisplay(terminal.descriptor)
    for drawing in range(3):
        display.draw([Line(f"line {at} of drawing {drawing}") for at in range(100)])
        assert terminal.lines[0] == f"line 0 of drawing {drawing}"
        assert len(terminal.lines) == ROWS
    display.close()


@pytest.mark.parametrize(("variable", "colors"), [(None, {"red", "default"}), ("NO_COLOR", {"default"})])
def test_what_is_bad_is_red_unless_no_color_is_wanted(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, variable: str | None, colors: set[str]
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(_live_display.constants, "ANSIBLE_NOCOLOR", False)
    monkeypatch.setenv("TERM", "xterm-256color")
    if variable:
        monkeypatch.setenv(variable, "1")
    display = LiveDisplay(terminal.descriptor)
    display.draw([Line("dev-01 failed", Style.BAD)])
    assert terminal.lines == ["dev-01 failed"]
    assert terminal.colors(0) == colors
    display.close()


def test_it_is_drawn_until_there_is_nothing_more(terminal: Terminal) -> None:
    states = ["two at work", "one at work", "none"]
    drawn: list[str] = []

    def lines(_columns: int, _rows: int) -> list[Line]:
        drawn.append(states[len(drawn)])
        return [Line(drawn[-1])]

    redraw(LiveDisplay(terminal.descriptor), lines, lambda: len(drawn) < len(states))
    assert drawn == states
    assert terminal.lines == ["none"]


@pytest.mark.parametrize("change", ["no terminal", "no rich", "ansible-runner", "a dumb terminal", "none of these"])
def test_where_nothing_can_be_drawn_again_there_is_no_display(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(_live_display, "_terminal", None if change == "no terminal" else terminal.descriptor)
    monkeypatch.setattr(_live_display, "HAS_RICH", change != "no rich")
    monkeypatch.setenv("TERM", "dumb" if change == "a dumb terminal" else "xterm")
    if change == "ansible-runner":
        monkeypatch.setenv("AWX_ISOLATED_DATA_DIR", "/runner")
    assert (open_display() is None) is (change != "none of these")
