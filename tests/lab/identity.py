# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which host a report speaks of, how it was found, and what it claims to have done there, against the scenario and the trace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lab.numbers import Reported, power_class, reported_hosts
from lab.records import WINRM, Run
from lab.scenario import HostSpec
from lab.touched import script_of

OF_SERVICES = "repair_services"  # the script behind each repaired ``service NAME``


def identity_problems(run: Run) -> Iterator[str]:
    """One line for each field that gives a host of a report another identity, begin or repair than it had."""
    specs = {spec.name: spec for spec in run.scenario.hosts}
    for each in reported_hosts(run):
        yield from _names(each, specs[each.name])
        yield from _original_state(each)
        yield from _repaired(each)
        yield from _snapshot(each)
        yield from _sessions(each, specs[each.name])
        yield from _timeline(each)


def _names(each: Reported, spec: HostSpec) -> Iterator[str]:
    instance, local = spec.kind == "ec2", spec.kind == WINRM
    wanted: dict[str, Any] = {
        "instance_id": each.before.get("instance_id"),
        "kind": spec.kind,
        "type": spec.type if instance else None,
        "region": None if local else spec.region,
        "az": f"{spec.region}{spec.az}" if instance else None,
    }
    if "account" in each.before:
        wanted["account"] = each.before["account"]
    for field, right in wanted.items():
        if field in each.host and each.host[field] != right:
            yield each.problem(field, str(right or "null"), each.host[field])


def _original_state(each: Reported) -> Iterator[str]:
    """A host that this run did not start was found as it was, unless another user or an earlier run had to do with it."""
    got = each.host.get("original_state")
    if got is None or each.started or each.changed_from_outside or each.follows_a_cut or each.step.number > 1:
        return
    if power_class(got) != power_class(each.before.get("state")):
        yield each.problem("original_state", str(each.before.get("state")), got)


def _repaired(each: Reported) -> Iterator[str]:
    """Only scripts that this run, or one before it that was cut off, has sent to the host."""
    claimed = {OF_SERVICES if name.startswith("service ") else name for name in each.host.get("repaired") or ()}
    calls = [call for call in each.run.trace if each.name in call.hosts and call.t <= each.step.ended]
    sent = {script_of(call).partition(" ")[0] for call in calls}
    if claimed - sent:
        yield each.problem("repaired", "nothing but scripts that were sent", sorted(claimed))


def _snapshot(each: Reported) -> Iterator[str]:
    """A snapshot that is named was asked for."""
    made = any(
        call.operation in ("CreateSnapshot", "CreateSnapshots") and each.name in call.hosts for call in each.run.trace
    )
    if each.host.get("snapshot_id") and not made:
        yield each.problem("snapshot_id", "null, as no snapshot was made", each.host["snapshot_id"])


def _sessions(each: Reported, spec: HostSpec) -> Iterator[str]:
    """How many people were logged on when the run asked; others may log on later."""
    got = each.host.get("sessions")
    if got in (None, spec.sessions) or each.lies or each.changed_from_outside:
        return
    yield each.problem("sessions", str(spec.sessions), got)


def _timeline(each: Reported) -> Iterator[str]:
    """The phases lie in the run, one after the other, and ``seconds`` is how long they took."""
    taken: dict[str, float] = {}
    last = each.step.began - each.slack_seconds
    for entry in each.host.get("timeline") or ():
        began, ended = each.run.seconds(entry["started_at"]), each.run.seconds(entry["finished_at"])
        if not last <= began <= ended <= each.step.ended + each.slack_seconds:
            yield each.problem("timeline", "phases of this run, one after the other", entry)
        taken[entry["step"]] = taken.get(entry["step"], 0.0) + ended - began
        last = ended
    seconds = each.host.get("seconds") or {}
    for phase, value in seconds.items() if taken else ():
        # Times of the timeline are whole seconds.
        if value is not None and abs(value - taken.get(phase, 0.0)) > each.slack_seconds:
            yield each.problem("seconds", f"about {taken.get(phase, 0.0):.0f} of {phase}", value)
