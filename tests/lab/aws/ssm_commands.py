# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSM: SendCommand and everything that shows commands."""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lab.agent import REBOOT_EXIT_CODE, Execution, Outcome
from lab.answers import printed_first
from lab.aws import ssm_output
from lab.aws.errors import AwsError, not_implemented, validation
from lab.aws.request import Operation, Request, Result, page
from lab.aws.ssm_documents import APPLY_PLAYBOOKS, PATCH_BASELINE, POWERSHELL, find_document
from lab.aws.ssm_invocations import Command, Invocation, Order, Progress, limit
from lab.aws.ssm_nodes import find_node, takes_commands
from lab.guests import run_script
from lab.scripts_model import script_name
from lab.sim import Steps
from lab.world import Host

if TYPE_CHECKING:
    from lab.aws.account import Account

MAX_IDS = 50
MAX_COMMENT = 100
TIMEOUT_SECONDS = (30, 2_592_000)
DEFAULT_TIMEOUT_SECONDS = 3600
NO_NOTIFICATION: dict[str, Any] = {
    "ServiceRole": "",
    "NotificationConfig": {"NotificationArn": "", "NotificationEvents": [], "NotificationType": ""},
}
# The exit code with which a script ends the document well (SSM user guide, "Managing exit codes").
END_WELL = 168
INSTALLING_SCRIPT = "install_updates"


