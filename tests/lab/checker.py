# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge of the lab: compares what a run has left in DIR with what its scenario expects.

It knows neither the lab nor the product. ``always.py`` holds what is expected of every run, ``invariants.py`` what the
design promises, ``numbers.py`` and ``identity.py`` every report against the truth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lab.always import always_problems
from lab.identity import identity_problems
from lab.invariants import invariant_problems
from lab.matching import matches, show, wish
from lab.names import expand_names
from lab.numbers import number_problems
from lab.records import OVER_WINRM, BrokenRunError, Call, Run
from lab.scenario import Scenario

# A host's first of these is where the run comes to it.
BEGINNINGS = ("StartInstances", "SendCommand", *OVER_WINRM)


def check(scenario: Scenario, out: Path, secrets: Sequence[str] = ()) -> list[str]:
    """One line for everything in ``out`` that is not as it should be; empty when all holds."""
    try:
        return list(dict.fromkeys(_problems(Run(scenario, out), secrets)))
    except BrokenRunError as error:
        return [str(error)]


def _problems(run: Run, secrets: Sequence[str]) -> list[str]:
    return [
        *_step_problems(run),
        *_outcome_problems(run),
        *_state_problems(run),
        *_call_problems(run),
        *_order_problems(run),
        *_log_problems(run),
        *_report_problems(run),
        *always_problems(run, secrets),
        *invariant_problems(run),
        *number_problems(run),
        *identity_problems(run),
    ]


# ---- exit codes


def _step_problems(run: Run) -> Iterator[str]:
    steps = run.scenario.steps
    for number, step in enumerate(steps, 1):
        result = run.result(number)
        if result == "timeout":
            yield f"steps[{number - 1}]: expected it to end, got killed after the limit in real time"
        elif result is None:
            yield f"steps[{number - 1}]: expected it to run, got no exit code"
        elif not _rc_holds(step.rc, result):
            yield f"steps[{number - 1}].rc: expected {step.rc}, got {result}"
    wanted = run.scenario.expect.get("rc")
    last = run.result(len(steps))
    if last is not None and last != "timeout" and not _rc_holds(wanted, last):
        yield f"expect.rc: expected {wanted}, got {last}"


def _rc_holds(wanted: int | str | None, result: int | str) -> bool:
    """A step that an event killed has no exit code to check."""
    if wanted is None or result == "killed":
        return True
    return result != 0 if wanted == "nonzero" else result == wanted


# ---- hosts


def _by_host(run: Run, section: str) -> Iterator[tuple[str, Any]]:
    """``(host, wanted)`` for each host that the section of `expect` speaks of; ``*`` is all that are not named."""
    wanted = run.scenario.expect.get(section, {})
    named = {name: value for pattern, value in wanted.items() if pattern != "*" for name in expand_names(pattern)}
    for host in run.scenario.hosts:
        if host.name in named:
            yield host.name, named[host.name]
        elif "*" in wanted:
            yield host.name, wanted["*"]


def _outcome_problems(run: Run) -> Iterator[str]:
    for name, wanted in _by_host(run, "outcomes"):
        key = f"expect.outcomes.{name}"
        fields = wanted if isinstance(wanted, dict) else {"outcome": wanted}
        host = run.reported.get(name)
        if host is None:
            got = "no report.json" if run.report is None else "nothing in the report"
            yield f"{key}: expected {_outcome_wish(fields)}, got {got}"
            continue
        if not all(matches(fields[field], host.get(field)) for field in ("outcome", "step") if field in fields):
            yield f"{key}: expected {_outcome_wish(fields)}, got {outcome_words(host)}"
        for field in fields.keys() - {"outcome", "step"}:
            if not matches(fields[field], host.get(field)):
                yield f"{key}.{field}: expected {wish(fields[field])}, got {show(host.get(field))}"


def _outcome_wish(fields: dict[str, Any]) -> str:
    def words(value: Any) -> str:
        return " or ".join(show(each) for each in value) if isinstance(value, list) else show(value)

    text = words(fields["outcome"]) if "outcome" in fields else "an outcome"
    return f"{text} at {words(fields['step'])}" if "step" in fields else text


