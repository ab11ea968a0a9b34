# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The items of the ledger's table, and the records that they hold.

| what | pk | sk |
|---|---|---|
| a run | RUN#run | RUN |
| a host of a run, with its phases and facts | RUN#run | HOST#host |
| the runs of an account | RUNS#account | time#run |
| a host: lease and open power record | HOST#account#region#host | HOST |
| a closed power record | HOST#account#region#host | CLOSED#time#run |
| which hosts have an open power record | OPEN#account | host#region |
| which hosts of a group of peers are at work | SLOTS#account | group |
| how long a host's ways took | WAYS#account | host |
| the version of all this | LEDGER | SCHEMA |
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Any

from .._model.host_facts import HostFacts
from .._model.outcomes import Outcome
from .._model.phases import Phase
from .._model.run_settings import RunSettings
from . import stored
from .dynamodb_table import Item, Key
from .records import Host, HostDurations, PhaseTime, PowerRecord, Run, Verdict

SCHEMA_VERSION = 1
SCHEMA_KEY: Key = ("LEDGER", "SCHEMA")
KEPT_DAYS = 400
"""The days after which runs, their hosts and closed power records expire (time to live of the table), where the run does not
say another number (patch_history_days).
"""
COUNT = "hosts_"
"""Before an outcome: the attribute of the run that counts the hosts with it."""
FAILED_KEYS = "failed"
"""The attribute of the run that names its hosts that failed or are held, a set of keys."""


def run_key(run_id: str) -> Key:
    return (f"RUN#{run_id}", "RUN")


def row_key(run_id: str, key: str) -> Key:
    """A host of a run."""
    return (f"RUN#{run_id}", f"HOST#{key}")


def host_key(home: str, key: str) -> Key:
    """A host, whatever run holds it; ``home`` is its account and region."""
    return (f"HOST#{home}#{key}", "HOST")


def open_key(home: str, key: str) -> Key:
    account, _separator, region = home.partition("#")
    return (f"OPEN#{account}", f"{key}#{region}")


def closed_key(home: str, record: Item) -> Key:
    return (host_key(home, record["host_key"])[0], f"CLOSED#{record['recorded_at']:017.3f}#{record['run_id']}")


def slots_key(account: str, name: str) -> Key:
    return (f"SLOTS#{account}", name)


def durations_key(account: str, key: str) -> Key:
    return (f"WAYS#{account}", key)


def index_key(account: str, run: Run) -> Key:
    """Sorted by time; runs that were opened in the same moment by when they were written."""
    return (f"RUNS#{account}", f"{run.opened_at:017.3f}#{time.time_ns()}#{run.run_id}")


def run_item(run: Run, account: str) -> Item:
    values = asdict(run)
    values.update(
        settings=json.dumps(run.settings, allow_nan=False),
        controller=json.dumps(run.controller, allow_nan=False),
        account=account,
    )
    return values


def expiry(settings: RunSettings, moment: float) -> int:
    """When items of a run with these settings expire that were over at this moment, seconds since 1970."""
    days = settings.get("history_days", KEPT_DAYS)
    return int(moment + days * 86400)


def run_of(item: Item) -> Run:
    return Run(
        item["run_id"],
        item["opened_at"],
        item["operation"],
        item["snapshot_id"],
        stored.json_object(item["settings"]),
        stored.json_object(item["controller"]),
        item["heartbeat_at"],
        item.get("closed_at"),
        item.get("breaker"),
    )


def counts_of(item: Item) -> dict[Outcome | None, int]:
    """How many hosts have each outcome; None counts those without."""
    counts = {name.removeprefix(COUNT): number for name, number in item.items() if name.startswith(COUNT)}
    return stored.outcome_counts((outcome or None, number) for outcome, number in counts.items())


def failed_keys(item: Item) -> list[str]:
    """The hosts of a run that failed or are held."""
    return list(item.get(FAILED_KEYS, ()))


def verdict_values(verdict: Verdict) -> dict[tuple[str, ...], Any]:
    """The attributes of a host of a run that a verdict sets, as paths."""
    return {(name,): value for name, value in stored.verdict_values(verdict).items()}


def facts_values(facts: HostFacts) -> dict[tuple[str, ...], str | None]:
    """The attributes of a host of a run that facts set, as paths; None forgets one."""
    return {
        ("facts", name): None if value is None else json.dumps(value, allow_nan=False) for name, value in facts.items()
    }


def row_item(host: Host, home: str, fence: int | None, expires_at: int) -> Item:
    values = stored.host_values(host)
    facts = {name: json.dumps(value, allow_nan=False) for name, value in host.facts.items()}
    return {**values, "facts": facts, "steps": {}, "home": home, "fence": fence, "expires_at": expires_at}


def host_of(item: Item) -> Host:
    values = {name: item.get(name) for name in stored.HOST_FIELDS}
    return stored.host_from(values, lambda: {name: json.loads(text) for name, text in item["facts"].items()})


def phase_name(phase: Phase, now: float) -> str:
    """The name of a phase's beginning among the phases of its host."""
    return f"{now!r}#{phase}"


def phases_of(item: Item) -> list[PhaseTime]:
    times = stored.readable_phases((item["key"], values) for values in item["steps"].values())
    return sorted(times, key=lambda time: time.started_at)


def power_of(item: Item | None) -> PowerRecord | None:
    """The open record of a host."""
    power = (item or {}).get("power")
    fields = PowerRecord.__dataclass_fields__
    return PowerRecord(**{name: power.get(name) for name in fields}) if power else None


def runs_of_record(item: Item) -> set[str]:
    """The runs that opened, used or took over the open record of a host; none where no record is open."""
    power = item.get("power") or {}
    runs = (power.get("run_id"), power.get("started_by"), item.get("run_id")) if power else ()
    return {run_id for run_id in runs if run_id}


def durations_of(item: Item | None) -> list[HostDurations]:
    try:
        return stored.readable_durations(json.loads(item["ways"])) if item else []
    except (ValueError, KeyError):
        return []
