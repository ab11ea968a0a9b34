# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an earlier state of the collection has set up becomes what the collection of today sets up, and nothing is lost.

``earlier/README.md`` says what the files of the earlier states are. The ledgers have tests/unit/product/test_ledger_upgrade.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from awx_setup import SET_UP, TAKE_DOWN, fresh_awx, run
from living_lab import LivingLab

from awx.objects import Objects, Row
from awx.schema import RESOURCES, UNIFIED, Ref
from awx.server import StandIn
from lab.aws.setup import STACK, TEMPLATE

EARLIER = sorted(folder for folder in (Path(__file__).parent / "earlier").iterdir() if folder.is_dir())
USED = {
    "ControllerPrincipals": "arn:aws:iam::123456789012:role/awx",
    "LedgerTable": "create",
    "DeadManSwitch": "true",
    "ApproveAfterDays": "3",
}
"""Parameters that the account was set up with."""

STAYS = {
    "2026-11-25": {
        "hosts: hall-01 of Patch Fleet on-prem",
        "inventories: Patch Fleet EC2 of Patch Fleet",
        "inventories: Patch Fleet of Patch Fleet",
        "inventories: Patch Fleet on-prem of Patch Fleet",
        "inventory_sources: Auto-created source for: Patch Fleet of Patch Fleet",
        "inventory_sources: Patch Fleet EC2 of Patch Fleet EC2",
        "schedules: Patch Fleet after Patch Tuesday",
    }
}
"""What setup_awx leaves there, since people may have put hosts into it; docs/awx.md says what to do with it."""

a_state = pytest.mark.parametrize("earlier", EARLIER, ids=lambda folder: folder.name)


def test_there_are_earlier_states() -> None:
    assert len(EARLIER) > 0


# The stack


@a_state
def test_the_stack_of_an_earlier_state_becomes_that_of_today(earlier: Path, tmp_path: Path) -> None:
    with LivingLab(tmp_path, [{"name": "dev-01"}], bare=True) as lab:
        cloudformation = lab.client("cloudformation")
        cloudformation.create_stack(
            StackName=STACK,
            TemplateBody=(earlier / "patchfleet.template").read_text(encoding="utf-8"),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in USED.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        before = resources(cloudformation)

        shown = lab.playbook("setup_aws", "--check")
        assert shown.code == 0, shown.output
        assert "aws_prerequisites_confirm_removal" not in shown.output, "nothing of it is removed or replaced"
        assert resources(cloudformation) == before

        upgraded = lab.playbook("setup_aws")
        assert upgraded.code == 0, upgraded.output
        assert before.items() <= resources(cloudformation).items()
        (stack,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
        assert {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]} == USED
        outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
        assert outputs["LedgerUrl"] == "dynamodb://PatchFleet-ledger"
        assert f"Value: {outputs['TemplateVersion']}\n" in TEMPLATE.read_text(encoding="utf-8")

        planned = lab.playbook("plan", variables={"patch_ledger": f"{outputs['LedgerUrl']}?region=eu-central-1"})
        assert planned.code == 0, planned.output
        assert "lack the right" not in planned.words


def test_an_older_release_does_not_replace_the_template_of_a_newer_one(tmp_path: Path) -> None:
    with LivingLab(tmp_path, [{"name": "dev-01"}], bare=True) as lab:
        cloudformation = lab.client("cloudformation")
        of_today = TEMPLATE.read_text(encoding="utf-8")
        newer = of_today.replace("TemplateVersion:\n    Value: ", "TemplateVersion:\n    Value: 9")
        cloudformation.create_stack(StackName=STACK, TemplateBody=newer, Capabilities=["CAPABILITY_NAMED_IAM"])
        for options in (["--check"], []):
            refused = lab.playbook("setup_aws", *options)
            assert refused.code == 2, refused.output
            assert f"The stack {STACK} has version 9" in refused.words
            assert refused.touched == []
        confirmed = lab.playbook("setup_aws", variables={"aws_prerequisites_confirm_removal": True})
        assert confirmed.code == 0, confirmed.output


def resources(cloudformation: Any) -> dict[str, tuple[str, str]]:
    """Type and physical id of each resource of the stack."""
    listed = cloudformation.list_stack_resources(StackName=STACK)["StackResourceSummaries"]
    return {row["LogicalResourceId"]: (row["ResourceType"], row["PhysicalResourceId"]) for row in listed}


# AWX


@pytest.fixture(scope="module")
def of_today(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What setup_awx makes in a fresh AWX."""
    with StandIn(fresh_awx()) as awx:
        run(awx, tmp_path_factory.mktemp("fresh"), SET_UP)
        return by_name(awx.objects)


@a_state
def test_the_objects_in_awx_of_an_earlier_state_become_those_of_today(
    earlier: Path, of_today: dict[str, Any], tmp_path: Path
) -> None:
    pytest.importorskip("ansible_collections.awx.awx", reason="the package ansible 12 brings it, 14 does not")
    fresh = fresh_awx()
    document = json.loads((earlier / "awx.json").read_text(encoding="utf-8"))
    with StandIn(Objects.from_document(fresh.playbooks, document)) as awx:
        run(awx, tmp_path, SET_UP, awx_job_templates_reset=True)  # as docs/awx.md says for an upgrade
        assert awx.refused == []
        upgraded = by_name(awx.objects)
        assert upgraded.keys() - of_today.keys() == STAYS.get(earlier.name, set())
        assert {name: upgraded.get(name) for name in of_today} == of_today

        awx.changes.clear()
        again = run(awx, tmp_path, SET_UP)
        assert [line["task"] for line in again if line["result"].get("changed")] == []
        assert awx.changes == []

        run(awx, tmp_path, TAKE_DOWN, awx_job_templates_remove_organization=True)
        assert by_name(awx.objects) == by_name(fresh)


def by_name(objects: Objects) -> dict[str, Any]:
    """All objects without their ids: what they are, what they name, what they are linked to, and their surveys."""
    return {
        f"{kind}: {label(objects, kind, row)}": {
            "fields": {name: value_of(objects, of, row.get(name)) for name, of in RESOURCES[kind].fields.items()},
            "links": {
                name: sorted(label(objects, linked, objects.lists[linked][one]) for one in ids)
                for name, linked in RESOURCES[kind].associations.items()
                if (ids := objects.links.get((kind, row["id"], name)))
            },
            "survey": objects.surveys.get((kind, row["id"])),
        }
        for kind, rows in objects.lists.items()
        if kind != "roles"
        for row in rows.values()
    }


def value_of(objects: Objects, of: Any, value: Any) -> Any:
    """A field; of one that names another object, that object's label."""
    if not isinstance(of, Ref) or value is None:
        return value
    kinds = UNIFIED if of.list == "unified_job_templates" else (of.list,)
    return next(label(objects, kind, objects.lists[kind][value]) for kind in kinds if value in objects.lists[kind])


OWNERS = {
    "organization": "organizations",
    "workflow_job_template": "workflow_job_templates",
    "inventory": "inventories",
}
"""Of a field that says what an object belongs to, the list of that."""


def label(objects: Objects, kind: str, row: Row) -> str:
    """A name that no other object of its kind has."""
    owners = [objects.lists[of][row[field]]["name"] for field, of in OWNERS.items() if row.get(field)]
    name = row["identifier"] if kind == "workflow_job_template_nodes" else row["name"]
    return " of ".join([name, *owners[:1]])
