# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSM Patch Manager: what AWS-RunPatchBaseline does on a host, and what the account shows of it afterwards."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lab.agent import Execution, Outcome
from lab.aws.errors import AwsError, not_implemented, validation
from lab.aws.request import Operation, Request, Result, page
from lab.aws.ssm_invocations import Invocation
from lab.aws.ssm_nodes import find_node
from lab.guest_updates import Installation, UpdateState, WindowsUpdateError
from lab.lagged import Lagged
from lab.scenario import PatchLag, Update
from lab.sim import Steps
from lab.windows_messages import BUSY
from lab.world import Fleet, Host

BASELINE_ID = "pb-0a1b2c3d4e5f60718"
# Another run that began within this time makes this one end at once, as if it had worked.
TOO_CLOSE_SECONDS = 120.0
PREPARING_SECONDS = 5.0
REPORTING_SECONDS = 3.0
PREPARING = "Preparing to run the patch baseline operation.\r\n"
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
NOT_APPLICABLE = 118
CLASSIFICATIONS = {
    "security": "SecurityUpdates",
    "critical": "CriticalUpdates",
    "rollup": "UpdateRollups",
    "definition": "DefinitionUpdates",
}
STATES = (
    "Installed",
    "InstalledOther",
    "InstalledPendingReboot",
    "InstalledRejected",
    "Missing",
    "Failed",
    "NotApplicable",
)


@dataclass
class PatchRecord:
    """What a run of the document has uploaded about one node, with times by the node's own clock.

    ``failed_search``: it could not even look.
    """

    operation: str
    reboot_option: str
    snapshot_id: str
    execution_id: str
    started_at: datetime
    ended_at: datetime
    failed_search: bool = False
    patches: dict[str, str] = field(default_factory=dict)  # KB -> one of STATES
    installed_at: dict[str, datetime] = field(default_factory=dict)
    last_no_reboot_install: datetime | None = None  # of this node, ever

    def count(self, state: str) -> int:
        return -1 if self.failed_search else sum(found == state for found in self.patches.values())


class Shown:
    """What the account shows of one node: two types of inventory and the compliance, each in its own time."""

    def __init__(self) -> None:
        self.states = Lagged[PatchRecord | None](None)
        self.patches = Lagged[PatchRecord | None](None)
        self.items = Lagged[PatchRecord | None](None)

    def upload(self, record: PatchRecord, now: float, lag: PatchLag) -> None:
        self.states.set(record, now + lag.states)
        self.patches.set(record, now + lag.patches)
        self.items.set(record, now + lag.items)


class PatchManager:
    """The patch data of all nodes, and the program that makes it."""

    def __init__(self, world: Fleet) -> None:
        self._world = world
        self.shown: defaultdict[str, Shown] = defaultdict(Shown)
        self._began: dict[str, float] = {}

    def run(self, invocation: Invocation, execution: Execution) -> Steps[Outcome]:
        """AWS-RunPatchBaseline on one node.

        A run that begins less than two minutes after the beginning of another one that did its work on the same node
        ends with Success after a moment, and has neither looked, nor installed, nor uploaded anything.
        """
        host, sim = invocation.host, self._world.sim
        began = self._began.get(host.name)
        if began is not None and sim.now - began < TOO_CLOSE_SECONDS:
            yield REPORTING_SECONDS
            return Outcome(0, PREPARING)
        self._began[host.name] = sim.now
        record = self._new_record(invocation)
        execution.printed = PREPARING
        yield PREPARING_SECONDS
        try:
            missing = yield from host.guest.updates.search()
            if record.operation == "Scan":
                self._upload(host, record, missing, {})
                return Outcome(0, _summary(host, record))
            return (yield from self._install(host, execution, record, missing))
        except WindowsUpdateError as error:
            record.failed_search = True
            self._upload(host, record, [], {})
            return Outcome(1, PREPARING, f"{error}\r\n")

    def _new_record(self, invocation: Invocation) -> PatchRecord:
        order, sim = invocation.command.order, self._world.sim
        snapshot = order.document.value(order.parameters, "SnapshotId")
        generated = uuid.UUID(int=sim.random("snapshot", invocation.command.id).getrandbits(128), version=4)
        return PatchRecord(
            operation=order.parameters["Operation"][0],
            reboot_option=order.document.value(order.parameters, "RebootOption"),
            snapshot_id=snapshot or str(generated),
            execution_id=invocation.command.id,
            started_at=_by_its_clock(invocation.host, sim.time),
            ended_at=_by_its_clock(invocation.host, sim.time),
        )

    def _install(self, host: Host, execution: Execution, record: PatchRecord, offered: list[Update]) -> Steps[Outcome]:
        """What is offered now, in order; what that makes room for has to wait for the next run."""
        updates = host.guest.updates
        if offered and updates.installing:  # for an earlier command that was given up
            return (yield from self._finish(host, record, [], {update.kb: BUSY for update in offered}))
        installed: list[str] = []
        failed: dict[str, str] = {}
        if offered:
            installation = updates.begin_installation(offered)
            yield from self._wait_for(installation)
            installed = installation.installed
            failed = {**installation.failed, **dict.fromkeys(installation.reported_failed, "exit code not 0")}
        if record.reboot_option == "RebootIfNeeded" and (installed or updates.patch_manager_sees_pending):
            yield from execution.reboot()
        return (yield from self._finish(host, record, installed, failed))

    def _finish(self, host: Host, record: PatchRecord, installed: list[str], failed: dict[str, str]) -> Steps[Outcome]:
        yield REPORTING_SECONDS
        self._upload(host, record, [], failed, installed)
        errors = "".join(f"Installation of {kb} failed: {hresult}\r\n" for kb, hresult in failed.items())
        return Outcome(1 if failed else 0, _summary(host, record), errors)

    @staticmethod
    def _wait_for(installation: Installation) -> Steps[None]:
        try:
            yield installation.done
        except GeneratorExit:  # killed: Windows finishes the one update that it has started
            installation.stop_after_current()
            raise

    def _upload(
        self,
        host: Host,
        record: PatchRecord,
        missing: list[Update],
        failed: dict[str, str],
        just_installed: list[str] | None = None,
    ) -> None:
        """An Install reports what it found in place and what it did, never what is still missing."""
        updates = host.guest.updates
        record.ended_at = _by_its_clock(host, self._world.sim.time)
        if not record.failed_search:
            for kb, state in updates.states.items():
                approved = updates.is_approved(updates.known[kb])
                record.patches[kb] = state.value if approved or state is not UpdateState.INSTALLED else "InstalledOther"
            record.patches |= {kb: "Installed" for kb in just_installed or () if kb not in record.patches}
            record.patches |= {update.kb: "Missing" for update in missing}
            record.patches |= dict.fromkeys(failed, "Failed")
            record.installed_at = {kb: _by_its_clock(host, at) for kb, at in updates.installed_at.items()}
        shown = self.shown[host.id or ""]
        before = shown.states.latest
        record.last_no_reboot_install = before.last_no_reboot_install if before else None
        if record.operation == "Install" and record.reboot_option == "NoReboot":
            record.last_no_reboot_install = record.ended_at
        shown.upload(record, self._world.sim.now, host.spec.patch_lag)