class CommandCentre:
    """All commands of the account, and the programs that they run on the hosts."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self.commands: dict[str, Command] = {}

    def find(self, command_id: str) -> Command | None:
        return self.commands.get(command_id)

    def visible_to(self, request: Request) -> list[Command]:
        """Those that readers see by now, the newest first."""
        now = request.as_of
        return [
            command
            for command in reversed(self.commands.values())
            if command.order.region == request.region and command.visible_at <= now
        ]

    def send(self, order: Order, hosts: list[Host], faults: dict[str, str]) -> Command:
        """``faults`` are those that the command meets, by instance id."""
        world = self._account.world
        identifier = str(
            uuid.UUID(
                int=world.sim.random("command", *self._account.key, len(self.commands)).getrandbits(128), version=4
            )
        )
        command = Command(world.sim, identifier, order, hosts, world.lag, self._work, self._output)
        self.commands[identifier] = command
        for invocation in command.invocations.values():
            self._note_doubled(invocation)
        command.meet(faults)
        command.go_on()
        return command

    def _work(self, invocation: Invocation, execution: Execution) -> Steps[Outcome]:
        if invocation.command.order.document is PATCH_BASELINE:
            self._note_doubled(invocation)
            return self._account.patches.run(invocation, execution)
        if invocation.command.order.document is APPLY_PLAYBOOKS:
            return _no_playbook()
        self._note_doubled(invocation)
        return self._run_powershell(invocation, execution)

    def _note_doubled(self, invocation: Invocation) -> None:
        """Two Install commands at a time on one node: the reboot of the one would cut the other off."""
        host, command = invocation.host, invocation.command
        if not _installs(command):
            return
        installs = [other.invocations.get(host.id) for other in self.commands.values() if _installs(other)]
        running = [execution.job for execution in host.agent.running]
        if any(other and other is not invocation and (not other.done or other in running) for other in installs):
            host.doubled_installs.add(command.id)

    def _run_powershell(self, invocation: Invocation, execution: Execution) -> Steps[Outcome]:
        """Exit code 3010 reboots the host and runs the same step again from the top, as often as it comes."""
        text = "\n".join(invocation.command.order.parameters["commands"])
        execution.printed = printed_first(invocation.host.spec.answers)
        while True:
            outcome = yield from run_script(self._account.guests, invocation.host, text, self._account.unknown_script)
            if outcome.exit_code != REBOOT_EXIT_CODE:
                break
            yield from execution.reboot()
        return Outcome(0, outcome.stdout, outcome.stderr) if outcome.exit_code == END_WELL else outcome

    def _output(self, invocation: Invocation) -> None:
        order = invocation.command.order
        if not order.cloudwatch.get("CloudWatchOutputEnabled"):
            return
        group = order.cloudwatch.get("CloudWatchLogGroupName") or f"/aws/ssm/{order.document.name}"
        plugin = order.document.steps[0].replace(":", "-")
        for name, text in (("stdout", invocation.now.stdout), ("stderr", invocation.now.stderr)):
            if text:
                stream = f"{invocation.command.id}/{invocation.host.id}/{plugin}/{name}"
                self._account.logs.write(order.region, group, stream, invocation.command.sim.time, text)


def _installs(command: Command) -> bool:
    order = command.order
    if order.document is POWERSHELL:
        return script_name("\n".join(order.parameters["commands"])) == INSTALLING_SCRIPT
    return order.document is PATCH_BASELINE and order.parameters.get("Operation") == ["Install"]


def _no_playbook() -> Steps[Outcome]:
    """Nothing in the lab can run a playbook on a node: that it was sent is what counts, and where to."""
    yield 0.0
    return Outcome(0, "", "")


def send_command(request: Request) -> Result:
    """To exactly the nodes named; one bad id and nothing is sent."""
    params = request.params
    if params.get("Targets"):
        raise not_implemented("SendCommand with Targets")
    order = _order(request)
    hosts = _nodes(request, params.get("InstanceIds", []))
    faults = _faults(request, order, hosts) if request.by_us else {}
    return {"Command": _command(request, request.account.commands.send(order, hosts, faults))}


def _faults(request: Request, order: Order, hosts: list[Host]) -> dict[str, str]:
    """How invocations end without having run, by instance id: as the scenario says, or since the tags forbid it."""
    forbidden = request.account.gate.forbidden_by_tags(request, hosts)
    faults = request.account.faults.of_command(order.document.name, [host for host in hosts if host not in forbidden])
    return {**faults, **{host.id or "": "AccessDenied" for host in forbidden}}


def _order(request: Request) -> Order:
    params = request.params
    ids = params.get("InstanceIds", [])
    if len(ids) > MAX_IDS:
        raise validation(
            f"Value '{ids}' at 'instanceIds' failed to satisfy constraint: Member must have length less than or "
            f"equal to {MAX_IDS}"
        )
    comment = params.get("Comment", "")
    if len(comment) > MAX_COMMENT:
        raise validation(
            f"Value '{comment}' at 'comment' failed to satisfy constraint: Member must have length less than or "
            f"equal to {MAX_COMMENT}"
        )
    timeout = params.get("TimeoutSeconds", DEFAULT_TIMEOUT_SECONDS)
    low, high = TIMEOUT_SECONDS
    if not low <= timeout <= high:
        raise validation(
            f"Value '{timeout}' at 'timeoutSeconds' failed to satisfy constraint: Member must have value between "
            f"{low} and {high}"
        )
    document = find_document(params["DocumentName"])
    given = params.get("Parameters", {})
    document.check(given)
    for option in ("InstallOverrideList", "BaselineOverride"):
        if given.get(option):
            raise not_implemented(f"{document.name} with {option}")
    return Order(
        document=document,
        parameters=given,
        comment=comment,
        timeout_seconds=timeout,
        execution_seconds=float(document.value(given, document.timeout_parameter)),
        max_concurrency=_limit(params, "MaxConcurrency", "50", r"([1-9][0-9]{0,6}|[1-9][0-9]?%|100%)"),
        max_errors=_limit(params, "MaxErrors", "0", r"([0-9]{1,7}|[1-9]?[0-9]%|100%)"),
        cloudwatch=params.get("CloudWatchOutputConfig", {}),
        region=request.region,
    )


def _limit(params: dict[str, Any], name: str, default: str, pattern: str) -> int:
    text = params.get(name, default)
    if not re.fullmatch(pattern, text):
        raise validation(f"Value '{text}' at '{name}' failed to satisfy constraint: regular expression {pattern}")
    return limit(text, len(params.get("InstanceIds", [])))


def _nodes(request: Request, ids: list[str]) -> list[Host]:
    if not ids:
        raise AwsError("InvalidInstanceId", "No instances in the request")
    if len(set(ids)) < len(ids):
        raise AwsError("DuplicateInstanceId", "You can't specify an instance ID in more than one place")
    nodes = [find_node(request, identifier) for identifier in ids]
    ready = [node for node in nodes if node and takes_commands(node)]
    if len(ready) < len(ids):
        bad = [identifier for identifier in ids if identifier not in [node.id for node in ready]]
        raise AwsError("InvalidInstanceId", f"Instances [[{', '.join(bad)}]] not in a valid state for account")
    return ready


def list_commands(request: Request) -> Result:
    _refuse_filters(request)
    wanted, node = request.params.get("CommandId"), request.params.get("InstanceId")
    found = [
        command
        for command in request.account.commands.visible_to(request)
        if wanted in (None, command.id) and (node is None or node in command.invocations)
    ]
    shown, next_token = page(request, found, MAX_IDS)
    return {"Commands": [_command(request, command) for command in shown], **next_token}


def list_command_invocations(request: Request) -> Result:
    """With ``Details`` each has its plugins, and at most 2,500 bytes of their output."""
    since, status = _filters(request)
    wanted, node = request.params.get("CommandId"), request.params.get("InstanceId")
    found = [
        invocation
        for command in request.account.commands.visible_to(request)
        if wanted in (None, command.id) and (since is None or command.requested_time > since)
        for identifier, invocation in command.invocations.items()
        if node in (None, identifier)
    ]
    if status is not None:
        found = [invocation for invocation in found if _invocation(request, invocation, False)["Status"] == status]
    shown, next_token = page(request, found, MAX_IDS)
    details = bool(request.params.get("Details"))
    return {"CommandInvocations": [_invocation(request, invocation, details) for invocation in shown], **next_token}


def _refuse_filters(request: Request) -> None:
    if request.params.get("Filters"):
        raise not_implemented(f"{request.operation} with Filters")


def _filters(request: Request) -> tuple[datetime | None, str | None]:
    """InvokedAfter and Status, the only filters that the lab knows here (``key`` and ``value`` are the service's own spelling)."""
    filters = {entry["key"]: entry["value"] for entry in request.params.get("Filters") or []}
    since, status = filters.pop("InvokedAfter", None), filters.pop("Status", None)
    if filters:
        raise not_implemented(f"{request.operation} with the filter {min(filters)}")
    return datetime.fromisoformat(since) if since else None, status


def get_command_invocation(request: Request) -> Result:
    """One invocation with its output. Of a document with several steps, PluginName has to say which."""
    params = request.params
    command = request.account.commands.find(params["CommandId"])
    invocation = command.invocations.get(params["InstanceId"]) if command else None
    if command is None or invocation is None or command.visible_at > request.as_of:
        raise AwsError("InvocationDoesNotExist", "")
    steps = command.order.document.steps
    plugin = params.get("PluginName", steps[0] if len(steps) == 1 else None)
    if plugin not in steps:
        raise AwsError("InvalidPluginName", "The plugin name isn't valid.")
    ran = plugin == steps[0]
    shown = invocation.progress.at(request.as_of)
    return {
        "CommandId": command.id,
        "InstanceId": invocation.host.id,
        "Comment": command.order.comment,
        "DocumentName": command.order.document.name,
        "DocumentVersion": "",
        "PluginName": plugin,
        "ResponseCode": shown.exit_code if ran else 0,
        "ExecutionStartDateTime": _iso(shown.started_at),
        "ExecutionElapsedTime": _elapsed(shown),
        "ExecutionEndDateTime": _iso(shown.ended_at),
        "Status": shown.status if ran else "Success",
        "StatusDetails": _spaced(shown.details) if ran else "Success",
        "StandardOutputContent": ssm_output.stdout(shown.stdout) if ran else _skipped(plugin),
        "StandardOutputUrl": "",
        "StandardErrorUrl": "",
        "StandardErrorContent": ssm_output.stderr(shown.stderr) if ran else "",
        "CloudWatchOutputConfig": _logs(command.order),
    }


def _logs(order: Order) -> dict[str, Any]:
    return {"CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": False, **order.cloudwatch}


def _iso(moment: Any) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z" if moment else ""


def _elapsed(shown: Progress) -> str:
    if not shown.started_at or not shown.ended_at:
        return ""
    return f"PT{(shown.ended_at - shown.started_at).total_seconds():.3f}S"


def _spaced(details: str) -> str:
    """This operation writes "Delivery Timed Out", the lists write "DeliveryTimedOut"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", details)


def _skipped(plugin: str) -> str:
    return f"Step execution skipped due to unsupported platform. Step name: {plugin}"


def cancel_command(request: Request) -> Result:
    """What no node has taken is cancelled at once; the rest when its agent has heard of it."""
    command = request.account.commands.find(request.params["CommandId"])
    if command is None:
        raise AwsError("InvalidCommandId", "")
    ids = request.params.get("InstanceIds", [])
    unknown = [identifier for identifier in ids if identifier not in command.invocations]
    if unknown:
        raise AwsError("InvalidInstanceId", f"Instances [[{', '.join(unknown)}]] are not part of the command")
    command.cancel(ids)
    return {}


def _command(request: Request, command: Command) -> dict[str, Any]:
    order = command.order
    return {
        "CommandId": command.id,
        "DocumentName": order.document.name,
        "DocumentVersion": "",
        "Comment": order.comment,
        "ExpiresAfter": command.requested_time + timedelta(seconds=command.expires_at - command.requested_at),
        "Parameters": order.parameters,
        "InstanceIds": [host.id for host in command.hosts],
        "Targets": [],
        "RequestedDateTime": command.requested_time,
        "Status": command.status_at(request.as_of),
        "StatusDetails": command.details_at(request.as_of),
        "MaxConcurrency": str(order.max_concurrency),
        "MaxErrors": str(order.max_errors),
        "TimeoutSeconds": int(order.timeout_seconds),
        "OutputS3BucketName": "",
        "OutputS3KeyPrefix": "",
        **NO_NOTIFICATION,
        "CloudWatchOutputConfig": _logs(order),
        **command.counts_at(request.as_of),
    }


def _invocation(request: Request, invocation: Invocation, details: bool) -> dict[str, Any]:
    command = invocation.command
    shown = invocation.progress.at(request.as_of)
    return {
        "CommandId": command.id,
        "InstanceId": invocation.host.id,
        "InstanceName": "",
        "Comment": command.order.comment,
        "DocumentName": command.order.document.name,
        "DocumentVersion": "",
        "RequestedDateTime": command.requested_time,
        "Status": shown.status,
        "StatusDetails": shown.details,
        "StandardOutputUrl": "",
        "StandardErrorUrl": "",
        **NO_NOTIFICATION,
        "CloudWatchOutputConfig": _logs(command.order),
        "CommandPlugins": _plugins(command, shown) if details else [],
    }


def _plugins(command: Command, shown: Progress) -> list[dict[str, Any]]:
    """Empty before the node has started; the steps for other platforms are reported as skipped."""
    if shown.started_at is None:
        return []
    first, *rest = command.order.document.steps
    times = {"ResponseStartDateTime": shown.started_at}
    if shown.ended_at:
        times["ResponseFinishDateTime"] = shown.ended_at
    ran = {
        "Name": first,
        "Status": shown.status,
        "StatusDetails": shown.details,
        "ResponseCode": shown.exit_code,
        "Output": ssm_output.joined(shown.stdout, shown.stderr),
        **times,
    }
    skipped = [
        {"Name": name, "Status": "Success", "StatusDetails": "Success", "ResponseCode": 0, "Output": _skipped(name)}
        for name in (rest if shown.done else ())
    ]
    return [ran, *skipped]


OPERATIONS: dict[str, Operation] = {
    "SendCommand": send_command,
    "ListCommands": list_commands,
    "ListCommandInvocations": list_command_invocations,
    "GetCommandInvocation": get_command_invocation,
    "CancelCommand": cancel_command,
}
