# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was set up in AWX is launched there, and does its work in the lab's account."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from awx_setup import ONE_ACCOUNT, SET_UP, fresh_awx, run
from living_awx import LivingAwx
from living_lab import TWO_MINUTES_WITH_A_REBOOT, LivingLab

from awx.dispatcher import Job
from awx.server import StandIn
from lab.process import Process

pytestmark = pytest.mark.xdist_group("awx jobs")

pytest.importorskip("ansible_collections.awx.awx", reason="the package ansible 12 brings it, 14 does not")
FLEET: list[dict[str, Any]] = [
    {"name": "first", "state": "stopped"},
    {"name": "other"},
    {"name": "cut", "state": "stopped"},
    {"name": "gone"},
]


@pytest.fixture(scope="module")
def awx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingAwx]:
    keys: dict[str, Any] = {
        "defaults": {"updates": [TWO_MINUTES_WITH_A_REBOOT]},
        "events": [{"when": "cut installing", "do": "kill_controller"}],
    }
    with StandIn(fresh_awx()) as standin, LivingLab(tmp_path_factory.mktemp("awx"), FLEET, **keys) as lab:
        lab.on_controller = end_container
        run(standin, tmp_path_factory.mktemp("setup"), SET_UP, **ONE_ACCOUNT)
        yield LivingAwx(lab, standin.objects)


def end_container(node: Process) -> None:
    """AWX asks the container to end, and removes it with all that runs in it."""
    node.terminate()
    node.kill()


def runs_of(job: Job) -> set[str]:
    """The runs that a job left for those after it, and for notifications."""
    return {reported["run_id"] for name, reported in job.artifacts.items() if name.startswith("patchfleet_2")}


def test_a_launch_fills_the_inventory_itself(awx: LivingAwx) -> None:
    plan = awx.dispatcher.launch("Patch Fleet plan")
    assert plan.status == "successful", awx.output(plan)
    assert awx.dispatcher.updates == ["Patch Fleet EC2"]
    assert all(awx.lab.id(host["name"]) in awx.output(plan) for host in FLEET)
    assert "reserved name" not in awx.output(plan)


def test_a_workflow_with_a_limit_is_green_and_reports_its_own_run(awx: LivingAwx) -> None:
    """Another job has a run of its own just before the report."""
    beside: list[Job] = []

    def scan(job: Job) -> None:
        if job.template["name"] == "Patch Fleet report":
            beside.append(awx.dispatcher.launch("Patch Fleet scan", limit="name_other"))

    awx.before = scan
    workflow = awx.dispatcher.launch_workflow("Patch Fleet workflow", limit="name_first")
    awx.before = lambda _job: None
    assert workflow.status == "successful", awx.output(workflow.jobs["report"])
    assert list(workflow.jobs) == ["plan", "approve", "patch", "report"]
    assert awx.lab.truth("first")["state"] == "stopped"
    assert awx.lab.truth("first")["missing"] == []
    assert awx.lab.truth("other")["missing"] != []
    assert runs_of(beside[0])
    assert runs_of(workflow.jobs["report"]) == runs_of(workflow.jobs["patch"])


def test_a_workflow_with_a_limit_puts_back_what_its_cancelled_job_left_on(awx: LivingAwx) -> None:
    """A cancelled job hands nothing on, so what was reported before is no run of this workflow."""
    before = {run for job in awx.dispatcher.jobs for run in runs_of(job)}
    awx.answer = lambda name: "timed out" if "wait for the lease" in name else "approved"
    workflow = awx.dispatcher.launch_workflow("Patch Fleet workflow", limit="name_cut")
    assert workflow.jobs["patch"].status == "canceled"
    assert "restore" in workflow.jobs
    assert awx.lab.truth("cut")["state"] == "stopped", awx.output(list(workflow.jobs.values())[-1])
    assert workflow.status == "successful"
    assert len(runs_of(workflow.jobs["report"])) == 1
    assert not runs_of(workflow.jobs["report"]) & before


