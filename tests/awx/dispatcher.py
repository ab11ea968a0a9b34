# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Launches job templates and workflows of the stand-in by AWX 24.6.1's rules; the caller says what a job does.

After awx/main/models/workflow.py (``WorkflowJobNode.get_job_kwargs``), awx/main/scheduler/dag_workflow.py,
awx/main/scheduler/dependency_graph.py and ``JobTemplate.create_unified_job``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from awx.inventories import Document, import_hosts, script_data, sources_of_launch
from awx.launch import Prompts, launch_variables, prompts_of, sort_prompts
from awx.objects import Objects, RefusedError, Row

JOB, WORKFLOW, APPROVAL = "job_templates", "workflow_job_templates", "workflow_approval_templates"
ANSWERS = {"approved": "successful", "denied": "failed", "timed out": "failed"}


@dataclass
class Job:
    """A job, a sliced job with its ``slices``, or an approval.

    Attributes:
        limit: what it really runs with; empty is every host of the inventory.
        variables: its extra variables, the survey's and those of earlier jobs included.
        meta: the variables that AWX adds, without the prefix ``awx_`` or ``tower_``.
        status: successful, failed or canceled, once it has ended.
        artifacts: what its ansible.builtin.set_stats left.
    """

    number: int
    template: Row
    inventory: Document = field(default_factory=dict)
    limit: str = ""
    variables: dict[str, Any] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    verbosity: int = 0
    status: str = "pending"
    artifacts: dict[str, Any] = field(default_factory=dict)
    slices: list[Job] = field(default_factory=list)


@dataclass
class WorkflowJob:
    """A workflow's run: the jobs of its nodes, in the order in which they began, by the nodes' identifiers."""

    number: int
    template: Row
    prompts: Prompts
    variables: dict[str, Any]
    status: str = "running"
    jobs: dict[str, Job] = field(default_factory=dict)


@dataclass(frozen=True)
class Runs:
    """What the stand-in does not do itself.

    Attributes:
        work: does a job, and gives its status and artifacts.
        update: what the plugin of a source finds, or UpdateFailedError; of a constructed one the documents are those of its inputs.
        answer: approved, denied or timed out, for a node that waits for an approval.
    """

    work: Callable[[Job], tuple[str, dict[str, Any]]]
    update: Callable[[Row, list[Document]], Document]
    answer: Callable[[Row], str]


class UpdateFailedError(RuntimeError):
    """The plugin of a source found nothing, because of an error."""


class WouldWaitError(RuntimeError):
    """AWX would hold this job back until the other one of its template has ended."""


