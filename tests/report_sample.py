# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports as a run would leave them, of any size and the same each time, for the tests of what renders them."""

from __future__ import annotations

import datetime
import random
from collections import Counter
from typing import Any

START = datetime.datetime(2026, 11, 14, 22, 0, tzinfo=datetime.UTC)
HOSTILE_NAMES = (
    "<script>alert(1)</script>",
    "a\"b'c $(id) `id` {{ 6 * 7 }}",
    "東京-開発 01",
    "</script><!-- | pipe \u2028\x1b[31m\u202e",
)
LOCATIONS = (
    ("123456789012", "eu-central-1"),
    ("210987654321", "eu-central-1"),
    ("210987654321", "us-east-1"),
    ("310987654321", "us-east-1"),
)
_TYPES = ("t3.large", "m5.large", "m5.xlarge", "c5.large")
_SECONDS = {"admit": 2, "start": 75, "ready": 55, "disk": 20, "repair": 12, "patch": 700, "verify": 65, "restore": 60}

_TROUBLED = (4, 5, 6, 7, 8)
# What can go wrong, with the last step that the host reached.
_TROUBLES: tuple[dict[str, Any], ...] = (
    {
        "outcome": "failed",
        "step": "disk",
        "reason_code": "volume_at_limit",
        "reason": "C: has 11.2 GiB free, 20 GiB are wanted, and the volume is at its limit of 200 GiB.",
        "free_gib_before": 9.4,
        "free_gib_after": 11.2,
        "installed": [],
        "missing": ["KB5031361"],
        "reboots": 0,
    },
    {
        "outcome": "held",
        "step": "restore",
        "reason_code": "restarted_by_others",
        "reason": "Another user has stopped and started the instance since this run started it; it was left running.",
        "final_state": "running",
        "installed": ["KB5031361"],
        "missing": [],
    },
    {
        "outcome": "failed",
        "step": "patch",
        "reason_code": "updates_failed",
        "reason": "1 of 2 updates could not be installed: KB5031364 failed with 0x80070643 in each of 3 passes.",
        "installed": ["KB5031361"],
        "missing": ["KB5031364"],
        "failed_updates": [{"kb": "KB5031364", "hresult": "0x80070643"}],
        "reboots": 2,
    },
    {
        "outcome": "deferred",
        "step": "admit",
        "reason_code": "no_time",
        "reason": "It would be done at 02:10 UTC, after the deadline of 02:00 UTC.",
    },
    {
        "outcome": "excluded",
        "step": "plan",
        "reason_code": "auto_scaling",
        "reason": "The instance belongs to the Auto Scaling group web-asg: a reboot may have it replaced.",
    },
)


def host(number: int = 1, **fields: Any) -> dict[str, Any]:
    """One host of a report, of which nothing is known but its name and what is given."""
    unknown = dict.fromkeys(
        [
            "step",
            "reason",
            "reason_code",
            "original_state",
            "final_state",
            "started_by_run",
            "installed",
            "missing",
            "failed_updates",
            "reboots",
            "free_gib_before",
            "free_gib_after",
            "grown_gib",
            "repaired",
            "verified_at",
            "on_seconds",
            "on_usd",
            "idle_seconds",
            "type",
            "account",
            "region",
            "az",
            "wave",
        ]
    )
    known = {"host": f"dev-{number:02}", "instance_id": f"i-0{number:016x}", "kind": "ec2", "outcome": "patched"}
    return {**unknown, **known, "seconds": {}, "timeline": [], **fields}


