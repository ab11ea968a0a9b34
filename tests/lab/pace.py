# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many hosts are at work at a time, in which waves, until when they may begin, and how long each may take."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lab.records import OVER_WINRM, Call, Run, StepRun
from lab.touched import changes, scans, script_of

DEFAULT_BATCH_SIZE = 5
HOST_TIMEOUT_SECONDS = 14400
# Waiting ends late by a poll and one last look: real seconds, since the lab's clock runs on while Python works.
LATE_REAL_SECONDS = 10
# From the last look at the clock to the call that follows, in real seconds on a busy machine.
CALL_REAL_SECONDS = 1.5
# The ledger's table, botocore's own sessions and connections over WinRM have no part in the API budget.
UNPACED = ("dynamodb", "sts", "winrm")
# Operations before and after the run's poller have one call each that waits for nothing.
FIRST_CALLS = 10
ASKS_CLUSTER = "inspect_cluster"
BEGINNINGS = ("StartInstances", "SendCommand", *OVER_WINRM)


@dataclass(frozen=True)
class Work:
    """One host at work in a step: from its first start or command to its last command that scans or changes something.

    What puts a host back may come much later, when the run ends, and is no work.
    """

    name: str
    began: float
    ended: float
    host: dict[str, Any]

    @property
    def wave(self) -> int | None:
        wave = self.host.get("wave")
        return wave if isinstance(wave, int) else None


def pace_problems(run: Run) -> Iterator[str]:
    """One line for each host that begins too early, too late, beside too many others, or takes too long."""
    for step in (step for step in run.step_runs if step.patches):
        works = list(works_of(run, step))
        yield from _batches(run, step, works)
        yield from _not_too_late(run, step, works)
        yield from _in_time(run, step, works)
    for step in run.step_runs:
        yield from _api_budget(run, step)
    yield from _max_running(run)


def works_of(run: Run, step: StepRun) -> Iterator[Work]:
    """Every host that the step has started. One that is only checked, and then deferred or excluded, is none."""
    calls = [call for call in run.calls_of(step) if call.error is None and call.operation in BEGINNINGS]
    reported = run.report_of(step)
    for name in run.truth:
        own = _since_last_asked([call for call in calls if name in call.hosts])
        host = reported.get(name, {})
        started = any(call.operation == "StartInstances" for call in own)
        if not started and host.get("outcome", "deferred") in ("deferred", "excluded"):
            continue
        if own:
            yield Work(name, own[0].t, max([own[0].t, *(call.t for call in own if scans(call) or changes(call))]), host)


def _since_last_asked(calls: list[Call]) -> list[Call]:
    """The calls about one host: a node of a cluster that found another one at work is only asked, and comes again at the end."""
    asked = [number for number, call in enumerate(calls) if script_of(call).startswith(ASKS_CLUSTER)]
    return calls[asked[-1] :] if len(asked) > 1 else calls


def _where(run: Run, step: StepRun) -> str:
    return f" in step {step.number}" if len(run.scenario.steps) > 1 else ""


# ---- how many at a time


def _batches(run: Run, step: StepRun, works: list[Work]) -> Iterator[str]:
    size = _batch_size(run, step)
    if size is None:
        return
    for work in works:
        beside = sorted(other.name for other in works if other.began <= work.began < other.ended)
        if len(beside) > size:
            together = ", ".join(beside)
            yield f"pace.batch.{work.name}: expected at most {size} at work at a time{_where(run, step)}, got {together}"
            break
    if run.vars_of(step).get("patch_rollout", "waves") == "waves":
        yield from _waves(run, step, works, size)


def _batch_size(run: Run, step: StepRun) -> int | None:
    """`patch_batch_size`, a percentage being one of the hosts that may be touched; None for what is no such thing."""
    text = str(run.vars_of(step).get("patch_batch_size", DEFAULT_BATCH_SIZE)).strip()
    hosts = sum(host.get("outcome") != "excluded" for host in run.report_of(step).values())
    try:
        return max(1, math.floor(hosts * float(text[:-1]) / 100) if text.endswith("%") else int(text))
    except ValueError:
        return None


def _waves(run: Run, step: StepRun, works: list[Work], size: int) -> Iterator[str]:
    """A wave begins when the one before it is done; who found no room comes again at the end."""
    waves: dict[int, list[Work]] = {}
    for work in works:
        if work.wave is not None and not _came_again(run, step, work):
            waves.setdefault(work.wave, []).append(work)
    for number, wave in waves.items():
        if len(wave) > size:
            names = ", ".join(sorted(work.name for work in wave))
            yield f"pace.wave.{number}: expected at most {size} hosts{_where(run, step)}, got {names}"
    for before, after in itertools.pairwise(sorted(waves)):
        last = max(waves[before], key=lambda work: work.ended)
        for work in (work for work in waves[after] if work.began < last.ended):
            yield (
                f"pace.wave.{work.name}: expected it to begin after {last.name} of wave {before} was done"
                f"{_where(run, step)}, got it {last.ended - work.began:.0f} s earlier"
            )


