# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The account as `setup_aws` leaves it: the collection's own stack, whose policies then hold for the controller.

So a right that the template forgets is missing in every scenario, as it would be in AWS.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from lab.aws.cloudformation.stacks import Stacks
from lab.aws.moto_tables import named_tables
from lab.aws.request import ACCOUNT_ID
from lab.aws.rights import key_arn
from lab.scenario import Scenario

REGION = "eu-central-1"
TEMPLATE = Path(__file__).parents[3] / "roles" / "aws_prerequisites" / "files" / "patchfleet.yaml"
STACK = "patchfleet"
MARK_TAG = "patchfleet:run"
"""What patch_mark_tag is in scenarios."""


def set_up(stacks: Stacks, scenario: Scenario, now: datetime) -> str:
    """Make the stack with all that it offers; returns the name of the controller's role."""
    home = scenario.account.region
    regions = sorted({home, *(host.region for host in scenario.hosts)})
    given = {
        "Regions": ",".join(regions),
        "ControllerPrincipals": f"arn:aws:iam::{ACCOUNT_ID}:root",
        "KmsKeyArns": ",".join(key_arn(region) for region in regions),
        "AllowSnapshots": "true",
        "MarkTag": MARK_TAG,
        "DeadManSwitch": "true",
    }
    named = named_tables(scenario)
    given["LedgerTable"] = named[0][0] if named else "create"
    stack = stacks.create(home, STACK, TEMPLATE.read_text(encoding="utf-8"), given, [], now)
    return stack.resources["ControllerRole"].physical_id


def with_everything() -> Iterator[Stacks]:
    """The stack with all that it can hold, once for each way in which its window may start a run."""
    given = {
        "ControllerPrincipals": f"arn:aws:iam::{ACCOUNT_ID}:root",
        "ControllerOnEc2": "true",
        "KmsKeyArns": key_arn(REGION),
        "AllowSnapshots": "true",
        "MarkTag": MARK_TAG,
        "CommandOutputToLogs": "true",
        "DeadManSwitch": "true",
        "LedgerTable": "create",
        "PlaybookBucket": "playbooks",
    }
    for way in (
        {"StartRunBy": "controller-node", "PlaybookSource": "{...}"},
        {"StartRunBy": "awx", "AwxToken": "secret"},
    ):
        stacks = Stacks()
        stacks.create(REGION, STACK, TEMPLATE.read_text(encoding="utf-8"), {**given, **way}, [], datetime.now(UTC))
        yield stacks
