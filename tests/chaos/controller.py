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

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.api import READING, Aws
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.budget import Budget, Pace
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._model.account import Account
from ansible_collections.patchfleet.windows.plugins.module_utils._model.reasons import Reason
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.fleet_info import OPERATION as FLEET
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_admission import OPERATION as ADMISSION
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_power import OPERATION as HOST_POWER
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_result import OPERATION as RESULT
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.instance_power import OPERATION as POWER
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.managed_node_wait import OPERATION as WAIT
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_baseline import OPERATION as INSTALL
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION as RUN
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.run_recovery import OPERATION as RECOVERY
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.system_drive_space import OPERATION as SPACE
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.user_tasks_result import OPERATION as TASKS
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.windows_update_health import (
    OPERATION as HEALTH,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.call_budget import CallBudget
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.failures import failure_result, is_recorded
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.operation import Operation, make_context
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.poller import (
    RETRY_BUDGET_SECONDS,
    Answer,
    PacedCaller,
    Poller,
    Question,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import read
from chaos.names import SCRIPTS, WRITES
from chaos.night import REGION, Night
from chaos.own_clock import OwnClock
from chaos.remote import NightConnection
from chaos.watch import Change
from chaos.workflow import Task, Workflow, read_workflow
from operations import perform

T = TypeVar("T")
WORKFLOWS = {
    (kind, by_tasks): read_workflow(kind, by_tasks=by_tasks)
    for kind, by_tasks in (("ec2", False), ("winrm", False), ("winrm", True))
}
"""By the kind of the host, and whether tasks of the user's start and stop it."""
OPERATIONS = {
    operation.name: operation for operation in (ADMISSION, POWER, HOST_POWER, WAIT, SPACE, HEALTH, INSTALL, RESULT)
}
MARK_TAG = "patchfleet:run"
"""Set on each host that a controller has; what sets it and takes it away are acts like others."""
OPTIONS = {
    "mark_tag": MARK_TAG,
    "scripts": dict.fromkeys(SCRIPTS, ""),
    "history_script": "",
    "boot_script": "",
    "can_stop": True,
}
"""What the controller gives the tasks that take it; the rest has the defaults of the modules."""


SET_FOR_ALL = frozenset({"instance_id", "setup_prefix"})
"""Options that module_defaults give each task."""
FREEZES_ALL_SECONDS = 60.0
"""A pause after an act that is shorter is the act's own: AWS or the disk was slow."""
MOMENT_SECONDS = 0.001


class Killed(BaseException):
    """SIGKILL: no process can catch it, and nothing of the controller runs after it."""


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
    it opened; ``max_running`` is its setting.
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
        self.clock = clock or OwnClock()
        self._sleep = sleep or night.sleep
        self._pauses = pauses
        self._pause_seconds = 0.0
        self._frozen_until = 0.0
        self._is_killed = False
        self._stopping: set[str] = set()  # hosts whose stop tasks ran
        self._hosts = hosts or AtWork()
        self._ledger = _Ledger(self)
        answers, budget = self._hosts.poller_answers, Budget(self._hosts.pace) if self._hosts.pace else None
        self._poller = None if answers is None else _Poller(self, answers, budget)

    # ---- what a step asks for

    def renew(self) -> bool:
        return False

    def client(self, service: str, region: str) -> Any:
        return _Client(self, service, self.night.client(service, region))

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
        retry_later, workflow = False, self._workflow(host["key"])
        try:
            for task in workflow.work:
                self._do(task, tracked_host, options)
        except PatchFleetError as error:
            retry_later = error.code.retry_later
            self._fail(tracked_host, error)
        for task in workflow.restore:
            try:
                self._do(task, tracked_host, options)
            except PatchFleetError as error:
                self._fail(tracked_host, error)
        return retry_later

    def _workflow(self, key: str) -> Workflow:
        remote = self.night.remotes.get(key)
        return WORKFLOWS["winrm" if remote else "ec2", bool(remote and remote.remote.by_tasks)]

    def _do(self, task: Task, tracked_host: dict[str, Any], options: dict[str, Any]) -> None:
        if (task.module, task.state) == ("host_power", "stopped") and tracked_host["host"] not in self._stopping:
            return
        given = {name: value for name, value in options.items() if name in task.options or name in SET_FOR_ALL}
        state = {"state": task.state} if task.state else {}
        result = self.step(OPERATIONS[task.module], **tracked_host, **given, **state)
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


class _Poller:
    """The poller of a controller, in its own process here: after this number of answers it is gone."""

    def __init__(self, controller: Controller, answers: int, budget: Budget | None) -> None:
        self._controller, self._left = controller, answers
        self._caller = PacedCaller(budget, controller) if budget else None
        self._poller = Poller(self._aws_at, controller, budget)

    def _aws_at(self, account: Account | None, region: str) -> Aws:
        options: dict[str, Any] = {"caller": self._caller, "retry_budget_seconds": RETRY_BUDGET_SECONDS}
        return Aws(self._controller, self._controller, region, **options).at(account, region)  # type: ignore[arg-type]

    def ask(self, question: Question) -> Answer | None:
        self._left -= 1
        return self._poller.ask(question) if self._left >= 0 else None


class _Client:
    """A boto3 client whose changing calls are acts."""

    def __init__(self, controller: Controller, service: str, client: Any) -> None:
        self._controller, self._service, self._client = controller, service, client
        self.meta = client.meta

    def __getattr__(self, operation: str) -> Any:
        method = getattr(self._client, operation)

        def call(**params: Any) -> Any:
            if operation.startswith(READING) or params.get("DryRun"):
                self._controller.stand_still()
                return method(**params)
            watch, decided_at = self._controller.night.watch, self._controller.night.now()
            change = Change(self._controller, self._service, operation, params, decided_at)
            return self._controller.act(operation, lambda: watch.call(change, lambda: method(**params)))

        return call


class _Ledger:
    """The controller's own way to the night's ledger. In SQLite each write is an act; in DynamoDB its calls are."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._ledger = controller.night.open_ledger(controller, controller)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ledger, name)

        def read(*args: Any, **kwargs: Any) -> Any:
            self._controller.stand_still()
            return method(*args, **kwargs)

        def write(*args: Any, **kwargs: Any) -> Any:
            controller = self._controller
            if controller.night.backend == "sqlite":
                done = controller.act(name, lambda: method(*args, **kwargs))
            else:
                try:
                    done = method(*args, **kwargs)
                except Killed:
                    controller.night.watch.cut_off(name, args)
                    raise
            controller.night.watch.wrote(controller, name, args, done)
            return done

        return write if name in WRITES else read
