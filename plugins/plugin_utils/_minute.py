# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run says while its hosts wait: one line a minute, or the board of the callback night, by one of the workers that wait.

The operations of hosts wait in their own processes, and each asks here when it renews its lease. The time of the last line is in a
nameless file that the parent opened before it forked them. No callback is needed, so jobs of AWX show the line, too.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import threading

from ansible.utils.display import Display

from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import system_clock
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._base.files import nameless_file
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import open_ledger
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._report.live import write_live_page
from ansible_collections.patchfleet.windows.plugins.module_utils._report.status import minute_line
from ansible_collections.patchfleet.windows.plugins.module_utils._run.progress import read_progress
from ansible_collections.patchfleet.windows.plugins.plugin_utils import _board
from ansible_collections.patchfleet.windows.plugins.plugin_utils._progress import time_of_day

MINUTE_SECONDS = 60.0
BOARD_SECONDS = 5.0
STORED = struct.Struct("d")


note = nameless_file()
board_note = nameless_file()
_in_process = threading.Lock()
"""A lock of fcntl keeps out other processes, and no thread of this one."""


def take_turn(now: float, seconds: float = MINUTE_SECONDS, descriptor: int = note) -> bool:
    """Whether the caller is the one worker of this controller that speaks now; the first turn comes after the first pause.

    Args:
        now: seconds since 1970.
        seconds: the pause between two turns.
        descriptor: of the file that has the time of the last turn.
    """
    with _in_process:
        fcntl.lockf(descriptor, fcntl.LOCK_EX)
        try:
            stored = os.pread(descriptor, STORED.size, 0)
            is_due = bool(stored) and not 0.0 <= now - STORED.unpack(stored)[0] < seconds
            if is_due or not stored:
                os.pwrite(descriptor, STORED.pack(now), 0)
            return is_due
        finally:
            fcntl.lockf(descriptor, fcntl.LOCK_UN)


def speak(context: OperationContext) -> None:
    """Print where the run stands, or store it for the board, and write its page, if it is time.

    It opens the ledger itself, since the operation may be in the middle of a write. Nothing that goes wrong here concerns
    the host of the operation.
    """
    if not context.tracked_host:
        return
    with contextlib.suppress(PatchFleetError, OSError):
        clock, has_board = system_clock(), _board.is_open()
        draws = has_board and take_turn(clock.now(), BOARD_SECONDS, board_note)
        is_minute = take_turn(clock.now())
        if not draws and not is_minute:
            return
        ledger = open_ledger(context.params.get("ledger"), context.params, clock)
        progress = read_progress(ledger, context.tracked_host[0], clock.now())
        if not progress.is_active:  # a restore works for a run that is dead
            return
        if draws:
            _board.store(progress)
        if is_minute:
            if not has_board:
                Display().display(f"  {time_of_day()}  {minute_line(progress)}")
            write_live_page(ledger, progress.run, progress.now)
