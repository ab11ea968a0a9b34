# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The world that a scenario describes: its hosts, who turned them on, and who wants to hear of what they do."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from lab.agent import Agent
from lab.clusters import ClusterNode, clusters_of
from lab.guest import Guest
from lab.guest_disk import gib_behind
from lab.instance import Instance
from lab.lagged import Lag, Lagged
from lab.remote_agent import RemoteAgent
from lab.scenario import HostSpec, Scenario, Volume, launched
from lab.sim import Simulation
from lab.volume import EbsVolume

ASG_TAG = "aws:autoscaling:groupName"
ROOT_DEVICE = "/dev/sda1"
Listener = Callable[["Host", str], None]


class Meter:
    """How long a host was on because of us, and how much of that nothing of ours worked on it; lab seconds."""

    def __init__(self) -> None:
        self.on_seconds = 0.0
        self.idle_seconds = 0.0
        self._since = 0.0
        self._on = False
        self._busy = False

    def update(self, now: float, on: bool, busy: bool) -> None:
        """From ``now`` on it is so."""
        if self._on:
            self.on_seconds += now - self._since
            self.idle_seconds += 0.0 if self._busy else now - self._since
        self._since, self._on, self._busy = now, on, busy


class Host:
    """One host of the scenario: Windows, its agent and, on EC2, the instance and its volumes."""

    def __init__(self, world: World, spec: HostSpec) -> None:
        sim = world.sim
        self.spec = spec
        self.name = spec.name
        self._world = self.fleet = world
        self.history: list[dict[str, Any]] = []  # what happened to it: {t, event} and {t, state}
        self.free_gib: list[tuple[float, float]] = []  # seconds, and the room on C: since then
        self.id = world.new_id(spec, "mi" if spec.kind == "hybrid" else "i") if spec.kind != "winrm" else None
        own_tags = {ASG_TAG: f"group-of-{spec.name}"} if spec.asg else {}
        self.tags = Lagged({**spec.tags, **own_tags})
        self.reservation_id = ""
        self.visible_at = -math.inf  # the lab second from which readers see that it exists
        self.volumes = self._make_volumes() if spec.kind == "ec2" else []
        self.loose_volumes: list[EbsVolume] = []  # detached from it, or made of its snapshots, and attached to nothing
        self.added_gib = 0  # to the disk of a host without EBS
        self.guest = Guest(sim, spec, self._device_gib, self._announce)
        self.agent: Agent = Agent(sim, spec, self.guest, self._announce, self._changed)
        self.instance = (
            Instance(sim, spec, self, world.lag, self._announce, self._changed) if spec.kind == "ec2" else None
        )
        self.meter = Meter()
        self.profile = None if spec.kind != "ec2" or spec.agent == "no_role" else "managed-node"
        self._switched_off = False
        self._randoms = 0
        self.associations: list[dict[str, Any]] = []  # rows of DescribeInstanceAssociationsStatus
        self.unrecorded_starts = 0
        self.doubled_installs: set[str] = set()  # Install commands that came while another one was under way
        self.ever_started_by_us = False
        self.node: ClusterNode | None = None  # of a failover cluster

    def next_random(self, *key: object) -> random.Random:
        """A source of its own for each call, the same at every run."""
        self._randoms += 1
        return self._world.sim.random(self.name, *key, self._randoms)

    @property
    def now(self) -> datetime:
        return self._world.sim.time

    @property
    def reachable(self) -> bool:
        """Whether its WinRM endpoint may answer (hosts of the kind ``winrm`` only)."""
        limit = self.spec.unreachable_after
        return self.guest.up and (limit is None or self._world.sim.now < limit)

    def get_agent_outside(self) -> RemoteAgent:
        """From now on a program outside the lab is its agent, and the emulated one is gone."""
        self.agent.disconnect()
        self.guest.remove_listener(self.agent)
        agent = RemoteAgent(self._world.sim, self.spec, self.guest, self._announce, self._changed)
        self.agent = agent
        return agent

    def begin(self) -> None:
        """Go on from the state in which the scenario finds it."""
        self._note_state()
        if self.spec.state == "running":
            self.guest.begin_up()
            self.agent.begin_online()
        if self.instance:
            self.instance.begin()

    def _make_volumes(self) -> list[EbsVolume]:
        """The root volume last: that is where DescribeInstances lists it."""
        spec = self.spec
        if spec.instance_store:
            return []
        sizes = [("xvd" + chr(ord("b") + n), size) for n, size in enumerate(spec.disk.data_volumes)]
        root_gib = math.ceil(spec.disk.size_gib + gib_behind(spec.windows) + spec.disk.slack_gib)
        volumes = [self._volume(name, math.ceil(size), Volume()) for name, size in sizes]
        root = self._volume(ROOT_DEVICE, root_gib, spec.volume)
        root.delete_on_termination = True
        return [*volumes, root]

    def _volume(self, device: str, size_gib: int, spec: Volume) -> EbsVolume:
        return EbsVolume(
            self._world.sim,
            self._world.new_id(self.spec, f"vol/{device}", "vol"),
            device,
            size_gib,
            spec,
            self.spec,
            self._world.lag,
        )

    @property
    def root_volume(self) -> EbsVolume | None:
        return next((volume for volume in self.volumes if volume.device == ROOT_DEVICE), None)

    @property
    def all_volumes(self) -> list[EbsVolume]:
        return [*self.volumes, *self.loose_volumes]

    def new_volume(self, volume_id: str, size_gib: int, spec: Volume) -> EbsVolume:
        """A volume in its zone, attached to nothing."""
        volume = EbsVolume(self._world.sim, volume_id, "", size_gib, spec, self.spec, self._world.lag)
        volume.device, volume.tags = None, Lagged({})
        self.loose_volumes.append(volume)
        return volume

    def detach(self, volume: EbsVolume) -> None:
        """Windows goes with its root volume."""
        if volume is self.root_volume:
            volume.image = self.guest.image()
        volume.device, volume.delete_on_termination = None, False
        self.volumes.remove(volume)
        self.loose_volumes.append(volume)

    def attach(self, volume: EbsVolume, device: str) -> None:
        """The root volume last, as it is listed."""
        self.loose_volumes.remove(volume)
        volume.device, volume.is_new = device, False
        position = len(self.volumes) if device == ROOT_DEVICE else 0
        self.volumes.insert(position, volume)
        if device == ROOT_DEVICE:
            self.guest.load(volume.image)
            volume.image = None
            self.touch()

    def _device_gib(self) -> float:
        if self.root_volume:
            return self.root_volume.size_gib
        return self.spec.disk.size_gib + gib_behind(self.spec.windows) + self.spec.disk.slack_gib + self.added_gib

    @property
    def disk_serial(self) -> str:
        return self.root_volume.serial if self.root_volume else f"{self.guest.computer_name}-0"

    # ---- power, for the instance; for a host without one, by a person who stands before it

    @property
    def state(self) -> str:
        if self.instance:
            return self.instance.state
        return "stopped" if self._switched_off else "running"

    def switch(self, on: bool) -> None:
        """A person presses the button of a host that is no instance."""
        if on == self._switched_off:
            self._switched_off = not on
            self._note_state()
            if on:
                self.power_on()
            else:
                self.power_off(by_us=False)

    def take_profile(self, name: str | None) -> None:
        """An instance profile is attached, or it is taken away."""
        self.profile = name
        if name:
            self.agent.gets_role()
        else:
            self.agent.loses_role()

    def power_on(self) -> None:
        self.guest.power_on()

    def power_off(self, by_us: bool) -> None:
        self.guest.power_off(by_us)
        self.agent.power_lost()

    # ---- what the world watches

    @property
    def on_because_of_us(self) -> bool:
        return bool(self.instance and self.instance.on and self.instance.started_by_us)

    @property
    def runs_because_of_us(self) -> bool:
        return bool(self.on_because_of_us and self.instance and self.instance.state in ("pending", "running"))

    def touch(self) -> None:
        """Bring the meter up to date."""
        self.note_room()
        on = self.on_because_of_us
        self.ever_started_by_us |= on
        self.meter.update(self._world.sim.now, on, self.agent.busy or self.guest.updates.installing)

    def _note(self, **what: str) -> None:
        self.history.append({"t": round(self._world.sim.now, 3), **what})

    def _note_state(self) -> None:
        """Its power state, whenever it is a new one."""
        before = next((entry["state"] for entry in reversed(self.history) if "state" in entry), None)
        if self.state != before:
            self._note(state=self.state)

    def _changed(self) -> None:
        self._note_state()
        self.touch()
        self._world.count_running()

    def note_room(self) -> None:
        """The room on C:, whenever it is another one."""
        now, free = round(self._world.sim.now, 3), round(self.guest.disk.free_gib, 3)
        if not self.free_gib or self.free_gib[-1][1] != free:
            self.free_gib.append((now, free))

    def _announce(self, word: str) -> None:
        self._note(event=word)
        self.touch()  # "installing" and "installed" change what works on it
        self._world.announce(self, word)


