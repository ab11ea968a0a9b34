# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in launches as AWX does: limits, variables, artifacts, sources, slices and notifications."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from awx.dispatcher import Dispatcher, Job, Runs, UpdateFailedError, WouldWaitError
from awx.inventories import Document, script_data
from awx.launch import refuse_schedule
from awx.objects import Objects, RefusedError, Row

TEXT = {"type": "text", "required": False, "min": 0, "max": 1024, "choices": "", "question_name": "?"}
NODES = "workflow_job_template_nodes"


class Small:
    """An AWX with the job templates ``one`` and ``two``, a source of EC2, and a workflow ``both`` that runs them in turn."""

    def __init__(self) -> None:
        self.objects = Objects(["play.yml"])
        add = self.objects.add
        home = add("organizations", name="Home")
        project = add("projects", name="p", organization=home, scm_type="git")
        self.inventory = add("inventories", name="hosts", organization=home)
        self.source = add(
            "inventory_sources",
            name="ec2",
            inventory=self.inventory,
            source="ec2",
            overwrite=True,
            update_on_launch=True,
        )
        common = {"project": project, "playbook": "play.yml", "inventory": self.inventory, "extra_vars": '{"a": "own"}'}
        self.one = add("job_templates", name="one", ask_limit_on_launch=True, survey_enabled=True, **common)
        self.two = add("job_templates", name="two", **common)
        self.objects.set_survey("job_templates", self.row("job_templates", self.one), survey(a="asked"))
        self.workflow = add(
            "workflow_job_templates", name="both", organization=home, ask_limit_on_launch=True, survey_enabled=True
        )
        self.objects.set_survey(
            "workflow_job_templates", self.row("workflow_job_templates", self.workflow), survey(w="asked")
        )
        first, second = (
            add(NODES, identifier=name, workflow_job_template=self.workflow, unified_job_template=template)
            for name, template in (("first", self.one), ("second", self.two))
        )
        self.first = self.row(NODES, first)
        self.objects.link(NODES, self.first, "always_nodes", {"id": second})
        pager = add("notification_templates", name="pager", organization=home, notification_type="webhook")
        self.objects.link(
            "job_templates", self.row("job_templates", self.one), "notification_templates_error", {"id": pager}
        )
        self.found: Document = {"all": {"hosts": ["i-1", "i-2", "i-3"]}}
        self.ends: dict[str, tuple[str, dict[str, Any]]] = {}
        self.work: Callable[[Job], tuple[str, dict[str, Any]]] = lambda job: self.ends.get(
            job.template["name"], ("successful", {})
        )
        self.awx = Dispatcher(self.objects, Runs(self.do, self.update, lambda _template: "denied"))

    def do(self, job: Job) -> tuple[str, dict[str, Any]]:
        return self.work(job)

    def row(self, kind: str, number: int) -> Row:
        return self.objects.lists[kind][number]

    def update(self, _source: Row, inputs: list[Document]) -> Document:
        if not self.found:
            raise UpdateFailedError
        return inputs[0] if inputs else self.found


def survey(**defaults: str) -> dict[str, Any]:
    spec = [{**TEXT, "variable": name, "default": default} for name, default in defaults.items()]
    return {"name": "", "description": "", "spec": spec}


@pytest.fixture
def small() -> Small:
    return Small()


def test_a_limit_that_a_template_does_not_ask_for_is_dropped(small: Small) -> None:
    assert small.awx.launch("one", limit="i-1").limit == "i-1"
    assert small.awx.launch("two", limit="i-1").limit == ""


def test_a_workflows_limit_reaches_the_nodes_whose_templates_ask(small: Small) -> None:
    workflow = small.awx.launch_workflow("both", limit="i-1")
    assert {name: job.limit for name, job in workflow.jobs.items()} == {"first": "i-1", "second": ""}


def test_the_surveys_default_goes_over_the_templates_variable_and_the_answer_over_both(small: Small) -> None:
    assert small.awx.launch("one").variables == {"a": "asked"}
    assert small.awx.launch("two").variables == {"a": "own"}
    assert small.awx.launch("one", extra_vars={"a": "answered", "b": "unasked"}).variables == {"a": "answered"}
    with pytest.raises(RefusedError):
        small.awx.launch("one", extra_vars={"a": True})


def test_a_workflows_variables_reach_templates_that_do_not_ask_and_go_over_artifacts(small: Small) -> None:
    small.ends["one"] = "failed", {"w": "handed", "run": 1}
    second = small.awx.launch_workflow("both").jobs["second"]
    assert second.variables == {"a": "own", "w": "asked", "run": 1}


def test_artifacts_reach_all_later_nodes_and_a_cancelled_job_has_none(small: Small) -> None:
    small.ends["one"] = "canceled", {}
    workflow = small.awx.launch_workflow("both")
    assert "run" not in workflow.jobs["second"].variables
    assert workflow.status == "successful"  # its failure leads somewhere


def test_a_failure_that_leads_nowhere_fails_the_workflow(small: Small) -> None:
    small.ends["two"] = "failed", {}
    assert small.awx.launch_workflow("both").status == "failed"


