# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Systems Manager Automation: carries out the runbooks that stacks hold, with the rights of their own roles.

It knows the steps that the collection's runbooks are made of; another one breaks the lab. Scripts are run as they stand, with a
boto3 that leads to this account. Source: Systems Manager user guide, "Automation actions reference".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore import xform_name
from botocore.exceptions import ClientError
from moto.core.utils import get_service_model

from lab.aws.errors import AwsError, not_implemented
from lab.aws.request import Request
from lab.sim import Steps

if TYPE_CHECKING:
    from lab.aws.account import Account

PLACEHOLDER = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")
PAUSE = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")
Values = dict[str, Any]
# An execution waits in Automation's queue for a moment before its first step.
QUEUE_SECONDS = 3.0


def start_automation(account: Account, region: str, wanted: dict[str, Any], caller: str) -> None:
    """StartAutomationExecution by a service; AwsError where its role may not."""
    request = Request(account, "ssm", "StartAutomationExecution", wanted, region, caller)
    account.carry_out(request, lambda: _start(request))


def _start(request: Request) -> dict[str, Any]:
    content = runbook(request, request.params["DocumentName"])
    values = _parameters(content, request.params.get("Parameters") or {})
    execution = Execution(request.account, request.region, content, values)
    request.account.executions.append(execution)
    request.sim.spawn(execution.run())
    return {"AutomationExecutionId": execution.id}


def runbook(request: Request, name: str) -> dict[str, Any]:
    """The content of a stack's document; InvalidDocument where no stack of the region has it."""
    for resource in request.account.stacks.resources("AWS::SSM::Document"):
        if resource.physical_id == name and resource.region == request.region:
            content: dict[str, Any] = resource.properties["Content"]
            return content
    raise AwsError("InvalidDocument", f"Document with name {name} does not exist.")


def role_of(content: dict[str, Any], values: Values) -> str:
    """The ARN of the role that a runbook works with, which may be one of its parameters."""
    return PLACEHOLDER.sub(lambda match: str(values[match[1]]), content["assumeRole"])


def _parameters(content: dict[str, Any], given: dict[str, list[str]]) -> Values:
    known = content.get("parameters", {})
    unknown = sorted(given.keys() - known.keys())
    if unknown:
        raise AwsError("InvalidParameters", f"Parameter {unknown[0]} is not defined in the document.")
    values = {}
    for name, parameter in known.items():
        value = given[name][0] if given.get(name) else parameter.get("default")
        if value is None or not re.search(parameter.get("allowedPattern", ""), value):
            raise AwsError("InvalidAutomationExecutionParameters", f"Parameter {name} does not allow {value!r}.")
        values[name] = value
    return values


