# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records as both backends store them: plain values under names that never change, whatever Python calls them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

from .._model.host_facts import HostFacts
from .._model.outcomes import Outcome
from .._model.phases import Phase
from .._model.reasons import reason_of
from .._model.run_settings import Brake, RunSettings
from .records import Host, HostDurations, PhaseTime, PowerRecord, Verdict

VERDICT_FIELDS = ("outcome", "step", "reason_code", "reason")
HOST_FIELDS = ("run_id", "key", "name", "position", "kind", "instance_id", "region", "wave", *VERDICT_FIELDS)
"""Of a host of a run, without its facts."""
OUTCOMES = frozenset(str(outcome) for outcome in Outcome)
MAY_BE_ON = "Its host may be on because of a run."
"""Said of an open power record that cannot be read."""


def host_values(host: Host) -> dict[str, Any]:
    """The values of HOST_FIELDS."""
    values = {name: getattr(host, name) for name in HOST_FIELDS if name not in VERDICT_FIELDS}
    return {**values, **verdict_values(Verdict(host.outcome, host.phase, host.reason_code, host.reason))}


def host_from(values: Mapping[str, Any], read_facts: Callable[[], Any]) -> Host:
    """The host with these values of HOST_FIELDS; one whose facts or outcome are damaged says so in ``unreadable``."""
    host = Host(**{name: values[name] for name in HOST_FIELDS if name not in VERDICT_FIELDS})
    damaged = []
    outcome, phase, code = values["outcome"], values["step"], values["reason_code"]
    try:
        host = replace(
            host,
            outcome=Outcome(outcome) if outcome else None,
            phase=Phase(phase) if phase else None,
            reason_code=reason_of(code) if code else None,
            reason=values["reason"],
        )
    except ValueError as error:
        damaged.append(f"its outcome ({error})")
    try:
        host = replace(host, facts=cast(HostFacts, dict(read_facts())))
    except (ValueError, TypeError, AttributeError) as error:
        damaged.append(f"its facts ({error})")
    return replace(host, unreadable=" and ".join(damaged)) if damaged else host


def json_object(text: str) -> Any:
    """The object that a text holds; an empty one where the text is damaged."""
    try:
        found = json.loads(text)
    except (ValueError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def with_wave(settings: RunSettings, wave: int, now: float) -> tuple[RunSettings, float]:
    """Settings that say when a wave began, and that time: ``now`` where they did not say so yet."""
    known = settings.get("waves_began_at", {})
    began_at = known.get(str(wave), now)
    return {**settings, "waves_began_at": {**known, str(wave): began_at}}, began_at


def has_brake(settings: RunSettings, brake: Brake) -> bool:
    """Whether the settings have a brake of this kind and account."""
    wanted = (brake["kind"], brake.get("account"))
    return any((one["kind"], one.get("account")) == wanted for one in settings.get("brakes", []))


def with_brake(settings: RunSettings, brake: Brake) -> RunSettings:
    """Settings that say what stopped the run or let it continue."""
    return {**settings, "brakes": [*settings.get("brakes", []), brake]}


def is_readable(record: PowerRecord) -> bool:
    """Whether a power record has what putting its host back needs."""
    texts = (record.host_key, record.instance_id, record.region, record.name, record.run_id)
    numbers = (record.recorded_at, record.start_requested_at or 0.0, record.launch_time or 0.0)
    return (
        all(isinstance(text, str) for text in texts)
        and all(isinstance(number, (int, float)) for number in numbers)
        and record.original_state in {"running", "stopped"}
        and (record.account is None or bool(record.account.get("role_arn")))
    )


def verdict_values(verdict: Verdict) -> dict[str, str | None]:
    """The values of VERDICT_FIELDS."""
    texts = (verdict.outcome, verdict.phase, verdict.reason_code, verdict.reason)
    return {name: None if text is None else str(text) for name, text in zip(VERDICT_FIELDS, texts, strict=True)}


def phase_time(key: str, values: Mapping[str, Any]) -> PhaseTime:
    """The phase of a host that was stored as step, started_at, finished_at and ok."""
    ok = values.get("ok")
    ended_well = None if ok is None else bool(ok)
    return PhaseTime(key, Phase(values["step"]), values["started_at"], values.get("finished_at"), ended_well)


def readable_phases(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> list[PhaseTime]:
    """The phases of these rows (key of the host, values). A damaged one says nothing and keeps no other from being read."""
    found = []
    for key, values in rows:
        with suppress(ValueError, KeyError, TypeError):
            found.append(phase_time(key, values))
    return found


def phase_values(time: PhaseTime) -> dict[str, Any]:
    """The same for an export, with the key of the host."""
    return {
        "host_key": time.host_key,
        "step": str(time.phase),
        "started_at": time.started_at,
        "finished_at": time.finished_at,
        "ok": time.ok,
    }


def durations_values(durations: HostDurations) -> dict[str, Any]:
    """The durations as JSON has them."""
    return {
        "host_key": durations.host_key,
        "run_id": durations.run_id,
        "finished_at": durations.finished_at,
        "outcome": str(durations.outcome),
        "seconds": {str(phase): seconds for phase, seconds in durations.seconds.items()},
    }


def readable_durations(rows: Iterable[Mapping[str, Any]]) -> list[HostDurations]:
    """The durations with these values, without damaged ones."""
    found = []
    for values in rows:
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            found.append(durations_from(values))
    return [durations for durations in found if durations.seconds]


def outcome_counts(rows: Iterable[tuple[str | None, int]]) -> dict[Outcome | None, int]:
    """How many hosts have each outcome; None counts those without, and those whose outcome is damaged."""
    counts = Counter[Outcome | None]()
    for text, number in rows:
        known = text is not None and text in OUTCOMES
        counts[Outcome(text) if known else None] += number
    return {outcome: number for outcome, number in counts.items() if number}


def durations_from(values: Mapping[str, Any]) -> HostDurations:
    """The durations with these values."""
    return HostDurations(
        values["host_key"],
        values["run_id"],
        values["finished_at"],
        Outcome(values["outcome"]),
        {Phase(phase): seconds for phase, seconds in values["seconds"].items()},
    )