def _by_its_clock(host: Host, moment: datetime) -> datetime:
    """As the document writes it on the node: the node's clock, to the second."""
    return host.guest.by_its_clock(moment).replace(microsecond=0)


def _summary(host: Host, record: PatchRecord) -> str:
    counts = Counter(record.patches.values())
    lines = [
        f"Patch Summary for {host.id}",
        f"PatchGroup          : {_patch_group(host.tags.latest)}",
        f"BaselineId          : {BASELINE_ID}",
        f"SnapshotId          : {record.snapshot_id}",
        f"OperationType       : {record.operation}",
        *(f"{state + 'Count':<20}: {counts[state]}" for state in STATES if state != "NotApplicable"),
    ]
    return "\r\n".join(lines) + "\r\n"


def _patch_group(tags: dict[str, str]) -> str:
    return tags.get("Patch Group") or tags.get("PatchGroup") or ""


def describe_instance_patch_states(request: Request) -> Result:
    """Nodes that were never scanned are simply not there."""
    ids = request.params["InstanceIds"]
    if len(ids) > 50:
        raise validation(
            f"Value '{ids}' at 'instanceIds' failed to satisfy constraint: Member must have length less than or "
            "equal to 50"
        )
    nodes = [node for node in (find_node(request, identifier) for identifier in ids) if node]
    found = [(node, record) for node in nodes if (record := _shown(request, node).states.at(request.as_of))]
    shown, next_token = page(request, found, 100)
    return {"InstancePatchStates": [_state(request, *pair) for pair in shown], **next_token}


def _shown(request: Request, host: Host) -> Shown:
    return request.account.patches.shown[host.id or ""]


def _state(request: Request, host: Host, record: PatchRecord) -> dict[str, Any]:
    last = record.last_no_reboot_install
    counts = {f"{state}Count": record.count(state) for state in STATES if state != "NotApplicable"}
    return {
        "InstanceId": host.id,
        "PatchGroup": _patch_group(host.tags.at(request.as_of)),
        "BaselineId": BASELINE_ID,
        "SnapshotId": record.snapshot_id,
        "OwnerInformation": "",
        **counts,
        "NotApplicableCount": -1 if record.failed_search else NOT_APPLICABLE,
        "UnreportedNotApplicableCount": -1 if record.failed_search else 0,
        "AvailableSecurityUpdateCount": 0,
        "OperationStartTime": NEVER if record.failed_search else record.started_at,
        "OperationEndTime": NEVER if record.failed_search else record.ended_at,
        "Operation": record.operation,
        "RebootOption": record.reboot_option,
        **({"LastNoRebootInstallOperationTime": last} if last else {}),
        **_noncompliant_counts(host, record),
    }


