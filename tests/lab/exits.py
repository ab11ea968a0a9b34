# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract's rule of exit codes, applied to every step, whether its scenario speaks of them or not."""

from __future__ import annotations

from collections.abc import Iterator

from lab.fields import PROVEN
from lab.power import ON_STATES, OURS, final_owners
from lab.records import Run, StepRun

GREEN = (*PROVEN, "excluded")
# `deferred` for lack of time is green; that credentials end too early is one, too, or not: both are right.
# After these a host may belong to another user although we started it.
CLAIMS = ("retag", "untag", "join_asg")
NO_TIME, ALSO_TIME = "no_time", "credentials_too_short"


def exit_problems(run: Run) -> Iterator[str]:
    """One line for each exit code that is not what the hosts say."""
    for step in (step for step in run.step_runs if step.ended_itself):
        if step.patches and step.report is not None:
            yield from _patch(run, step)
        elif step.step.playbook == "restore" and not step.step.check:
            yield from _restore(run, step)


def _patch(run: Run, step: StepRun) -> Iterator[str]:
    hosts = list(run.report_of(step).values())
    terminated = any(event.do == "term_controller" for event in run.scenario.events)
    if terminated or not hosts:
        return
    ends = [(str(host.get("outcome")), str(host.get("reason_code"))) for host in hosts]
    if {outcome for outcome, _code in ends} in ({"deferred"}, {"excluded"}):
        if step.result != 2:
            yield f"exit.none_begun.step-{step.number}: expected 2 of a run that began no host, got {step.result}"
        return
    right = _right_codes(run, step, ends)
    if step.result not in right:
        wanted = " or ".join(map(str, sorted(right)))
        yield f"exit.step-{step.number}: expected {wanted} by the outcomes of its hosts, got {step.result}"


def _right_codes(run: Run, step: StepRun, ends: list[tuple[str, str]]) -> set[int]:
    outcomes = {outcome for outcome, _code in ends}
    late = {code for outcome, code in ends if outcome == "deferred"}
    bad = outcomes - {*GREEN, "deferred"}
    strict = str(run.vars_of(step).get("patch_fail_on_deferred", False)).lower() in ("true", "yes", "1")
    if step.report and (step.report.get("targets") or {}).get("missing_accounts"):
        return {2}
    if bad or late - {NO_TIME, ALSO_TIME} or (late and strict):
        return {2}
    return {0, 2} if ALSO_TIME in late else {0}


def _restore(run: Run, step: StepRun) -> Iterator[str]:
    """0 when nothing is on because of us any more, 2 when something is, and where there is no run to speak of."""
    owners = final_owners(run, step.ended)
    claimed = {event.host or event.when_host for event in run.scenario.events if event.do in CLAIMS}
    on = [
        name
        for name, host in step.after.items()
        if host.get("state") in ON_STATES and owners.owner(name) == OURS and name not in claimed
    ]
    if step.result == 0 and on and not _is_held_in_background(run, step):
        yield f"exit.step-{step.number}: expected 2 while {', '.join(sorted(on))} is on because of us, got 0"
    if step.result != 0 and not on and run.ledger and not _may_fail(run, step):
        yield f"exit.step-{step.number}: expected 0 as nothing is on because of us, got {step.result}"


def _may_fail(run: Run, step: StepRun) -> bool:
    """Whether another code than 0 has a reason that the truth of the hosts does not show, or that the scenario names."""
    expired = any(event.do == "expire_credentials" for event in run.scenario.events)
    named = step.step.rc is not None or (step.number == len(run.scenario.steps) and "rc" in run.scenario.expect)
    return expired or named or "patch_ledger" in step.step.vars


def _is_held_in_background(run: Run, step: StepRun) -> bool:
    """A run in the background may hold hosts on that are its own business."""
    return any(other.step.background and other.ended > step.ended for other in run.step_runs)
