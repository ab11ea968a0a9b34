# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A display that stands still in a terminal and is drawn again, by the library rich where it is installed.

ansible-core detaches its workers from the terminal, so the parent keeps a descriptor of it from before the fork.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from ansible import constants

from ansible_collections.patchfleet.windows.plugins.module_utils._report.status import Line, Style

try:
    from rich.console import Console, Group
    from rich.live_render import LiveRender
    from rich.text import Text

    HAS_RICH = True
except ImportError:
    HAS_RICH = False

STYLES = {Style.TITLE: "bold", Style.BAR: "green", Style.BAD: "red", Style.NOTE: "dim"}
RUNNER = "AWX_ISOLATED_DATA_DIR"
"""ansible-runner, which AWX uses, sets this variable; it gives the playbook a terminal that no person sees."""
STANDARD_OUTPUT = 1

_terminal = os.dup(STANDARD_OUTPUT) if os.isatty(STANDARD_OUTPUT) else None


class LiveDisplay:
    """Draws lines over those that it drew before."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._file = os.fdopen(os.dup(terminal), "w", encoding="utf-8", errors="replace")
        no_color = True if constants.ANSIBLE_NOCOLOR else None  # None: as NO_COLOR says
        self._console = Console(file=self._file, force_terminal=True, no_color=no_color, highlight=False)
        self._drawn = LiveRender("", vertical_overflow="crop")

    def size(self) -> tuple[int, int]:
        """Columns and rows, as they are now."""
        columns, rows = os.get_terminal_size(self._terminal)
        return columns or 80, rows or 24

    def draw(self, lines: Sequence[Line]) -> None:
        """Draw these lines in place of those before."""
        columns, rows = self.size()
        self._console.size = (columns, rows)
        self._console.control(self._drawn.position_cursor())
        texts = [
            Text(line.text, style=STYLES.get(line.style, ""))
            if line.style == Style.COMMAND  # a command is needed whole
            else Text(line.text, style=STYLES.get(line.style, ""), no_wrap=True, overflow="crop")
            for line in lines
        ]
        self._drawn.set_renderable(Group(*texts))
        self._console.print(self._drawn, end="")
        self._file.flush()

    def erase(self) -> None:
        """Take away what is drawn, and leave the cursor where it began."""
        self._console.control(self._drawn.position_cursor())
        self._drawn = LiveRender("", vertical_overflow="crop")

    def write(self, text: str) -> None:
        """Write text that stays, such as the lines of Ansible; call ``erase`` before and ``draw`` after it."""
        self._file.write(text)
        self._file.flush()

    def close(self) -> None:
        """End the last line."""
        self._file.write("\n")
        self._file.close()


def open_display() -> LiveDisplay | None:
    """A display in the terminal of the controller; None where there is none, or nothing that can be drawn again."""
    if _terminal is None or not HAS_RICH or RUNNER in os.environ or os.environ.get("TERM", "dumb") == "dumb":
        return None
    return LiveDisplay(_terminal)


def redraw(display: LiveDisplay, lines: Callable[[int, int], Sequence[Line]], wait: Callable[[], bool]) -> None:
    """Draw until ``wait`` says that there is nothing more.

    Args:
        display: where.
        lines: the lines for a terminal with this number of columns and rows.
        wait: lets time pass; False ends the display.
    """
    try:
        while True:
            display.draw(lines(*display.size()))
            if not wait():
                return
    finally:
        display.close()
