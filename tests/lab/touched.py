# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may be touched: the targets of a run, and of these none that it left alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lab.power import OURS, final_owners
from lab.records import WINRM, Call, Run, StepRun
from lab.targets import targets_of

READING_CALLS = ("Describe", "List", "Get", "Simulate", "BatchGet", "Query", "Search")
# Scripts are known by what their names begin with: these look at a host and change nothing.
READING_SCRIPTS = (
    "probe",
    "measure_",
    "inspect_",
    "missing_",
    "update_history",
    "servicing_state",
    "list_",
    "find_",
    "search",
)
SEARCHING_SCRIPTS = ("search", "scan", "missing_update")
SEARCHING_BY_NUMBER = "search_updates"
# The comment of a script that installs is that of an installation: others, and a restore, know it by that.
INSTALLS = "Install "
PATCH_DOCUMENT = "AWS-RunPatchBaseline"
THROTTLED = ("Throttling", "ThrottlingException", "RequestLimitExceeded")
# What belongs to a start that AWS then refused: a mark and a switch, which go with it.
AROUND_A_START = ("CreateTags", "DeleteTags", "CreateSchedule", "UpdateSchedule", "DeleteSchedule", "StartInstances")
# Of the truth: what stays as it was on a host that was not started.
UNCHANGED = ("reboots", "installed", "volume_gib", "partition_gib", "free_gib", "start_types", "data_volumes_gib")


def touched_problems(run: Run) -> Iterator[str]:
    """5, and what a run does to hosts that are none of its business."""
    for step in (step for step in run.step_runs if step.patches):
        yield from _left_alone(run, step)
        yield from _foreign(run, step)


def changes(call: Call) -> bool:
    """Whether a call could change a host, whatever became of it."""
    if call.service == WINRM:
        return _changes_over_winrm(call)
    if call.operation == "SendCommand":
        return not (_patches(call, "Scan") or script_of(call).startswith(READING_SCRIPTS))
    return not call.operation.startswith(READING_CALLS)


def _changes_over_winrm(call: Call) -> bool:
    if call.operation == "win_updates":
        return call.params.get("state") != "searched" and not call.params.get("check_mode")
    return call.operation == "Reboot" or not str(call.params.get("name", "")).startswith(READING_SCRIPTS)


def installs(call: Call) -> bool:
    """Whether a call installs or reboots; over WinRM ansible.windows does both."""
    if call.service == WINRM:
        return call.operation == "Reboot" or (call.operation == "win_updates" and changes(call))
    return call.operation == "RebootInstances" or _patches(call, "Install") or script_of(call).startswith(INSTALLS)


def scans(call: Call) -> bool:
    """Whether a call has Windows Update searched; over WinRM a script may do that, too, and its name says so."""
    if call.service == WINRM and call.operation == "Script":
        return str(call.params.get("name", "")).startswith(SEARCHING_SCRIPTS)
    of_script = script_of(call).startswith(SEARCHING_BY_NUMBER)
    return of_script or _patches(call, "Scan") or (call.operation == "win_updates" and not changes(call))


def script_of(call: Call) -> str:
    """The script's name, as the command's comment gives it (``patchfleet: measure_disk``), or the call over WinRM; else nothing."""
    if call.service == WINRM:
        return str(call.params.get("name", "")) if call.operation == "Script" else ""
    comment = str(call.params.get("Comment") or "").removeprefix("patchfleet: ")
    return comment if call.params.get("DocumentName") == "AWS-RunPowerShellScript" else ""


def _patches(call: Call, operation: str) -> bool:
    wanted: Any = (call.params.get("Parameters") or {}).get("Operation")
    return call.params.get("DocumentName") == PATCH_DOCUMENT and operation in (
        wanted if isinstance(wanted, list) else [wanted]
    )


def _left_alone(run: Run, step: StepRun) -> Iterator[str]:
    """Nothing was done to hosts that are excluded, and nothing but looking to those that are deferred."""
    calls = [call for call in run.calls_of(step) if call.error not in THROTTLED]
    adopted = _ours_at(run, step.began)
    for name, host in run.report_of(step).items():
        outcome = host.get("outcome")
        if outcome not in ("excluded", "deferred") or name in adopted:
            continue
        done = [call for call in calls if name in call.hosts and _is_too_much(call, str(outcome))]
        if outcome == "deferred" and any(call.operation == "StartInstances" for call in done):
            done = [call for call in done if call.operation not in AROUND_A_START or _worked(call)]
        for operation in dict.fromkeys(call.operation for call in done):
            yield f"invariants[5].{name}: expected nothing done to a host that is {outcome}, got {operation}"
        if host.get("reason_code") != "leased":
            yield from _changed(run, step, name, str(outcome))


def _is_too_much(call: Call, outcome: str) -> bool:
    commands = call.service == WINRM or call.operation == "SendCommand"
    return changes(call) or (outcome == "excluded" and commands)


def _worked(call: Call) -> bool:
    """Of what stands around a start only a start that worked counts."""
    return call.operation == "StartInstances" and call.error is None


def _changed(run: Run, step: StepRun, name: str, outcome: str) -> Iterator[str]:
    before, after = step.before.get(name, {}), step.after.get(name, {})
    if any(call.caller != step.caller and name in call.hosts and changes(call) for call in run.trace):
        return  # another run, or another user, works on it or has left something that continues
    for field in UNCHANGED:
        if before.get(field) != after.get(field):
            was, now = before.get(field), after.get(field)
            yield f"invariants[5].{name}: expected the {field} of a host that is {outcome} as before ({was}), got {now}"


def _foreign(run: Run, step: StepRun) -> Iterator[str]:
    """What is no target is not in the report and is not touched, but for what a dead run has left on."""
    targets = targets_of(run, step)
    if targets is None:
        return
    adopted = _ours_at(run, step.began)
    for name in sorted(run.report_of(step).keys() - targets.possible):
        yield f"always.targets.{name}: expected no host that is no target in the report, got one"
    for name in sorted(run.truth.keys() - targets.possible - adopted):
        done = [call.operation for call in run.calls_of(step) if name in call.hosts and changes(call)]
        for operation in dict.fromkeys(done):
            yield f"always.foreign.{name}: expected nothing done to a host that is no target, got {operation}"


def _ours_at(run: Run, t: float) -> set[str]:
    """Hosts that a run of ours holds on at that second."""
    owners = final_owners(run, t)
    return {name for name in run.truth if owners.owner(name) == OURS}