def test_slices_run_beside_each_other_and_the_workflow_reports_them_all(awx: LivingAwx) -> None:
    patch = next(row for row in awx.objects.lists["job_templates"].values() if row["name"] == "Patch Fleet patch")
    patch["job_slice_count"] = 2
    patch["extra_vars"] = json.dumps({**json.loads(patch["extra_vars"]), "patch_restore_point": "root"})
    answers = {"patch_exclude": awx.lab.id("cut")}
    workflow = awx.dispatcher.launch_workflow("Patch Fleet workflow", extra_vars=answers)
    patch["job_slice_count"] = 1
    assert workflow.status == "successful"
    assert [job.status for job in workflow.jobs["patch"].slices] == ["successful", "successful"]
    runs = [runs_of(job) for job in workflow.jobs["patch"].slices]
    assert all(len(run) == 1 for run in runs)
    assert runs_of(workflow.jobs["report"]) == runs[0] | runs[1]
    assert awx.lab.truth("other")["missing"] == []


def test_a_workflow_whose_patch_opened_no_run_reports_none(awx: LivingAwx) -> None:
    """Its only host loses its tag before the approval; the launch of patch updates the inventory, and has no host to patch."""

    def take_out(_name: str) -> str:
        awx.lab.client("ec2").delete_tags(Resources=[awx.lab.id("gone")], Tags=[{"Key": "PatchGroup"}])
        return "approved"

    awx.answer = take_out
    workflow = awx.dispatcher.launch_workflow("Patch Fleet workflow", limit="name_gone")
    ends = {name: job.status for name, job in workflow.jobs.items()}
    assert ends == {
        "plan": "successful",
        "approve": "successful",
        "patch": "failed",
        "restore": "successful",
        "report": "successful",
    }
    assert "opened no run" in awx.output(workflow.jobs["report"])
    assert runs_of(workflow.jobs["report"]) == set()


def test_templates_that_work_from_the_ledger_need_no_limit_and_name_the_fields_of_a_survey(awx: LivingAwx) -> None:
    scan = awx.dispatcher.launch("Patch Fleet scan", limit="name_other")
    (scanned,) = runs_of(scan)
    ended = {
        name: awx.dispatcher.launch(f"Patch Fleet {name}", extra_vars=answers)
        for name, answers in {
            "status": {},
            "evidence": {"patch_host": "other"},
            "restore points": {},
            "history": {},
            "stop": {"patch_stop_reason": "Checkout is down"},
        }.items()
    }
    ends = {name: job.status for name, job in ended.items()}
    assert ends == {**dict.fromkeys(ended, "successful"), "stop": "failed"}, [awx.output(job) for job in ended.values()]
    assert scanned in awx.output(ended["status"])
    assert "other" in awx.output(ended["evidence"])
    assert "at work" in awx.output(ended["stop"]), "no run is at work"

    awx.answer = lambda _name: "approved"
    workflow = awx.dispatcher.launch_workflow("Patch Fleet roll back workflow")
    assert {name: job.status for name, job in workflow.jobs.items()} == {"approve": "successful", "roll back": "failed"}
    refused = awx.output(workflow.jobs["roll back"])
    assert "Name one host as the report does: the field Host of the survey." in refused
    assert "-e patch_" not in refused

    without = {"patch_host": "other", "patch_run_id": scanned}
    workflow = awx.dispatcher.launch_workflow("Patch Fleet roll back workflow", extra_vars=without)
    assert "restore point" in awx.output(workflow.jobs["roll back"])
    assert awx.lab.truth("other")["missing"] == []


def test_a_host_is_rolled_back_to_the_restore_point_of_a_job(awx: LivingAwx) -> None:
    """It was patched by the slices above."""
    awx.answer = lambda _name: "approved"
    workflow = awx.dispatcher.launch_workflow("Patch Fleet roll back workflow", extra_vars={"patch_host": "other"})
    assert workflow.status == "successful", awx.output(workflow.jobs["roll back"])
    assert (awx.lab.truth("other")["state"], awx.lab.truth("other")["missing"]) == ("running", ["KB5031361"])