def outcome_words(host: dict[str, Any]) -> str:
    """``failed (disk: …)`` for a host of the report."""
    why = ": ".join(str(host[key]) for key in ("step", "reason") if host.get(key))
    return f"{host.get('outcome')} ({why})" if why else str(host.get("outcome"))


def _state_problems(run: Run) -> Iterator[str]:
    for name, wanted in _by_host(run, "state"):
        truth = run.truth.get(name)
        if truth is None:
            yield f"expect.state.{name}: expected a host, got nothing in state.json"
            continue
        for field, value in wanted.items():
            if not matches(value, truth.get(field)):
                yield f"expect.state.{name}.{field}: expected {wish(value)}, got {show(truth.get(field))}"
    most = run.scenario.expect.get("running_at_once")
    if most is not None and not matches(most, run.state.get("running_at_once")):
        yield f"expect.running_at_once: expected {wish(most)}, got {show(run.state.get('running_at_once'))}"


# ---- calls


def _call_problems(run: Run) -> Iterator[str]:
    ours = [call for call in run.trace if call.counts]
    for operation, patterns in run.scenario.expect.get("never", {}).items():
        for call in (call for call in ours if _is_operation(call, operation)):
            names = None if "*" in patterns else [name for pattern in patterns for name in expand_names(pattern)]
            met = call.hosts if names is None else [name for name in names if name in call.hosts]
            if names is None or met:
                yield (
                    f"expect.never.{operation}: expected no call with {_names(names)}, "
                    f"got one with {_names(met)} after {call.t:.0f} s"
                )
                break
    for operation, wanted in run.scenario.expect.get("calls", {}).items():
        count = sum(_is_operation(call, operation) for call in ours)
        if not matches(wanted, count):
            yield f"expect.calls.{operation}: expected {wish(wanted)}, got {count}"


def _is_operation(call: Call, operation: str) -> bool:
    service, _, name = operation.rpartition(".")
    return call.operation == name and service in ("", call.service)


def _names(names: Sequence[str] | None) -> str:
    return "any host" if names is None else ", ".join(names) or "no host"


def _order_problems(run: Run) -> Iterator[str]:
    """Each element's hosts begin before any host of the next: by their places in the trace."""
    begins: dict[str, int] = {}
    for call in run.trace:
        if call.counts and call.error is None and call.operation in BEGINNINGS:
            for name in call.hosts:
                begins.setdefault(name, call.index)
    last, last_name = -1, ""
    for index, element in enumerate(run.scenario.expect.get("order", [])):
        patterns = [element] if isinstance(element, str) else element
        names = [name for pattern in patterns for name in expand_names(pattern)]
        for name in (name for name in names if name not in begins):
            yield f"expect.order[{index}]: expected {name} to begin, got no start of it and no command to it"
        for name in (name for name in names if begins.get(name, last + 1) <= last):
            yield f"expect.order[{index}]: expected {name} to begin after {last_name}, got it before or together"
        latest = max((name for name in names if name in begins), key=lambda name: begins[name], default=None)
        if latest is not None and begins[latest] > last:
            last, last_name = begins[latest], latest


# ---- log and report


def _log_problems(run: Run) -> Iterator[str]:
    number = len(run.scenario.steps)
    printed = run.log(number).casefold()
    for text in run.scenario.expect.get("log", []):
        if text.casefold() not in printed:
            yield f"expect.log: expected {text!r} in step-{number}.log, got no such text"
    for text in run.scenario.expect.get("not_log", []):
        if text.casefold() in printed:
            yield f"expect.not_log: expected no {text!r} in step-{number}.log, got it"


def _report_problems(run: Run) -> Iterator[str]:
    for key, value in run.scenario.expect.get("report", {}).items():
        if run.report is None:
            yield f"expect.report.{key}: expected {wish(value)}, got no report.json"
            continue
        got = run.report.get(key)
        if key == "totals" and isinstance(got, dict):  # an outcome that no host has may be left out
            got = {**dict.fromkeys(value, 0), **got}
        if not matches(value, got):
            yield f"expect.report.{key}: expected {wish(value)}, got {show(got)}"