class Execution:
    """One execution. ``outputs`` are the outputs of its steps, in order, ``failure`` is why it failed."""

    def __init__(self, account: Account, region: str, content: dict[str, Any], values: Values) -> None:
        self.id = f"{len(account.executions):08x}-0000-4000-8000-000000000000"
        self.outputs: list[Values] = []
        self.ended = False
        self.failure: str | None = None
        self._content = content
        self._values = values
        role = role_of(content, values).rpartition("/")[2]
        if not account.stacks.is_trusted(role, "ssm.amazonaws.com"):
            raise AwsError("InvalidAutomationExecutionParameters", f"The role {role} cannot be assumed.")
        self._boto3 = ScriptBoto3(account, region, account.gate.session_of(role))

    def run(self) -> Steps[None]:
        yield QUEUE_SECONDS
        yield from self._steps(self._content["mainSteps"])
        self.ended = True

    def _steps(self, steps: list[dict[str, Any]]) -> Steps[None]:
        for step in steps:
            yield from self._act(step)
            if step.get("isEnd") or self.failure:
                return

    def _act(self, step: dict[str, Any]) -> Steps[None]:
        actions = {
            "aws:executeAwsApi": self._api,
            "aws:executeScript": self._script,
            "aws:loop": self._loop,
            "aws:sleep": self._sleep,
        }
        if step["action"] not in actions:
            raise not_implemented(f"the automation action {step['action']}")
        return actions[step["action"]](step)

    def _loop(self, step: dict[str, Any]) -> Steps[None]:
        inputs = step["inputs"]
        for _round in range(int(inputs.get("MaxIterations", 100))):
            yield from self._steps(inputs["Steps"])
            condition = inputs["LoopCondition"]
            if self._resolved(condition["Variable"]) is not condition["BooleanEquals"]:
                return

    def _sleep(self, step: dict[str, Any]) -> Steps[None]:
        found = PAUSE.fullmatch(step["inputs"]["Duration"])
        assert found, step
        hours, minutes, seconds = (int(part or 0) for part in found.groups())
        yield float(hours * 3600 + minutes * 60 + seconds)

    def _script(self, step: dict[str, Any]) -> Steps[None]:
        inputs = step["inputs"]
        if inputs["Runtime"] != "python3.11":
            raise not_implemented(f"the runtime {inputs['Runtime']}")
        scope: dict[str, Any] = {"__builtins__": {**vars(__import__("builtins")), "__import__": self._import}}
        exec(inputs["Script"], scope)  # noqa: S102 - the collection's own runbook
        payload = {name: self._resolved(value) for name, value in inputs.get("InputPayload", {}).items()}
        answer = scope[inputs["Handler"]](payload, {})
        outputs = {one["Name"]: _selected(answer, one) for one in step.get("outputs", ())}
        self._values.update({f"{step['name']}.{name}": value for name, value in outputs.items()})
        self.outputs.append(outputs)
        yield 0.0

    def _api(self, step: dict[str, Any]) -> Steps[None]:
        """One call, with the other inputs as its parameters."""
        params = dict(step["inputs"])
        call = getattr(self._boto3.client(params.pop("Service")), xform_name(params.pop("Api")))
        try:
            call(**params)
        except ClientError as error:
            self.failure = str(error)
        yield 0.0

    def _import(self, name: str, *more: Any) -> Any:
        return self._boto3 if name == "boto3" else __import__(name, *more)

    def _resolved(self, text: str) -> Any:
        """A placeholder alone keeps the type of its value."""
        whole = PLACEHOLDER.fullmatch(text)
        return self._values[whole[1]] if whole else PLACEHOLDER.sub(lambda match: str(self._values[match[1]]), text)


def _selected(answer: Any, output: dict[str, str]) -> Any:
    """``$.Payload.Name`` with the type that is said; another type fails the step in AWS, too."""
    _root, _payload, name = output["Selector"].split(".")
    kinds = {"Boolean": bool, "String": str}
    assert isinstance(answer[name], kinds[output["Type"]]), f"{name} is no {output['Type']}"
    return answer[name]


class ScriptBoto3:
    """What ``import boto3`` gives a script: clients that call the account as the runbook's role."""

    def __init__(self, account: Account, region: str, caller: str) -> None:
        self._account, self._region, self._caller = account, region, caller

    def client(self, service: str) -> ScriptClient:
        return ScriptClient(self._account, self._region, self._caller, service)


class ScriptClient:
    """A client of one service."""

    def __init__(self, account: Account, region: str, caller: str, service: str) -> None:
        self._account, self._region, self._caller, self._service = account, region, caller, service
        self._names = {xform_name(name): name for name in get_service_model(service).operation_names}

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        name = self._names[operation]

        def call(**params: Any) -> dict[str, Any]:
            try:
                return self._account.call(self._service, name, params, self._region, self._caller)
            except AwsError as error:
                if error.code == "NotImplemented":  # the script may catch it; the lab must report it
                    self._account.world.sim.broke(error)
                raise ClientError({"Error": {"Code": error.code, "Message": error.message}}, name) from error

        return call


def describe_runbook(request: Request, name: str) -> dict[str, Any]:
    """DescribeDocument of a stack's runbook."""
    content = runbook(request, name)
    return {
        "Name": name,
        "Owner": request.arns.account_id,
        "Status": "Active",
        "DocumentVersion": "1",
        "DocumentType": "Automation",
        "SchemaVersion": content["schemaVersion"],
        "Parameters": [{"Name": key, "Type": it["type"]} for key, it in content.get("parameters", {}).items()],
    }
