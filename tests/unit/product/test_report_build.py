# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the ledger holds of a run becomes report.json: unknown is null, and the sums agree."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._model.outcomes import Outcome
from ansible_collections.patchfleet.windows.plugins.module_utils._report.build import build_report

from .fakes import ID, START
from .stage import RUN, Stage, a_host

STARTED = ["start", "ready", "disk", "repair", "patch", "verify", "restore"]


def report(stage: Stage) -> dict[str, Any]:
    return build_report(stage.ledger, RUN, stage.clock.now())


def host_of(stage: Stage) -> dict[str, Any]:
    (host,) = report(stage)["hosts"]
    found: dict[str, Any] = host
    return found


def step(stage: Stage, name: str, seconds: float, ok: bool = True) -> None:
    stage.ledger.begin_phase(RUN, ID, name, stage.clock.now())
    stage.clock.sleep(seconds)
    stage.ledger.end_phase(RUN, ID, name, stage.clock.now(), ok)


@pytest.mark.parametrize(("off_after", "seconds"), [(100, 100), (None, 1000)])
def test_a_host_is_on_until_it_went_off_and_not_until_the_report(
    stage: Stage, off_after: float | None, seconds: float
) -> None:
    off_at = {"off_at": START + off_after} if off_after is not None else {}
    stage.open_run(a_host(facts={"on_since": START, **off_at}))
    stage.clock.sleep(START + 1000 - stage.clock.now())
    assert host_of(stage)["on_seconds"] == seconds


def test_of_a_host_that_was_never_started_nothing_is_claimed(stage: Stage) -> None:
    stage.open_run(a_host(facts={}))
    host = host_of(stage)
    unknown = (
        "original_state",
        "final_state",
        "installed",
        "missing",
        "failed_updates",
        "reboots",
        "free_gib_before",
        "free_gib_after",
        "grown_gib",
        "verified_at",
        "on_seconds",
        "idle_seconds",
        "outcome",
        "step",
        "reason",
        "type",
    )
    assert {name: host[name] for name in unknown} == dict.fromkeys(unknown)
    assert (host["started_by_run"], host["repaired"], host["seconds"], host["timeline"]) == (False, [], {}, [])


def test_a_hosts_whole_workflow_is_reported(stage: Stage) -> None:
    stage.open_run(a_host(facts={"type": "t3.large", "az": "eu-central-1a"}))
    step(stage, "start", 30)
    stage.ledger.update_facts(RUN, ID, {"started_by_run": True, "on_since": START + 10, "original_state": "stopped"})
    for name, seconds in (
        ("ready", 60.25),
        ("disk", 10),
        ("repair", 20),
        ("patch", 600),
        ("verify", 70),
        ("patch", 100),
    ):
        step(stage, name, seconds)
    step(stage, "restore", 90)
    stage.ledger.update_facts(
        RUN,
        ID,
        {
            "off_at": stage.clock.now(),
            "final_state": "stopped",
            "installed": ["KB1"],
            "missing": [],
            "work": [[START + 400, 300.0], [START + 900, 500.0]],
        },
    )
    stage.ledger.set_outcome(RUN, ID, Verdict("patched"))
    host = host_of(stage)
    assert host["seconds"] == {
        "start": 30,
        "ready": 60.2,
        "disk": 10,
        "repair": 20,
        "patch": 700,
        "verify": 70,
        "restore": 90,
    }
    assert (host["on_seconds"], host["idle_seconds"]) == (970.2, 170.2)
    assert (host["type"], host["az"], host["wave"], host["started_by_run"]) == ("t3.large", "eu-central-1a", 1, True)
    assert (host["installed"], host["missing"], host["outcome"]) == (["KB1"], [], "patched")
    assert host["timeline"][0] == {
        "step": "start",
        "started_at": "2026-11-14T22:00:00Z",
        "finished_at": "2026-11-14T22:00:30Z",
        "ok": True,
    }


def test_a_step_that_still_continues_is_counted_until_now(stage: Stage) -> None:
    stage.open_run()
    stage.ledger.begin_phase(RUN, ID, "patch", START)
    stage.ledger.update_facts(RUN, ID, {"on_since": START - 60})
    stage.clock.sleep(300)
    host = host_of(stage)
    assert (host["seconds"], host["on_seconds"]) == ({"patch": 300}, 360)
    assert host["timeline"][0]["finished_at"] is None


