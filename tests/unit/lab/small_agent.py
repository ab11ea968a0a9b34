# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client that speaks as an amazon-ssm-agent 3.3.0.0 was seen to: for tests where there is no agent."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.aws.agent_service import Activation

MDS, SSM = "EC2WindowsMessageDeliveryService", "AmazonSSM"


@dataclass(frozen=True)
class Ran:
    """How a document ended, in the agent's words."""

    status: str
    code: int
    stdout: str = ""
    stderr: str = ""


Run = Callable[[list[str]], Ran]


class SmallAgent:
    """``run`` is given the commands of a script."""

    def __init__(self, url: str, run: Run) -> None:
        self._url = url
        self._run = run
        self._fingerprint = str(uuid.uuid4())
        self._authorization = ""
        self.node = ""
        self.cancelled: list[str] = []

    def register(self, activation: Activation) -> None:
        """Once a machine; then it has credentials and reports."""
        machine = {"Fingerprint": self._fingerprint, "PublicKey": "MIIB", "PublicKeyType": "Rsa"}
        answer = self.call(
            SSM, "RegisterManagedInstance", ActivationId=activation.id, ActivationCode=activation.code, **machine
        )
        self.node = answer["InstanceId"]
        credentials = self.call(SSM, "RequestManagedInstanceRoleToken", Fingerprint=self._fingerprint)
        scope = f"{credentials['AccessKeyId']}/20261114/eu-central-1/ssm/aws4_request"
        self._authorization = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"
        self.call(SSM, "UpdateInstanceInformation", InstanceId=self.node, AgentVersion="3.3.0.0", AgentStatus="Active")
        assert self.call(SSM, "ListInstanceAssociations", InstanceId=self.node) == {"Associations": []}

    def messages(self) -> list[dict[str, str]]:
        """What one poll brings."""
        answer = self.call(
            MDS,
            "GetMessages",
            Destination=self.node,
            MessagesRequestId=str(uuid.uuid4()),
            VisibilityTimeoutInSeconds=10,
        )
        found: list[dict[str, str]] = answer["Messages"]
        return found

    def work(self) -> None:
        """Poll once, and run all that comes to its end."""
        for message in self.messages():
            if ".cancelCommand." in message["Topic"]:
                self.cancelled.append(json.loads(message["Payload"])["CancelMessageId"])
                self.call(MDS, "AcknowledgeMessage", MessageId=message["MessageId"])
            else:
                self.take(message)
                self.end(message, self._run(self.commands(message)))

    def commands(self, message: dict[str, str]) -> list[str]:
        lines: list[str] = json.loads(message["Payload"])["Parameters"]["commands"]
        return lines

    def take(self, message: dict[str, str]) -> None:
        """Two replies that it is under way, with the acknowledgement between them."""
        self.reply(message, {"documentStatus": "InProgress", "runtimeStatus": None})
        self.call(MDS, "AcknowledgeMessage", MessageId=message["MessageId"])
        self.reply(message, {"documentStatus": "InProgress", "runtimeStatus": {}})

    def end(self, message: dict[str, str], ran: Ran) -> None:
        step = {
            "status": ran.status,
            "code": ran.code,
            "output": (ran.stdout + ran.stderr)[:2_500],
            "standardOutput": ran.stdout,
            "standardError": ran.stderr,
        }
        self.reply(message, {"documentStatus": ran.status, "runtimeStatus": {"runPowerShellScript": step}})

    def reply(self, message: dict[str, str], payload: dict[str, Any]) -> None:
        self.call(
            MDS,
            "SendReply",
            MessageId=message["MessageId"],
            Payload=json.dumps(payload),
            ReplyId=str(uuid.uuid4()),
        )

    def fail(self, message: dict[str, str]) -> None:
        self.call(MDS, "FailMessage", MessageId=message["MessageId"], FailureType="InternalHandlerException")

    def call(self, service: str, operation: str, **body: Any) -> dict[str, Any]:
        """The answer; RuntimeError with the code of an error."""
        request = urllib.request.Request(  # noqa: S310 - of 127.0.0.1
            self._url,
            json.dumps(body).encode(),
            {"X-Amz-Target": f"{service}.{operation}", "Authorization": self._authorization},
        )
        try:
            with urllib.request.urlopen(request) as answer:  # noqa: S310
                reported: dict[str, Any] = json.load(answer)
                return reported
        except urllib.error.HTTPError as error:
            with error:
                raise RuntimeError(json.load(error)["__type"]) from None
