# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every number and list of a report against the truth: that of each step, whatever ran before it or beside it.

Only what happened between the step's begin and its end counts, so earlier runs do not hide in it. Unknown is null: a field
that says nothing is right unless the host's outcome cannot be known without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lab.aws.instance_types import size_of
from lab.aws.pricing import USD_PER_VCPU_HOUR
from lab.fields import PROVEN
from lab.history import History, history_of
from lab.matching import show
from lab.power import OFF_AT_START, ON_STATES
from lab.records import OTHER, Call, Run, StepRun

# A size is measured while other things are written, and rounded.
SIZE_GIB = 0.15
# Between a call and the moment at which the controller reads its clock: real seconds on a busy machine, and a rounding.
REAL_SECONDS, ROUNDING_SECONDS = 1.0, 2.0
# The service shows begin and end of a command in whole seconds, and sometimes a little later than the host.
COMMAND_SECONDS = 6.0
POWER_ACTS = ("StartInstances", "StopInstances", "TerminateInstances")
COMMANDS = ("SendCommand",)


@dataclass(frozen=True)
class Reported:
    """One host of a step's own report, with its truth before and after that step."""

    run: Run
    step: StepRun
    name: str
    host: dict[str, Any]

    @property
    def before(self) -> dict[str, Any]:
        return self.step.before.get(self.name, {})

    @property
    def after(self) -> dict[str, Any]:
        return self.step.after.get(self.name, {})

    @property
    def proven(self) -> bool:
        return self.host.get("outcome") in PROVEN

    @property
    def was_patched(self) -> bool:
        """Whether its outcome says what an installation did, so that reboots and updates have to be known."""
        return self.proven and self.run.vars_of(self.step).get("patch_operation", "install") != "scan"

    @property
    def history(self) -> History:
        return history_of(self.run, self.name)

    @property
    def calls(self) -> list[Call]:
        """This step's successful calls that name the host."""
        return [call for call in self.run.calls_of(self.step, self.name) if call.error is None]

    @property
    def handled(self) -> bool:
        """Whether the run worked on it; what another run did meanwhile to one that it left alone is not its business."""
        return self.host.get("outcome") not in ("deferred", "excluded") or any(
            call.operation in POWER_ACTS for call in self.calls
        )

    def grew(self, field: str) -> float:
        """By how much a number of the truth grew in this step by this run; unknown counts as 0."""
        if not self.handled:
            return 0.0
        return float(self.after.get(field) or 0) - float(self.before.get(field) or 0)

    def came_in(self) -> set[str]:
        """The KBs that were installed in this step by this run."""
        return set(self.after.get("installed", ())) - set(self.before.get("installed", ())) if self.handled else set()

    @property
    def follows_a_cut(self) -> bool:
        """Whether a run before it was cut off: what that one did in the host may be this one's to tell."""
        return any(step.patches and not step.ended_itself for step in self.run.step_runs[: self.step.number - 1])

    @property
    def lies(self) -> bool:
        """Whether the host says what is not so: then a report can only repeat it."""
        spec = next(host for host in self.run.scenario.hosts if host.name == self.name)
        return spec.answers == "hostile"

    @property
    def hides_an_end(self) -> bool:
        """Whether it is unknown when a command ended on it: its agent was lost, or ran what the service had given up."""
        spec = next(host for host in self.run.scenario.hosts if host.name == self.name)
        dies = any(event.do == "agent_dies" and event.host == self.name for event in self.run.scenario.events)
        late = any(fault.status == "DeliveryTimedOutButRuns" for fault in spec.command_faults)
        return spec.agent == "lost_after_reboot" or dies or late

    @property
    def started(self) -> bool:
        """Whether this step asked for its start, and AWS took it; another user may end the host in the same second."""
        return any(call.operation == "StartInstances" for call in self.calls)

    @property
    def changed_from_outside(self) -> bool:
        """Whether others had to do with it, by the scenario's events or by calls."""
        return any(self.name in (event.host, event.when_host) for event in self.run.scenario.events) or any(
            call.caller == OTHER and self.name in call.hosts for call in self.run.trace
        )

    @property
    def missing(self) -> list[str]:
        """What the report has to call missing."""
        return self.run.missing_of(self.step, self.after)

    @property
    def slack_seconds(self) -> float:
        return REAL_SECONDS * self.run.scenario.scale + ROUNDING_SECONDS

    def problem(self, field: str, wanted: str, got: Any) -> str:
        where = f" (step {self.step.number})" if len(self.run.scenario.steps) > 1 else ""
        return f"report.{field}.{self.name}: expected {wanted}{where}, got {show(got)}"


def reported_hosts(run: Run) -> Iterator[Reported]:
    """All hosts in the reports that roll-outs wrote before they ended by themselves."""
    for step in run.step_runs:
        if step.patches and step.report is not None and step.ended_itself:
            for name, host in run.report_of(step).items():
                yield Reported(run, step, name, host)