class Fleet:
    """Hosts, by name and by id: those of one account, in a world of several."""

    def __init__(self, sim: Simulation, lag: Lag, hosts: Iterable[Host], world: World | None = None) -> None:
        self.sim = sim
        self.lag = lag
        self._world = world
        self.hosts = {host.name: host for host in hosts}
        self.by_id = {host.id: host for host in self.hosts.values() if host.id}
        self.by_volume_id = {volume.id: host for host in self.hosts.values() for volume in host.volumes}
        self.ec2_hosts = self._reserve()

    def _reserve(self) -> dict[str, list[Host]]:
        """The instances of each region by id, put into reservations of up to three, as several launches would."""
        by_region: dict[str, list[Host]] = {}
        for host in self.hosts.values():
            if host.instance:
                by_region.setdefault(host.spec.region, []).append(host)
        for region, hosts in by_region.items():
            for number, host in enumerate(hosts):
                host.reservation_id = make_id(self.sim, "r", host.spec.account or "", region, number // 3)
            hosts.sort(key=lambda host: host.id or "")
        return by_region

    def launch(self, name: str, usual: dict[str, Any], keys: dict[str, Any]) -> Host:
        """A new instance, which boots; see ``scenario.launched`` for what it is like. Readers see it a little later."""
        assert self._world, "a world launches nothing: its accounts do"
        host = Host(self._world, launched(self._world.scenario, name, usual, keys))
        host.visible_at = self.lag.visible_at()
        for fleet in (self._world, self):
            fleet.add(host)
        host.agent.begin_unknown()
        host.begin()
        return host

    def add(self, host: Host) -> None:
        """One more instance, in a reservation of its own."""
        self.hosts[host.name] = host
        self.by_id[host.id or ""] = host
        self.by_volume_id |= {volume.id: host for volume in host.volumes}
        host.reservation_id = make_id(self.sim, "r", host.spec.account or "", host.name)
        self.ec2_hosts.setdefault(host.spec.region, []).append(host)


def make_id(sim: Simulation, prefix: str, *key: object) -> str:
    """An id as AWS has them, always the same for the same seed and key."""
    return f"{prefix}-{sim.random('id', prefix, *key).getrandbits(68):017x}"


class World(Fleet):
    """All hosts of a scenario, in whatever account."""

    def __init__(self, sim: Simulation, scenario: Scenario) -> None:
        self.scenario = scenario
        self.running_at_once = 0
        self.sim = sim
        self.lag = Lag(sim, scenario.account.lag_seconds)
        self._listeners: list[Listener] = []
        super().__init__(sim, self.lag, [Host(self, spec) for spec in scenario.hosts])
        self.clusters = clusters_of(sim, self.hosts.values())

    def of_account(self, name: str | None) -> Fleet:
        """The hosts of the account of that name; None is the first one."""
        return Fleet(self.sim, self.lag, [host for host in self.hosts.values() if host.spec.account == name], self)

    def begin(self) -> None:
        for host in self.hosts.values():
            host.begin()
        for cluster in self.clusters:
            cluster.begin()

    def make_id(self, prefix: str, *key: object) -> str:
        return make_id(self.sim, prefix, *key)

    def new_id(self, spec: HostSpec, what: str, prefix: str | None = None) -> str:
        return self.make_id(prefix or what, what, spec.name)

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def announce(self, host: Host, word: str) -> None:
        for listener in self._listeners:
            listener(host, word)

    def count_running(self) -> None:
        running = sum(host.runs_because_of_us for host in self.hosts.values())
        self.running_at_once = max(self.running_at_once, running)