def _came_again(run: Run, step: StepRun, work: Work) -> bool:
    """Whether AWS had refused an earlier start of it, or another node of its cluster was at work."""
    calls = run.calls_of(step)
    if sum(work.name in call.hosts and script_of(call).startswith(ASKS_CLUSTER) for call in calls) > 1:
        return True
    return any(
        call.operation == "StartInstances"
        and call.error is not None
        and work.name in call.hosts
        and call.t < work.began
        for call in run.calls_of(step)
    )


def _max_running(run: Run) -> Iterator[str]:
    limits = [run.vars_of(step).get("patch_max_running") for step in run.step_runs if step.patches]
    known = [limit for limit in limits if isinstance(limit, int)]
    if known and len(known) == len(limits) and run.state["running_at_once"] > max(known):
        yield f"pace.max_running: expected at most {max(known)} on at a time, got {run.state['running_at_once']}"


def _api_budget(run: Run, step: StepRun) -> Iterator[str]:
    """No call comes before the API budget has a token for it. One may come late on a busy machine, so all calls since the
    beginning of the step are counted, and not those of a second.
    """
    rate = run.vars_of(step).get("patch_api_calls_per_second")
    if isinstance(rate, bool) or not isinstance(rate, int | float):
        return
    regions = len(run.vars_of(step).get("patch_regions") or [""])
    by_account: dict[str | None, list[float]] = {}
    for call in run.calls_of(step):
        if call.service not in UNPACED:
            by_account.setdefault(call.account, []).append(call.t)
    for account, times in by_account.items():
        for number, t in enumerate(sorted(times), 1):
            most = (t - step.began) * rate * regions + FIRST_CALLS
            if number > most:
                where = f" of account {account}" if account else ""
                yield f"pace.api.{step.number}: expected at most {most:.0f} calls{where} after {t - step.began:.0f} s, got {number}"
                break


# ---- when


def _not_too_late(run: Run, step: StepRun, works: list[Work]) -> Iterator[str]:
    """5: no host begins after the deadline, nor in the window's cutoff, nor outside the window."""
    deadline = run.vars_of(step).get("patch_deadline")
    if isinstance(deadline, str) and works:  # one that is no time is refused, and nothing begins
        latest = run.seconds(deadline)
        for work in (work for work in works if work.began > latest):
            late = f"{work.began - latest:.0f} s late"
            yield f"invariants[5].{work.name}: expected no begin after {deadline}, got one {late}"
    latest = _window_latest(run, step)
    slack = CALL_REAL_SECONDS * run.scenario.scale
    for work in (work for work in works if work.began > latest + slack):
        yield f"invariants[5].{work.name}: expected no begin in the window's cutoff or outside it, got one after {work.began:.0f} s"


def _window_latest(run: Run, step: StepRun) -> float:
    """The second until which hosts may begin: infinity without a window, -infinity outside it."""
    variables = run.vars_of(step)
    named = variables.get("patch_maintenance_window")
    openings = [each for each in run.state.get("windows", ()) if named in (each["name"], each["id"])]
    if not named or not openings:
        return math.inf
    inside = [each for each in openings if each["opens"] <= step.began < each["begin_until"]]
    if inside:
        return float(inside[0]["begin_until"])
    allowed = str(variables.get("patch_outside_window_ok", False)).lower() in ("true", "yes", "1")
    return math.inf if allowed else -math.inf


def _in_time(run: Run, step: StepRun, works: list[Work]) -> Iterator[str]:
    """7: no host takes longer than it may, by the calls as well as by the report; putting it back is not part of that."""
    limit = run.vars_of(step).get("patch_host_timeout_seconds", HOST_TIMEOUT_SECONDS)
    if isinstance(limit, bool) or not isinstance(limit, int | float):
        return
    late = LATE_REAL_SECONDS * run.scenario.scale
    for work in works:
        seconds = {name: value for name, value in (work.host.get("seconds") or {}).items() if value}
        by_calls = work.ended - work.began
        by_report = sum(value for name, value in seconds.items() if name not in ("plan", "admit", "restore"))
        taken = max(by_calls, by_report)
        if taken > limit + late:
            yield f"invariants[7].{work.name}: expected at most {limit} s, got {taken:.0f} s"
