# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the product's unit tests stand on: time that passes at once, and an AWS that answers what the test sets."""

from __future__ import annotations

import base64
import datetime
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import botocore.session
from ansible.errors import AnsibleUndefinedVariable
from botocore import xform_name
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.validate import ParamValidator

START = 1_794_693_600.0
"""2026-11-14T22:00:00Z, when every test begins."""
ID = "i-0123456789abcdef0"
NODE_ID = "mi-0123456789abcdef0"
VOLUME_ID = "vol-0123456789abcdef0"
DAY = 86_400.0
MOST_CALLS = 5_000
"""This number of pauses or calls means a loop that never ends."""

Answer: TypeAlias = "dict[str, Any] | Exception | Callable[..., dict[str, Any] | Exception]"


class VirtualClock:
    """Time passes only when the product waits, and things may happen meanwhile. ``pauses`` are the waits, in seconds."""

    def __init__(self) -> None:
        self._now = START
        self._events: list[tuple[float, Callable[[], object]]] = []
        self.pauses: list[float] = []

    def now(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0, "a pause is never negative"
        assert len(self.pauses) < MOST_CALLS, "waits for ever"
        self.pauses.append(seconds)
        until = self._now + seconds
        for event in sorted((event for event in self._events if event[0] <= until), key=lambda event: event[0]):
            self._events.remove(event)
            self._now = max(self._now, event[0])
            event[1]()
        self._now = until

    def jump(self, seconds: float) -> None:
        """Time passes in which the process stands still."""
        self._now += seconds

    def real_seconds(self, seconds: float) -> float:
        return seconds

    @property
    def passed(self) -> float:
        """Seconds since the test began."""
        return self._now - START

    def at(self, seconds: float, do: Callable[[], object]) -> None:
        """Let something happen ``seconds`` after the start."""
        self._events.append((START + seconds, do))


@dataclass(frozen=True)
class Call:
    """A call that reached the fake account; ``at`` is in seconds since the test began."""

    operation: str
    params: dict[str, Any]
    region: str
    at: float


class FakeAccount:
    """A Connection whose clients answer what the test scripted, and refuse what botocore would refuse.

    ``calls`` are all that came, in order; ``others`` are the accounts whose roles it may assume, by id.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self.region: str | None = "eu-central-1"
        self.expires_at: float | None = None
        self.renewals = 0
        self.calls: list[Call] = []
        self.accounts: dict[str, FakeAccount] = {}
        self.session_name = ""
        self._clock = clock
        self._answers: dict[str, list[Answer]] = {"describe_regions": [{"Regions": []}]}

    def on(self, operation: str, *answers: Answer) -> None:
        """What an operation answers, call by call; the last answer stays. An exception is raised, a function is asked."""
        self._answers[operation] = list(answers)

    def client(self, service: str, region: str) -> Any:
        return _Client(self, service, region)

    def renew(self) -> bool:
        """Whether other credentials are there by now: as often as ``renewals`` says."""
        self.renewals -= 1
        return self.renewals >= 0

    def assume(self, account: Any, session_name: str, _now: Callable[[], float]) -> FakeAccount:
        """The other account; ``session_name`` of it is that of the last session."""
        self.accounts[account.id].session_name = session_name
        return self.accounts[account.id]

    def of(self, operation: str) -> list[Call]:
        """The calls of one operation."""
        return [call for call in self.calls if call.operation == operation]

    def answer(self, service: str, operation: str, region: str, params: dict[str, Any]) -> dict[str, Any]:
        assert len(self.calls) < MOST_CALLS, f"calls {operation} for ever"
        self.calls.append(Call(operation, params, region, self._clock.passed))
        model = _operation(service, operation)
        _refuse_misfit(f"the call of {operation}", params, model.input_shape)
        script = self._answers.get(operation)
        assert script, f"nothing is scripted for {operation}({params})"
        answer = script.pop(0) if len(script) > 1 else script[0]
        if callable(answer):
            answer = answer(**params)
        if isinstance(answer, Exception):
            raise answer
        answer = _as_parsed(answer, model.output_shape)
        modelled = {name: value for name, value in answer.items() if name != "ResponseMetadata"}  # of every answer
        _refuse_misfit(f"the scripted answer of {operation}", modelled, model.output_shape)
        return answer


class _Client:
    def __init__(self, account: FakeAccount, service: str, region: str) -> None:
        self._account, self._service, self._region = account, service, region

    @property
    def meta(self) -> Any:
        return _Meta(service_model(self._service))

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        return lambda **params: self._account.answer(self._service, operation, self._region, params)


@dataclass(frozen=True)
class _Meta:
    service_model: Any


@functools.cache
def service_model(service: str) -> Any:
    """What botocore knows of a service."""
    return botocore.session.get_session().get_service_model(service)


def _operation(service: str, operation: str) -> Any:
    model = service_model(service)
    return model.operation_model(_api_names(service)[operation])


@functools.cache
def _api_names(service: str) -> dict[str, str]:
    return {xform_name(name): name for name in service_model(service).operation_names}


LATER = frozenset({"AvailableSecurityUpdateCount", "State"})
"""Fields of two answers (patch states, accounts) that AWS added after the oldest botocore of our range, which drops them."""


def _as_parsed(value: Any, shape: Any) -> Any:
    """An answer as this botocore would hand it over."""
    if shape is None:
        return value
    if shape.type_name == "list" and isinstance(value, list):
        return [_as_parsed(each, shape.member) for each in value]
    if shape.type_name == "structure" and isinstance(value, dict) and not shape.is_document_type:
        known = shape.members
        return {
            name: _as_parsed(each, known.get(name))
            for name, each in value.items()
            if name in known or name not in LATER
        }
    return value


def _refuse_misfit(what: str, values: dict[str, Any], shape: Any) -> None:
    if shape is None:  # an operation that answers nothing
        assert values == {}, f"{what} is none that AWS knows"
        return
    report = ParamValidator().validate(values, shape)
    assert not report.has_errors(), f"{what} is none that AWS knows: {report.generate_report()}"


def client_error(code: str, message: str = "", operation: str = "SomeOperation", status: int = 400) -> ClientError:
    """What botocore raises for an error of a service."""
    answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)


def moment(seconds: float) -> datetime.datetime:
    """The time ``seconds`` after the test began, as boto3 gives times."""
    return datetime.datetime.fromtimestamp(START + seconds, datetime.UTC)


def instance(state: str = "running", launched: float = -DAY, **more: Any) -> dict[str, Any]:
    """An instance as DescribeInstances shows it; ``launched`` in seconds since the test began."""
    return {
        "InstanceId": ID,
        "State": {"Name": state},
        "LaunchTime": moment(launched),
        "Platform": "windows",
        "InstanceType": "t3.large",
        "IamInstanceProfile": {"Arn": "arn:aws:iam::123456789012:instance-profile/ssm"},
        "Placement": {"AvailabilityZone": "eu-central-1a"},
        "RootDeviceName": "/dev/sda1",
        "RootDeviceType": "ebs",
        "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeId": VOLUME_ID}}],
        "Tags": tags(Name="dev-01", PatchGroup="Windows"),
        **more,
    }


def tags(**values: str) -> list[dict[str, str]]:
    """Tags as EC2 lists them; ``aws__autoscaling__groupName`` is aws:autoscaling:groupName."""
    return [{"Key": key.replace("__", ":"), "Value": value} for key, value in values.items()]


def reservations(*instances: dict[str, Any]) -> dict[str, Any]:
    """An answer of DescribeInstances."""
    return {"Reservations": [{"Instances": [one]} for one in instances]}


def shown(state: str = "running", launched: float = -DAY, **more: Any) -> dict[str, Any]:
    """DescribeInstances with one instance."""
    return reservations(instance(state, launched, **more))


def by_time(clock: VirtualClock, *answers: tuple[float, dict[str, Any]]) -> Answer:
    """An answer that changes with time: (seconds since the test began, answer), in order."""

    def now(**_params: Any) -> dict[str, Any]:
        return [answer for since, answer in answers if clock.passed >= since][-1]

    return now


def node(pinged: float = 0.0, status: str = "Online", **more: Any) -> dict[str, Any]:
    """A managed node as DescribeInstanceInformation shows it; ``pinged`` in seconds since the test began."""
    return {
        "InstanceId": ID,
        "PingStatus": status,
        "LastPingDateTime": moment(pinged),
        "AgentVersion": "3.3.2299.0",
        "PlatformType": "Windows",
        "PlatformName": "Microsoft Windows Server 2022 Datacenter",
        "ComputerName": "DEV-01",
        "ResourceType": "EC2Instance",
        **more,
    }


def listed(*nodes: dict[str, Any]) -> dict[str, Any]:
    """An answer of DescribeInstanceInformation."""
    return {"InstanceInformationList": list(nodes)}


@dataclass(frozen=True)
class Outcome:
    """How a command ends on the fake guest."""

    status: str = "Success"
    details: str | None = None
    stdout: str = ""
    stderr: str = ""
    code: int = 0
    seconds: float = 0.0


TYPICAL: dict[str, dict[str, Any]] = {
    "measure_disk": {"free_gib": 30.0, "partition_gib": 60.0, "extendable_gib": 0.0, "blocked_by": None},
    "inspect_boot": {"time": "2026-11-14T22:00:00Z", "boot_time": "2026-11-01T22:00:00Z", "boots": [], "services": []},
    "inspect_windows_update": {
        "services": [],
        "agent": {"ok": True, "hresult": None, "message": None},
        "search": {"ok": True, "hresult": None, "message": None},
        "pending_reboot": [],
        "update_source": {"kind": "microsoft", "url": None, "proxy": None},
        "sessions": 0,
        "installing": False,
    },
    "servicing_state": {"installing": False, "pending_reboot": [], "processes": [], "cpu_seconds": 0.0},
    "repair_components": {"restore_health": "repaired", "system_files": 0},
    "reset_update_cache": {"renamed": []},
    "repair_services": {"repaired": []},
    "missing_update_sizes": {"count": 0, "updates": []},
    "extend_partition": {"partition_gib": 60.0},
}
"""What scripts answer where a test does not say it."""


def answer_of(script: str, data: dict[str, Any]) -> str:
    """The document that a script prints, with typical values where the test does not say them."""
    values = {**TYPICAL.get(script, {}), **data}
    return json.dumps({"patchfleet": 1, "script": script, "ok": True, "data": values, "error": None})


def answered(script: str, **data: Any) -> Outcome:
    """A script that answers with data."""
    return Outcome(stdout=answer_of(script, data))


def complained(script: str, category: str, message: str, hresult: str | None = None) -> Outcome:
    """A script that answers with an error."""
    error = {"category": category, "message": message, "hresult": hresult}
    return Outcome(stdout=json.dumps({"patchfleet": 1, "script": script, "ok": False, "data": None, "error": error}))


class FakeGuest:
    """A managed node that runs commands: scripts by their name, documents by theirs.

    ``asked`` are the scripts and documents that came, each with its input or parameters. ``others`` and ``associations`` give
    the rows of what others run on it, at each look. ``loses`` says, command by command, what becomes of it: "answer" (it is
    done, and its answer is lost), "request" (it is not done, and no answer comes either), "all" (no node runs it: the
    account has too many), or None.
    """

    def __init__(self, account: FakeAccount, clock: VirtualClock) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._clock = clock
        self._outcomes: dict[str, list[Outcome]] = {}
        self._commands: dict[str, tuple[float, Outcome]] = {}
        self._rows: dict[str, dict[str, Any]] = {}
        self._cancelled: set[str] = set()
        self.loses: list[str | None] = []
        account.on("send_command", self._send)
        account.on("list_commands", self._list_commands)
        account.on("list_command_invocations", self._list)
        account.on("get_command_invocation", self._get)
        self.foreign_commands: Callable[[], list[dict[str, Any]]] = list
        self.associations: Callable[[], list[dict[str, Any]]] = list
        account.on(
            "describe_instance_associations_status",
            lambda **_params: {"InstanceAssociationStatusInfos": self.associations()},
        )

    def on(self, name: str, *outcomes: Outcome) -> None:
        """How a script or document ends, time by time; the last one stays."""
        self._outcomes[name] = list(outcomes)

    def answers(self, script: str, *data: dict[str, Any]) -> None:
        """What a script finds, time by time; the last one stays."""
        self.on(script, *(answered(script, **one) for one in data))

    def inputs(self, name: str) -> list[dict[str, Any]]:
        """What came with each call of a script or document."""
        return [values for asked, values in self.asked if asked == name]

    @property
    def names(self) -> list[str]:
        """What was asked, in order."""
        return [name for name, _values in self.asked]

    def _send(self, *, DocumentName: str, Parameters: dict[str, list[str]], **other: Any) -> Any:  # noqa: N803
        fate = self.loses.pop(0) if self.loses else None
        lost = ReadTimeoutError(endpoint_url="https://ssm.eu-central-1.amazonaws.com")
        if fate == "request":
            return lost
        name, values = DocumentName, dict[str, Any](Parameters)
        lines = Parameters.get("commands", [])
        if lines and lines[0].startswith("# patchfleet-script: "):
            name = lines[0].partition(": ")[2]
            values = json.loads(base64.b64decode(lines[1].split("'")[1]))
        self.asked.append((name, values))
        script = self._outcomes.get(name) or ([answered(name)] if name == "servicing_state" else None)
        assert script, f"the guest knows no {name}"
        command_id = f"{len(self.asked):08d}-0000-4000-8000-000000000000"
        if fate == "all":
            self._cancelled.add(command_id)
            return {"Command": {"CommandId": command_id}}
        self._commands[command_id] = (self._clock.now(), script.pop(0) if len(script) > 1 else script[0])
        requested = {"DocumentName": DocumentName, "RequestedDateTime": moment(self._clock.passed)}
        self._rows[command_id] = {**requested, "Comment": other.get("Comment", "")}
        return lost if fate == "answer" else {"Command": {"CommandId": command_id}}

    def _list_commands(self, *, CommandId: str) -> dict[str, Any]:  # noqa: N803
        if CommandId not in self._cancelled:
            return {"Commands": [{"CommandId": CommandId, "Status": "InProgress"}]}
        return {"Commands": [{"CommandId": CommandId, "Status": "Cancelled", "StatusDetails": "Rate Exceeded"}]}

    def _list(self, *, CommandId: str | None = None, **_other: Any) -> dict[str, Any]:  # noqa: N803
        if CommandId is None:
            ours = [{**self._row(command_id), **row} for command_id, row in self._rows.items()]
            return {"CommandInvocations": [*self.foreign_commands(), *ours]}
        return {"CommandInvocations": [] if CommandId in self._cancelled else [self._row(CommandId)]}

    def _row(self, CommandId: str) -> dict[str, Any]:  # noqa: N803
        sent_at, outcome = self._commands[CommandId]
        if self._clock.now() < sent_at + outcome.seconds:
            return invocation(CommandId, "InProgress")
        row = invocation(CommandId, outcome.status, outcome.details, outcome.stdout[:2500], outcome.code)
        if outcome.status in {"Success", "Failed"}:
            began = datetime.datetime.fromtimestamp(sent_at, datetime.UTC)
            times = {
                "ResponseStartDateTime": began,
                "ResponseFinishDateTime": began + datetime.timedelta(seconds=outcome.seconds),
            }
            row["CommandPlugins"][0].update(times)
        return row

    def _get(self, *, CommandId: str, **_other: Any) -> dict[str, Any]:  # noqa: N803
        outcome = self._commands[CommandId][1]
        return {"StandardOutputContent": outcome.stdout[:24_000], "StandardErrorContent": outcome.stderr[:8_000]}


def invocation(
    command_id: str, status: str, details: str | None = None, output: str = "", code: int = 0
) -> dict[str, Any]:
    """A row of ListCommandInvocations."""
    plugin = {"Name": "runPowerShellScript", "Status": status, "Output": output, "ResponseCode": code}
    return {
        "CommandId": command_id,
        "InstanceId": ID,
        "Status": status,
        "StatusDetails": details or status,
        "CommandPlugins": [plugin],
    }


class Undefined(Mapping[str, Any]):
    """Variables of a host, of which one is a template that cannot be rendered."""

    def __init__(self, broken: str, **entries: Any) -> None:
        self._broken, self._entries = broken, entries

    def __getitem__(self, name: str) -> Any:
        if name == self._broken:
            raise AnsibleUndefinedVariable("'nowhere' is undefined")
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter([self._broken, *self._entries])

    def __len__(self) -> int:
        return 1 + len(self._entries)
