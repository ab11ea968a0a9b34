# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others do meanwhile: the events of a scenario."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from lab.aws.account import Account
from lab.aws.alarms import set_state
from lab.aws.errors import AwsError
from lab.aws.request import OTHER
from lab.names import ALARM_ACTS, CONTROLLER_ACTS
from lab.scenario import Event
from lab.sim import Steps
from lab.world import ASG_TAG, Host, World

RETRY_SECONDS = 5.0
GIVE_UP_SECONDS = 3600.0


class Events:
    """Lets each event happen once; several that are due at one moment in the order of the list.

    ``on_controller`` is called with "kill", "term", "suspend" or "resume".
    """

    def __init__(
        self, events: tuple[Event, ...], world: World, account: Account, on_controller: Callable[[str], None] | None
    ) -> None:
        self._world = world
        self._account = account
        self._on_controller = on_controller
        self._waiting = [event for event in events if event.when_host]
        self._timed = [event for event in events if event.at_seconds is not None]

    def begin(self) -> None:
        self._world.listen(self._host_did)
        for event in self._timed:
            self._world.sim.at(event.at_seconds or 0.0, partial(self._happen, event))

    def _host_did(self, host: Host, word: str) -> None:
        due = [event for event in self._waiting if (event.when_host, event.when_state) == (host.name, word)]
        for event in due:
            self._waiting.remove(event)
            # Not at once even without a delay: what announced it has to come to its end first.
            self._world.sim.after(event.after_seconds, partial(self._happen, event))

    def _happen(self, event: Event) -> None:
        if event.do == "expire_credentials":
            self._account.gate.expire_newest_key()
        elif event.do in ALARM_ACTS:
            set_state(self._account.alarms[event.alarm or ""], ALARM_ACTS[event.do], self._world.sim.time)
        elif event.do in CONTROLLER_ACTS:
            if self._on_controller:
                self._on_controller(event.do.removesuffix("_controller"))
                if event.do == "suspend_controller":
                    self._world.sim.after(event.seconds, partial(self._on_controller, "resume"))
        else:
            self._act(event, self._world.hosts[event.host or event.when_host or ""])

    def _act(self, event: Event, host: Host) -> None:
        if event.do == "agent_dies":
            host.agent.disconnect()
        elif event.do == "agent_returns":
            host.agent.reconnect()
        elif event.do == "log_on":
            host.guest.sessions += 1
        elif event.do == "join_asg":
            self._account.of_host(host).note("autoscaling", "AttachInstances", {"InstanceIds": [host.id]}, host)
            self._set_tags(host, {**host.tags.latest, ASG_TAG: "joined-meanwhile"})
        elif event.do == "retag":
            self._retag(host, event.retag or {})
        elif event.do == "untag":
            self._untag(host)
        else:
            steps = self._power(event.do, host) if host.instance else self._switch(event.do, host)
            self._world.sim.spawn(steps)

    def _retag(self, host: Host, tags: dict[str, str]) -> None:
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        if host.instance:
            self._call(host, "CreateTags", {"Resources": [host.id], "Tags": listed})
        else:
            self._account.of_host(host).note("ssm", "AddTagsToResource", {"ResourceId": host.id, "Tags": listed}, host)
            self._set_tags(host, {**host.tags.latest, **tags})

    def _untag(self, host: Host) -> None:
        """All tags go but the name and AWS's own."""
        keys = [key for key in host.tags.latest if key != "Name" and not key.startswith("aws:")]
        if host.instance:
            self._call(host, "DeleteTags", {"Resources": [host.id], "Tags": [{"Key": key} for key in keys]})
        else:
            self._account.of_host(host).note(
                "ssm", "RemoveTagsFromResource", {"ResourceId": host.id, "TagKeys": keys}, host
            )
            self._set_tags(host, {key: value for key, value in host.tags.latest.items() if key not in keys})

    def _set_tags(self, host: Host, tags: dict[str, str]) -> None:
        host.tags.set(tags, self._world.lag.visible_at())

    def _power(self, do: str, host: Host) -> Steps[None]:
        """Another user changes the power state; after "not in this state" they try again a little later."""
        calls = {
            "start": ["StartInstances"],
            "stop": ["StopInstances"],
            "restart": ["StopInstances", "StartInstances"],
            "terminate": ["TerminateInstances"],
        }
        for operation in calls[do]:
            tries = int(GIVE_UP_SECONDS / RETRY_SECONDS)
            while tries and not self._call(host, operation, {"InstanceIds": [host.id]}):
                tries -= 1
                yield RETRY_SECONDS

    def _switch(self, do: str, host: Host) -> Steps[None]:
        """The same for a host that is no instance; one that is taken away for good is just off."""
        if do != "start":
            host.switch(on=False)
        if do == "restart":
            yield host.spec.stop_seconds
        if do in ("start", "restart"):
            host.switch(on=True)

    def _call(self, host: Host, operation: str, params: dict[str, Any]) -> bool:
        try:
            self._account.of_host(host).call("ec2", operation, params, host.spec.region, OTHER)
        except AwsError as error:
            return error.code != "IncorrectInstanceState"
        return True
