# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The board of the callback night: where the run stands, below the lines of the run, in a terminal only.

Workers read the ledger while their hosts wait, and store the board's lines in a nameless file that the parent opened before it
forked them. A thread of the parent draws them. The parent itself reads no ledger, so its loop over the hosts never waits for one.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import struct
import sys
import threading
from collections.abc import Sequence
from typing import Any, TextIO

from ansible_collections.patchfleet.windows.plugins.module_utils._base.files import nameless_file
from ansible_collections.patchfleet.windows.plugins.module_utils._report.status import Line, Style, board_lines
from ansible_collections.patchfleet.windows.plugins.module_utils._run.progress import Progress
from ansible_collections.patchfleet.windows.plugins.plugin_utils._live_display import LiveDisplay, open_display

PAUSE_SECONDS = 0.5
MOST_BYTES = 1 << 20
SIZE = struct.Struct("II")


size_note = nameless_file()
"""Columns and rows of the terminal; empty while there is no board."""
lines_note = nameless_file()
"""The lines that a worker stored last."""


def is_open() -> bool:
    """Whether this controller shows a board; known to its workers, too."""
    return bool(os.pread(size_note, SIZE.size, 0))


def store(progress: Progress) -> None:
    """Called by a worker: the board from now on."""
    columns, rows = SIZE.unpack(os.pread(size_note, SIZE.size, 0))
    lines = [[line.text, line.style.value] for line in board_lines(progress, columns, rows)]
    _write(lines_note, json.dumps(lines, allow_nan=False).encode())


def _write(descriptor: int, data: bytes) -> None:
    fcntl.lockf(descriptor, fcntl.LOCK_EX)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, data, 0)
    finally:
        fcntl.lockf(descriptor, fcntl.LOCK_UN)


def _stored_lines() -> list[Line]:
    fcntl.lockf(lines_note, fcntl.LOCK_EX)
    try:
        text = os.pread(lines_note, MOST_BYTES, 0)
    finally:
        fcntl.lockf(lines_note, fcntl.LOCK_UN)
    return [Line(text, Style(style)) for text, style in json.loads(text)] if text else []


class Board:
    """Draws the stored lines, and lets everything that Ansible prints pass above them."""

    def __init__(self, display: LiveDisplay) -> None:
        self._display = display
        self._lines: Sequence[Line] = ()
        self._ended = threading.Event()
        self._lock = threading.RLock()
        self._owner = os.getpid()
        self._streams = (sys.stdout, sys.stderr)
        self._at_line_start = True
        self._thread = threading.Thread(target=self._watch, name="patchfleet-board", daemon=True)
        # A worker is never forked in the middle of a drawing.
        os.register_at_fork(
            before=self._lock.acquire, after_in_parent=self._lock.release, after_in_child=self._lock.release
        )

    def open(self) -> None:
        """Take over the streams that lead to the terminal, and begin to draw."""
        _write(size_note, SIZE.pack(*self._display.size()))
        sys.stdout, sys.stderr = (_Above(self, stream) if stream.isatty() else stream for stream in self._streams)
        self._thread.start()
        atexit.register(self.close)

    def clear(self) -> None:
        """Show nothing until a worker stores lines again."""
        _write(lines_note, b"")
        self.draw()

    def close(self) -> None:
        """Take the board away, and give the streams back."""
        if self._ended.is_set() or os.getpid() != self._owner:
            return
        self._ended.set()
        self._thread.join()
        self.clear()
        sys.stdout, sys.stderr = self._streams
        os.ftruncate(size_note, 0)

    def write(self, text: str) -> int:
        """Print above the board."""
        with self._lock:
            self._display.erase()
            self._display.write(text)
            self._at_line_start = text.endswith("\n") if text else self._at_line_start
            self._draw_below()
        return len(text)

    @property
    def is_ours(self) -> bool:
        """Whether this is the process that draws; a worker that writes to the stream does not."""
        return os.getpid() == self._owner

    def _watch(self) -> None:
        while not self._ended.wait(PAUSE_SECONDS):
            self.draw()

    def draw(self) -> None:
        """Draw what a worker stored, if it differs from what is drawn."""
        lines, size = _stored_lines(), SIZE.pack(*self._display.size())
        with self._lock:
            if size != os.pread(size_note, SIZE.size, 0):
                _write(size_note, size)
            if lines != self._lines:
                self._lines = lines
                self._display.erase()
                self._draw_below()

    def _draw_below(self) -> None:
        if self._lines and self._at_line_start:  # a question waits for its answer in the same line
            self._display.draw(self._lines)


class _Above:
    """A stream of the controller; what it cannot do itself the stream that it replaces does."""

    def __init__(self, board: Board, stream: TextIO) -> None:
        self._board = board
        self._stream = stream

    def write(self, text: str) -> int:
        return self._board.write(text) if self._board.is_ours else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def open_board() -> Board | None:
    """A board in the terminal of the controller; None where there is none, or nothing that can be drawn again."""
    display = open_display()
    if display is None:
        return None
    board = Board(display)
    board.open()
    return board
