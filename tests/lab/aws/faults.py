# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenario's faults: calls that fail or whose answers are lost, and commands that Run Command ends by itself."""

from __future__ import annotations

from dataclasses import dataclass

from lab.aws.errors import AwsError
from lab.aws.request import Request
from lab.scenario import ApiFault, CommandFault
from lab.world import Fleet, Host

MESSAGES = {
    "InsufficientInstanceCapacity": "We currently do not have sufficient {type} capacity in the Availability Zone you "
    "requested ({region}{az}). Our system will be working on provisioning additional capacity.",
    "ThrottlingException": "Rate exceeded",
    "RequestLimitExceeded": "Request limit exceeded.",
}


RATE_EXCEEDED = "RateExceeded"
"""A command fault: the account has too many pending invocations, and no node gets the command."""


class AnswerLost(Exception):
    """The operation is done, and the connection ends without an answer."""


@dataclass
class _Times:
    """How often something still happens (None: always)."""

    left: int | None

    def __bool__(self) -> bool:
        return self.left != 0

    def use(self) -> None:
        if self.left is not None:
            self.left -= 1


class ArmedFault:
    """A fault of the scenario on one host, and how often it still strikes."""

    def __init__(self, host: Host, spec: ApiFault) -> None:
        self.host = host
        self.spec = spec
        self.times = _Times(spec.times)

    def hits(self, request: Request, named: list[Host]) -> bool:
        """Whether the call, which names these hosts, meets it."""
        spec = self.spec
        service, _, operation = spec.operation.rpartition(".")
        if not self.times or operation != request.operation or service not in ("", request.service):
            return False
        if spec.document and spec.document != document_of(request):
            return False
        return self.host in named or not spec.with_host

    @property
    def loses_the_answer(self) -> bool:
        return self.spec.answer == "lost"

    def strike(self, request: Request) -> None:
        """Raises what the client meets: AwsError, or AnswerLost once the operation is done."""
        self.times.use()
        if self.loses_the_answer:
            raise AnswerLost
        spec, code = self.host.spec, self.spec.error or ""
        text = MESSAGES.get(code, f"The call failed: {code}.")
        raise AwsError(code, text.format(type=spec.type, region=spec.region, az=spec.az), _more(code, request))


def _more(code: str, request: Request) -> dict[str, list[dict[str, str]]]:
    """What a JSON service adds to an error: DynamoDB gives a reason for each part of a transaction."""
    if code != "TransactionCanceledException":
        return {}
    return {
        "CancellationReasons": [{"Code": "TransactionConflict"} for _item in request.params.get("TransactItems", ())]
    }


class Faults:
    """All faults of a scenario. Those of one operation strike in the order of the host's list, each its ``times``."""

    def __init__(self, world: Fleet) -> None:
        self._of_calls = [ArmedFault(host, fault) for host in world.hosts.values() for fault in host.spec.api_faults]
        self._of_commands = [
            (host, fault, _Times(fault.times)) for host in world.hosts.values() for fault in host.spec.command_faults
        ]

    def add(self, host: Host) -> None:
        """Those of a host that was launched later."""
        self._of_calls += [ArmedFault(host, fault) for fault in host.spec.api_faults]
        self._of_commands += [(host, fault, _Times(fault.times)) for fault in host.spec.command_faults]

    def of_call(self, request: Request, named: list[Host]) -> ArmedFault | None:
        """The one that the call meets, not used up yet."""
        return next((fault for fault in self._of_calls if fault.hits(request, named)), None)

    def of_command(self, document: str, hosts: list[Host]) -> dict[str, str]:
        """The fault's status by instance id, for a command of ``document`` to these hosts. What strikes is used up.

        RateExceeded is the whole command's end: no fault of another host strikes beside it.
        """
        struck = [fault for fault in (self._next(document, host) for host in hosts) if fault]
        rate_exceeded = [fault for fault in struck if fault[1].status == RATE_EXCEEDED][:1]
        for _host, _spec, times in rate_exceeded or struck:
            times.use()
        return {host.id or "": spec.status for host, spec, _times in rate_exceeded or struck}

    def _next(self, document: str, host: Host) -> tuple[Host, CommandFault, _Times] | None:
        return next((it for it in self._of_commands if it[0] is host and it[1].document == document and it[2]), None)


def document_of(request: Request) -> str:
    """The name of the document that a SendCommand names, which may be an ARN."""
    return str(request.params.get("DocumentName", "")).rpartition("document/")[2]
