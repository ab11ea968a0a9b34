# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Room on C: as a user sees it made: for large updates before they are installed, behind a snapshot, never for a mere scan."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from living_lab import UPDATE, LivingLab

LARGE = {"disk": {"size_gib": 60, "free_gib": 25}, "updates": [{**UPDATE, "gib": 30}]}
HOSTS = [
    {
        "name": "large",
        "state": "stopped",
        "tags": {"PatchGroup": "Windows", "Test": "grow"},
        "scan_seconds": 10,
        **LARGE,
    },
    {
        "name": "full",
        "tags": {"PatchGroup": "Windows", "Test": "scan"},
        "scan_seconds": 10,
        "disk": {"size_gib": 60, "free_gib": 2},
    },
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingLab]:
    with LivingLab(tmp_path_factory.mktemp("room"), HOSTS) as lab:
        yield lab


def of(test: str) -> dict[str, Any]:
    """Variables that select the hosts of a test."""
    return {"patch_filters": {"tag:Test": test}}


def test_a_volume_grows_before_a_large_update_needs_it_and_behind_a_snapshot(lab: LivingLab) -> None:
    ended = lab.playbook("patch", variables={**of("grow"), "patch_snapshot_before_grow": True})
    assert (ended.code, ended.outcomes) == (0, {"large": "patched"}), ended.output
    changing = [operation for operation in ended.touched if operation in {"CreateSnapshot", "ModifyVolume"}]
    assert changing == ["CreateSnapshot", "ModifyVolume"]
    (snapshot,) = lab.client("ec2").describe_snapshots(OwnerIds=["self"])["Snapshots"]
    tags = {tag["Key"]: tag["Value"] for tag in snapshot["Tags"]}
    assert (tags["patchfleet:run"], tags["PatchGroup"]) == (ended.report["run_id"], "Windows")
    host = ended.host("large")
    assert (host["snapshot_id"], host["grown_gib"], host["free_gib_before"]) == (snapshot["SnapshotId"], 20, 25)
    assert host["wanted_gib"] > 25
    assert [action["name"] for action in host["rungs"]][-1] == "volume_growth"
    assert (lab.truth("large")["volume_gib"], lab.truth("large")["state"]) == (80, "stopped")


def test_a_scan_makes_no_room(lab: LivingLab) -> None:
    ended = lab.playbook("patch", variables={**of("scan"), "patch_operation": "scan"})
    assert (ended.code, ended.outcomes) == (0, {"full": "compliant"}), ended.output
    assert "ModifyVolume" not in ended.touched
    assert ended.host("full")["rungs"] is None


def test_without_the_right_to_take_snapshots_nothing_is_touched(tmp_path: Path) -> None:
    with LivingLab(tmp_path, [{"name": "dev-1"}], account={"deny": ["ec2:CreateSnapshot"]}) as lab:
        ended = lab.playbook("patch", variables={"patch_snapshot_before_grow": True})
    assert ended.code not in (0, "timeout")
    assert ended.touched == []
    assert "lack the right ec2:CreateSnapshot" in ended.words
