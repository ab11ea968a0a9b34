# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two services that a real SSM agent of a hybrid node talks to: AmazonSSM, and the message delivery service.

An agent registers with an activation, asks for credentials, reports, and fetches and answers its commands. What it says
decides the invocations, so a client of the account sees a real agent's work. Its websocket is refused; it continues by polling.
Signatures are not checked, but whose credentials a call has.
"""

from __future__ import annotations

import json
import queue
import secrets
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from lab.aws.account import Account
from lab.aws.agent_messages import IN_PROGRESS, Reply, cancel_message, command_message, message_id, take_reply
from lab.aws.errors import AwsError
from lab.aws.ssm_invocations import Invocation
from lab.remote_agent import RemoteAgent
from lab.world import Host

POLL_SECONDS = 5.0
"""Real ones, for which a fetch waits for a message at most."""
CREDENTIALS_LAST = timedelta(hours=1)
Body = dict[str, Any]


@dataclass(frozen=True)
class Activation:
    """What a machine registers with."""

    id: str
    code: str


@dataclass
class Node:
    """A machine that has registered as the host."""

    host: Host
    agent: RemoteAgent
    access_key: str


class AgentService:
    """``hosts`` are the names of hybrid hosts whose agents are outside the lab. A machine that registers becomes the next of them.

    ``came`` is set when an agent has reported; ``ended`` gets the id of each message whose end an agent has reported.
    """

    def __init__(self, account: Account, hosts: list[str], poll_seconds: float = POLL_SECONDS) -> None:
        self.activation = Activation(str(uuid.uuid4()), secrets.token_hex(10))
        self.unknown: list[str] = []  # calls that the lab does not have
        self.came = threading.Event()
        self.ended: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.failed: list[str] = []  # ids of messages that an agent could not handle
        self._account = account
        self._poll_seconds = poll_seconds
        self._free = [account.world.hosts[name] for name in hosts]
        self._agents = {host.name: host.get_agent_outside() for host in self._free}
        self._nodes: dict[str, Node] = {}  # by the machine's fingerprint
        self._operations: dict[str, Callable[[Body, str], Body]] = {
            "AmazonSSM.RegisterManagedInstance": self._register,
            "AmazonSSM.RequestManagedInstanceRoleToken": self._give_credentials,
            "AmazonSSM.UpdateInstanceInformation": self._note_information,
            "AmazonSSM.ListInstanceAssociations": self._list_associations,
            "EC2WindowsMessageDeliveryService.GetMessages": self._get_messages,
            "EC2WindowsMessageDeliveryService.AcknowledgeMessage": self._acknowledge,
            "EC2WindowsMessageDeliveryService.SendReply": self._take_reply,
            "EC2WindowsMessageDeliveryService.FailMessage": self._take_failure,
        }

    def call(self, target: str, body: Body, authorization: str) -> Body:
        """One call of an agent: the operation that X-Amz-Target names.

        Raises:
            AwsError: what the agent gets instead.
        """
        if target not in self._operations:
            self.unknown.append(target)
            raise AwsError("UnknownOperationException", f"The lab does not know {target}.")
        return self._operations[target](body, authorization)

    def broke(self, error: Exception) -> None:
        """What the lab says can no more be believed."""
        self._account.world.sim.broke(error)

    # ---- AmazonSSM

    def _register(self, body: Body, _authorization: str) -> Body:
        with self._account.world.sim.current():
            given = (body.get("ActivationId"), body.get("ActivationCode"))
            if given != (self.activation.id, self.activation.code) or not self._free:
                raise AwsError("InvalidActivation", "")
            if not body.get("PublicKey"):
                raise AwsError("ValidationException", "PublicKey is required")
            host = self._free.pop(0)
            node = Node(host, self._agents[host.name], "ASIA" + secrets.token_hex(8).upper())
            self._nodes[str(body.get("Fingerprint"))] = node
            node.agent.enrol()
            return {"InstanceId": host.id}

    def _give_credentials(self, body: Body, _authorization: str) -> Body:
        """The machine signs this call with its own key, which the fingerprint stands for here."""
        node = self._nodes.get(str(body.get("Fingerprint")))
        if node is None:
            raise AwsError("MachineFingerprintDoesNotMatch", "")
        return {
            "AccessKeyId": node.access_key,
            "SecretAccessKey": secrets.token_hex(20),
            "SessionToken": secrets.token_hex(60),
            "TokenExpirationDate": (datetime.now(UTC) + CREDENTIALS_LAST).timestamp(),
            "UpdateKeyPair": False,
        }

    def _note_information(self, body: Body, authorization: str) -> Body:
        with self._account.world.sim.current():
            self._node(str(body.get("InstanceId")), authorization).agent.ping()
        self.came.set()
        return {}

    def _list_associations(self, body: Body, authorization: str) -> Body:
        self._node(str(body.get("InstanceId")), authorization)
        return {"Associations": []}

    def _node(self, identifier: str, authorization: str) -> Node:
        """The node of that id, if these are its credentials."""
        node = next((node for node in self._nodes.values() if node.host.id == identifier), None)
        if node is None or f"Credential={node.access_key}/" not in authorization:
            raise AwsError("UnrecognizedClientException", "The security token included in the request is invalid.")
        return node

    # ---- message delivery

    def _get_messages(self, body: Body, authorization: str) -> Body:
        """Waits a while for a message, if there is none."""
        node = self._node(str(body.get("Destination")), authorization)
        hidden = float(body.get("VisibilityTimeoutInSeconds", 10))
        messages = self._fetch(node, hidden)
        if not messages and node.agent.arrived.wait(self._poll_seconds):
            messages = self._fetch(node, hidden)
        return {
            "Destination": node.host.id,
            "MessagesRequestId": body.get("MessagesRequestId"),
            "Messages": messages,
        }

    def _fetch(self, node: Node, hidden_seconds: float) -> list[dict[str, str]]:
        with self._account.world.sim.current():
            node.agent.ping()
            jobs = node.agent.fetch(hidden_seconds)
            messages = [command_message(job) for job in jobs if isinstance(job, Invocation)]
            return messages + [cancel_message(job) for job in node.agent.fetch_cancels() if isinstance(job, Invocation)]

    def _acknowledge(self, body: Body, authorization: str) -> Body:
        with self._account.world.sim.current():
            node, invocation = self._addressed(body, authorization)
            if invocation:
                node.agent.acknowledge(invocation)
        return {}

    def _take_reply(self, body: Body, authorization: str) -> Body:
        with self._account.world.sim.current():
            node, invocation = self._addressed(body, authorization)
            reply = Reply.read(body["Payload"])
            if invocation:
                take_reply(node.agent, invocation, reply)
        if reply.status not in IN_PROGRESS:
            self.ended.put(str(body["MessageId"]))
        return {}

    def _take_failure(self, body: Body, authorization: str) -> Body:
        with self._account.world.sim.current():
            node, invocation = self._addressed(body, authorization)
            self.failed.append(str(body["MessageId"]))
            if invocation:
                node.agent.end(invocation, invocation.worker_died)
        return {}

    def _addressed(self, body: Body, authorization: str) -> tuple[Node, Invocation | None]:
        """The node and the invocation that a message's id names; that of a cancel names none."""
        _, _, identifier = str(body["MessageId"]).rpartition(".")
        node = self._node(identifier, authorization)
        found = (command.invocations.get(identifier) for command in self._account.commands.commands.values())
        invocations = [invocation for invocation in found if invocation]
        return node, next((it for it in invocations if message_id(it) == body["MessageId"]), None)


class AgentServer:
    """The service at a free port of 127.0.0.1, for the endpoints Ssm, Mds and Mgs of an agent's configuration."""

    def __init__(self, service: AgentService) -> None:
        class Handler(_Handler):
            agents = service

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True, name="lab-agents")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    agents: AgentService
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = self.headers.get("X-Amz-Target") or self.path
        authorization = self.headers.get("Authorization") or unquote(self.path)  # of a presigned call
        try:
            answer = self.agents.call(target, json.loads(body or b"{}"), authorization)
            self._answer(200, answer)
        except AwsError as error:
            self._answer(error.status, {"__type": error.code, "message": error.message})
        except Exception as error:  # noqa: BLE001 - the lab itself broke
            self.agents.broke(error)
            self._answer(500, {"__type": "InternalServerError", "message": repr(error)})

    def do_GET(self) -> None:
        """A websocket is not to be had."""
        self._answer(404, {"message": "The lab has no control channel."})

    def _answer(self, status: int, answer: Body) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Nothing."""
