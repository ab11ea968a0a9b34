# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process of the controller that polls AWS for all hosts of a run.

The worker that opens the run forks it, with botocore's service descriptions in memory already. It ends with the run, and when the
controller ends in any manner: only the controller's parent process holds the writing end of a pipe, so that its end of file
says that the parent is gone. Workers find the socket by a note in a file that the parent opened before it forked them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.api import Aws
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.budget import Budget, Pace
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.connect import OptionsConnection
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.options import NAMES, SECRET
from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import Clock, system_clock
from ansible_collections.patchfleet.windows.plugins.module_utils._base.files import nameless_file
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import is_table, open_ledger
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Ledger
from ansible_collections.patchfleet.windows.plugins.module_utils._model.account import Account
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.poller import (
    RETRY_BUDGET_SECONDS,
    PacedCaller,
    Poller,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.poller_socket import RemotePoller, Server

FEWEST_HOSTS = 2
STANDARD_STREAMS = 3


_note = nameless_file()
_lifeline, _controllers_end = os.pipe()
_controller = os.getpid()


def _let_go() -> None:
    """Only the controller's parent process keeps its end of the pipe; a child of a child has none to close."""
    if os.getppid() == _controller:
        os.close(_controllers_end)


os.register_at_fork(after_in_child=_let_go)


def start(context: OperationContext, run_id: str, hosts: int) -> None:
    """Start the poller of a run with this number of hosts in AWS. Without it each operation polls by itself."""
    if hosts < FEWEST_HOSTS:
        return
    with contextlib.suppress(OSError):  # no temporary folder: the run is open, and its operations poll by themselves
        folder = tempfile.mkdtemp(prefix="patchfleet-poller-")
        try:
            _start(context, run_id, folder)
        except OSError:  # a path that is too long for a socket, no further process
            shutil.rmtree(folder, ignore_errors=True)


def _start(context: OperationContext, run_id: str, folder: str) -> None:
    """Raises OSError where there is no poller then."""
    path = str(Path(folder) / "socket")
    server = Server(path)
    try:
        child = os.fork()
        if child == 0:
            pace = context.budget.pace if context.budget else Pace()
            _leave_the_worker(server, partial(_poll, server, context.params, run_id, pace), folder)
        os.waitpid(child, 0)
    finally:
        server.socket.close()
    noted = {"run_id": run_id, "path": path, "credentials": _fingerprint(context.params)}
    os.ftruncate(_note, 0)
    os.pwrite(_note, json.dumps(noted, allow_nan=False).encode(), 0)


def poller_of(context: OperationContext) -> RemotePoller | None:
    """The poller of the operation's run; None where there is none, or the operation has credentials of its own."""
    noted = _noted()
    if not context.run_id or noted.get("run_id") != context.run_id:
        return None
    if noted["credentials"] != _fingerprint(context.params):
        return None
    return RemotePoller(noted["path"], context.clock)


def end(context: OperationContext, run_id: str) -> None:
    """The run is closed."""
    noted = _noted()
    if noted.get("run_id") == run_id:
        RemotePoller(noted["path"], context.clock).end()
        os.ftruncate(_note, 0)


def _noted() -> dict[str, Any]:
    text = os.pread(_note, 65536, 0)
    noted: dict[str, Any] = json.loads(text) if text else {}
    return noted


def _fingerprint(params: Mapping[str, Any]) -> str:
    """Which credentials the options name; no secret goes into it. The region is part of each question."""
    named = {name: params.get(name) for name in NAMES if name not in SECRET and name != "region"}
    return hashlib.sha256(json.dumps(named, sort_keys=True, default=str, allow_nan=False).encode()).hexdigest()


def _leave_the_worker(server: Server, poll: Callable[[], None], folder: str) -> None:
    """In the child: become a process that belongs to no terminal and no worker, and poll until the end."""
    try:
        os.setsid()
        if os.fork() == 0:
            _drop_inherited(server)
            poll()
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os._exit(0)


def _drop_inherited(server: Server) -> None:
    """Signals and descriptors of the worker; a reader of the controller's output waits for the last one that has it open."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(STANDARD_STREAMS):
        os.dup2(nothing, stream)
    own = {_lifeline, server.fileno(), *server.end_pipe}
    for descriptor in _open_descriptors():
        if descriptor >= STANDARD_STREAMS and descriptor not in own:
            with contextlib.suppress(OSError):  # that of the listing is closed already
                os.close(descriptor)


def _open_descriptors() -> list[int]:
    """Those of this process; where the system does not list them, the first thousand."""
    try:
        return [int(name) for name in os.listdir("/dev/fd")]
    except (OSError, ValueError):
        return list(range(1024))


def _poll(server: Server, params: Mapping[str, Any], run_id: str, pace: Pace) -> None:
    clock, budget = system_clock(), Budget(pace)
    caller = PacedCaller(budget, clock)
    base = Aws(OptionsConnection(params), clock, caller=caller, retry_budget_seconds=RETRY_BUDGET_SECONDS)

    def aws_at(account: Account | None, region: str) -> Aws:
        return base.at(account, region, f"patchfleet-{run_id}")

    server.answers = Poller(aws_at, clock, budget, _table(params, clock))
    server.serve_until(_lifeline)


def _table(params: Mapping[str, Any], clock: Clock) -> Ledger | None:
    """The ledger, where it is a table. A file is faster than the poller."""
    where = params.get("ledger")
    return open_ledger(where, params, clock) if is_table(where) else None
