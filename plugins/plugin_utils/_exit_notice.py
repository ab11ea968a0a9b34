# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run that ends before its report says last: which hosts are on because of us, and the command that puts them back.

Workers are forked; the one that opens the run leaves a note in a file that the parent opened before, and the parent reads it
when it ends or is asked to stop. ansible-core ends its workers itself on a signal and runs no ``always``.
"""

from __future__ import annotations

import atexit
import json
import multiprocessing
import os
import signal
import sys
from types import FrameType
from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import iso
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._base.files import nameless_file
from ansible_collections.patchfleet.windows.plugins.module_utils._base.text import join_sentences
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import default_ledger, open_ledger
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Ledger
from ansible_collections.patchfleet.windows.plugins.module_utils._model.host_facts import is_serviced
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.commands import playbook_command

_note = nameless_file()
_controller = os.getpid()
"""Workers get the signal, too, up to ansible-core 2.18."""
_previous: dict[int, Any] = {}


def store_run_id(ledger: str | None, run_id: str) -> None:
    """Called by the worker that opened a run."""
    os.pwrite(_note, json.dumps([ledger or default_ledger(), run_id], allow_nan=False).encode(), 0)


def listen() -> None:
    """Called once in the controller's parent process."""
    if multiprocessing.parent_process() is not None or _previous:
        return
    atexit.register(_speak)
    # A background job of a script ignores SIGINT. Workers end at it all the same, and up to ansible-core 2.18 their parent
    # would wait for them for ever.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for signum in (signal.SIGTERM,):
        _previous[signum] = signal.signal(signum, _on_signal)


def _on_signal(signum: int, frame: FrameType | None) -> None:
    _speak()
    previous = _previous[signum]
    signal.signal(signum, previous if previous is not None else signal.SIG_DFL)
    if callable(previous):
        previous(signum, frame)
    else:
        os.kill(os.getpid(), signum)


def _speak() -> None:
    noted = os.pread(_note, 65536, 0)
    if not noted or os.getpid() != _controller:
        return
    where, run_id = json.loads(noted)
    os.ftruncate(_note, 0)
    try:
        sentence = exit_notice(where, run_id)
    except PatchFleetError as error:
        sentence = f"Run {run_id} was interrupted, and what is on because of it is unknown: {error.reason}"
    if sentence:
        sys.stderr.write(f"\n{sentence}\n")
        sys.stderr.flush()


def exit_notice(where: str, run_id: str) -> str | None:
    """The notice for a run that ended; None when it was closed and left nothing on."""
    ledger = open_ledger(where)
    closed = ledger.run(run_id).closed_at is not None
    # Those that an earlier run started and this one adopted, too: their lease shows it.
    records = [r for r in ledger.open_power() if r.started_by and ledger.holds_lease(run_id, r.host_key)]
    on = [f"{record.name} ({record.instance_id})" for record in records]
    how = f"Run {run_id} " + ("has ended" if closed else "was interrupted")
    command = playbook_command("restore", where, {"patch_run_id": run_id, "patch_take_over": True})
    installing = _installing(ledger, run_id)
    if on:
        lines = [f"{how}. Still on because of it: {', '.join(on)}.", *installing]
        return "\n".join([*lines, f"Put them back as they were:  {command}"])
    if closed:
        return None
    return join_sentences(
        f"{how}.",
        *(installing or ["Nothing is on because of it."]),
        "To go on, run the same command again with -e patch_take_over=true, since its hosts are leased for a while.",
    )


def _installing(ledger: Ledger, run_id: str) -> list[str]:
    """A sentence about the hosts in which Windows may still be installing: it continues without the controller."""
    hosts = [host for host in ledger.hosts(run_id) if host.outcome is None and is_serviced(host.facts)]
    named = [f"{host.name}{_since(host.facts.get('working_since'))}" for host in hosts]
    if not named:
        return []
    return [
        f"Windows may still be installing, and may reboot by itself: {', '.join(named)}. The next run waits for it."
    ]


def _since(started_at: float | None) -> str:
    return f" (since {iso(started_at)})" if started_at is not None else ""
