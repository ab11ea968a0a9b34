# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two channels to Windows in a host, side by side: Run Command with Patch Manager, and a connection with win_updates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .._host import connection_probe, nodes, run_command
from .._host.restart import restart_windows
from .._operation.channel import HostChannel, HostConnection, NodeState, Scan, ScriptOutput
from .._operation.context import OperationContext
from . import named_updates, patch_baseline, win_updates
from .pending_reboot import reboot_if_pending


class SsmChannel:
    """A managed node of Systems Manager."""

    def __init__(self, context: OperationContext) -> None:
        self._context = context
        self._node_id = context.params["instance_id"]

    def run_script(self, lines: list[str], timeout_seconds: int) -> ScriptOutput:
        ended = run_command.run_lines(self._context, self._node_id, lines, timeout_seconds)
        return ScriptOutput(ended.status, ended.details, ended.stdout, ended.stderr)

    def answers(self) -> bool:
        return nodes.node_answers(self._context, self._node_id)

    def wait_until_ready(self, timeout_seconds: float, *, may_boot: bool) -> NodeState:
        return nodes.wait_for_node(self._context, self._node_id, timeout_seconds, may_boot=may_boot)

    def install(self, kbs: Sequence[str] = (), *, may_reboot: bool = True) -> None:
        if not kbs:
            patch_baseline.install_pass(self._context, self._node_id, may_reboot=may_reboot)
            return
        named_updates.install_pass(self._context, self._node_id, kbs)
        if may_reboot:
            reboot_if_pending(self._context)

    def reboot(self, timeout_seconds: float) -> None:
        restart_windows(self._context, timeout_seconds)

    def search(self) -> Scan:
        return patch_baseline.scan(self._context, self._node_id, self._context.params["snapshot_id"])

    def search_kbs(self, kbs: Sequence[str]) -> Scan:
        return named_updates.search(self._context, kbs)


class _TimedConnection:
    """A connection that counts the time of what it runs in the host as work."""

    def __init__(self, context: OperationContext, connection: HostConnection) -> None:
        self._context = context
        self._connection = connection

    @contextmanager
    def _timed(self) -> Iterator[None]:
        began = self._context.clock.now()
        try:
            yield
        finally:
            self._context.add_work(self._context.clock.now() - began)

    def run_script(self, text: str, timeout_seconds: float) -> str:
        with self._timed():
            return self._connection.run_script(text, timeout_seconds)

    def win_updates(self, options: dict[str, Any], timeout_seconds: float) -> dict[str, Any]:
        with self._timed():
            return self._connection.win_updates(options, timeout_seconds)

    def reboot(self, timeout_seconds: float) -> dict[str, Any]:
        return self._connection.reboot(timeout_seconds)


class ConnectionChannel:
    """A host without a managed node, over its own Ansible connection."""

    def __init__(self, context: OperationContext, connection: HostConnection) -> None:
        self._context = context
        self._connection = _TimedConnection(context, connection)

    def run_script(self, lines: list[str], timeout_seconds: int) -> ScriptOutput:
        return ScriptOutput("Success", "Success", self._connection.run_script("\n".join(lines), timeout_seconds))

    def answers(self) -> bool:
        return connection_probe.answers(self._connection)

    def wait_until_ready(self, timeout_seconds: float, *, may_boot: bool) -> NodeState:
        connection_probe.wait_until_ready(self._context, self._connection, timeout_seconds, may_boot=may_boot)
        return {}

    def install(self, kbs: Sequence[str] = (), *, may_reboot: bool = True) -> None:
        win_updates.install(self._context, self._connection, kbs, may_reboot=may_reboot)

    def reboot(self, timeout_seconds: float) -> None:
        win_updates.reboot(self._connection, timeout_seconds)

    def search(self) -> Scan:
        return win_updates.search(self._context, self._connection)

    def search_kbs(self, kbs: Sequence[str]) -> Scan:
        return win_updates.search_kbs(self._context, self._connection, kbs)


def open_channel(context: OperationContext, connection: HostConnection | None) -> HostChannel:
    """The channel of an operation's host: its own connection where it has one, else SSM."""
    return ConnectionChannel(context, connection) if connection else SsmChannel(context)