def test_a_step_that_was_cut_off_is_counted_until_the_last_heartbeat(stage: Stage) -> None:
    """Its controller died then or soon after, whenever the report is asked for."""
    stage.open_run()
    stage.ledger.begin_phase(RUN, ID, "patch", stage.clock.now())
    stage.clock.sleep(300)
    stage.ledger.heartbeat(RUN, stage.clock.now())
    stage.clock.sleep(50_000)
    assert host_of(stage)["seconds"] == {"patch": 300.0}


@pytest.mark.parametrize(
    ("facts", "idle_seconds"),
    [
        ({}, 1000),
        ({"work": [[START + 400, 200.0], [START + 600, 100.0]]}, 700),
        ({"work": [[START + 400, 300.0]], "working_since": START + 600}, 300),
        ({"work": [[START + 400, 300.0]], "working_since": None}, 700),
        ({"work": [[START + 400, 300.0]], "work_unknown": True}, None),
        ({"work": [[START + 1200, 300.0], [START + 2000, 300.0]]}, 900),
        ({"work": [[START + 1000, 1000.0], [START + 1000, 1.0]]}, 0),  # clocks are rounded
    ],
    ids=[
        "nothing ran",
        "commands",
        "one that still runs",
        "none any more",
        "one whose end is unknown",
        "after the time that was ours",
        "rounded",
    ],
)
def test_idle_is_what_no_command_of_ours_takes(stage: Stage, facts: Any, idle_seconds: float | None) -> None:
    stage.open_run()
    step(stage, "patch", 900)  # waits between commands are idle, too
    stage.ledger.update_facts(RUN, ID, {"on_since": START, "off_at": START + 1000, **facts})
    assert host_of(stage)["idle_seconds"] == idle_seconds


def test_the_run_is_reported_with_its_targets_and_its_breaker(stage: Stage) -> None:
    targets = {"tag": "PatchGroup=Windows", "count": 1}
    stage.open_run(targets=targets)
    stage.open_breaker("the canary dev-01 failed")
    stage.clock.sleep(60)
    first = report(stage)
    assert (first["schema"], first["run_id"], first["operation"]) == (1, RUN, "install")
    assert (first["targets"], first["breaker"]) == (targets, "the canary dev-01 failed")
    assert first["started_at"] == "2026-11-14T22:00:00Z"
    assert (first["finished_at"], first["as_of"]) == (None, "2026-11-14T22:01:00Z"), "the run is at work"
    stage.ledger.close_run(RUN, START + 30)
    assert report(stage)["finished_at"] == "2026-11-14T22:00:30Z"


def test_hosts_are_reported_in_planned_order_with_a_reason_each(stage: Stage) -> None:
    stage.open_run(
        a_host("i-2", position=1, name="b"),
        a_host("i-1", name="z"),
        a_host("w", position=2, kind="winrm", instance_id=None),
    )
    stage.ledger.set_outcome(RUN, "i-2", Verdict("failed", "disk", "no_room", "Only 3 GiB are free."))
    hosts = report(stage)["hosts"]
    assert [host["host"] for host in hosts] == ["z", "b", "dev-01"]
    assert [hosts[1][name] for name in ("outcome", "step", "reason_code", "reason")] == [
        "failed",
        "disk",
        "no_room",
        "Only 3 GiB are free.",
    ]
    assert (hosts[2]["instance_id"], hosts[2]["kind"]) == (None, "winrm")


@settings(max_examples=30, database=None)
@given(outcomes=st.lists(st.sampled_from(Outcome), max_size=20))
def test_the_totals_agree_with_the_hosts(tmp_path_factory: pytest.TempPathFactory, outcomes: list[str]) -> None:
    stage = Stage(tmp_path_factory.mktemp("ledger"))
    hosts = [a_host(f"i-{number}", position=number, outcome=outcome) for number, outcome in enumerate(outcomes)]
    stage.open_run(*hosts or [a_host(outcome="patched")])
    message = report(stage)
    assert sum(message["totals"].values()) == len(message["hosts"])
    assert message["totals"] == {name: outcomes.count(name) for name in Outcome if name in outcomes} or not outcomes
