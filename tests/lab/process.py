# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command of a run and everything that it starts, so that nothing of it survives."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import uuid
from pathlib import Path

# The mark in the environment by which a step's processes are known: ansible-core 2.19+ gives each worker a session of
# its own, and a module whose controller was killed has lost its parent, so neither group nor parent finds them all.
MARK = "PATCHFLEET_LAB_STEP"

# Killing is repeated until nothing is left, since what is killed may just have started something.
KILL_ROUNDS = 50


class Process:
    """A started command; ``log`` takes what it prints, without one it shares the caller's terminal."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path | None, cwd: Path | None) -> None:
        self.mark = uuid.uuid4().hex
        self.started_at = time.time()
        self.killed = False
        self.timed_out = False
        # An interactive command keeps the terminal's session, or a shell in it would lose its job control.
        self._own_group = log is not None or not os.isatty(0)
        with contextlib.ExitStack() as stack:
            output = stack.enter_context(log.open("wb")) if log else None
            self._popen = subprocess.Popen(
                command,
                env={**environment, MARK: self.mark},
                cwd=cwd,
                stdin=subprocess.DEVNULL if log else None,
                stdout=output,
                stderr=subprocess.STDOUT if log else None,
                start_new_session=self._own_group,
            )

    @property
    def running(self) -> bool:
        """Whether the command itself, not what it left behind, is still there."""
        return self._popen.poll() is None

    def wait(self, limit_seconds: float | None) -> None:
        """Wait for the command; after ``limit_seconds`` of real time it is killed and ``timed_out``."""
        try:
            self._popen.wait(limit_seconds)
        except subprocess.TimeoutExpired:
            self.timed_out = True
            self.sweep()
            self._popen.wait()

    def join(self, limit_seconds: float | None = None) -> None:
        """Wait for the command, however long it takes, or for ``limit_seconds``, real ones."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(limit_seconds)

    def wait_for_all(self, limit_seconds: float) -> None:
        """Wait for all that it has started, too.

        Raises:
            TimeoutError: something is still there after ``limit_seconds`` of real time.
        """
        ends_at = time.monotonic() + limit_seconds
        while left := marked(self.mark):
            if time.monotonic() > ends_at:
                raise TimeoutError(f"still there: {sorted(left)}")
            time.sleep(0.05)  # orphans are no children of ours: only polling shows that they have ended

    def result(self) -> int | str:
        """The exit code as a shell shows it, ``killed`` (by an event) or ``timeout``."""
        if self.timed_out or self.killed:
            return "timeout" if self.timed_out else "killed"
        code = self._popen.returncode
        return 128 - code if code < 0 else code

    def kill(self) -> None:
        """SIGKILL to the command and all its descendants, as an event asks for it."""
        if self.running:
            self.killed = True
        self.sweep()

    def kill_alone(self) -> None:
        """SIGKILL to the command itself; what it has started continues as orphans."""
        self._popen.kill()

    def terminate(self, number: signal.Signals = signal.SIGTERM) -> None:
        """SIGTERM (SIGINT for Ctrl-C) to the whole process group, as from a terminal or AWX."""
        if not self.running:
            return
        with contextlib.suppress(ProcessLookupError):
            if self._own_group:
                os.killpg(self._popen.pid, number)
            else:
                self.signal_all(number)

    def sweep(self) -> None:
        """Kill the command and whatever it has left behind."""
        for _round in range(KILL_ROUNDS):
            if not self.signal_all(signal.SIGKILL):
                return
            time.sleep(0.01)

    def signal_all(self, number: signal.Signals) -> int:
        """Send it to the command and all that it has started; returns to how many."""
        family = marked(self.mark)
        if self.running:
            family.add(self._popen.pid)
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return len(family)


def marked(mark: str) -> set[int]:
    """The pids of all living processes that carry ``mark`` (zombies do not); empty where there is no /proc."""
    wanted = f"{MARK}={mark}".encode()
    found = set()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if wanted in entry.read_bytes().split(b"\0"):
                found.add(int(entry.parent.name))
    return found
