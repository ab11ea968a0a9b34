# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is judged in the moment in which it happens, by what the controllers do and by the truth of the hosts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import (
    LEASE_SECONDS,
    SKEW_SECONDS,
    Host,
    Run,
    Verdict,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._run.slices import is_named, slices
from chaos.promises import Brakes, has_restore_point, peers_at_work
from lab import world
from lab.aws.request import Request
from lab.world import ASG_TAG

if TYPE_CHECKING:
    from chaos.controller import Controller
    from chaos.night import Night

PROVEN = frozenset({"patched", "compliant"})
FAILURES = ("failed", "held")
EXTERNAL_REASONS = frozenset(
    {
        "auto_scaling_group",
        "credentials_expired",
        "instance_gone",
        "instance_shutting_down",
        "instance_stopped",
        "instance_stopping",
        "instance_terminated",
        "keep_tag",
        "managed_by_service",
        "others_patching",
        "restarted_by_others",
        "scheduled",
        "stopped_by_others",
        "tag_lost",
        "untagged",
    }
)
"""Reasons that say nothing of the updates, since others or the end of the credentials caused them: they spend no failure budget."""

EARLY_SECONDS, UNSEEN_SECONDS = 30.0, 180.0
"""How long before and after its record a start that no controller saw counts as ours (docs/safety.md)."""

BOOT_SECONDS = 120.0
"""A host that another user starts has booted in this time; no run reboots a host so soon after its start tasks."""

WHOLE_SECONDS = 1.0
"""LaunchTime is in whole seconds where AWS shows it."""

REPLACES_VOLUME = frozenset({"create_replace_root_volume_task", "stop_instances"})
"""Calls of a roll-back that end what Windows installs on the volume that it replaces."""

LOST = "state lost (2)"
LEFT_ON = "left on, and not named"
FALSE = "called compliant, and is not (6)"
UNRECORDED = "started without a record (1)"
OVERWRITTEN = "open record overwritten (2)"
NOT_OURS = "stopped, and was not ours (3)"
CUT_OFF = "installation cut off"
TOUCHED = "touched after its lease was lost"
TAKEN = "taken from a living controller"
SHARED = "one fencing number, two holders"
TOO_MANY = "more on than patch_max_running"
NOT_ONE = "not exactly one outcome (4)"
STARTED = "started, though no other host may start (5)"
AFTER_STANDSTILL = "started by a controller that stood still"
NO_POINT = "installed without its restore point"
POINTS = "restore points that the ledger does not know, or twice"
CROWDED = "more at work than patch_at_most"
UNDONE = "a node left paused or a root volume missing, and not named"
RAISED = "something else was raised"
KINDS = (
    LOST,
    LEFT_ON,
    FALSE,
    UNRECORDED,
    OVERWRITTEN,
    NOT_OURS,
    CUT_OFF,
    TOUCHED,
    TAKEN,
    SHARED,
    TOO_MANY,
    NOT_ONE,
    STARTED,
    AFTER_STANDSTILL,
    NO_POINT,
    POINTS,
    CROWDED,
    UNDONE,
    RAISED,
)
"""What a night may be found guilty of; numbers are those of the design's invariants."""


class Problem(NamedTuple):
    """``kind`` is one of KINDS."""

    kind: str
    text: str


def key_of(host: world.Host) -> str:
    """Of a host in the ledger."""
    return host.id or host.name


@dataclass(frozen=True)
class Change:
    """A call that changes something. Its controller decided on it at ``decided_at`` (seconds since 1970), and may have stood still
    since.
    """

    controller: Controller
    service: str
    operation: str
    params: dict[str, Any]
    decided_at: float
    host_key: str | None = None  # of a host that AWS does not know

    @property
    def installs(self) -> bool:
        if self.operation == "win_updates":
            return bool(self.params["state"] == "installed")
        return self.operation == "send_command" and self.params.get("Parameters", {}).get("Operation") == ["Install"]

    @property
    def starts(self) -> bool:
        return self.operation in {"start_instances", "start_tasks"}


