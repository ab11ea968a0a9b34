# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The design's invariants, as far as the trace, the truth, the report and the ledger of a run prove them.

Numbers are those of the design. What a scenario cannot show (a ledger elsewhere, a run that was killed) is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lab.matching import show
from lab.names import parse_time
from lab.power import OFF_AT_START, OURS, our_stops
from lab.records import OVER_WINRM, WINRM, Call, Run
from lab.targets import last_patch_step, step_vars

POWER_ACTS = ("start", "stop", "restart", "terminate")
PROVEN = ("patched", "compliant", "noncompliant")
PATCH_DOCUMENT = "AWS-RunPatchBaseline"

# Waiting ends late by a poll and one last look: real seconds, since the lab's clock runs on while Python works.
LATE_REAL_SECONDS = 10
HOST_TIMEOUT_SECONDS = 14400
MAX_HOSTS = 500
WAITING_STEPS = ("plan", "admit", "restore")  # not part of patch_host_timeout_seconds

# Text that does harm where it is spliced into a script.
SHELL_TEXT = frozenset("'\"`$;{}<>|&")


def invariant_problems(run: Run) -> list[str]:
    """One line for everything that breaks an invariant."""
    return [
        *_recorded(run),
        *_original_states(run),
        *_stopped_only_ours(run),
        *_nothing_begun(run),
        *_proven_by_a_scan(run),
        *_in_time(run),
        *_selection(run),
        *_nothing_spliced(run),
    ]


def _sent(run: Run, *operations: str) -> Iterator[Call]:
    """Successful calls of ours."""
    return (call for call in run.trace if call.counts and call.error is None and call.operation in operations)


def _instance_ids(run: Run) -> dict[str, str]:
    """``{instance id: name}`` of the EC2 hosts."""
    kinds = {host.name: host.kind for host in run.scenario.hosts}
    return {
        truth["instance_id"]: name
        for name, truth in run.truth.items()
        if truth.get("instance_id") and kinds[name] == "ec2"
    }


def _recorded(run: Run) -> Iterator[str]:
    """1: no start without a record; the lab looks at each start, here the record must still be there."""
    if "patch_ledger" in run.scenario.vars and not run.ledger:  # it lies where nobody looks
        return
    recorded = {record.instance_id for record in run.ledger}
    started = {name for call in _sent(run, "StartInstances") for name in call.hosts}
    for instance_id, name in _instance_ids(run).items():
        if name in started and instance_id not in recorded:
            yield f"invariants[1].{name}: expected a record of what was started in the ledger, got none"


def _original_states(run: Run) -> Iterator[str]:
    """2: what is recorded, by whichever run, is the state in which the first one found the host."""
    touched = {event.host for event in run.scenario.events if event.do in POWER_ACTS}
    off = {host.name: host.state in OFF_AT_START for host in run.scenario.hosts if host.name not in touched}
    names = _instance_ids(run)
    states = [
        (names[record.instance_id], record.original_state) for record in run.ledger if record.instance_id in names
    ]
    states += [(name, host["original_state"]) for name, host in run.reported.items() if host.get("original_state")]
    for name, state in dict.fromkeys(states):
        if name in off and name in names.values() and (state in OFF_AT_START) != off[name]:
            yield f"invariants[2].{name}: expected the state before the first start ({_power(off[name])}), got {state}"


def _power(off: bool) -> str:
    return "stopped" if off else "running"


def _stopped_only_ours(run: Run) -> Iterator[str]:
    """3: stopped only what was off, what we started, and after a last look at it."""
    originals = {record.instance_id: record.original_state for record in reversed(run.ledger)}
    ids = {name: instance_id for instance_id, name in _instance_ids(run).items()}
    for call, name, owner in our_stops(run):
        if owner != OURS:
            yield f"invariants[3].{name}: expected no stop of what we did not start, got one after {call.t:.0f} s"
        original = originals.get(ids.get(name, ""))
        if original is not None and original not in OFF_AT_START:
            yield f"invariants[3].{name}: expected no stop of what was {original}, got one after {call.t:.0f} s"
        before = [each for each in run.trace[: call.index] if each.counts and each.error is None and name in each.hosts]
        looked = [each.index for each in before if each.operation == "DescribeInstances"]
        acted = [each.index for each in before if each.operation in ("StartInstances", "SendCommand")]
        if max(looked, default=-1) < max(acted, default=-1):
            yield f"invariants[3].{name}: expected a look at LaunchTime before the stop after {call.t:.0f} s, got none"


def _report_window(run: Run) -> tuple[float, float] | None:
    """Lab seconds between which only the run of the report acted; None where that cannot be said."""
    if run.report is None or any(step.background for step in run.scenario.steps):
        return None
    if not run.report.get("started_at") or not run.report.get("finished_at"):
        return None
    return run.seconds(run.report["started_at"]) - 1, run.seconds(run.report["finished_at"]) + 1


