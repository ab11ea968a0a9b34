# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The design's invariants, as far as the trace, the truth, the report and the ledger of a run prove them.

Numbers are those of the design. 5 is in ``touched.py`` and ``pace.py``, 6 in ``verdicts.py``, 7 in ``pace.py``.
"""

from __future__ import annotations

from collections.abc import Iterator

from lab.matching import show
from lab.pace import pace_problems
from lab.power import OFF_AT_START, OURS, our_stops
from lab.records import Call, Run
from lab.touched import touched_problems
from lab.verdicts import verdict_problems

POWER_ACTS = ("start", "stop", "restart", "terminate")
MAX_HOSTS = 500

# Text that does harm where it is spliced into a script.
SHELL_TEXT = frozenset("'\"`$;{}<>|&")


def invariant_problems(run: Run) -> list[str]:
    """One line for everything that breaks an invariant."""
    return [
        *_recorded(run),
        *_original_states(run),
        *_stopped_only_ours(run),
        *touched_problems(run),
        *pace_problems(run),
        *verdict_problems(run),
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
    """3: stopped only what was off, what we started, and after a last look at it. A roll-back may stop its host for an exchange."""
    originals = {record.instance_id: record.original_state for record in reversed(run.ledger)}
    ids = {name: instance_id for instance_id, name in _instance_ids(run).items()}
    for call, name, owner in our_stops(run):
        if _is_for_exchange(run, call, name, ids.get(name)):
            continue
        if owner != OURS:
            yield f"invariants[3].{name}: expected no stop of what we did not start, got one after {call.t:.0f} s"
        original = originals.get(ids.get(name, ""))
        if original is not None and original not in OFF_AT_START:
            yield f"invariants[3].{name}: expected no stop of what was {original}, got one after {call.t:.0f} s"
        before = [each for each in run.trace[: call.index] if each.counts and each.error is None and name in each.hosts]
        checked = [each.index for each in before if each.operation == "DescribeInstances"]
        acted = [each.index for each in before if each.operation in ("StartInstances", "SendCommand")]
        if max(checked, default=-1) < max(acted, default=-1):
            yield f"invariants[3].{name}: expected a look at LaunchTime before the stop after {call.t:.0f} s, got none"


def _is_for_exchange(run: Run, call: Call, name: str, instance_id: str | None) -> bool:
    """Whether a roll-back of this host stopped it after EC2 had refused to replace its root volume."""
    refused = any(
        each.operation == "CreateReplaceRootVolumeTask" and each.error and name in each.hosts
        for each in run.trace[: call.index]
    )
    return refused and any(
        step.step.playbook == "roll_back"
        and step.began <= call.t <= step.ended
        and run.vars_of(step).get("patch_host") in {name, instance_id}
        for step in run.step_runs
    )


def _selection(run: Run) -> Iterator[str]:
    """8: no run of nothing, none of more than it may."""
    for step in (step for step in run.step_runs if step.patches):
        hosts = run.report_of(step).values()
        if step.result == 0 and not hosts:
            yield f"invariants[8]: expected a run without hosts to fail, got exit code 0 of step {step.number}"
        limit = run.vars_of(step).get("patch_max_hosts", MAX_HOSTS)
        taken = [host for host in hosts if host.get("outcome") != "excluded"]
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
