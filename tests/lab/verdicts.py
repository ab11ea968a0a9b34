# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the outcome of each host in each report is what the contract calls so, and says why where it has to."""

from __future__ import annotations

import math
from collections.abc import Iterator

from lab.fields import PROVEN, STEPS
from lab.history import history_of
from lab.matching import show
from lab.numbers import Reported, reported_hosts
from lab.records import Run, StepRun
from lab.touched import installs, scans

# With these a host is `noncompliant` although nothing is missing, or something was installed.
NONCOMPLIANT_BUT = ("reboot_pending", "updates_excluded")
NEED_A_REASON = ("failed", "deferred", "excluded", "held")
# The controller rounds and reads its clock a little after the answer came.
READ_SECONDS = 5.0


def verdict_problems(run: Run) -> Iterator[str]:
    """One line for each outcome that is not what the truth says, or has no reason."""
    for each in reported_hosts(run):
        yield from _reasons(each)
        yield from _outcome(each)
        yield from _proof(each)


def _reasons(each: Reported) -> Iterator[str]:
    outcome = each.host.get("outcome")
    if outcome in NEED_A_REASON:
        for field in ("reason", "reason_code"):
            if not each.host.get(field):
                yield each.problem(field, f"one of a host that is {outcome}", each.host.get(field))
    if outcome == "failed" and each.host.get("step") not in STEPS:
        yield each.problem("step", f"where it failed, one of {', '.join(STEPS)}", each.host.get("step"))


def _outcome(each: Reported) -> Iterator[str]:
    """By what really came in during the step, and what is missing at its end."""
    outcome, reason_code = each.host.get("outcome"), each.host.get("reason_code")
    came_in = bool(each.came_in() or each.host.get("installed"))
    if outcome in ("patched", "compliant") and each.after.get("reboot_pending"):
        yield each.problem("outcome", "noncompliant (reboot_pending), as a reboot is pending", outcome)
    if outcome in PROVEN and each.grew("stopped_while_pending") > 0:  # one that was off is rebooted first, or held
        yield each.problem("outcome", "held, as it was stopped while Windows waited for a reboot", outcome)
    if outcome == "patched" and not came_in:
        yield each.problem("outcome", "compliant, as nothing was installed", outcome)
    if outcome == "compliant" and came_in:
        yield each.problem("outcome", "patched, as something was installed", outcome)
    if outcome == "noncompliant" and reason_code not in NONCOMPLIANT_BUT:
        only_reboots = each.run.vars_of(each.step).get("patch_operation") == "reboot"  # an earlier run installed
        if came_in and not only_reboots:
            yield each.problem("outcome", "no noncompliant host on which something was installed", outcome)
        if not each.after.get("missing"):
            yield each.problem("outcome", "no noncompliant host that misses nothing", outcome)


def _proof(each: Reported) -> Iterator[str]:
    """6: a search that we asked for after the last installation and the last reboot, that ended before the verdict.

    After the verdict nothing is installed, and nothing rebooted.
    """
    verified_at, key = each.host.get("verified_at"), f"invariants[6].{each.name}"
    if not each.proven:
        yield from _unread_proof(each)
        return
    if not verified_at:
        yield f"{key}: expected a proving scan for {each.host['outcome']}, got {show(verified_at)}"
        return
    history, read = history_of(each.run, each.name), each.run.seconds(verified_at) + READ_SECONDS
    sent = [call.t for call in each.calls if installs(call)]
    changed = max(history.last_change(read), *(t for t in sent if t <= read), -1.0)
    asked = [call.t for call in each.calls if scans(call) and call.t >= changed]
    searches = [began for began, ended in history.searches() if began >= changed and ended <= read]
    if not any(began >= min(asked, default=math.inf) for began in searches):
        yield f"{key}: expected a scan after the last installation and reboot, got a verdict of {verified_at}"
    for t in sorted([*_changes_after(each, read), *(t for t in sent if t > read)])[:1]:
        yield f"{key}: expected nothing after the proving scan, got an installation or a reboot after {t:.0f} s"


def _unread_proof(each: Reported) -> Iterator[str]:
    """A host without a verdict has the time of a scan only where one has ended."""
    verified_at = each.host.get("verified_at")
    if verified_at and not any(
        ended <= each.run.seconds(verified_at) + READ_SECONDS for _began, ended in each.history.searches()
    ):
        yield each.problem("verified_at", "null, as no scan had ended", verified_at)


def _changes_after(each: Reported, read: float) -> list[float]:
    """A reboot that a host needs before it goes off again changes nothing that its verdict speaks of."""
    step: StepRun = each.step
    events = ["installing"] if each.host.get("outcome") == "noncompliant" else ["installing", "rebooting"]
    return [t for t in history_of(each.run, each.name).times(*events) if read < t <= step.ended]