def _nothing_begun(run: Run) -> Iterator[str]:
    """5: whatever was not admitted was not begun, and nothing begins after the deadline."""
    window = _report_window(run)
    if window is None:
        return
    for call in _sent(run, "StartInstances", "ModifyVolume", "SendCommand", *OVER_WINRM):
        if not window[0] <= call.t <= window[1]:
            continue
        for name in call.hosts:
            outcome = run.reported.get(name, {}).get("outcome")
            asks = call.service == WINRM or call.operation == "SendCommand"
            looked_at = outcome == "deferred" and asks and not _changes(call)
            if outcome in ("excluded", "deferred") and not looked_at:
                yield f"invariants[5].{name}: expected nothing done to a host that is {outcome}, got {call.operation}"
    yield from _nothing_after_deadline(run, window)


def _nothing_after_deadline(run: Run, window: tuple[float, float]) -> Iterator[str]:
    found = last_patch_step(run)
    deadline = step_vars(run.scenario, found[1]).get("patch_deadline") if found else None
    if not isinstance(deadline, str):
        return
    latest = run.seconds(deadline)
    for call in _sent(run, "StartInstances"):
        if window[0] <= call.t <= window[1] and call.t > latest:
            late = f"{call.t - latest:.0f} s late"
            yield f"invariants[5].{', '.join(call.hosts)}: expected no start after {deadline}, got one {late}"


def _patches(call: Call, operation: str) -> bool:
    wanted = call.params.get("Parameters") or {}
    return call.params.get("DocumentName") == PATCH_DOCUMENT and operation in _as_list(wanted.get("Operation"))


def _changes(call: Call) -> bool:
    """Whether it installs or reboots; over WinRM ansible.windows does both."""
    if call.service == WINRM:
        installs = call.operation == "win_updates" and call.params["state"] == "installed"
        return call.operation == "Reboot" or (installs and not call.params["check_mode"])
    return call.operation == "RebootInstances" or _patches(call, "Install")


def _scans(call: Call) -> bool:
    """Whether it looks what is missing. Over WinRM a script may do that, too."""
    if call.service == WINRM:
        return call.operation in ("win_updates", "Script") and not _changes(call)
    return _patches(call, "Scan")


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _proven_by_a_scan(run: Run) -> Iterator[str]:
    """6: a verdict comes from a scan that is younger than the last installation."""
    for name, host in run.reported.items():
        if host.get("outcome") not in PROVEN:
            continue
        verified_at = host.get("verified_at")
        if not verified_at:
            yield f"invariants[6].{name}: expected a proving scan for {host['outcome']}, got {show(verified_at)}"
            continue
        calls = [call for call in run.trace if call.counts and call.error is None and name in call.hosts]
        since = max((call.index for call in calls if _changes(call)), default=-1)
        scans = [call for call in calls if _scans(call) and call.index > since]
        if not scans or parse_time(verified_at) < run.time(int(scans[0].t)):
            yield f"invariants[6].{name}: expected a scan after the last installation, got a verdict of {verified_at}"


def _in_time(run: Run) -> Iterator[str]:
    """7: no host takes longer than it may, and the run has an end (a step that does not end is cut off by the lab)."""
    found = last_patch_step(run)
    if found is None:
        return
    limit = step_vars(run.scenario, found[1]).get("patch_host_timeout_seconds", HOST_TIMEOUT_SECONDS)
    if isinstance(limit, bool) or not isinstance(limit, int | float):
        return
    for name, host in run.reported.items():
        taken = [value for step, value in (host.get("seconds") or {}).items() if step not in WAITING_STEPS and value]
        if sum(taken) > limit + LATE_REAL_SECONDS * run.scenario.scale:
            yield f"invariants[7].{name}: expected at most {limit} s, got {sum(taken):.0f} s"


def _selection(run: Run) -> Iterator[str]:
    """8: no run of nothing, none of more than it may."""
    found = last_patch_step(run)
    if found is None:
        return
    number, step = found
    if run.result(number) == 0 and not run.report_hosts:
        yield f"invariants[8]: expected a run without hosts to fail, got exit code 0 of step {number}"
    limit = step_vars(run.scenario, step).get("patch_max_hosts", MAX_HOSTS)
    taken = [host for host in run.report_hosts if host.get("outcome") != "excluded"]
    if isinstance(limit, int) and len(taken) > limit:
        yield f"invariants[8]: expected more than {limit} hosts to be refused, got a report of {len(taken)}"


def _nothing_spliced(run: Run) -> Iterator[str]:
    """9: no tag's value is part of a script or of a document's parameter."""
    values = {value for host in run.scenario.hosts for value in host.tags.values() if SHELL_TEXT & set(value)}
    for call in _sent(run, "SendCommand") if values else ():
        text = show(call.params)
        for value in values:
            if value in text or show([value])[2:-2] in text:
                yield f"invariants[9].{', '.join(call.hosts)}: expected no tag's value in a command, got {value!r}"