class Dispatcher:
    """Attributes:
    jobs: all jobs, in the order in which they began.
    updates: names of the sources that were updated.
    notified: of each notification the template, what ended or waits, and how.
    """

    def __init__(self, objects: Objects, runs: Runs) -> None:
        self.objects = objects
        self.runs = runs
        self.jobs: list[Job] = []
        self.updates: list[str] = []
        self.notified: list[tuple[str, str, str]] = []
        self._numbers = itertools.count(1)
        self._running: list[int] = []

    def launch(self, name: str, **given: Any) -> Job:
        """Launch a job template and wait for its end. Raises RefusedError for answers that its survey does not take."""
        template = self._template(JOB, name)
        return self._job(template, self._accepted(JOB, template, given), {"job_launch_type": "manual"})

    def launch_workflow(self, name: str, **given: Any) -> WorkflowJob:
        """Launch a workflow and wait for its end. Raises RefusedError like ``launch``."""
        return self._workflow(self._template(WORKFLOW, name), given)

    def start_schedule(self, name: str) -> WorkflowJob:
        """Do what a schedule of a workflow does when its time has come."""
        (schedule,) = (row for row in self.objects.lists["schedules"].values() if row["name"] == name)
        template = self.objects.lists[WORKFLOW][schedule["unified_job_template"]]
        return self._workflow(template, prompts_of(schedule))

    def _template(self, kind: str, name: str) -> Row:
        (template,) = (row for row in self.objects.lists[kind].values() if row["name"] == name)
        return template

    def _accepted(self, kind: str, template: Row, given: Mapping[str, Any]) -> Prompts:
        found = sort_prompts(self.objects, kind, template, given)
        if "variables_needed_to_start" in found.errors:
            raise RefusedError(found.errors)
        return found.accepted

    @contextmanager
    def _alone(self, template: Row) -> Iterator[None]:
        if template["id"] in self._running and not template["allow_simultaneous"]:
            raise WouldWaitError(template["name"])
        self._running.append(template["id"])
        try:
            yield
        finally:
            self._running.remove(template["id"])

    # Jobs

    def _job(self, template: Row, prompts: Prompts, about: Mapping[str, Any]) -> Job:
        inventory = prompts.get("inventory", template["inventory"])
        known = [row for row in self.objects.lists["hosts"].values() if row["inventory"] == inventory]
        count = min(prompts.get("job_slice_count", template["job_slice_count"]), len(known))
        with self._alone(template):
            job = self._sliced(template, prompts, count) if count > 1 else self._single(template, prompts, about)
        self._notify(JOB, template, "success" if job.status == "successful" else "error")
        return job

    def _single(
        self, template: Row, prompts: Prompts, about: Mapping[str, Any], piece: tuple[int, int] = (1, 1)
    ) -> Job:
        inventory = prompts.get("inventory", template["inventory"])
        # Slices wait for the same updates. A job whose update failed fails with it (``TaskManager.process_job_dep_failures``).
        updated = self._update_sources(inventory) if piece == (1, 1) else True
        number = next(self._numbers)
        job = Job(
            number=number,
            template=template,
            inventory=script_data(self.objects, inventory, piece),
            limit=prompts.get("limit", template["limit"]),
            variables=launch_variables(self.objects, JOB, template, prompts.get("extra_vars", {})),
            meta={"job_id": number, "job_template_name": template["name"], "user_name": "admin", **about},
            verbosity=prompts.get("verbosity", template["verbosity"]),
        )
        self.jobs.append(job)
        job.status, job.artifacts = self.runs.work(job) if updated else ("failed", {})
        return job

    def _sliced(self, template: Row, prompts: Prompts, count: int) -> Job:
        """AWX makes a workflow job of it, with the template's name, in which the slices run beside each other."""
        whole = Job(next(self._numbers), template)
        about = {"workflow_job_id": whole.number, "workflow_job_name": template["name"], "job_launch_type": "workflow"}
        if not self._update_sources(prompts.get("inventory", template["inventory"])):
            whole.status = "failed"
            return whole
        with ThreadPoolExecutor(count) as threads:
            started = [
                threads.submit(self._single, template, prompts, about, (number, count))
                for number in range(1, count + 1)
            ]
            whole.slices = [one.result() for one in started]
        whole.status = "successful" if all(one.status == "successful" for one in whole.slices) else "failed"
        for one in whole.slices:
            whole.artifacts.update(one.artifacts if one.status in ("successful", "failed") else {})
        return whole

    def _update_sources(self, inventory: int) -> bool:
        inputs = self.objects.links.get(("inventories", inventory, "input_inventories"), [])
        succeeded = True
        for source in sources_of_launch(self.objects, inventory):
            self.updates.append(source["name"])
            try:
                found = self.runs.update(source, [script_data(self.objects, one) for one in inputs])
            except UpdateFailedError:
                succeeded = False
            else:
                import_hosts(self.objects, source, found)
        return succeeded

    # Workflows

    def _workflow(self, template: Row, given: Mapping[str, Any]) -> WorkflowJob:
        accepted = self._accepted(WORKFLOW, template, given)
        runtime = accepted.pop("extra_vars", {})
        own = {name: value for name, value in (("limit", template["limit"]),) if value}
        variables = launch_variables(self.objects, WORKFLOW, template, runtime)
        workflow = WorkflowJob(next(self._numbers), template, {**own, **accepted}, variables)
        with self._alone(template):
            self._walk(workflow)
        self._notify(WORKFLOW, template, "success" if workflow.status == "successful" else "error")
        return workflow

    def _walk(self, workflow: WorkflowJob) -> None:
        graph = Graph(self.objects, workflow.template["id"])
        kept: dict[int, dict[str, Any]] = {}  # a node's ancestor_artifacts
        while (node := graph.next_node()) is not None:
            handed: dict[str, Any] = {}
            for parent in sorted(graph.parents(node)):
                handed.update(kept.get(parent, {}))
                before = workflow.jobs.get(graph.nodes[parent]["identifier"])
                handed.update(before.artifacts if before else {})
            kept[node] = handed
            job = self._node(workflow, graph.nodes[node], handed)
            graph.outcomes[node] = job.status
        workflow.status = "failed" if graph.failed_without_successor() else "successful"

    def _node(self, workflow: WorkflowJob, node: Row, handed: Mapping[str, Any]) -> Job:
        identifier, number = node["identifier"], node["unified_job_template"]
        if number in self.objects.lists[APPROVAL]:
            job = self._approval(workflow, self.objects.lists[APPROVAL][number])
            workflow.jobs[identifier] = job
            return job
        template = self.objects.lists[JOB][number]
        prompts = sort_prompts(self.objects, JOB, template, {**prompts_of(node), **workflow.prompts}).accepted
        # A workflow's variables reach its jobs whatever the template asks for, and go over what earlier jobs have left.
        prompts["extra_vars"] = {**prompts.get("extra_vars", {}), **handed, **workflow.variables}
        about = {
            "workflow_job_id": workflow.number,
            "workflow_job_name": workflow.template["name"],
            "job_launch_type": "workflow",
        }
        job = self._job(template, prompts, about)
        workflow.jobs[identifier] = job
        return job

    def _approval(self, workflow: WorkflowJob, template: Row) -> Job:
        job = Job(next(self._numbers), template)
        self._notify(WORKFLOW, workflow.template, "approvals", template["name"])
        answer = self.runs.answer(template)
        job.status = ANSWERS[answer]
        self._notify(WORKFLOW, workflow.template, "approvals", f"{template['name']}: {answer}")
        return job

    def _notify(self, kind: str, template: Row, event: str, what: str | None = None) -> None:
        for number in self.objects.links.get((kind, template["id"], f"notification_templates_{event}"), []):
            name = self.objects.lists["notification_templates"][number]["name"]
            self.notified.append((name, what or template["name"], event))


