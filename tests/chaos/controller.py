# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller: the product's own steps in the order of the playbooks patch and restore, without Ansible, until it is killed.

What changes something outside the process is an *act*: an API call that is no question, or a write into the ledger. Between
two acts nothing is seen from outside, so a controller that dies between them is one that dies right after the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.api import Aws
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.budget import Budget, Pace
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._model.reasons import Reason
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.fleet_info import OPERATION as FLEET
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_admission import OPERATION as ADMISSION
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_result import OPERATION as RESULT
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.instance_power import OPERATION as POWER
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.managed_node_wait import OPERATION as WAIT
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_compliance_info import OPERATION as SCAN
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION as RUN
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.roll_back import OPERATION as ROLL_BACK
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.run_recovery import OPERATION as RECOVERY
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.user_tasks_result import OPERATION as TASKS
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.call_budget import CallBudget
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.failures import failure_result, is_recorded
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.operation import Operation, make_context
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import read
from chaos.names import SCRIPTS
from chaos.night import REGION, Night
from chaos.outside import ActingClient, ActingLedger, DyingPoller, Killed
from chaos.own_clock import OwnClock
from chaos.remote import NightConnection
from chaos.watch import Change
from host_workflow import Task, Workflow, read_workflow
from operations import perform

T = TypeVar("T")
WORKFLOWS = {
    (kind, by_tasks, drains): read_workflow(kind, by_tasks=by_tasks, drains=drains)
    for kind, by_tasks in (("ec2", False), ("winrm", False), ("winrm", True))
    for drains in (False, True)
}
"""By the kind of the host, whether tasks of the user's start and stop it, and whether nodes of clusters are drained."""
MARK_TAG = "patchfleet:run"
"""Set on each host that a controller has; what sets it and takes it away are acts like others."""
OPTIONS = {
    "mark_tag": MARK_TAG,
    "scripts": dict.fromkeys(SCRIPTS, ""),
    "history_script": "",
    "boot_script": "",
    "can_stop": True,
    "policy": "ignore",
}
"""What the controller gives the tasks that take it; the rest has the defaults of the modules."""


ROLL_BACK_WORK: tuple[tuple[Operation, dict[str, str]], ...] = (
    (ROLL_BACK, {"state": "swapped"}),
    (POWER, {"state": "started"}),
    (WAIT, {}),
    (SCAN, {}),
    (ROLL_BACK, {"state": "verified"}),
)
"""The steps of playbooks/tasks/roll_back.yml until the power state is restored."""
FREEZES_ALL_SECONDS = 60.0
"""A pause after an act that is shorter is the act's own: AWS or the disk was slow."""
MOMENT_SECONDS = 0.001


def one_after_the_other(*works: Callable[[], T]) -> list[T]:
    """What each of them returns."""
    return [work() for work in works]


@dataclass(frozen=True)
class AtWork:
    """``at_once`` hosts at a time, by ``gather``; ``options`` are for the tasks that take them. ``poller_answers``: see Drawn.
    ``pace`` is the API budget; None paces nothing.
    """

    at_once: int = 1
    gather: Callable[..., list[Any]] = one_after_the_other
    options: Mapping[str, Any] = field(default_factory=dict)
    poller_answers: int | None = None
    pace: Pace | None = None


def is_past(acts: list[str], point: int | str | None) -> bool:
    """Whether this number of acts is done, or the first one of this name; never for None."""
    return point in acts if isinstance(point, str) else len(acts) == point


