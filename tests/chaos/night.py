# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The world of one night: the lab's account and hosts on a virtual clock, and a ledger that outlives controllers."""

from __future__ import annotations

import functools
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
import yaml
from botocore.config import Config

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.sqlite import SqliteLedger
from lab.aws.http import HttpServer
from lab.aws.moto_logs import MotoLogs
from lab.aws.moto_tables import MotoTables
from lab.clock import VirtualClock
from lab.play import Play
from lab.scenario import load
from lab.world import Host

REGION, ACCESS_KEY = "eu-central-1", "ASIACHAOS"


@functools.cache
def _session() -> boto3.Session:
    """One for all: it keeps the service models that it has read."""
    return boto3.Session()


class Night:
    """``keys`` are those of a scenario file, ``hosts`` among them."""

    def __init__(self, folder: Path, **keys: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "scenario.yml"
        file.write_text(yaml.safe_dump({"name": "A night", "why": "Chaos.", "expect": {}, **keys}), encoding="utf-8")
        self.scenario = load(file)
        self._file = str(folder / "ledger.sqlite")
        self.ledger = SqliteLedger(self._file)
        clock = VirtualClock(self.scenario.start)
        self.play = Play(self.scenario, clock, folder / "trace.jsonl", MotoLogs(), self._is_recorded)
        self._server = HttpServer(self.play.account, MotoTables(self.scenario))
        self.play.account.gate.admit_key(ACCESS_KEY)
        self._clients: dict[tuple[str, str], Any] = {}

    def __enter__(self) -> Self:
        self.play.begin()
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()
        self.play.trace.close()
        assert not self.play.sim.failures, self.play.sim.failures

    def _is_recorded(self, instance_id: str) -> bool:
        """Asked in a thread of the server's, as another process would look."""
        return SqliteLedger(self._file).power(instance_id) is not None

    def client(self, service: str, region: str) -> Any:
        """A boto3 client of this account."""
        if (service, region) not in self._clients:
            self._clients[service, region] = _session().client(
                service,  # type: ignore[call-overload]
                region_name=region,
                endpoint_url=self._server.url,
                aws_access_key_id=ACCESS_KEY,
                aws_secret_access_key="not checked",  # noqa: S106
                config=Config(retries={"total_max_attempts": 1}),
            )
        return self._clients[service, region]

    def now(self) -> float:
        """Seconds since 1970."""
        return self.play.sim.clock.start.timestamp() + self.play.sim.now

    def pass_time(self, seconds: float) -> None:
        self.play.sim.run_for(seconds)

    def host(self, key: str) -> Host:
        """By its instance id."""
        return self.play.world.by_id[key]

    def truth(self) -> dict[str, dict[str, Any]]:
        """By the hosts' names, as state.json has it."""
        truth: dict[str, dict[str, Any]] = self.play.truth()["hosts"]
        return truth
