# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that polls for a run: a worker starts it, and it ends with the controller."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.plugin_utils import _run_poller

CONTROLLER = """
import json, os, signal, sys, types
sys.path[:0] = sys.argv[1:]
from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import system_clock
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.poller import Question, Subject
from ansible_collections.patchfleet.windows.plugins.plugin_utils import _run_poller

def of(run_id, **options):
    return types.SimpleNamespace(params={"region": "eu-central-1", **options}, run_id=run_id, clock=system_clock(), budget=None)

if os.fork() == 0:
    _run_poller.start(of("run-1"), "run-1", 2)
    os._exit(0)
os.wait()
answer = _run_poller.poller_of(of("run-1")).ask(Question(Subject.HEARTBEAT, None, "", ""))
others = [_run_poller.poller_of(of("run-2")), _run_poller.poller_of(of("run-1", profile="another"))]
found = {**_run_poller._noted(), "row": answer.row, "others": others}
print(json.dumps(found), flush=True)
signal.pause()
"""


def test_a_poller_ends_when_its_controller_is_killed(tmp_path: Path) -> None:
    paths = [path for path in sys.path if path]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "hidden"}
    with (
        subprocess.Popen(
            [sys.executable, "-c", CONTROLLER, *paths], stdout=subprocess.PIPE, env=environment, text=True
        ) as controller,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connected,
    ):
        assert controller.stdout
        try:
            text = controller.stdout.readline()
            found = json.loads(text)
            path = Path(found["path"])
            assert (found["row"], found["others"]) == ({"IsDue": True}, [None, None])
            assert [stat.S_IMODE(where.stat().st_mode) for where in (path.parent, path)] == [0o700, 0o600]
            assert "hidden" not in text
            connected.settimeout(30.0)
            connected.connect(str(path))
        finally:
            os.kill(controller.pid, signal.SIGKILL)
        with contextlib.suppress(ConnectionResetError):  # it had not accepted the connection yet
            assert connected.recv(1) == b""
    assert not path.parent.exists()


def test_a_run_with_one_host_has_no_poller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    _run_poller.start(None, "run-1", 1)  # type: ignore[arg-type]  # nothing of it is used


@pytest.mark.parametrize(("module", "function"), [(os, "fork"), (tempfile, "mkdtemp"), (_run_poller, "Server")])
def test_a_run_whose_poller_cannot_start_has_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: Any, function: str
) -> None:
    """The run is open already: its hosts must get their outcomes."""

    def refuse(*_arguments: object, **_options: object) -> None:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(module, function, refuse)
    context: Any = SimpleNamespace(params={}, run_id="run-1", clock=None, budget=None)
    _run_poller.start(context, "run-1", 2)
    assert _run_poller.poller_of(context) is None
    assert list(tmp_path.iterdir()) == []