class Controller:
    """Works in a night; it is killed when it has done ``dies_after`` acts, or the first act of that name.

    ``clock`` is its own. ``sleep`` lets time pass for it, and ``pauses`` says for how many seconds it stands still
    after an act, by the names of all its acts until then: whatever other controllers do meanwhile, it continues with the next one.
    ``hosts`` is how it works on them.
    ``acts`` are the acts that it did; ``at_work`` is whether it still lives. ``run_id`` and ``planned`` are of the run that
    it opened; ``max_running`` is its setting, and ``at_most`` that for hosts of one zone. ``rolls_back`` is the host
    that it puts back to its restore point.
    """

    region: str | None = REGION
    expires_at: float | None = None

    def __init__(
        self,
        night: Night,
        name: str = "first",
        *,
        dies_after: int | str | None = None,
        clock: OwnClock | None = None,
        sleep: Callable[[float], None] | None = None,
        pauses: Callable[[list[str]], float] = lambda _acts: 0.0,
        hosts: AtWork | None = None,
    ) -> None:
        self.night = night
        self.name = name
        self.acts: list[str] = []
        self.at_work = True
        self.run_id: str | None = None
        self.planned: set[str] = set()
        self._dies_after = dies_after
        self.max_running: int | None = None
        self.at_most: int | None = None
        self.rolls_back: str | None = None
        self.clock = clock or OwnClock()
        self._sleep = sleep or night.sleep
        self._pauses = pauses
        self._pause_seconds = 0.0
        self._frozen_until = 0.0
        self._is_killed = False
        self._stopping: set[str] = set()  # hosts whose stop tasks ran
        self._hosts = hosts or AtWork()
        self._ledger = ActingLedger(self)
        answers, budget = self._hosts.poller_answers, Budget(self._hosts.pace) if self._hosts.pace else None
        self._poller = None if answers is None else DyingPoller(self, answers, budget)

    @property
    def takes_points(self) -> bool:
        """Whether it takes restore points."""
        return str(self._hosts.options.get("restore_point", "none")) != "none"

    # ---- what a step asks for

    def renew(self) -> bool:
        return False

    def client(self, service: str, region: str) -> Any:
        return ActingClient(self, service, self.night.client(service, region))

    def now(self) -> float:
        self.stand_still()
        return self.clock.shown(self.night.now(), self.acts)

    def sleep(self, seconds: float) -> None:
        self.stand_still()
        self._sleep(max(seconds, 0.0))
        self.stand_still()

    def real_seconds(self, seconds: float) -> float:
        return seconds

    def act(self, name: str, work: Callable[[], T]) -> T:
        self.stand_still()
        if is_past(self.acts, self._dies_after):
            self.at_work, self._is_killed = False, True
            raise Killed
        self.acts.append(name)
        done = work()
        self._pause_seconds = self._pauses(self.acts)
        return done

    def stand_still(self) -> None:
        """The pause after the last act. It comes before the next thing that the controller does or asks, so that the watch has
        noted the act by then. In a long one everything that the controller has at work stands still.
        """
        seconds, self._pause_seconds = self._pause_seconds, 0.0
        if seconds >= FREEZES_ALL_SECONDS:
            self._frozen_until = self.night.now() + seconds
            self.clock.freeze(seconds, self.acts)
            self.night.watch.stands_still(self, seconds)
        if seconds:
            self._sleep(seconds)
        while (left := self._frozen_until - self.night.now()) > MOMENT_SECONDS:
            self._sleep(left)
        if self._is_killed:
            raise Killed

    # ---- the playbooks

    def plan(self, **variables: Any) -> dict[str, Any]:
        """The playbook plan."""
        settings = read(variables)
        return self.step(RUN, state="planned", settings=settings, fleet=self._fleet(settings), forks=20)

    def _fleet(self, settings: dict[str, Any]) -> list[dict[str, Any]]:
        listed = [{"name": name, "connection": "winrm"} for name in self.night.remotes]
        found = self.step(FLEET, tag_key=settings["tag_key"], tag_value=settings["tag_value"], inventory_hosts=listed)
        return list(found["hosts"])

    def patch(self, **variables: Any) -> str:
        """The playbook patch; the run's id."""
        settings = read(variables)
        fleet = self._fleet(settings)
        opened = self.step(RUN, state="opened", settings=settings, fleet=fleet, forks=20)
        run_id, self.max_running = str(opened["run_id"]), settings["max_running"]
        self.at_most = next((limit["hosts"] for limit in settings["at_most"]), None)
        included = [host for host in opened["hosts"] if host["included"]]
        again = self._process_hosts(run_id, str(opened["snapshot_id"]), included)
        self._process_hosts(run_id, str(opened["snapshot_id"]), again)
        self.step(RECOVERY, state="lost_hosts", run_id=run_id)
        self.step(RUN, state="closed", run_id=run_id)
        return run_id

    def _process_hosts(self, run_id: str, snapshot_id: str, hosts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """``at_once`` at a time; those that get a second try come after the rest."""
        again = []
        for first in range(0, len(hosts), self._hosts.at_once):
            some = hosts[first : first + self._hosts.at_once]
            comes_again = self._hosts.gather(*(partial(self._process_host, run_id, snapshot_id, host) for host in some))
            again += [host for host, again_later in zip(some, comes_again, strict=True) if again_later]
        return again

    def _process_host(self, run_id: str, snapshot_id: str, host: dict[str, Any]) -> bool:
        """Whether it comes again when the others are through."""
        tracked_host = {"run_id": run_id, "host": host["key"], "fence": host["fence"], "region": host["region"]}
        if not self._is_admitted(tracked_host):
            return False
        options = {**OPTIONS, **self._hosts.options, "snapshot_id": snapshot_id, "instance_id": host["key"]}
        return self._workflow(host["key"]).take_through(
            lambda task: self._do(task, tracked_host, options), partial(self._fail, tracked_host)
        )

    def _workflow(self, key: str) -> Workflow:
        remote = self.night.remotes.get(key)
        by_tasks = bool(remote and remote.remote.by_tasks)
        return WORKFLOWS["winrm" if remote else "ec2", by_tasks, self._hosts.options.get("clusters") == "drain"]

    def _do(self, task: Task, tracked_host: dict[str, Any], options: dict[str, Any]) -> None:
        if (task.module, task.state) == ("host_power", "stopped") and tracked_host["host"] not in self._stopping:
            return
        result = self.step(task.operation, **tracked_host, **task.chosen(options))
        for which in ("start", "stop"):
            if task.module == "host_power" and result.get(which):
                self._run_tasks(which, tracked_host)

    def _run_tasks(self, which: str, tracked_host: dict[str, Any]) -> None:
        """Those of the user that start or stop a host without EC2."""
        name = tracked_host["host"]
        remote = self.night.remotes[name]
        self.step(TASKS, **tracked_host, state="started", tasks=which)
        work = remote.start if which == "start" else remote.stop
        change = Change(self, "tasks", f"{which}_tasks", {}, self.night.now(), host_key=name)
        self.act(f"{which}_tasks", lambda: self.night.watch.call(change, work))
        if which == "stop":
            self._stopping.add(name)
        if remote.remote.failing_tasks == which:
            failure = {"msg": "The tasks failed.", "reason_code": "unexpected_error"}
            self.step(TASKS, **tracked_host, state="failed", tasks=which, reason="They failed.", failure=failure)
        self.step(TASKS, **tracked_host, state="succeeded", tasks=which)

    def _is_admitted(self, tracked_host: dict[str, Any]) -> bool:
        before = self.night.watch.before_admission(tracked_host["run_id"])
        try:
            admitted = bool(self.step(ADMISSION, **tracked_host)["admitted"])
        except PatchFleetError:
            return False
        if admitted:
            self.night.watch.admitted(self, tracked_host["run_id"], tracked_host["host"], before)
        return admitted

    def _fail(self, tracked_host: dict[str, Any], error: PatchFleetError) -> None:
        """The rescue of the playbook."""
        if not is_recorded(error):
            self.step(RESULT, state="failed", **tracked_host, failure=failure_result(error))

    def stop(self, run_id: str | None = None) -> list[str]:
        """The playbook stop; the runs that it stopped."""
        given = {"run_id": run_id, "reason": "The shop is down.", "by": "on call"}
        stopped: list[str] = self.step(RUN, state="stopped", **given)["stopped"]
        self.night.watch.brakes.stop(stopped)
        return stopped

    def resume(self, run_id: str | None = None) -> list[str]:
        """The playbook resume; the runs that continue."""
        given = {"run_id": run_id, "reason": "The shop is up.", "by": "on call"}
        resumed: list[str] = self.step(RUN, state="resumed", **given)["stopped"]
        self.night.watch.brakes.resume(resumed)
        return resumed

    def roll_back(self, host: str) -> list[str]:
        """The playbook roll_back for an EC2 host; what it says at its end."""
        opened = self.step(ROLL_BACK, state="opened", target=host)
        self.run_id, found = str(opened["run_id"]), opened["host"]
        self.rolls_back = found["key"]
        tracking = {"run_id": self.run_id, "host": found["key"], "fence": found["fence"], "region": found["region"]}
        options = {**OPTIONS, **self._hosts.options, "instance_id": found["key"], **tracking}
        options["snapshot_id"] = opened["snapshot_id"]
        self._tried(tracking, *(partial(self.step, step, **{**options, **given}) for step, given in ROLL_BACK_WORK))
        self._tried(tracking, partial(self.step, POWER, **{**options, "state": "restored"}))
        self.step(RESULT, **tracking, state="finished")
        return list(self.step(ROLL_BACK, state="closed", run_id=self.run_id)["lines"])

    def _tried(self, tracking: dict[str, Any], *works: Callable[[], object]) -> None:
        """A block of a playbook, with its rescue."""
        try:
            for work in works:
                work()
        except PatchFleetError as error:
            self._fail(tracking, error)

    def restore(self) -> str | None:
        """The playbook restore; what it says is still on, None when nothing is or the ledger holds no run yet."""
        try:
            hosts = self.step(RECOVERY, state="open_hosts")["hosts"]
        except PatchFleetError as error:
            if error.code != Reason.NO_RUN:
                raise
            return None
        for host in hosts:
            tracking = {"run_id": host["run_id"], "host": host["key"], "fence": host["fence"], "region": host["region"]}
            options = {**OPTIONS, "instance_id": host["instance_id"] or host["key"]}
            try:
                for task in self._workflow(host["key"]).restore[:-1]:  # the last one records an outcome
                    self._do(task, tracking, options)
            except PatchFleetError:
                continue  # ignore_errors; the last play reports it
        try:
            self.step(RECOVERY, state="closed")
        except PatchFleetError as error:
            return error.reason
        return None

    def step(self, step: Operation, **given: Any) -> dict[str, Any]:
        options = {name: spec.get("default") for name, spec in step.arguments.items()}
        chosen = {name: value for name, value in given.items() if name in options or name == "region"}
        remote = self.night.remotes.get(str(chosen.get("host")))
        connect = partial(NightConnection, self, remote) if remote else None
        context = make_context(
            step,
            {**options, **chosen},
            connect=connect,
            clock=self,
            aws=Aws(self, self),
            ledger=self._ledger,  # type: ignore[arg-type]
        )
        context.poller = self._poller
        if self._hosts.pace:
            context.budget = CallBudget(self._hosts.pace, self, self._poller)
        return perform(step, context)
