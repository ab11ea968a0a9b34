# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook `restore_points` continues where one account and region does not answer, names it and fails in the end."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._disk.restore_point import (
    DESCRIPTION,
    EXPIRES,
    HOST,
    KEPT,
    MARK,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.restore_points import OPERATION
from operations import perform

from .fakes import DAY, ID, client_error, moment
from .stage import Stage, a_host, a_run

DENIED = client_error("UnauthorizedOperation", "You are not authorized.", "DescribeSnapshots", 403)


def snapshot(number: int, *, expires: str) -> dict[str, Any]:
    marks = {MARK: "true", HOST: ID, EXPIRES: expires}
    return {
        "SnapshotId": f"snap-{number}",
        "VolumeId": f"vol-{number}",
        "VolumeSize": 30,
        "State": "completed",
        "StartTime": moment(-DAY),
        "Description": DESCRIPTION,
        "Tags": [{"Key": key, "Value": value} for key, value in marks.items()],
    }


@pytest.fixture
def two_regions(stage: Stage) -> Stage:
    """A run took restore points in two regions; the first does not answer."""
    locations = [{"account": None, "region": region} for region in ("eu-west-1", "eu-central-1")]
    stage.ledger.open_run(a_run(restore_points=locations), [a_host()], take_over=False)
    return stage


def answers(stage: Stage, *found: dict[str, Any]) -> None:
    stage.account.on("describe_snapshots", DENIED, {"Snapshots": list(found)})


def failure(stage: Stage, state: str, **options: Any) -> PatchFleetError:
    with pytest.raises(PatchFleetError) as caught:
        perform(OPERATION, stage.context(OPERATION, state=state, **options))
    assert caught.value.reason.startswith("Not every restore point could be reached. eu-west-1: ")
    return caught.value


def ids(error: PatchFleetError) -> list[str]:
    return [one["snapshot_id"] for one in error.facts["snapshots"]]


def test_the_points_of_other_regions_are_listed(two_regions: Stage) -> None:
    answers(two_regions, snapshot(1, expires=KEPT))
    assert ids(failure(two_regions, "listed")) == ["snap-1"]
    assert any("snap-1" in text for text in two_regions.message)


def test_one_that_cannot_be_deleted_keeps_no_other_on(two_regions: Stage) -> None:
    old = "2026-01-01T00:00:00Z"
    answers(two_regions, snapshot(1, expires=old), snapshot(2, expires=old))
    in_use = client_error("InvalidSnapshot.InUse", "It is in use.", "DeleteSnapshot")
    two_regions.account.on("delete_snapshot", in_use, {})
    error = failure(two_regions, "expired")
    assert ids(error) == ["snap-2"]
    assert "snap-1: " in error.reason


def test_the_points_of_other_regions_are_kept(two_regions: Stage) -> None:
    answers(two_regions, snapshot(1, expires="2027-01-01T00:00:00Z"))
    two_regions.account.on("create_tags", {})
    assert ids(failure(two_regions, "kept", run_id=None, target=ID)) == ["snap-1"]
    assert [call.params["Resources"] for call in two_regions.account.of("create_tags")] == [["snap-1"]]


def test_without_trouble_nothing_fails(two_regions: Stage) -> None:
    two_regions.account.on("describe_snapshots", {"Snapshots": [snapshot(1, expires=KEPT)]})
    result = perform(OPERATION, two_regions.context(OPERATION, state="listed"))
    assert [one["snapshot_id"] for one in result["snapshots"]] == ["snap-1", "snap-1"], "one in each region"
