# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The world of one night: the lab's account and hosts on a virtual clock, and a ledger that outlives controllers."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import threading
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self, cast
from unittest import mock

import yaml

from ansible_collections.patchfleet.windows.plugins.module_utils._aws import api
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.api import Aws
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.connect import Connection
from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import Clock
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import dynamodb_table
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.dynamodb import DynamoDbLedger
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.dynamodb_table import Table, parse_url
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Ledger
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.sqlite import SqliteLedger
from chaos.draw import WINDOW
from chaos.drawn import Remote, Watchdog, Window
from chaos.remote import RemoteHost
from chaos.watch import Watch
from chaos.wire import ACCESS_KEY, WIRE
from lab.aws.account import Account
from lab.aws.gate import SERVICE
from lab.aws.http import Gateway
from lab.aws.moto_logs import MotoLogs
from lab.aws.moto_tables import USUAL_TABLE, MotoTables
from lab.aws.request import OTHER, Request
from lab.aws.scheduler import Delivery
from lab.aws.setup import set_up
from lab.clock import VirtualClock
from lab.play import Play
from lab.scenario import load
from lab.world import Host

REGION = "eu-central-1"
BACKENDS = ("sqlite", "dynamodb")


class Night:
    """``keys`` are those of a scenario file, ``hosts`` among them. One is played at a time in a process.

    It is also a clock and a connection: those of the judge.
    """

    region: str | None = REGION
    expires_at: float | None = None

    def __init__(self, folder: Path, backend: str = "sqlite", remotes: Iterable[Remote] = (), **keys: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "scenario.yml"
        file.write_text(yaml.safe_dump({"name": "A night", "why": "Chaos.", "expect": {}, **keys}), encoding="utf-8")
        self.scenario = load(file)
        self.backend = backend
        self._file = str(folder / "ledger.sqlite")
        self._tables = MotoTables(self.scenario)
        self._patches = contextlib.ExitStack()
        clock = VirtualClock(self.scenario.start)
        self.play = Play(self.scenario, clock, folder / "trace.jsonl", MotoLogs(), self.is_recorded)
        self.play.account.gate.admit_key(ACCESS_KEY)
        self.ledger = self.open_ledger(self, self)
        self.watch = Watch(self)
        wrong = {remote.host: remote for remote in remotes}
        self.remotes = {
            host.name: RemoteHost(self, host, wrong.get(host.name, Remote(host.name)))
            for host in self.play.world.hosts.values()
            if host.spec.kind == "winrm"
        }
        self.window: tuple[float, float] | None = None  # when its cutoff begins and when it ends, seconds since 1970

    def __enter__(self) -> Self:
        for module in (api, dynamodb_table):  # their jitter, so that a seed decides everything
            self._patches.enter_context(mock.patch.object(module, "random", SimpleNamespace(Random=self._random)))
        WIRE.gateway = Gateway(self.play.account, self._tables)
        self._patches.enter_context(mock.patch.object(self.play.account, "call", self._call))
        self.play.begin()
        for remote in self.remotes.values():
            remote.begin()
        return self

    def _call(self, service: str, operation: str, params: dict[str, Any], region: str, caller: str) -> Any:
        """A call of the account; the watch learns what a runbook does."""
        account = self.play.account
        if caller.startswith(SERVICE):
            self.watch.service_call(
                operation, account.hosts_named(Request(account, service, operation, params, region, caller))
            )
        return Account.call(account, service, operation, params, region, caller)

    def add_window(self, window: Window) -> None:
        """It is open already."""
        start = self.scenario.start
        opens_at = start - timedelta(seconds=window.opened_seconds_before)
        wanted = {
            "Name": WINDOW,
            "Schedule": f"at({opens_at:%Y-%m-%dT%H:%M:%S})",
            "Duration": window.duration_hours,
            "Cutoff": window.cutoff_hours,
            "AllowUnassociatedTargets": True,
        }
        self.play.account.call("ssm", "CreateMaintenanceWindow", wanted, REGION, OTHER)
        self.window = window.times(start.timestamp())

    def deliver_schedules(self, watchdog: Watchdog) -> None:
        """The account's set-up is there, and EventBridge Scheduler delivers at least once, and may be late."""
        set_up(self.play.account.stacks, self.scenario, self.scenario.start)
        self.play.account.schedules.delivery = Delivery(watchdog.late_seconds, watchdog.times)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        WIRE.gateway = None
        self._patches.close()
        self.play.trace.close()
        assert not self.play.sim.failures, self.play.sim.failures

    def _random(self) -> random.Random:
        return self.play.sim.random("jitter")

    def open_ledger(self, connection: Connection, clock: Clock) -> Ledger:
        """The night's ledger once more, as another process would open it."""
        if self.backend == "sqlite":
            return cast("Ledger", _EachThread(self._file))
        where = parse_url(f"dynamodb://{USUAL_TABLE}?region={REGION}")
        return DynamoDbLedger(Table(where, Aws(connection, clock, REGION), clock))

    def go_on_alone(self) -> None:
        """In a process that was forked: from now on with a copy of the ledger's file. SQLite's only."""
        own = f"{self._file}-{os.getpid()}"
        for part in ("", "-wal"):
            if Path(self._file + part).exists():
                shutil.copyfile(self._file + part, own + part)
        self._file = own
        self.ledger = self.open_ledger(self, self)

    def is_recorded(self, instance_id: str) -> bool:
        """Whether its power record is open. Asked by the lab and by the watch; never through a call that would be in the trace."""
        if self.backend == "sqlite":
            return self.ledger.power(instance_id) is not None
        return self._tables.is_recorded(instance_id)

    def renew(self) -> bool:
        return False

    def client(self, service: str, region: str) -> Any:
        """A boto3 client of this account."""
        return WIRE.client(service, region)

    def now(self) -> float:
        """Seconds since 1970."""
        return self.play.sim.clock.start.timestamp() + self.play.sim.now

    def sleep(self, seconds: float) -> None:
        """Lets time pass, and happen what happens meanwhile."""
        self.play.sim.run_for(seconds)

    def real_seconds(self, seconds: float) -> float:
        return seconds

    def host(self, key: str) -> Host:
        """By its key in the ledger."""
        world = self.play.world
        return world.by_id.get(key) or world.hosts[key]

    def is_on_because_of_us(self, host: Host) -> bool:
        """Whether a run started it, by EC2 or by tasks of the user's, and it is on since."""
        remote = self.remotes.get(host.name)
        return remote.is_on_because_of_us if remote else host.on_because_of_us

    def truth(self) -> dict[str, dict[str, Any]]:
        """By the hosts' names, as state.json has it."""
        truth: dict[str, dict[str, Any]] = self.play.truth()["hosts"]
        return truth


class _EachThread:
    """The ledger in a file; a connection of SQLite's is of one thread, and rivals work in several."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._of_thread = threading.local()

    def __getattr__(self, name: str) -> Any:
        if not hasattr(self._of_thread, "ledger"):
            self._of_thread.ledger = SqliteLedger(self._file)
        return getattr(self._of_thread.ledger, name)
