# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs of AWX: what a job does that no ansible-playbook at a terminal does, and what is left when it is gone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import awx_job
import pytest
from awx_job import Job
from living_lab import TWO_MINUTES_WITH_A_REBOOT, LivingLab

from lab.process import Process

pytestmark = pytest.mark.xdist_group("runner")

SURVEY = {
    # Answers are texts, whatever they mean, and one that was left out is an empty one.
    "patch_batch_size": "2",
    "patch_fail_on_deferred": "true",
    "patch_regions": "eu-central-1",
    "patch_free_gib": "10",
    "patch_deadline": "",
    "patch_exclude": "",
    "patch_hosts": "all",
    "patch_failure_budget": "0",
}
FLEET: list[dict[str, Any]] = [
    {"name": "off", "state": "stopped"},
    {"name": "broken", "windows_update": "no_route"},
    {"name": "on"},
    {"name": "other"},
    {"name": "cut", "state": "stopped"},
]
SLICED = {"workflow_job_id": 41, "workflow_job_name": "Patch"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingLab]:
    keys: dict[str, Any] = {
        "defaults": {"updates": [TWO_MINUTES_WITH_A_REBOOT]},
        "events": [{"when": "cut installing", "do": "kill_controller"}],
    }
    with LivingLab(tmp_path_factory.mktemp("awx"), FLEET, **keys) as lab:
        lab.on_controller = cancel
        yield lab


def cancel(node: Process) -> None:
    """AWX asks the container to end, and removes it with all that runs in it."""
    node.terminate()
    node.kill()


@pytest.fixture(scope="module")
def first(lab: LivingLab) -> Job:
    """The first slice of a job: its hosts are off and broken."""
    return awx_job.run(lab, "patch", ["off", "broken"], survey=SURVEY, meta=SLICED)


def test_a_job_takes_texts_for_answers_and_puts_back_what_was_off(lab: LivingLab, first: Job) -> None:
    assert first.status == "failed", first.output  # because of the host that failed
    assert lab.truth("off")["state"] == "stopped"
    assert lab.truth("off")["missing"] == []


def test_a_host_that_failed_ends_so_and_relaunch_on_failed_hosts_takes_it_alone(first: Job) -> None:
    assert first.failed_hosts == {"broken"}
    assert first.hosts is not None
    assert first.hosts["off"]["ok"] > 0


def test_the_artifacts_show_what_became_of_the_hosts_under_a_key_of_the_run(first: Job) -> None:
    ((key, reported),) = first.artifacts.items()
    assert key == f"patchfleet_{reported['run_id'].replace('-', '_')}"
    assert reported["totals"] == {"patched": 1, "failed": 1}
    (sentence,) = reported["look_at"]
    assert re.match(r"broken \(i-[0-9a-f]+\) failed: ", sentence)


def test_awxs_own_display_gets_events_of_hosts_tasks_and_plays(first: Job) -> None:
    """Colours are on; the events are what AWX draws its page from, so each of them must have come through whole."""
    names = {event["event"] for event in first.events}
    assert names >= {
        "playbook_on_start",
        "playbook_on_play_start",
        "runner_on_ok",
        "runner_on_failed",
        "playbook_on_stats",
    }
    assert [event["counter"] for event in first.events] == sorted(event["counter"] for event in first.events)
    assert "\x1b[K" not in first.output, "what the callback hides between the lines was broken up"
    assert re.search(r" off +patch ", first.output), "progress is printed between the tasks"


def test_nothing_lies_in_the_fact_cache(first: Job) -> None:
    """AWX keeps facts by host name for all jobs, and core 2.19 loses them: the memory is the ledger."""
    assert first.facts == []


def test_another_slice_knows_of_the_failures_of_the_first(lab: LivingLab, first: Job) -> None:
    second = awx_job.run(lab, "patch", ["on", "other"], survey=SURVEY, meta=SLICED)
    assert second.status == "failed", second.output
    assert second.failed_hosts == {"on", "other"}
    assert "1 host failed, and patch_failure_budget tolerates 0" in second.output
    assert lab.truth("on")["missing"] != []
    assert second.artifacts.keys().isdisjoint(first.artifacts)


def test_relaunched_on_what_failed_it_targets_those_alone(lab: LivingLab) -> None:
    """AWX gives their names as a limit."""
    job = awx_job.run(lab, "plan", ["off", "broken", "on", "other"], limit="broken,on", survey=SURVEY)
    assert job.status == "successful", job.output
    assert "2 hosts will be patched" in job.output
    assert set(re.findall(r"wave \d+ +\S+ +(\w+)", job.output)) == {"broken", "on"}


def test_a_cancelled_job_is_repaired_by_restore(lab: LivingLab) -> None:
    job = awx_job.run(lab, "patch", ["cut"], survey=SURVEY)
    assert job.node.code == "killed"
    assert job.hosts is None, "a host summary would let AWX relaunch on failed hosts"
    assert lab.truth("cut")["state"] == "running"
    early = awx_job.run(lab, "restore", [])
    assert early.status == "failed", "the job may be alive, for all that restore can know"
    assert "Still on because of us: cut" in early.output
    restored = awx_job.run(lab, "restore", [], survey={"patch_take_over": "true"})
    assert restored.status == "successful", restored.output
    assert lab.truth("cut")["state"] == "stopped"


@pytest.mark.parametrize(
    ("hosts", "options", "message"),
    [
        (["on"], {"limit": "on"}, "The limit on of this job skips the discovery by tag"),
        (["on", "other"], {"limit": "other", "survey": {"patch_hosts": "on"}}, "No host to work on"),
        (["on"], {"limit": "elsewhere", "survey": {"patch_hosts": "all"}}, "leaves us with no hosts to target"),
        (["on", "other"], {"survey": {"patch_hosts": "all", "patch_max_hosts": "1"}}, "patch_max_hosts is 1"),
        (["on"], {"ledger": None, "survey": {"patch_hosts": "all"}}, "This is a job of AWX"),
    ],
    ids=["limit-and-tag", "limit-beside-the-targets", "limit-of-nothing", "limit-dropped", "ledger-in-a-file"],
)
def test_a_job_that_would_do_nothing_or_too_much_fails_before_it_touches_anything(
    lab: LivingLab, hosts: list[str], options: dict[str, Any], message: str
) -> None:
    job = awx_job.run(lab, "patch", hosts, **options)
    assert job.status == "failed", job.output
    assert message in " ".join(job.output.split())
    assert job.node.touched == []
