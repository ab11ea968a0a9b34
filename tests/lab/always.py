# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is held in every scenario, whatever it says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from lab.exits import exit_problems
from lab.fields import OUTCOMES
from lab.growth import growth_problems
from lab.matching import show
from lab.power import ON_STATES, OURS, final_owners
from lab.records import Call, Run, StepRun
from lab.targets import targets_of
from lab.texts import text_problems

SIZE_ONLY = {"VolumeId", "Size", "DryRun"}


def always_problems(run: Run, secrets: Sequence[str]) -> list[str]:
    """One line for everything that no run may do or leave, whatever its scenario expects."""
    return [
        *_truth_problems(run),
        *_report_problems(run),
        *(problem for call in run.trace for problem in _call_problems(call)),
        *_irreversible(run),
        *growth_problems(run),
        *exit_problems(run),
        *text_problems(run.out, secrets),
    ]


def _truth_problems(run: Run) -> Iterator[str]:
    owners = final_owners(run)
    for name, truth in run.truth.items():
        if truth.get("unrecorded_starts"):
            yield f"always.unrecorded_starts.{name}: expected 0, got {truth['unrecorded_starts']}"
        if truth.get("cut_off_by_us"):
            yield f"always.cut_off.{name}: expected no installation cut off by us, got {truth['cut_off_by_us']}"
        if truth.get("deleted_in_use"):
            yield f"always.deleted_in_use.{name}: expected 0, got {truth['deleted_in_use']}"
        if truth.get("doubled_installs"):
            yield f"always.doubled_installs.{name}: expected one Install at a time, got {truth['doubled_installs']} more"
        if truth.get("state") in ON_STATES and owners.owner(name) == OURS and not _was_held(run, name):
            yield f"always.left_on.{name}: expected the host that we started to be off again, got {truth['state']}"
        yield from _start_types(run, name, truth)


def _irreversible(run: Run) -> Iterator[str]:
    """What cannot be undone is done in a host only where the user has asked for it."""
    for step in run.step_runs:
        variables = run.vars_of(step)
        for name, after in step.after.items():
            before = step.before.get(name, {})
            if (
                after.get("base_was_reset")
                and not before.get("base_was_reset")
                and not _is_true(variables, "patch_reset_base")
            ):
                yield f"always.reset_base.{name}: expected no /ResetBase that was not asked for, got one"
            old, left = before.get("old_windows_gib") or 0, after.get("old_windows_gib") or 0
            if left < old and not _is_true(variables, "patch_remove_old_windows"):
                yield f"always.old_windows.{name}: expected {old:g} GiB of the old Windows as before, got {left:g}"


def _is_true(variables: dict[str, Any], name: str) -> bool:
    return str(variables.get(name, False)).lower() in ("true", "yes", "1")


def _was_held(run: Run, name: str) -> bool:
    """In the last report, or in that of an earlier step when later ones leave the host out."""
    outcomes = [run.reported.get(name, {}).get("outcome")]
    outcomes += [run.report_of(step).get(name, {}).get("outcome") for step in run.step_runs]
    named = [outcome for outcome in outcomes if outcome is not None]
    return "held" in (run.reported.get(name, {}).get("outcome"), *named[-1:])


def _start_types(run: Run, name: str, truth: dict[str, Any]) -> Iterator[str]:
    """What was set on purpose is so at the end, but where the host could not be, or was not yet, put back."""
    spec = next(host for host in run.scenario.hosts if host.name == name)
    wanted: dict[str, str] = getattr(getattr(spec, "windows", None), "start_types", None) or {}
    if not _is_put_back(run, name, truth):
        return
    for service, start_type in wanted.items():
        now = (truth.get("start_types") or {}).get(service)
        if now is not None and now != start_type:
            yield f"always.start_types.{name}: expected {service} to be {start_type} as before, got {now}"
    if truth.get("cluster_paused"):
        yield f"always.cluster_paused.{name}: expected a node that takes roles again, got one that is paused"


def _is_put_back(run: Run, name: str, truth: dict[str, Any]) -> bool:
    """Whether Windows in the host must be as it was found."""
    spec = next(host for host in run.scenario.hosts if host.name == name)
    if truth.get("state") in ("terminated", "shutting-down") or spec.agent != "ok" or _was_held(run, name):
        return False
    left = [step for step in run.step_runs if step.patches and not step.ended_itself]
    restored = (
        any(step.step.playbook == "restore" and step.number > left[-1].number for step in run.step_runs)
        if left
        else True
    )
    agent_died = any(
        event.do == "agent_dies" and name in (event.host, event.when_host) for event in run.scenario.events
    )
    return restored and not agent_died


def _report_problems(run: Run) -> Iterator[str]:
    if run.report is not None:
        yield from _of_report(run, run.report, "")
    for step in run.step_runs:
        if step.report is not None and step.report != run.report:
            yield from _of_report(run, step.report, f" (step {step.number})")
        yield from _targets(run, step)


def _of_report(run: Run, report: dict[str, Any], where: str) -> Iterator[str]:
    """One outcome for each host, one of the seven, and totals that agree."""
    counted: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for host in report["hosts"]:
        name = run.scenario_name(host) or f"{host.get('host')} (not of the scenario)"
        counted[name] += 1
        outcome = str(host.get("outcome"))
        outcomes[outcome] += 1
        if outcome not in OUTCOMES:
            yield f"always.outcome.{name}: expected one of {', '.join(OUTCOMES)}{where}, got {show(host.get('outcome'))}"
    for name, count in counted.items():
        if count > 1:
            yield f"always.targets.{name}: expected one outcome{where}, got {count}"
    totals = {outcome: count for outcome, count in report.get("totals", {}).items() if count}
    if totals != dict(outcomes):
        yield f"always.totals: expected {show(dict(outcomes))} as the hosts say{where}, got {show(totals)}"


def _targets(run: Run, step: StepRun) -> Iterator[str]:
    """Every target of a roll-out has an outcome, and none that is up to date by it misses anything.

    One that was killed is reported at the end of the scenario, by the ledger.
    """
    late = step.report is None and run.report is not None and step.number == run.last_patch_number
    if not step.patches or (step.report is None and not late):
        return
    reported, targets = run.reported if late else run.whole_report_of(step), targets_of(run, step)
    for name in sorted(targets.sure - reported.keys()) if targets else ():
        yield f"always.targets.{name}: expected one outcome, got none"
    for name, host in reported.items():
        missing = run.missing_of(step, (run.truth if late else step.after).get(name, {}))
        if host.get("outcome") in ("patched", "compliant") and missing:
            yield f"always.missing.{name}: expected nothing missing on a {host['outcome']} host, got {show(missing)}"


def _call_problems(call: Call) -> Iterator[str]:
    where = f"{', '.join(call.hosts) or 'no host'} after {call.t:.0f} s"
    if call.error == "NotImplemented":
        yield f"always.unknown.{call.service}.{call.operation}: expected calls that the lab knows, got one with {where}"
    if not call.counts:
        return
    if call.operation == "StopInstances":
        for option in ("Force", "SkipOsShutdown"):
            if str(call.params.get(option, False)).lower() == "true":
                yield f"always.stop: expected no {option}, got it with {where}"
    if call.operation == "ModifyVolume" and call.params.keys() - SIZE_ONLY:
        more = ", ".join(sorted(call.params.keys() - SIZE_ONLY))
        yield f"always.modify_volume: expected a Size alone, got {more} with {where}"