class Watch:
    """``problems`` is what it saw; ``started`` are (run id, host key) of what was started or grown for a run.

    ``undecidable`` counts the stops of another user's start that nothing distinguishes from ours. ``rolled_back`` names the hosts
    whose root volume a roll-back replaced, or which it stopped for that: it ends whatever Windows installs on that volume.
    ``older_boots`` names the hosts without EC2 whose boot seems older than the record that they were off: their controller stood
    still in between, and its clock does not show it.
    """

    def __init__(self, night: Night) -> None:
        self._night = night
        self.problems: list[Problem] = []
        self.started: set[tuple[str, str]] = set()
        self._holders: dict[str, Controller] = {}
        self._signs: dict[str, float] = {}  # of life, of who holds the host; seconds since 1970
        self._fences: dict[str, int] = {}  # the newest fencing number of each host
        self._found: dict[str, str] = {}  # original states of open records
        self._requests: dict[str, tuple[Controller, float]] = {}  # starts that were recorded and not asked for yet
        self._unseen: dict[str, tuple[Controller, float]] = {}  # starts whose LaunchTime is not in the ledger yet
        self._unanswered: dict[str, float] = {}  # LaunchTimes that were taken for those of starts without an answer
        self._awake_since: dict[str, float] = {}  # controller: end of its last standstill that was longer than a lease
        self._in_work: set[tuple[str, str]] = set()  # (controller, host key) of what it started, or patches
        self._admitted: set[tuple[str, str]] = set()  # (run id, host key)
        self._tasks_began: dict[
            str, tuple[float, int]
        ] = {}  # when start tasks began, and how often the host had booted then
        self.undecidable = 0
        self.rolled_back: set[str] = set()
        self.older_boots: set[str] = set()
        self.brakes = Brakes(night)

    def _say(self, kind: str, text: str) -> None:
        self.problems.append(Problem(kind, text))

    # ---- calls

    def call(self, change: Change, work: Callable[[], Any]) -> Any:
        """A controller changes something by ``work``."""
        controller, operation = change.controller, change.operation
        hosts = self._named(change)
        for host in hosts:
            # The user's tasks know nothing of leases.
            if self._holders.get(key_of(host)) is not controller and change.service != "tasks":
                self._say(TOUCHED, f"{host.name}: {operation} by {controller.name}")
            if operation == "stop_instances":
                self._check_stop(host, controller)
            if change.starts or change.installs:
                self._check_start(host, change)
            if change.service == "tasks":
                self._check_tasks(host, operation)
        self._note_roll_back(change, hosts)
        answer = work()
        if operation == "start_instances":  # a start that AWS refused is no request
            for host in hosts:
                self._unseen.pop(key_of(host), None)
                if request := self._requests.pop(key_of(host), None):
                    self._unseen[key_of(host)] = request
        if operation in {"start_instances", "modify_volume", "start_tasks"}:
            self.started.update((controller.run_id or "", key_of(host)) for host in hosts)
            self._count_running(controller)
        return answer

    def _note_roll_back(self, change: Change, hosts: list[world.Host]) -> None:
        if change.operation in REPLACES_VOLUME:
            self.rolled_back.update(host.name for host in hosts if change.controller.rolls_back == key_of(host))

    def stands_still(self, controller: Controller, seconds: float) -> None:
        """From now on. What it decided before it may still do: no product can look between its last check and a call."""
        if seconds > LEASE_SECONDS and controller.clock.shows_freezes:
            self._awake_since[controller.name] = self._night.now() + seconds
        if controller.clock.hides_freezes:
            records = {
                name: self._night.ledger.power(key_of(self._night.play.world.hosts[name]))
                for name in self._night.remotes
            }
            self.older_boots.update(name for name, record in records.items() if record and record.launch_time is None)

    def _check_start(self, host: world.Host, change: Change) -> None:
        """A start or an installation. After a standstill only hosts that the controller had in work before are finished."""
        name, key = change.controller.name, key_of(host)
        awake_since = self._awake_since.get(name)
        is_in_work = (name, key) in self._in_work or self._night.is_on_because_of_us(host)
        if awake_since is not None and change.decided_at >= awake_since and not is_in_work:
            text = f"{change.operation} {change.decided_at - awake_since:.0f} s after {name} stood still"
            self._say(AFTER_STANDSTILL, f"{host.name}: {text}")
        self._in_work.add((name, key))
        wants_point = change.installs and host.instance and change.controller.takes_points
        if wants_point and host.guest.updates.missing() and not has_restore_point(self._night, host):
            self._say(NO_POINT, f"{host.name}: by {name}")

    def _check_tasks(self, host: world.Host, operation: str) -> None:
        """The user's tasks that start or stop a host without EC2."""
        if operation == "start_tasks" and self._night.ledger.power(key_of(host)) is None:
            self._say(UNRECORDED, f"{host.name}: by tasks")
        if operation == "start_tasks":
            self._tasks_began[key_of(host)] = (self._night.now(), len(host.guest.boots))
        if operation == "stop_tasks" and self._night.remotes[host.name].started_at is None:
            if self._have_tasks_started(key_of(host)) or self._booted_meanwhile(host):
                self.undecidable += 1
            else:
                self._say(NOT_OURS, f"{host.name}: no run had started it")

    def _booted_meanwhile(self, host: world.Host) -> bool:
        """Whether another user had started the host, and it booted right after the start tasks began."""
        began, boots = self._tasks_began.get(key_of(host), (0.0, 0))
        later = host.guest.boots[boots:]
        return bool(later) and later[0].timestamp() - began <= BOOT_SECONDS

    def _have_tasks_started(self, key: str) -> bool:
        """Whether a controller wrote down that the start tasks begin, and died before they did: only that controller knows."""
        hosts = [host for run in self._night.ledger.runs() for host in self._night.ledger.hosts(run.run_id)]
        return any(host.key == key and host.facts.get("start_tasks") == "started" for host in hosts)

    def _named(self, change: Change) -> list[world.Host]:
        if change.host_key:
            return [self._night.host(change.host_key)]
        if change.service not in {"ec2", "ssm"}:
            return []
        account, region = self._night.play.account, change.controller.region or ""
        return account.hosts_named(Request(account, change.service, change.operation, change.params, region, ""))

    def _count_running(self, controller: Controller) -> None:
        """Instances that are on because of runs: those with an open record. One that was left to others is theirs."""
        hosts = self._night.play.world.hosts.values()
        on = [host.name for host in hosts if host.on_because_of_us and self._night.is_recorded(str(host.id))]
        if controller.max_running is not None and len(on) > controller.max_running:
            self._say(TOO_MANY, f"{controller.name} started one more: {', '.join(sorted(on))}")

    def service_call(self, operation: str, hosts: list[world.Host]) -> None:
        """AWS itself does this, as the watchdog's runbook does."""
        for host in hosts if operation == "StopInstances" else ():
            self._check_stop(host)
            holder = self._holders.get(str(host.id))
            silent_seconds = self._night.now() - self._signs.get(str(host.id), 0.0)
            alive = holder is not None and holder.at_work and silent_seconds < LEASE_SECONDS - SKEW_SECONDS
            if holder and alive and host.on_because_of_us and not self._waits_for_its_turn(holder, str(host.id)):
                text = f"stopped by its watchdog, {silent_seconds:.0f} s after a heartbeat of {holder.name}"
                self._say(TAKEN, f"{host.name}: {text}")

    def _waits_for_its_turn(self, holder: Controller, key: str) -> bool:
        """Whether a run that has taken the host over has not started with it: it starts the host at its turn (docs/safety.md)."""
        return key in holder.planned and (str(holder.run_id), key) not in self._admitted

    def _check_stop(self, host: world.Host, controller: Controller | None = None) -> None:
        """By what AWS shows at this moment: what others did since cannot be known."""
        assert host.instance
        now = self._night.play.sim.now
        view, shown = host.instance.view.latest, host.instance.view.at(now)
        is_shown = view.launch_time == shown.launch_time and view.state == shown.state == "running"
        rolled_back = controller is not None and controller.rolls_back == host.id
        if not host.on_because_of_us and is_shown and not rolled_back:
            if self._is_undecidable(host, view.launch_time.timestamp(), controller):
                self.undecidable += 1
            else:
                self._say(NOT_OURS, f"{host.name}: another user had it on")
        if ASG_TAG in host.tags.at(now):
            self._say(NOT_OURS, f"{host.name}: it is in an Auto Scaling group")

    def _is_undecidable(self, host: world.Host, launched: float, stops: Controller | None) -> bool:
        """A controller recorded a start, and died or stood still before it asked for it, or before EC2 had shown it, or AWS gave no
        answer to it; another user started the host right then.

        The ledger and the account look the same as after our own start whose answer was lost: EC2 has neither a
        client token for StartInstances nor a name of who started an instance. Only the controller itself knows that it did not.
        """
        if abs(self._unanswered.get(str(host.id), 0.0) - launched) < WHOLE_SECONDS:
            return True
        known = self._requests.get(str(host.id)) or self._unseen.get(str(host.id))
        recorded_by, requested_at = known or (stops, 0.0)
        return recorded_by is not stops and -EARLY_SECONDS <= launched - requested_at <= UNSEEN_SECONDS

    # ---- the ledger's writes

    def wrote(self, controller: Controller, name: str, args: tuple[Any, ...], done: Any) -> None:
        """A write of the controller's has been committed; ``done`` is what it returned."""
        if name == "heartbeat":
            self._signs.update({key: self._night.now() for key, one in self._holders.items() if one is controller})
        elif name == "extend_lease":
            self._kept(controller, *args)
        elif name == "open_run":
            run, hosts, _force = args
            self._opened(controller, run, hosts, done.fences)
        elif name == "take_over":
            self._take(controller, done.fences)
        elif name == "record_power":
            first = self._found.setdefault(done.host_key, done.original_state)
            if first != done.original_state:
                self._say(OVERWRITTEN, f"{done.name}: it was {first}, and {done.original_state} is what is read")
        elif name in {"note_start", "note_launch", "close_power"}:
            self._noted(controller, name, args)
        elif name == "set_outcome" and done:
            self._concluded(args[1], args[2])
        elif name == "close_run" and args[0] == controller.run_id:
            controller.at_work = False

    def _noted(self, controller: Controller, name: str, args: tuple[Any, ...]) -> None:
        """About an open power record."""
        request = self._requests.pop(args[0], None)
        if name == "note_launch" and request and args[1] and args[1] <= request[1] + UNSEEN_SECONDS:
            self._unanswered[args[0]] = args[1]
        self._unseen.pop(args[0], None)
        if name == "note_start":
            self._requests[args[0]] = (controller, args[2])
        if name == "close_power":
            self._found.pop(args[0], None)

    def cut_off(self, name: str, args: tuple[Any, ...]) -> None:
        """The controller was killed within a write of several calls, of which the first may have closed a power record."""
        if name == "close_power" and self._night.ledger.power(args[0]) is None:
            self._found.pop(args[0], None)

    def _kept(self, controller: Controller, key: str, _fence: int, until: float | None) -> None:
        """A lease of one host. One that is given back stays with its controller until another one takes it."""
        if self._holders.get(key) is controller:
            self._signs[key] = 0.0 if until is None else self._night.now()

    def _opened(self, controller: Controller, run: Run, hosts: list[Host], fences: Mapping[str, int]) -> None:
        controller.run_id = run.run_id
        controller.planned = {host.key for host in hosts}
        self._take(controller, fences)

    def _take(self, controller: Controller, fences: Mapping[str, int]) -> None:
        """Hosts change hands. A controller that stood still within a write of several calls ends it late: by then another one may
        have taken its hosts over, which has a later fencing number.
        """
        now = self._night.now()
        for key, fence in fences.items():
            if fence < self._fences.get(key, 0):
                continue
            self._fences[key] = fence
            before, silent_seconds = self._holders.get(key), now - self._signs.get(key, 0.0)
            # Leases assume that clocks agree; where they do not, the fence keeps two from working on one host.
            agree = before is not None and before.clock.is_trusted and controller.clock.is_trusted
            alive = silent_seconds < LEASE_SECONDS - SKEW_SECONDS
            if (
                before
                and before is not controller
                and before.at_work
                and alive
                and agree
                and not self._is_closed(before)
            ):
                text = f"from {before.name} by {controller.name}, {silent_seconds:.0f} s after its last heartbeat"
                self._say(TAKEN, f"{self._night.host(key).name}: {text}")
            self._holders[key], self._signs[key] = controller, now

    def _is_closed(self, controller: Controller) -> bool:
        """Whether its run is closed. In DynamoDB the write that closes it has several calls, and the first one closes it."""
        return controller.run_id is not None and self._night.ledger.run(controller.run_id).closed_at is not None

    def _concluded(self, key: str, verdict: Verdict) -> None:
        updates = self._night.host(key).guest.updates
        if verdict.outcome in PROVEN and (updates.missing() or updates.pending_reboot):
            missing_items = [update.kb for update in updates.missing()] or "its reboot"
            self._say(FALSE, f"{self._night.host(key).name}: {verdict.outcome}, and lacks {missing_items}")

    # ---- admission

    def before_admission(self, run_id: str) -> tuple[str | None, int]:
        """Why no host may start, and how many have failed. A controller may stand still between its decision and its next act."""
        hosts = self._night.ledger.hosts(run_id)
        failed = [host for host in hosts if host.outcome in FAILURES and host.reason_code not in EXTERNAL_REASONS]
        return self._night.ledger.run(run_id).breaker or self.brakes.reason_to_wait(run_id), len(failed)

    def admitted(self, controller: Controller, run_id: str, key: str, before: tuple[str | None, int]) -> None:
        """A host has been admitted; ``before`` is what before_admission said."""
        self._admitted.add((run_id, key))
        ledger, name = self._night.ledger, self._night.host(key).name
        run, (breaker, failures) = ledger.run(run_id), before
        if breaker:
            self._say(STARTED, f"{name}: the breaker was open: {breaker}")
        if failures > run.settings["failure_budget_hosts"]:
            self._say(STARTED, f"{name}: {failures} hosts had failed")
        facts = ledger.host(run_id, key).facts
        expected = float(facts.get("expected_seconds") or run.settings["expected_seconds"])
        deadline_at = run.settings["deadline_at"]
        admitted_at = facts["deadline_at"] - facts.get("timeout_seconds", run.settings["host_timeout_seconds"])
        if deadline_at is not None and admitted_at + expected > deadline_at:
            self._say(STARTED, f"{name}: its end was foreseen after the deadline")
        self._check_window(controller, name, admitted_at, expected)
        if controller.at_most and (peers := peers_at_work(self._night, run_id, key, controller.at_most)):
            self._say(CROWDED, f"{name}: {', '.join(sorted(peers))}")
        canaries = self._canaries(run)
        if key not in {host.key for host in canaries} and any(host.outcome is None for host in canaries):
            self._say(STARTED, f"{name}: the canaries had not ended")

    def _canaries(self, run: Run) -> list[Host]:
        """The first hosts of a run; those of slices are the first ones of their whole plan, in whichever slice each of them is."""
        ledger, number = self._night.ledger, run.settings["canary"]
        if is_named(run):
            keys = run.settings.get("canary_keys", [])
            return [host for one in slices(ledger, run) for host in ledger.some_hosts(one.run_id, keys)]
        hosts = [host for host in ledger.hosts(run.run_id) if host.wave is not None and host.phase != "plan"]
        return hosts[:number]

    def _check_window(self, controller: Controller, name: str, admitted_at: float, expected: float) -> None:
        """By what was drawn, and not by what the run has made of it; a run that opens outside its window is refused."""
        window = self._night.window
        if window is None:
            return
        begin_until, ends_at = window
        if admitted_at >= begin_until:
            self._say(STARTED, f"{name}: in the window's cutoff, by {controller.name}")
        if admitted_at + expected > ends_at:
            self._say(STARTED, f"{name}: its end was foreseen after the window's, by {controller.name}")
