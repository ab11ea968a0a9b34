# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run Command's messages to an agent, and the agent's replies.

Sources: amazon-ssm-agent, agent/messageservice and agent/contracts, and what an agent 3.3.0.0 took and sent.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lab.agent import Outcome
from lab.aws.errors import not_implemented
from lab.aws.ssm_documents import POWERSHELL, Document
from lab.aws.ssm_invocations import Invocation
from lab.remote_agent import RemoteAgent

Message = dict[str, str]
# The document is not at its end: the agent continues with it after the reboot that it asked for itself.
IN_PROGRESS = ("InProgress", "SuccessAndReboot", "PassedAndReboot")


def message_id(invocation: Invocation) -> str:
    return f"aws.ssm.{invocation.command.id}.{invocation.host.id}"


def command_message(invocation: Invocation) -> Message:
    """The message that asks an agent to run a document."""
    order = invocation.command.order
    payload = {
        "Parameters": _parameters(order.document, order.parameters),
        "DocumentContent": _content(order.document),
        "CommandId": invocation.command.id,
        "DocumentName": order.document.name,
        "OutputS3BucketName": "",
        "OutputS3KeyPrefix": "",
        "CloudWatchLogGroupName": "",
        "CloudWatchOutputEnabled": "false",
    }
    return _message(invocation, "sendCommand", message_id(invocation), payload)


def cancel_message(invocation: Invocation) -> Message:
    """The message that asks an agent to cancel it; it has an id of its own."""
    identifier = message_id(invocation)
    own = f"aws.ssm.{uuid.uuid5(uuid.NAMESPACE_OID, identifier)}.{invocation.host.id}"
    return _message(invocation, "cancelCommand", own, {"CancelMessageId": identifier})


def _message(invocation: Invocation, topic: str, identifier: str, payload: dict[str, Any]) -> Message:
    return {
        "MessageId": identifier,
        "Topic": f"aws.ssm.{topic}.{invocation.command.order.region}.1",
        "Destination": str(invocation.host.id),
        # The agent's machine has the real time, whatever the lab's is.
        "CreatedDate": datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "Payload": json.dumps(payload),
    }


def _parameters(document: Document, given: dict[str, list[str]]) -> dict[str, Any]:
    """A String is a text, a StringList a list."""
    return {
        name: values if document.parameters[name].type == "StringList" else values[0]
        for name, values in given.items()
        if values
    }


def _content(document: Document) -> dict[str, Any]:
    """The document in full, as far as the lab has one that an agent outside may run."""
    if document is not POWERSHELL:
        raise not_implemented(f"{document.name} on a node whose agent is not the lab's own")
    inputs = {
        "runCommand": "{{ commands }}",
        "workingDirectory": "{{ workingDirectory }}",
        "timeoutSeconds": "{{ executionTimeout }}",
    }
    return {
        "schemaVersion": "2.2",
        "description": "Run a PowerShell script.",
        "parameters": {
            name: {
                "type": parameter.type,
                "description": parameter.description,
                **({} if parameter.required else {"default": parameter.default}),
            }
            for name, parameter in document.parameters.items()
        },
        "mainSteps": [{"action": document.steps[0], "name": "runPowerShellScript", "inputs": inputs}],
    }


@dataclass(frozen=True)
class Reply:
    """What an agent says of a document: its status, and of its one step the exit code and what was printed."""

    status: str
    code: int
    stdout: str
    stderr: str

    @classmethod
    def read(cls, payload: str) -> Reply:
        """From the payload of SendReply; before a step has started there is none."""
        document = json.loads(payload)
        steps = list((document.get("runtimeStatus") or {}).values())
        step = steps[0] if steps else {}
        return cls(
            status=document["documentStatus"],
            code=int(step.get("code", 0)),
            stdout=step.get("standardOutput", ""),
            stderr=step.get("standardError", ""),
        )


def take_reply(agent: RemoteAgent, invocation: Invocation, reply: Reply) -> None:
    """Let the invocation become what the agent says."""
    if reply.status in IN_PROGRESS:
        agent.begin(invocation)
    elif reply.status == "TimedOut":
        agent.end(invocation, lambda: invocation.timed_out(reply.stdout))
    elif reply.status == "Cancelled":
        agent.end(invocation, lambda: invocation.cancelled(reply.stdout))
    elif reply.status == "Failed" and not reply.stderr and not reply.stdout:
        agent.end(invocation, invocation.worker_died)
    else:
        code = 0 if reply.status == "Success" else reply.code or 1
        agent.end(invocation, lambda: invocation.ended(Outcome(code, reply.stdout, reply.stderr)))