def test_a_launch_updates_the_sources_of_its_own_inventory_and_no_inputs_of_a_constructed_one(small: Small) -> None:
    objects, home = small.objects, small.row("inventories", small.inventory)["organization"]
    whole = objects.add("inventories", name="whole", organization=home, kind="constructed")
    objects.link("inventories", small.row("inventories", whole), "input_inventories", {"id": small.inventory})
    small.row("job_templates", small.two)["inventory"] = whole
    assert small.awx.launch("two").inventory["all"]["hosts"] == []
    assert small.awx.updates == ["Auto-created source for: whole"]
    assert small.awx.launch("one").inventory["all"]["hosts"] == ["i-1", "i-2", "i-3"]
    assert small.awx.launch("two").inventory["all"]["hosts"] == ["i-1", "i-2", "i-3"]


def test_an_update_removes_its_own_hosts_that_are_gone_and_no_others(small: Small) -> None:
    small.objects.add("hosts", name="hall-1", inventory=small.inventory, enabled=True)
    small.awx.launch("two")
    small.found = {"all": {"hosts": ["i-2"]}, "_meta": {"hostvars": {"i-2": {"ec2_state": {"name": "stopped"}}}}}
    assert small.awx.launch("two").inventory["all"]["hosts"] == ["hall-1"], "AWX disables what does not run"
    small.row("inventory_sources", small.source).update(enabled_var="on", enabled_value="yes")
    small.found["_meta"]["hostvars"]["i-2"]["on"] = "yes"
    assert small.awx.launch("two").inventory["all"]["hosts"] == ["hall-1", "i-2"]


def test_a_job_fails_with_the_update_that_it_waits_for_and_keeps_the_hosts(small: Small) -> None:
    small.awx.launch("two")
    small.found = {}
    small.work = lambda _job: pytest.fail("it has begun")
    job = small.awx.launch("two")
    assert (job.status, job.inventory["all"]["hosts"]) == ("failed", ["i-1", "i-2", "i-3"])


def test_slices_share_the_hosts_in_turn_beside_each_other_and_keep_one_value_for_each_key(small: Small) -> None:
    small.awx.launch("two")
    small.row("job_templates", small.two)["job_slice_count"] = 2
    small.work = lambda job: (
        "successful",
        {"same": job.inventory["all"]["hosts"], job.inventory["all"]["hosts"][0]: 1},
    )
    whole = small.awx.launch("two")
    assert sorted(tuple(job.inventory["all"]["hosts"]) for job in whole.slices) == [("i-1", "i-3"), ("i-2",)]
    assert whole.artifacts.keys() == {"same", "i-1", "i-2"}
    names = {(job.meta["workflow_job_name"], job.meta["workflow_job_id"]) for job in whole.slices}
    assert names == {("two", whole.number)}


def test_a_second_job_of_a_template_waits_for_the_first(small: Small) -> None:
    def again(_job: Job) -> tuple[str, dict[str, Any]]:
        small.awx.launch("one")
        return "successful", {}

    small.work = again
    with pytest.raises(WouldWaitError):
        small.awx.launch("one")


def test_an_approval_that_is_denied_skips_what_it_led_to(small: Small) -> None:
    small.objects.approve(small.first, {"name": "sure?", "timeout": 60})
    links = small.objects.links
    links[NODES, small.first["id"], "success_nodes"] = links.pop((NODES, small.first["id"], "always_nodes"))
    workflow = small.awx.launch_workflow("both")
    assert ({name: job.status for name, job in workflow.jobs.items()}, workflow.status) == (
        {"first": "failed"},
        "failed",
    )


def test_notifications_are_sent_for_what_they_are_linked_to(small: Small) -> None:
    small.awx.launch("one")
    small.ends["one"] = "canceled", {}
    small.awx.launch("one")
    assert small.awx.notified == [("pager", "one", "error")]


def test_a_schedule_may_only_give_what_its_template_asks_for(small: Small) -> None:
    refuse_schedule(small.objects, {"unified_job_template": small.one, "limit": "i-1", "extra_data": {"a": "b"}})
    for more in ({"limit": "i-1"}, {"extra_data": {"b": "c"}}):
        with pytest.raises(RefusedError):
            refuse_schedule(small.objects, {"unified_job_template": small.two, **more})


def test_a_job_gets_groups_and_variables_as_a_script_answers_them(small: Small) -> None:
    host = small.objects.add("hosts", name="h", inventory=small.inventory, enabled=True, variables=json.dumps({"x": 1}))
    group = small.objects.add("groups", name="g", inventory=small.inventory, variables=json.dumps({"y": 2}))
    small.objects.link("groups", small.row("groups", group), "hosts", {"id": host})
    document = script_data(small.objects, small.inventory)
    assert document["g"] == {"hosts": ["h"], "vars": {"y": 2}}
    assert document["_meta"]["hostvars"] == {"h": {"x": 1}}


def test_the_objects_come_back_from_their_document(small: Small) -> None:
    """The files of earlier releases in tests/integration/earlier are such documents."""
    document = json.loads(json.dumps(small.objects.to_document()))
    again = Objects.from_document(["play.yml"], document)
    assert again.to_document() == document
    assert again.add("projects", name="new", organization=1, scm_type="git") not in small.objects.lists["projects"]
