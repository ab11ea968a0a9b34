# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small product that patches two hosts as it should, for tests to break: each act is a method to override."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from lab.checker import check
from lab.scenario import load
from virtual_lab import ACCESS_KEY, UPDATE, VirtualLab

HOSTS: list[dict[str, Any]] = [
    {"name": name, "state": state, "tags": {"PatchGroup": "Windows", "Owner": "$(id)"}, "updates": [UPDATE]}
    for name, state in (("off", "stopped"), ("on", "running"))
]
SECRET = "s3cr3t"  # noqa: S105 - of no user

Act = Callable[["Product", str], None]


class Product:
    """What it does to each of the hosts in a lab, and what it leaves; without waiting or errors of its own.

    The ``act`` on the host of that ``name`` is done by ``instead``.
    """

    def __init__(self, lab: VirtualLab, act: str, name: str, instead: Act) -> None:
        self.lab = lab
        self._broken = (act, name)
        self._instead = instead
        self.records: list[dict[str, Any]] = []
        self.reported: dict[str, dict[str, Any]] = {}
        self.totals: dict[str, int] = {}
        self.files: dict[str, str] = {}
        self.result = 0
        self.before = lab.play.truth()["hosts"]

    def do(self, act: str, name: str) -> None:
        """One act, as it should be or broken."""
        done: Act = self._instead if (act, name) == self._broken else getattr(Product, act)
        done(self, name)

    def run(self) -> None:
        """Patch the hosts one after the other, and report."""
        for name in ("off", "on"):
            for act in ("record", "start", "install", "verify", "set_outcome", "stop"):
                self.do(act, name)
        self.do("finish", "all")

    def record(self, name: str) -> None:
        """The power state in which it is, before anything is done."""
        state = self.lab.state(name)
        self.lab.recorded.add(self.lab.id(name))
        self.records.append({"instance_id": self.lab.id(name), "original_state": state, "closed": True})

    def start(self, name: str) -> None:
        """Where it is off."""
        if self.lab.state(name) == "stopped":
            self.lab.start(name)
        self.lab.run_for(300)

    def install(self, name: str) -> None:
        """Install, reboot and wait."""
        self.lab.patch(name, seconds=1200)

    def verify(self, name: str) -> None:
        """Look what is missing."""
        self.lab.patch(name, "Scan", seconds=300)

    def set_outcome(self, name: str) -> None:
        """What its report says of the host."""
        now = self.lab.play.world.scenario.start + timedelta(seconds=int(self.lab.now))
        self.reported[name] = {
            "host": name,
            "instance_id": self.lab.id(name),
            "outcome": "patched",
            "original_state": self.records[-1]["original_state"],
            "verified_at": now.isoformat(),
            "seconds": {"patch": 1500},
        }

    def stop(self, name: str) -> None:
        """Where it was off; checked right before."""
        if self.lab.state(name) == "running" and self.records[-1]["original_state"] == "stopped":
            self.lab.stop(name)
        self.lab.run_for(120)

    def finish(self, _all: str) -> None:
        """Nothing is left to do."""

    def report(self) -> dict[str, Any]:
        """Of all hosts."""
        hosts = [{**self.numbers(name), **host} for name, host in self.reported.items()]
        outcomes = [host["outcome"] for host in hosts]
        times = {"started_at": "2026-11-14T22:00:00Z", "finished_at": "2026-11-14T23:59:00Z"}
        totals = {one: outcomes.count(one) for one in outcomes} | self.totals
        return {"schema": 1, **times, "totals": totals, "hosts": hosts}

    def numbers(self, name: str) -> dict[str, Any]:
        """What the truth says of a host that is in the report, as a sound product knows it."""
        truth = self.lab.play.truth()["hosts"].get(name, {})
        same = ("reboots", "installed", "missing", "failed_updates", "on_seconds", "idle_seconds")
        return {
            "kind": "ec2",
            "final_state": truth.get("state"),
            "started_by_run": bool(truth.get("on_seconds")),
            "free_gib_before": 30.0,
            "free_gib_after": truth.get("free_gib"),
            "grown_gib": 0,
            **{field: truth.get(field) for field in same},
        }


def judged(lab: VirtualLab, folder: Path, act: str, name: str, instead: Act, *about: str) -> list[str]:
    """What the judge says of a product that is broken in this way: the lines that begin with one of ``about``, or all."""
    product = Product(lab, act, name, instead)
    product.run()
    out = folder / "out"
    (out / "step-1").mkdir(parents=True)
    truth, report = lab.play.truth(), json.dumps(product.report())
    note = {"playbook": "patch", "caller": ACCESS_KEY, "began": 0.0, "ended": lab.now}
    files = {
        "state.json": json.dumps({**truth, "steps": [note]}),
        "report.json": report,
        "step-1/report.json": report,
        "step-1/state-before.json": json.dumps(product.before),
        "step-1/state-after.json": json.dumps(truth["hosts"]),
        "ledger.json": json.dumps(product.records),
        "step-1.rc": str(product.result),
        "step-1.log": "",
        **product.files,
    }
    for file, text in files.items():
        (out / file).write_text(text, encoding="utf-8")
    lab.play.trace.close()
    shutil.copy(lab.trace_file, out)
    lines = check(load(lab.trace_file.parent / "scenario.yml"), out, [SECRET])
    return [line for line in lines if line.startswith(about)] if about else lines


def tried(call: Callable[..., Any], **params: Any) -> None:
    """A call that the lab may refuse."""
    with suppress(ClientError):
        call(**params)
