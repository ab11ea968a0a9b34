# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A terminal for tests of what is drawn in one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import termios

import pyte

COLUMNS, ROWS = 80, 24


class Terminal:
    """A terminal with what is on its screen."""

    def __init__(self) -> None:
        self._controller, self.descriptor = os.openpty()
        os.set_blocking(self._controller, False)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self.screen)

    @property
    def lines(self) -> list[str]:
        """The screen's lines until the last that holds something."""
        with contextlib.suppress(BlockingIOError):  # nothing new
            while True:
                self._stream.feed(os.read(self._controller, 4096))
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip().split("\n")

    def colors(self, row: int) -> set[str]:
        return {self.screen.buffer[row][column].fg for column in range(COLUMNS)}

    def close(self) -> None:
        os.close(self._controller)
        os.close(self.descriptor)
