# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol of the SSM agent: what a client of it says becomes what a client of the account sees."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from conftest import MakeLab
from lab.aws.agent_service import Activation, AgentServer, AgentService
from small_agent import MDS, SSM, Ran, SmallAgent
from virtual_lab import VirtualLab, error_of

COMMANDS = ["'a{{b}}c'", "{{ commands }}", "exit 0"]


class Outside:
    """A lab with a hybrid node, and the agent of that node outside of it."""

    def __init__(self, lab: VirtualLab) -> None:
        self.lab = lab
        self.service = AgentService(lab.play.account, ["hall"], poll_seconds=0)
        self.server = AgentServer(self.service)
        self.server.start()
        self.ran: list[list[str]] = []
        self.next = Ran("Success", 0, "out")
        self.agent = SmallAgent(self.server.url, self._run)

    def _run(self, commands: list[str]) -> Ran:
        self.ran.append(commands)
        return self.next

    def send(self, **more: Any) -> str:
        return self.lab.send("hall", parameters={"commands": COMMANDS, "executionTimeout": ["600"]}, **more)

    def reported(self, command: str) -> tuple[str, int, str, str]:
        """Status, exit code, output and errors."""
        found = self.lab.invocation(command, "hall")
        return found["Status"], found["ResponseCode"], found["StandardOutputContent"], found["StandardErrorContent"]

    def information(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.lab.ssm.describe_instance_information()["InstanceInformationList"]
        return rows


@pytest.fixture
def outside(make_lab: MakeLab) -> Iterator[Outside]:
    position = Outside(make_lab({"name": "hall", "kind": "hybrid"}))
    yield position
    position.server.stop()


@pytest.fixture
def registered(outside: Outside) -> Outside:
    outside.agent.register(outside.service.activation)
    return outside


def test_a_machine_becomes_a_node_by_its_registration(outside: Outside) -> None:
    assert outside.information() == []
    assert error_of(outside.send) == "InvalidInstanceId"
    outside.agent.register(outside.service.activation)
    assert outside.agent.node == outside.lab.id("hall")
    (row,) = outside.information()
    assert (row["InstanceId"], row["PingStatus"]) == (outside.agent.node, "Online")
    assert row["LastPingDateTime"] == outside.lab.play.sim.time
    assert outside.lab.ssm.get_connection_status(Target=outside.agent.node)["Status"] == "connected"


def test_an_activation_has_to_be_right_and_is_good_for_one_machine_a_host(outside: Outside) -> None:
    with pytest.raises(RuntimeError, match="InvalidActivation"):
        outside.agent.register(Activation(outside.service.activation.id, "x" * 20))
    outside.agent.register(outside.service.activation)
    with pytest.raises(RuntimeError, match="InvalidActivation"):
        SmallAgent(outside.server.url, lambda _commands: Ran("Success", 0)).register(outside.service.activation)


def test_calls_need_the_credentials_of_their_node(registered: Outside) -> None:
    stranger = SmallAgent(registered.server.url, lambda _commands: Ran("Success", 0))
    with pytest.raises(RuntimeError, match="UnrecognizedClientException"):
        stranger.call(MDS, "GetMessages", Destination=registered.agent.node)
    with pytest.raises(RuntimeError, match="MachineFingerprintDoesNotMatch"):
        stranger.call(SSM, "RequestManagedInstanceRoleToken", Fingerprint="another")


def test_a_command_comes_as_a_message_with_its_document_and_values_as_they_are(registered: Outside) -> None:
    assert registered.agent.messages() == []
    command = registered.send()
    (message,) = registered.agent.messages()
    node = registered.agent.node
    assert message["MessageId"] == f"aws.ssm.{command}.{node}"
    assert (message["Topic"], message["Destination"]) == ("aws.ssm.sendCommand.eu-central-1.1", node)
    payload = json.loads(message["Payload"])
    assert payload["Parameters"] == {"commands": COMMANDS, "executionTimeout": "600"}
    assert (payload["CommandId"], payload["DocumentName"]) == (command, "AWS-RunPowerShellScript")
    assert payload["CloudWatchOutputEnabled"] == "false"
    content = payload["DocumentContent"]
    assert content["schemaVersion"] == "2.2"
    assert content["mainSteps"][0]["action"] == "aws:runPowerShellScript"
    assert content["parameters"]["executionTimeout"]["default"] == "3600"


def test_a_command_runs_and_its_end_is_reported(registered: Outside) -> None:
    command = registered.send()
    assert registered.reported(command)[0] == "Pending"
    registered.agent.work()
    assert registered.reported(command) == ("Success", 0, "out", "")
    assert registered.ran == [COMMANDS]
    assert registered.agent.messages() == []
    assert registered.service.ended.get(timeout=0) == f"aws.ssm.{command}.{registered.agent.node}"


@pytest.mark.parametrize(
    ("ran", "expected"),
    [
        (
            Ran("Failed", 44, "out", "bad\nfailed to run commands: exit status 44"),
            ("Failed", 44, "out", "bad\nfailed to run commands: exit status 44"),
        ),
        (Ran("Failed", 1), ("Failed", 1, "", "")),
        (Ran("TimedOut", 137, "so far"), ("TimedOut", 137, "so far", "")),
        (Ran("Cancelled", 137, "so far"), ("Cancelled", 137, "so far", "")),
    ],
    ids=["failed", "worker killed", "timed out", "cancelled"],
)
def test_each_end_of_a_document(registered: Outside, ran: Ran, expected: tuple[str, int, str, str]) -> None:
    command = registered.send()
    registered.next = ran
    registered.agent.work()
    assert registered.reported(command) == expected


def test_a_document_that_continues_after_a_reboot_is_active(registered: Outside) -> None:
    command = registered.send()
    registered.next = Ran("SuccessAndReboot", 194)
    registered.agent.work()
    assert registered.reported(command)[0] == "InProgress"
    message = {"MessageId": f"aws.ssm.{command}.{registered.agent.node}"}
    registered.agent.end(message, Ran("Success", 0, "after it"))
    assert registered.reported(command) == ("Success", 0, "after it", "")


def test_a_message_that_is_not_acknowledged_comes_again(registered: Outside) -> None:
    registered.send()
    (first,) = registered.agent.messages()
    assert registered.agent.messages() == []
    registered.lab.run_for(10)
    (again,) = registered.agent.messages()
    assert again["MessageId"] == first["MessageId"]
    registered.agent.take(again)
    registered.lab.run_for(60)
    assert registered.agent.messages() == []


def test_a_cancel_names_the_message_of_its_command(registered: Outside) -> None:
    command = registered.send()
    (message,) = registered.agent.messages()
    registered.agent.take(message)
    registered.lab.ssm.cancel_command(CommandId=command)
    assert registered.reported(command)[0] == "Cancelling"
    registered.agent.work()
    assert registered.agent.cancelled == [message["MessageId"]]
    registered.agent.end(message, Ran("Cancelled", 137, "so far"))
    assert registered.reported(command) == ("Cancelled", 137, "so far", "")


def test_a_message_that_the_agent_cannot_handle_is_a_failure(registered: Outside) -> None:
    command = registered.send()
    (message,) = registered.agent.messages()
    registered.agent.fail(message)
    assert registered.reported(command) == ("Failed", 1, "", "")
    assert registered.service.failed == [message["MessageId"]]


def test_an_agent_that_does_not_call_any_more_is_lost_and_its_command_times_out(registered: Outside) -> None:
    command = registered.send(TimeoutSeconds=60)
    registered.lab.run_for(700)
    (row,) = registered.information()
    assert row["PingStatus"] == "ConnectionLost"
    assert registered.lab.ssm.get_connection_status(Target=registered.agent.node)["Status"] == "notconnected"
    assert registered.reported(command)[0] == "TimedOut"
    assert registered.agent.messages() == []
    assert registered.information()[0]["PingStatus"] == "Online"


def test_what_the_lab_does_not_know_is_refused_and_noted(registered: Outside) -> None:
    with pytest.raises(RuntimeError, match="UnknownOperationException"):
        registered.agent.call(SSM, "PutInventory")
    assert registered.service.unknown == ["AmazonSSM.PutInventory"]
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{registered.server.url}/v1/control-channel/{registered.agent.node}")  # noqa: S310