class Graph:
    """The nodes of a workflow: which one is next, by how those before it ended.

    Attributes:
        outcomes: how the nodes' jobs ended; "skipped" where none will run.
    """

    EDGES = ("success_nodes", "failure_nodes", "always_nodes")

    def __init__(self, objects: Objects, workflow: int) -> None:
        rows = objects.lists["workflow_job_template_nodes"]
        self.nodes = {number: row for number, row in rows.items() if row["workflow_job_template"] == workflow}
        self.outcomes: dict[int, str] = {}
        self._edges = [
            (node, edge, child)
            for node, row in self.nodes.items()
            for edge in self.EDGES
            for child in objects.linked("workflow_job_template_nodes", row, edge)
        ]

    def parents(self, node: int) -> set[int]:
        """The nodes that lead to it."""
        return {parent for parent, _edge, child in self._edges if child == node}

    def next_node(self) -> int | None:
        """A node whose parents are all through, at least one in a way that leads to it; those that none leads to are skipped."""
        for node in self.nodes:
            if node in self.outcomes or not self.parents(node) <= set(self.outcomes):
                continue
            if not self.parents(node) or any(self._leads(edge) for edge in self._edges if edge[2] == node):
                return node
            self.outcomes[node] = "skipped"
            return self.next_node()
        return None

    def failed_without_successor(self) -> list[int]:
        """Nodes that failed and whose failure no other node handles: they make the workflow fail."""
        handled = {parent for parent, edge, _child in self._edges if edge != "success_nodes"}
        return [
            node for node, outcome in self.outcomes.items() if outcome in ("failed", "canceled") and node not in handled
        ]

    def _leads(self, edge: tuple[int, str, int]) -> bool:
        outcome = self.outcomes[edge[0]]
        wanted = {"successful": "success_nodes", "failed": "failure_nodes", "canceled": "failure_nodes"}.get(outcome)
        return wanted is not None and edge[1] in (wanted, "always_nodes")
