# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab on a virtual clock: boto3 talks to it, and nothing ever sleeps."""

from __future__ import annotations

import base64
import functools
import json
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.config import Config
from botocore.exceptions import ClientError

import in_process
from lab import scripts_model
from lab.agent import Outcome
from lab.aws.http import Gateway, HttpServer
from lab.aws.moto_logs import MotoLogs
from lab.aws.moto_tables import MotoTables
from lab.clock import VirtualClock
from lab.play import Play
from lab.scenario import load
from lab.sim import Steps
from lab.world import Host

REGION = "eu-central-1"
ACCESS_KEY = "ASIAVIRTUAL"
UPDATE = {"kb": "KB5031361", "severity": "critical", "class": "security", "seconds": 300, "reboot": True}


@functools.cache
def _session() -> boto3.Session:
    """One for all: it keeps the service models that it has read."""
    return boto3.Session()


class VirtualLab:
    """``hosts`` and ``keys`` are those of a scenario file. Readers see all changes at once by default."""

    def __init__(self, folder: Path, hosts: list[dict[str, Any]], **keys: Any) -> None:
        account = {"lag_seconds": 0, **keys.pop("account", {})}
        document = {"name": "A test", "why": "A test.", "expect": {}, "hosts": hosts, "account": account, **keys}
        file = folder / "scenario.yml"
        file.write_text(yaml.safe_dump(document), encoding="utf-8")
        scenario = load(file)
        self.recorded: set[str] = set()
        self.acts: list[str] = []
        self.trace_file = folder / "trace.jsonl"
        clock = VirtualClock(scenario.start)
        self.play = Play(
            scenario, clock, self.trace_file, MotoLogs(), self.recorded.__contains__, on_controller=self.acts.append
        )
        self._tables = MotoTables(scenario)
        self.play.account.gate.admit_key(ACCESS_KEY)
        self.play.begin()

    def close(self) -> None:
        if "url" in self.__dict__:
            in_process.end(self.url)
        if "server" in self.__dict__:
            self.server.stop()
        self.play.trace.close()
        assert not self.play.sim.failures

    # Many tests never call AWS: what listens and talks is made when one does.
    @functools.cached_property
    def url(self) -> str:
        """Where boto3's clients in this process find it."""
        return in_process.serve(Gateway(self.play.account, self._tables))

    @functools.cached_property
    def server(self) -> HttpServer:
        """Its server, where a test is about HTTP itself."""
        server = HttpServer(self.play.account, self._tables)
        server.start()
        return server

    @functools.cached_property
    def ec2(self) -> Any:
        return self.client("ec2")

    @functools.cached_property
    def ssm(self) -> Any:
        return self.client("ssm")

    def client(
        self, service: str, region: str = REGION, access_key: str = ACCESS_KEY, *, url: str | None = None
    ) -> Any:
        return _session().client(
            service,  # type: ignore[call-overload]
            region_name=region,
            endpoint_url=url or self.url,
            aws_access_key_id=access_key,
            aws_secret_access_key="not checked",  # noqa: S106
            config=Config(retries={"total_max_attempts": 1}),
        )

    @property
    def now(self) -> float:
        return self.play.sim.now

    def run_for(self, seconds: float) -> None:
        self.play.sim.run_for(seconds)

    def id(self, name: str) -> str:
        identifier = self.play.world.hosts[name].id
        assert identifier
        return identifier

    def truth(self, name: str) -> dict[str, Any]:
        truth: dict[str, Any] = self.play.truth()["hosts"][name]
        return truth

    def trace(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.trace_file.read_text(encoding="utf-8").splitlines()]

    # ---- EC2

    def describe(self, name: str) -> dict[str, Any]:
        answer = self.ec2.describe_instances(InstanceIds=[self.id(name)])
        instance: dict[str, Any] = answer["Reservations"][0]["Instances"][0]
        return instance

    def state(self, name: str) -> str:
        return str(self.describe(name)["State"]["Name"])

    def start(self, *names: str) -> None:
        self.ec2.start_instances(InstanceIds=[self.id(name) for name in names])

    def stop(self, *names: str) -> None:
        self.ec2.stop_instances(InstanceIds=[self.id(name) for name in names])

    # ---- SSM

    def send(self, *names: str, document: str = "AWS-RunPowerShellScript", **params: Any) -> str:
        """Send a command and return its id; the parameters of the document as ``parameters``."""
        parameters = params.pop("parameters", {"commands": script("probe")})
        answer = self.ssm.send_command(
            InstanceIds=[self.id(name) for name in names], DocumentName=document, Parameters=parameters, **params
        )
        return str(answer["Command"]["CommandId"])

    def invocation(self, command: str, name: str, plugin: str | None = None) -> dict[str, Any]:
        named = {"PluginName": plugin} if plugin else {}
        answer: dict[str, Any] = self.ssm.get_command_invocation(CommandId=command, InstanceId=self.id(name), **named)
        return answer

    def details(self, command: str, name: str) -> str:
        answer = self.ssm.list_command_invocations(CommandId=command, InstanceId=self.id(name))
        return str(answer["CommandInvocations"][0]["StatusDetails"])

    def script(self, host: str, name: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run a script of the product to its end; the document that it printed."""
        command = self.send(host, parameters={"commands": script(name, parameters)})
        self.run_for(900)
        invocation = self.invocation(command, host)
        assert invocation["Status"] == "Success", invocation
        document: dict[str, Any] = json.loads(invocation["StandardOutputContent"])
        return document

    def patch(self, host: str, operation: str = "Install", seconds: float = 4000, **parameters: str) -> dict[str, Any]:
        """Run the patch baseline, and let so much time pass; the invocation."""
        command = self.start_patch(host, operation, **parameters)
        self.run_for(seconds)
        return self.invocation(command, host, "PatchWindows")

    def start_patch(self, host: str, operation: str = "Install", **parameters: str) -> str:
        given = {"Operation": [operation], **{name: [value] for name, value in parameters.items()}}
        return self.send(host, document="AWS-RunPatchBaseline", parameters=given)

    def patch_state(self, host: str) -> dict[str, Any]:
        answer = self.ssm.describe_instance_patch_states(InstanceIds=[self.id(host)])
        state: dict[str, Any] = answer["InstancePatchStates"][0]
        return state

    def patches(self, host: str, state: str) -> list[str]:
        filters = [{"Key": "State", "Values": [state]}]
        answer = self.ssm.describe_instance_patches(InstanceId=self.id(host), Filters=filters)
        return [patch["KBId"] for patch in answer["Patches"]]


def script(name: str, parameters: dict[str, Any] | None = None) -> list[str]:
    """The lines of a script of the product, as the guests' model needs them."""
    blob = base64.b64encode(json.dumps(parameters or {}).encode()).decode()
    return [f"# patchfleet-script: {name}", f"$PatchFleetInput = '{blob}'", "exit 0"]


def error_of(call: Any, **params: Any) -> str:
    """The error code with which the call fails."""
    try:
        call(**params)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    raise AssertionError("the call did not fail")


def programs(monkeypatch: pytest.MonkeyPatch, *outcomes: Outcome, seconds: float = 10) -> list[str]:
    """PowerShell ends with these outcomes, one after the other, the last for ever; returns who ran it."""
    ran: list[str] = []

    def run(host: Host, _text: str, _unknown: object, _logon: object) -> Steps[Outcome]:
        ran.append(host.name)
        yield seconds
        return outcomes[min(len(ran), len(outcomes)) - 1]

    monkeypatch.setattr(scripts_model, "run", run)
    return ran