def _noncompliant_counts(host: Host, record: PatchRecord) -> dict[str, int]:
    """Missing, failed, rejected and pending reboot make a node NON_COMPLIANT."""
    bad = ("Missing", "Failed", "InstalledRejected", "InstalledPendingReboot")
    kinds = Counter(_kind(host.guest.updates.known[kb]) for kb, state in record.patches.items() if state in bad)
    names = ("Critical", "Security", "Other")
    return {f"{name}NonCompliantCount": -1 if record.failed_search else kinds[name] for name in names}


def _kind(update: Update) -> str:
    """The compliance level is the severity; the rest goes by the class."""
    if update.severity == "critical":
        return "Critical"
    return "Security" if update.update_class == "security" else "Other"


def describe_instance_patches(request: Request) -> Result:
    """The patches of one node, filtered by State, Classification, Severity or KBId; no HRESULT anywhere."""
    host = _node(request, request.params["InstanceId"])
    record = _shown(request, host).patches.at(request.as_of)
    rows = [_patch(host, record, kb, state) for kb, state in record.patches.items()] if record else []
    for entry in request.params.get("Filters", []):
        if entry["Key"] not in ("State", "Classification", "Severity", "KBId"):
            raise AwsError("InvalidFilter", f"The filter {entry['Key']} is not valid.")
        rows = [row for row in rows if row[entry["Key"]] in entry["Values"]]
    shown, next_token = page(request, rows, 100, 50)
    return {"Patches": shown, **next_token}


def _node(request: Request, identifier: str) -> Host:
    host = find_node(request, identifier)
    if host is None:
        raise AwsError("InvalidInstanceId", f"Instance {identifier} is not managed")
    return host


def _patch(host: Host, record: PatchRecord, kb: str, state: str) -> dict[str, Any]:
    update = host.guest.updates.known[kb]
    return {
        "Title": f"Security Update for Windows ({kb})",
        "KBId": kb,
        "Classification": CLASSIFICATIONS.get(update.update_class, "Updates"),
        "Severity": update.severity.capitalize(),
        "State": state,
        "InstalledTime": record.installed_at.get(kb, NEVER),
    }


def describe_available_patches(request: Request) -> Result:
    """What AWS lists for any Windows: the updates that a host of the scenario knows."""
    filters = {entry["Key"]: entry["Values"] for entry in request.params.get("Filters", [])}
    if set(filters) - {"PATCH_ID"}:
        raise not_implemented(f"DescribeAvailablePatches with the filter {min(set(filters) - {'PATCH_ID'})}")
    known = {kb: it for host in request.account.world.hosts.values() for kb, it in host.guest.updates.known.items()}
    rows = [
        {
            "Id": f"{kb}-id",
            "KbNumber": kb,
            "Title": f"Security Update for Windows ({kb})",
            "Classification": CLASSIFICATIONS.get(known[kb].update_class, "Updates"),
            "MsrcSeverity": known[kb].severity.capitalize(),
            "Vendor": "Microsoft",
        }
        for kb in filters.get("PATCH_ID", sorted(known))
        if kb in known
    ]
    shown, next_token = page(request, rows, 100)
    return {"Patches": shown, **next_token}


def list_compliance_items(request: Request) -> Result:
    """The Patch items of one node; ExecutionSummary names the command that wrote them."""
    params = request.params
    for entry in params.get("Filters", []):
        if (entry["Key"], entry["Values"]) != ("ComplianceType", ["Patch"]):
            raise not_implemented(f"ListComplianceItems with the filter {entry['Key']}")
    rows: list[dict[str, Any]] = []
    for identifier in params.get("ResourceIds", []):
        host = _node(request, identifier)
        record = _shown(request, host).items.at(request.as_of)
        if record and not record.failed_search:
            rows += [_compliance_item(host, record, kb, state) for kb, state in record.patches.items()]
    shown, next_token = page(request, rows, 50)
    return {"ComplianceItems": shown, **next_token}


def _compliance_item(host: Host, record: PatchRecord, kb: str, state: str) -> dict[str, Any]:
    update = host.guest.updates.known[kb]
    compliant = state in ("Installed", "InstalledOther", "NotApplicable")
    return {
        "ComplianceType": "Patch",
        "ResourceType": "ManagedInstance",
        "ResourceId": host.id,
        "Id": kb,
        "Title": f"Security Update for Windows ({kb})",
        "Status": "COMPLIANT" if compliant else "NON_COMPLIANT",
        "Severity": update.severity.upper(),
        "ExecutionSummary": {
            "ExecutionTime": record.ended_at,
            "ExecutionId": record.execution_id,
            "ExecutionType": "Command",
        },
        "Details": {
            "Classification": CLASSIFICATIONS.get(update.update_class, "Updates"),
            "PatchBaselineId": BASELINE_ID,
            "PatchSeverity": update.severity.capitalize(),
            "PatchState": state.upper() if state == "Missing" else state,
        },
    }


OPERATIONS: dict[str, Operation] = {
    "DescribeInstancePatchStates": describe_instance_patch_states,
    "DescribeAvailablePatches": describe_available_patches,
    "DescribeInstancePatches": describe_instance_patches,
    "ListComplianceItems": list_compliance_items,
}