def report(hosts: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    """A report of these hosts."""
    finished = max((step["finished_at"] for h in hosts for step in h["timeline"]), default=iso(START))
    return {
        "schema": 1,
        "run_id": "20261114T220000Z-7f3a",
        "operation": "install",
        "started_at": iso(START),
        "finished_at": finished,
        "targets": {"tag": "PatchGroup=Windows", "hosts": None, "regions": ["eu-central-1"], "count": len(hosts)},
        "totals": dict(Counter(h["outcome"] for h in hosts)),
        "hosts": hosts,
        **fields,
    }


def fleet(size: int, batch: int = 5) -> dict[str, Any]:
    """A report of ``size`` hosts in waves of ``batch``, with every outcome and with hostile names among them."""
    chance = random.Random(size)
    hosts = []
    begin = START + datetime.timedelta(seconds=40)
    for first in range(1, size + 1, batch):
        wave = [_random_host(n, 1 + first // batch, begin, chance) for n in range(first, min(first + batch, size + 1))]
        ends = [step["finished_at"] for h in wave for step in h["timeline"]]
        begin = datetime.datetime.fromisoformat(max(ends)) if ends else begin
        hosts += wave
    for h, name in zip(hosts[2::3], HOSTILE_NAMES, strict=False):
        h["host"] = name
    return report(hosts)


def at_work(size: int) -> dict[str, Any]:
    """The report of a run at work: a third of its hosts have ended, some are in the middle of their last phase, the others wait."""
    made = fleet(size)
    for number, one in enumerate(made["hosts"]):
        if number < size // 3:
            continue
        one.update(
            dict.fromkeys(("outcome", "reason", "reason_code", "verified_at", "on_seconds", "idle_seconds", "step"))
        )
        if number < size // 2 and one["timeline"]:
            one["timeline"][-1]["finished_at"], one["step"] = None, one["timeline"][-1]["step"]
        else:
            one.update(timeline=[], seconds={}, installed=None, missing=None, failed_updates=None)
    totals = Counter(one["outcome"] for one in made["hosts"] if one["outcome"])
    return {**made, "totals": dict(totals), "finished_at": None, "as_of": iso(START + datetime.timedelta(hours=1))}


def estate(size: int) -> dict[str, Any]:
    """The same hosts in three accounts and two regions, of which one host has none."""
    made = fleet(size)
    for number, one in enumerate(made["hosts"]):
        one["account"], one["region"] = LOCATIONS[number % len(LOCATIONS)]
    made["hosts"][-1].update(account=None, region=None, kind="winrm", instance_id=None)
    return made


def iso(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _random_host(number: int, wave: int, begin: datetime.datetime, chance: random.Random) -> dict[str, Any]:
    trouble = _TROUBLES[number % len(_TROUBLES)] if number in _TROUBLED or number % 23 == 0 else {}
    stopped, idle = chance.random() < 0.6 or trouble.get("outcome") == "held", number % 6 == 0
    state = "stopped" if stopped else "running"
    made = host(
        number,
        outcome="compliant" if idle else "patched",
        type=chance.choice(_TYPES),
        region="eu-central-1",
        az="eu-central-1" + chance.choice("abc"),
        wave=wave,
        original_state=state,
        final_state=state,
        started_by_run=stopped,
        installed=[] if idle else ["KB5031361", "KB5031364", "KB5032190"][: chance.choice((1, 1, 2, 3))],
        missing=[],
        failed_updates=[],
        reboots=0 if idle else 1,
        free_gib_before=round(chance.uniform(8, 60), 1),
        repaired=[],
        grown_gib=0,
    )
    grown = 20 if made["free_gib_before"] < 20 else 0
    made.update(free_gib_after=round(made["free_gib_before"] + grown - 0.7, 1), grown_gib=grown)
    if trouble.get("outcome") in ("deferred", "excluded"):
        return host(number, **{**_identity(made), **trouble, "final_state": state})
    made.update(trouble)
    _walk(made, begin, stopped, chance)
    return made


def _identity(made: dict[str, Any]) -> dict[str, Any]:
    return {key: made[key] for key in ("type", "region", "az", "original_state")}


def _walk(made: dict[str, Any], begin: datetime.datetime, stopped: bool, chance: random.Random) -> None:
    """Give the host its timeline, up to the step that failed and then the restore, and what follows from it."""
    at = begin
    for step, usual in _SECONDS.items():
        if step in ("start", "restore") and not stopped:
            continue
        failed_before = made["outcome"] == "failed" and any(not entry["ok"] for entry in made["timeline"])
        if failed_before and step != "restore":
            continue
        seconds = round(usual * chance.uniform(0.7, 1.7) * (0.1 if step == "patch" and not made["installed"] else 1))
        end = at + datetime.timedelta(seconds=seconds)
        made["timeline"].append(
            {"step": step, "started_at": iso(at), "finished_at": iso(end), "ok": step != made["step"]}
        )
        made["seconds"][step] = seconds
        at = end
    if made["outcome"] != "failed":
        made["verified_at"] = next(e["finished_at"] for e in made["timeline"] if e["step"] == "verify")
    if stopped:
        made["on_seconds"] = sum(made["seconds"].values())
        made["idle_seconds"] = made["seconds"]["ready"]
