# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a job of AWX leaves as its artifacts."""

from __future__ import annotations

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variable import OWN_PREFIX, PREFIX
from ansible_collections.patchfleet.windows.plugins.module_utils._report.build import build_report
from ansible_collections.patchfleet.windows.plugins.module_utils._report.stats import (
    LONGEST,
    LONGEST_REASON,
    NAMED,
    to_stats,
)

from .stage import RUN, Stage, a_host

KEY = f"patchfleet_{RUN.replace('-', '_')}"


def test_each_run_has_a_key_of_its_own_that_is_no_variable_of_a_playbook(stage: Stage) -> None:
    stage.open_run()
    (key,) = to_stats(build_report(stage.ledger, RUN, stage.clock.now()))
    assert key == KEY
    assert key.isidentifier()
    assert not key.startswith((PREFIX, OWN_PREFIX))


def test_it_has_the_totals_and_the_hosts_to_check_the_worst_first(stage: Stage) -> None:
    verdicts = [Verdict("patched"), Verdict("deferred", reason="No time."), Verdict("held", reason="It is installing.")]
    hosts = [a_host(f"i-{at}", position=at, name=f"web-{at}") for at in range(3)]
    stage.open_run(*hosts)
    for host, verdict in zip(hosts, verdicts, strict=True):
        stage.ledger.set_outcome(RUN, host.key, verdict)
    message = to_stats(build_report(stage.ledger, RUN, stage.clock.now()))[KEY]
    assert message["totals"] == {"patched": 1, "deferred": 1, "held": 1}
    assert message["look_at"] == ["web-2 (i-2) held: It is installing.", "web-1 (i-1) deferred: No time."]
    assert (message["run_id"], message["operation"], message["breaker"]) == (RUN, "install", None)


def test_a_large_fleet_makes_no_large_artifact(stage: Stage) -> None:
    hosts = [a_host(f"i-{at}", position=at, name=f"web-{at}") for at in range(NAMED + 3)]
    stage.open_run(*hosts)
    for host in hosts:
        stage.ledger.set_outcome(RUN, host.key, Verdict("failed", reason="x" * 5000))
    message = to_stats(build_report(stage.ledger, RUN, stage.clock.now()))[KEY]
    assert [len(sentence) for sentence in message["look_at"]] == [LONGEST] * NAMED
    assert message["more_to_look_at"] == 3
    assert [len(host["reason"]) for host in message["failed"]] == [LONGEST_REASON] * NAMED


def test_hosts_that_failed_are_there_with_their_whole_text(stage: Stage) -> None:
    reason = "Still missing after 3 passes: KB5031361. " * 10
    hosts = [a_host(f"i-{at}", position=at, name=f"web-{at}") for at in range(3)]
    stage.open_run(*hosts)
    stage.ledger.update_facts(RUN, "i-1", {"missing": ["KB5031361"]})
    for host, outcome in zip(hosts, ("patched", "failed", "deferred"), strict=True):
        stage.ledger.set_outcome(RUN, host.key, Verdict(outcome, "verify", "still_missing", reason))
    (failed,) = to_stats(build_report(stage.ledger, RUN, stage.clock.now()))[KEY]["failed"]
    assert failed == {
        "host": "web-1",
        "instance_id": "i-1",
        "outcome": "failed",
        "step": "verify",
        "reason_code": "still_missing",
        "reason": reason,
        "missing": ["KB5031361"],
        "failed_updates": None,
    }
