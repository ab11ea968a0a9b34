# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other people's code that blocks: the run's lease is kept meanwhile, and the call ends when its time is over.

Neither win_updates nor a connection plugin has a limit for a whole command or reports its progress, so a timer's signal
looks after both, as it does for Ansible's own keyword timeout.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, NoReturn

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import CommandTimeout, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.lease import HEARTBEAT_SECONDS

if TYPE_CHECKING:
    from typing import Self


LEDGER_PAUSE_SECONDS = 0.05
"""After which real time the timer rings again that found the ledger in use."""


class _BreakOff(BaseException):
    """Ends the call at any point; no Exception, since win_updates catches those and cancels the installation."""


class WatchedCall:
    """``with WatchedCall(context, seconds) as call:`` around one call; leaving it raises why the call was ended, if it was.

    Args:
        context: of the operation; its clock counts the seconds.
        seconds: how long the call may take.
    """

    def __init__(self, context: OperationContext, seconds: float) -> None:
        self._context = context
        self._seconds = seconds
        self._ended: PatchFleetError | None = None
        self._heartbeat: threading.Thread | None = None
        self._uses_ledger = False

    def continue_anyway(self, *, changes_host: bool) -> None:
        """Before anything more that the call does to the host, be it to clean up.

        Raises:
            PatchFleetError: the call was ended; or LeaseLost, another run took the host over.
        """
        with self.using_ledger():
            self._renew_lease_while_waiting(self._context.lease.prove if changes_host else self._context.lease.renew)
        if self._ended is not None:
            raise self._ended

    @contextmanager
    def using_ledger(self) -> Iterator[None]:
        """The timer does not interrupt what uses the ledger: its own renewal would start a transaction within another."""
        self._uses_ledger = True
        try:
            yield
        finally:
            self._uses_ledger = False

    def end(self, error: PatchFleetError) -> NoReturn:
        """End the call with this error; no library that it uses can go on."""
        self._ended = error
        raise _BreakOff

    def extend(self, seconds: float) -> None:
        """The call may take so much longer."""
        self._ends_at += seconds

    def _renew_lease_while_waiting(self, poll: Callable[[], None]) -> None:
        if self._ended is None:
            try:
                poll()
            except PatchFleetError as error:
                self._ended = error

    def __enter__(self) -> Self:
        self._ends_at = self._context.clock.now() + self._seconds
        self._started_at = time.monotonic()
        self._their_seconds = signal.getitimer(signal.ITIMER_REAL)[0]
        self._their_handler = signal.signal(signal.SIGALRM, self._ring)
        self._on_heartbeat, self._context.on_heartbeat = self._context.on_heartbeat, self._start_on_heartbeat
        signal.setitimer(signal.ITIMER_REAL, self._pause())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._their_handler)
        self._context.on_heartbeat = self._on_heartbeat
        if self._heartbeat is not None:
            self._heartbeat.join()
        if self._their_seconds:
            left = self._their_seconds - (time.monotonic() - self._started_at)
            signal.setitimer(signal.ITIMER_REAL, max(left, 0.001))
        if self._ended is not None:
            raise self._ended from error

    def _start_on_heartbeat(self) -> None:
        """In a thread: the signal may have interrupted the printing of a line, whose lock a second line would wait for for ever."""
        if self._heartbeat is None or not self._heartbeat.is_alive():
            self._heartbeat = threading.Thread(target=self._on_heartbeat)
            self._heartbeat.start()

    def _pause(self) -> float:
        left = HEARTBEAT_SECONDS if self._ended else self._ends_at - self._context.clock.now()
        return max(self._context.clock.real_seconds(min(HEARTBEAT_SECONDS, left)), 0.001)

    def _ring(self, _number: int, frame: FrameType | None) -> None:
        """Renew the lease, and end the call when its time is over or the lease is lost.

        The timer is set again in any case: a library may swallow what is raised here, and its call would go on for ever.
        """
        running = frame.f_code if frame else None
        if running is WatchedCall.__exit__.__code__:  # the call is over
            return
        if self._uses_ledger:
            signal.setitimer(signal.ITIMER_REAL, LEDGER_PAUSE_SECONDS)
            return
        try:
            self._renew_lease_while_waiting(self._context.lease.renew)
            if self._ended is None and self._context.clock.now() >= self._ends_at:
                self._ended = CommandTimeout(f"The host had not answered after {self._seconds:.0f} s.")
        finally:
            signal.setitimer(signal.ITIMER_REAL, self._pause())
        if self._ended is not None and running is not WatchedCall.__enter__.__code__:  # __exit__ does not follow there
            raise _BreakOff
