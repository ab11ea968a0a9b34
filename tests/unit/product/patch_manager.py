# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patch Manager as the tests of patching need it: what each scan finds, and what is shown of it afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .fakes import ID, Outcome, moment
from .stage import Stage

DOCUMENT = "AWS-RunPatchBaseline"
SNAPSHOT = "11111111-2222-4333-8444-555555555555"
PARAMETERS = ("Operation", "SnapshotId", "RebootOption", "StepTimeoutSeconds")


@dataclass(frozen=True)
class Found:
    """What DescribeInstancePatchStates shows after a scan; ``lag`` is how many seconds later, ``skew`` the host's clock minus
    AWS's, ``counts`` are further ones, and ``definitions`` are missing, too.
    """

    missing: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    definitions: tuple[str, ...] = ()
    pending_reboot: int = 0
    available: int = 0
    snapshot: str = SNAPSHOT
    operation: str = "Scan"
    search_failed: bool = False
    lag: float = 0.0
    skew: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)


class PatchManager:
    """Shows after the n-th scan what the test wants it to find; the last one stays. ``None``: nothing new is shown."""

    def __init__(self, stage: Stage, *found: Found | None) -> None:
        self._stage = stage
        self._found = list(found)
        stage.account.on("describe_document", {"Document": {"Parameters": [{"Name": name} for name in PARAMETERS]}})
        stage.account.on("describe_instance_patch_states", self._states)
        stage.account.on("describe_instance_patches", self._patches)
        stage.account.on("list_compliance_items", {"ComplianceItems": []})
        stage.guest.on(DOCUMENT, Outcome(seconds=60))

    @property
    def operations(self) -> list[str]:
        """What was asked of the node: Install and Scan, in order."""
        return [values["Operation"][0] for values in self._stage.guest.inputs(DOCUMENT)]

    def _latest(self) -> tuple[Found, float] | None:
        """The newest state that is shown, and when its scan ended (in seconds since the test began)."""
        sent = [call for call in self._stage.account.of("send_command") if call.params["DocumentName"] == DOCUMENT]
        scans = [call.at for call in sent if call.params["Parameters"]["Operation"] == ["Scan"]]
        shown = None
        for number, at in enumerate(scans):
            found = self._found[min(number, len(self._found) - 1)]
            if found is not None and self._stage.clock.passed >= at + 60 + found.lag:
                shown = (found, at + 60)
        return shown

    def _states(self, **_params: Any) -> dict[str, Any]:
        latest = self._latest()
        if latest is None:
            return {"InstancePatchStates": []}
        found, ended = latest
        state = {
            "InstanceId": ID,
            "PatchGroup": "Windows",
            "BaselineId": "pb-0123456789abcdef0",
            "SnapshotId": found.snapshot,
            "Operation": found.operation,
            "OperationStartTime": moment(ended - 60 + found.skew),
            "OperationEndTime": moment(ended + found.skew),
            "MissingCount": len(found.missing) + len(found.definitions),
            "FailedCount": len(found.failed),
            "InstalledPendingRebootCount": found.pending_reboot,
            "AvailableSecurityUpdateCount": found.available,
            **found.counts,
        }
        if found.search_failed:  # then the times are those of 1970
            state.update(MissingCount=-1, FailedCount=-1, OperationEndTime=moment(-1_794_693_600))
        return {"InstancePatchStates": [state]}

    def _patches(self, *, Filters: list[Any], NextToken: str = "", **_params: Any) -> dict[str, Any]:  # noqa: N803
        """One patch a page, so that a reader of the first page alone fails."""
        assert Filters == [{"Key": "State", "Values": ["Missing", "Failed"]}]
        latest = self._latest()
        assert latest is not None
        rows = [("Missing", kb) for kb in (*latest[0].missing, *latest[0].definitions)]
        rows += [("Failed", kb) for kb in latest[0].failed]
        at = int(NextToken or 0)
        patch = {
            "Title": rows[at][1],
            "KBId": rows[at][1],
            "Classification": "DefinitionUpdates" if rows[at][1] in latest[0].definitions else "SecurityUpdates",
            "Severity": "Critical",
            "State": rows[at][0],
            "InstalledTime": moment(0),
        }
        return {"Patches": [patch], **({"NextToken": str(at + 1)} if at + 1 < len(rows) else {})}
