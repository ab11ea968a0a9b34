# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command in a terminal of its own, and the screens that a person would have seen. They are kept in .cache/captures."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import struct
import subprocess
import termios
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyte

ROOT = Path(__file__).parents[2]
CAPTURES = ROOT / ".cache" / "captures"
COLUMNS, ROWS = 80, 40
LIMIT_SECONDS = 100.0


def in_terminal(
    words: Sequence[str],
    environment: Mapping[str, str],
    on_screen: Callable[[list[str]], None],
    folder: Path | None = None,
    colours: set[str] | None = None,
) -> list[str]:
    """Run a command in a terminal of its own; the last screen. ``on_screen`` gets each screen that differs from the one before,
    and ``colours`` the colours of all of them.
    """
    controller, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    shown: list[str] = []
    with subprocess.Popen(
        words, stdin=terminal, stdout=terminal, stderr=terminal, env=environment, cwd=folder, start_new_session=True
    ) as process:
        os.close(terminal)
        with contextlib.suppress(OSError):  # the command has ended
            while select.select([controller], [], [], LIMIT_SECONDS)[0]:
                stream.feed(os.read(controller, 65536))
                now = [line.rstrip() for line in screen.display]
                if colours is not None:
                    colours.update(cell.fg for row in screen.buffer.values() for cell in row.values())
                if now != shown:
                    on_screen(now)
                    shown = now
        process.kill()
    os.close(controller)
    return shown


def keep(name: str, lines: Sequence[str]) -> None:
    """Keep a screen or an output for a person."""
    CAPTURES.mkdir(parents=True, exist_ok=True)
    (CAPTURES / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