def number_problems(run: Run) -> Iterator[str]:
    """One line for each number or list of a report that is not the truth."""
    for each in reported_hosts(run):
        yield from _counted(each)
        yield from _lists(each)
        yield from _sizes(each)
        yield from _power(each)
        yield from _on_seconds(each)
        yield from _on_usd(each)
        yield from _idle_seconds(each)
        yield from _step_seconds(each)


# ---- what was done in the host


def _counted(each: Reported) -> Iterator[str]:
    got, true = each.host.get("reboots"), int(each.grew("reboots"))
    if each.lies or (got is None and not each.was_patched):
        return
    most = int(each.after.get("reboots") or 0) if each.follows_a_cut else true
    if not isinstance(got, int) or not true <= got <= most:
        yield each.problem("reboots", str(true), got)


def _lists(each: Reported) -> Iterator[str]:
    if each.lies:
        return
    installed, missing = each.host.get("installed"), each.host.get("missing")
    came_in, proven = each.came_in(), each.proven
    if installed is None and each.was_patched:
        yield each.problem("installed", show(sorted(came_in)), installed)
    elif installed is not None:
        more = set(installed) - came_in - _left_by_earlier_runs(each) - _waited_for_reboot(each)
        if more or (proven and came_in - set(installed)):
            yield each.problem("installed", show(sorted(came_in)), installed)
    excluded = set(each.run.vars_of(each.step).get("patch_exclude_kbs") or ())  # may stand there or not
    if (missing is None and proven) or (
        missing is not None and each.host.get("verified_at") and set(missing) - excluded != set(each.missing) - excluded
    ):
        yield each.problem("missing", show(each.missing), missing)
    elif set(missing or ()) - set(each.missing) - set(each.before.get("missing", ())):  # by a scan from before, at best
        yield each.problem("missing", f"of {show(each.missing)}", missing)
    yield from _failed_updates(each)


def _left_by_earlier_runs(each: Reported) -> set[str]:
    """What runs that were cut off have installed stands in the report of the next one."""
    return set(each.before.get("installed", ())) if each.follows_a_cut else set()


def _waited_for_reboot(each: Reported) -> set[str]:
    """What a run that only reboots has brought to its end: installed by an earlier one."""
    reboots = each.run.vars_of(each.step).get("patch_operation") == "reboot"
    return set(each.before.get("installed", ())) if reboots else set()


def _failed_updates(each: Reported) -> Iterator[str]:
    """Only what the host's own history calls failed, with its own code."""
    listed = each.host.get("failed_updates")
    true = {(entry["kb"], entry["hresult"]) for entry in each.after.get("failed_updates", ())}
    got = {(entry.get("kb"), entry.get("hresult")) for entry in listed or ()}
    if got - true:
        yield each.problem("failed_updates", f"of {_pairs(true)}", sorted(map(list, got)))
    before = {(entry["kb"], entry["hresult"]) for entry in each.before.get("failed_updates", ())}
    lost = {pair for pair in true - before - got if pair[0] in each.missing}
    if lost and (each.proven or listed is not None) and each.host.get("verified_at"):
        yield each.problem("failed_updates", f"{_pairs(lost)} among them", sorted(map(list, got)))


def _pairs(pairs: set[tuple[str, str]]) -> str:
    return ", ".join(f"{kb} {hresult}" for kb, hresult in sorted(pairs)) or "nothing"


def _sizes(each: Reported) -> Iterator[str]:
    """Room is measured before and after it was made; Windows continues to clean, and updates take some for a while."""
    for field, moment in (("free_gib_before", "before"), ("free_gib_after", "after")):
        got, true = None if each.lies else each.host.get(field), getattr(each, moment).get("free_gib")
        had = {true, *(gib for t, gib in each.after.get("free_gib_at", ()) if each.step.began <= t <= each.step.ended)}
        if each.history.installs_at(each.step.began):  # the room that it takes comes back only with its end
            had.add(each.before.get("free_gib"))
        if (
            got is not None
            and true is not None
            and not any(abs(got - gib) <= SIZE_GIB for gib in had if gib is not None)
        ):
            yield each.problem(field, f"about {true:g}", got)
    got, grown = each.host.get("grown_gib"), each.grew("volume_gib")
    if each.host.get("kind") != "ec2":  # its disk is no EBS volume
        grown = 0.0
    if (got is not None or grown) and got != grown:
        yield each.problem("grown_gib", f"{grown:g}", got)


# ---- power


def _power(each: Reported) -> Iterator[str]:
    """`started_by_run` and `final_state`; who adopts a host that a dead run has left on may say either of the first."""
    on_because_of_us, started = each.grew("on_seconds") > 0, each.started
    got = each.host.get("started_by_run")
    false = got and not (on_because_of_us or started)
    if not isinstance(got, bool) or false or (on_because_of_us and started and not got):
        yield each.problem("started_by_run", show(on_because_of_us), got)
    yield from _final_state(each)


