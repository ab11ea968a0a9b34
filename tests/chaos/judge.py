# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be true of a night when the last controller has recovered it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Run
from ansible_collections.patchfleet.windows.plugins.module_utils._report.build import build_report
from chaos.controller import MARK_TAG, Controller
from chaos.night import Night
from chaos.promises import unfinished, unknown_points
from chaos.watch import CUT_OFF, LEFT_ON, LOST, NOT_ONE, POINTS, STARTED, UNDONE, UNRECORDED, Problem, key_of
from lab.fields import OUTCOMES
from lab.world import Host

POWER_ACTS = ("start", "stop", "restart", "terminate", "join_asg")
OFF = ("stopped", "stopping")
UNTOUCHED = ("deferred", "excluded")


def problems(night: Night, controllers: list[Controller]) -> list[Problem]:
    """Everything that is wrong, what was seen while it happened included."""
    return [
        *night.watch.problems,
        *_hosts(night),
        *(Problem(POINTS, text) for text in unknown_points(night)),
        *(problem for run in night.ledger.runs() for problem in _outcomes(night, run, controllers)),
    ]


def _hosts(night: Night) -> Iterator[Problem]:
    held = _held(night)
    touched = {event.host or event.when_host for event in night.scenario.events if event.do in POWER_ACTS}
    named = named_on(night)
    for name, truth in night.truth().items():
        host = night.play.world.hosts[name]
        record = night.ledger.power(key_of(host))
        if truth["unrecorded_starts"]:
            yield Problem(UNRECORDED, f"{name}: {truth['unrecorded_starts']} time(s)")
        if truth["cut_off_by_us"] and name not in night.watch.rolled_back:
            yield Problem(CUT_OFF, f"{name}: {truth['cut_off_by_us']} times")
        if (left := unfinished(night, host)) and key_of(host) not in held:
            yield Problem(UNDONE, f"{name}: {left}")
        if record is None and name in night.watch.older_boots:
            continue
        if night.is_on_because_of_us(host) and name not in named:
            yield Problem(LEFT_ON, f"{name}: {host.state}")
        was = "stopped" if host.spec.state in OFF or _is_off_at_first(night, name) else "running"
        if name not in touched and record is None and host.state != was and name not in named:
            yield Problem(LOST, f"{name}: was {was} and is {host.state}")
        if name not in touched and record is None and MARK_TAG in host.tags.latest:
            yield Problem(LOST, f"{name}: still has our owner tag, and no ledger record")
        if name not in touched and record is not None and record.original_state != was:
            yield Problem(LOST, f"{name}: was {was}, and the ledger says {record.original_state}")


def _is_off_at_first(night: Night, name: str) -> bool:
    return name in night.remotes and night.remotes[name].remote.by_tasks


def named_on(night: Night) -> set[str]:
    """Hosts that are on because of us, and of which the ledger says so: it will put them back, or a person has to look."""
    records = {record.host_key for record in night.ledger.open_power() if record.started_by}
    return {host.name for host in left_on(night) if key_of(host) in records | _held(night)}


def _held(night: Night) -> set[str]:
    """The keys of hosts that a person has to look at."""
    return {
        host.key for run in night.ledger.runs() for host in night.ledger.hosts(run.run_id) if host.outcome == "held"
    }


def left_on(night: Night) -> list[Host]:
    """Hosts that are still on because of us."""
    return [host for host in night.play.world.hosts.values() if night.is_on_because_of_us(host)]


def _outcomes(night: Night, run: Run, controllers: list[Controller]) -> Iterator[Problem]:
    """Of a run that is over; a run with open hosts is not over."""
    hosts = night.ledger.hosts(run.run_id)
    for host in hosts:
        refused = host.reason_code is not None and host.reason_code.retry_later  # AWS started nothing
        if host.outcome in UNTOUCHED and (run.run_id, host.key) in night.watch.started and not refused:
            yield Problem(STARTED, f"{host.name}: {host.outcome}, and was started")
    planned = next((one.planned for one in controllers if one.run_id == run.run_id), None)
    rows = [host.key for host in hosts]
    if planned is not None and sorted(planned) != sorted(rows):  # None: its controller died while it opened the run
        yield Problem(NOT_ONE, f"{run.run_id}: the plan had {sorted(planned)}, the ledger {rows}")
    if run.closed_at is None:
        if not night.ledger.open_power():
            yield Problem(NOT_ONE, f"{run.run_id}: nothing is open any more, and it is not closed")
        return
    report = build_report(night.ledger, run.run_id, night.now())
    counted = Counter(str(host["outcome"]) for host in report["hosts"])
    if set(counted) - set(OUTCOMES):
        yield Problem(NOT_ONE, f"{run.run_id}: {dict(counted)}")
    if not report["totals"] == counted == night.ledger.outcome_counts(run.run_id):
        sums = f"report {report['totals']}, ledger {night.ledger.outcome_counts(run.run_id)}"
        yield Problem(NOT_ONE, f"{run.run_id}: hosts {dict(counted)}, {sums}")