def _final_state(each: Reported) -> Iterator[str]:
    got, now = each.host.get("final_state"), each.after.get("state")
    known = each.host.get("original_state") is not None
    unreachable = each.host.get("kind") != "ec2" and each.host.get("outcome") in ("failed", "held", "deferred")
    if got is None:
        if known and not unreachable and now != "terminated" and not _last_read_failed(each):
            yield each.problem("final_state", show(now), got)
        return
    right = {now}
    if each.changed_from_outside:  # perhaps after the last look
        right.add(each.history.state_at(max((call.t for call in each.calls), default=each.step.ended)))
    if power_class(got) not in map(power_class, right):
        yield each.problem("final_state", show(now), got)


def _last_read_failed(each: Reported) -> bool:
    """Whether EC2 refused the last question about the host, as it does after the end of the credentials: its state is unknown."""
    reads = [call for call in each.run.calls_of(each.step, each.name) if call.operation == "DescribeInstances"]
    return bool(reads) and reads[-1].error is not None


def power_class(state: str | None) -> str | None:
    """Off, on or gone: a host that is about to be one of them counts as that."""
    if state in ("terminated", "shutting-down"):
        return "gone"
    return "off" if state in OFF_AT_START else "on" if state in ON_STATES else state


def _on_seconds(each: Reported) -> Iterator[str]:
    """As long as the host was on because of us, at most until it was last asked about after it had gone off."""
    got, true = each.host.get("on_seconds"), each.grew("on_seconds")
    if true <= 0 and not (got and each.started):
        if got:
            yield each.problem("on_seconds", "null of a host that was not on because of us", got)
        return
    low = true - each.slack_seconds - _unreported_seconds(each)
    high = _from_its_start(each) + _late_seconds(each) + each.slack_seconds
    if not isinstance(got, int | float) or not low <= got <= high:
        yield each.problem("on_seconds", f"between {max(low, 0):.0f} and {high:.0f}", got)


def _on_usd(each: Reported) -> Iterator[str]:
    """By the table of the user's, or by the price list; null without a price of the type."""
    got, on = each.host.get("on_usd"), each.host.get("on_seconds")
    price = _hourly_usd(each.run.vars_of(each.step).get("patch_prices") or {}, each.host.get("type"))
    true = None if on is None or price is None else on / 3600 * price
    if (got is None) != (true is None) or (true is not None and abs(got - true) > 0.001):
        yield each.problem("on_usd", show(true), got)


def _hourly_usd(prices: Any, instance_type: str | None) -> float | None:
    if prices == "aws":
        return size_of(instance_type)[0] * USD_PER_VCPU_HOUR if instance_type else None
    price: float | None = prices.get(instance_type)
    return price


def _idle_seconds(each: Reported) -> Iterator[str]:
    """The same, without the time in which a command or an installation of ours ran; unknown where its end was never reported."""
    got, true = each.host.get("idle_seconds"), each.grew("idle_seconds")
    if each.grew("on_seconds") <= 0 and not (got and each.started):
        if got:
            yield each.problem("idle_seconds", "null of a host that was not on because of us", got)
        return
    if got is None and each.hides_an_end:
        return
    commands = sum(call.operation in COMMANDS for call in each.calls)
    low = true - each.slack_seconds - _unreported_seconds(each) - commands * COMMAND_SECONDS
    adopted = _from_its_start(each) - each.grew("on_seconds")
    high = true + adopted + _late_seconds(each) + each.slack_seconds + commands * COMMAND_SECONDS
    if not isinstance(got, int | float) or not low <= got <= high:
        yield each.problem("idle_seconds", f"between {max(low, 0):.0f} and {high:.0f}", got)


def _from_its_start(each: Reported) -> float:
    """Seconds on because of us; also before this step, of a host that it took over from a run that was cut off."""
    adopted = each.before.get("state") in ON_STATES and not each.started
    return float(each.after.get("on_seconds") or 0) if adopted else each.grew("on_seconds")


def _unreported_seconds(each: Reported) -> float:
    """Of a host that is still on: from when the report was written to the end of the step."""
    if each.after.get("state") not in ON_STATES or not each.step.report:
        return 0.0
    written = each.step.report.get("finished_at")
    return max(each.step.ended - each.run.seconds(written), 0.0) if written else 0.0


def _late_seconds(each: Reported) -> float:
    """How long after it had gone off it was last asked about: a phase that fails by that leaves it to the restore."""
    checked = [call.t for call in each.calls if call.operation == "DescribeInstances"]
    started = [call.t for call in each.calls if call.operation == "StartInstances"]
    late = 0.0
    for off in (t for t in each.history.went_off() if each.step.began <= t <= each.step.ended):
        again = min((t for t in started if t > off), default=each.step.ended)
        shown = [t for t in checked if off + each.run.scenario.account.lag_seconds <= t <= again]
        late += max(shown, default=each.step.ended) - off
    return late


def _step_seconds(each: Reported) -> Iterator[str]:
    """A host is in one step at a time, so they are no longer together than the run."""
    seconds = [value for value in (each.host.get("seconds") or {}).values() if value]
    longest = each.step.ended - each.step.began
    if sum(seconds) > longest + each.slack_seconds:
        yield each.problem("seconds", f"at most {longest:.0f} s together", each.host["seconds"])
