# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run parliament over every policy of the template, its parameters put in, and over the prover's. Prints what is not expected."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

from lab.aws.setup import with_everything

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of pkg_resources, by which parliament finds its own files
    import parliament

PROVER = Path(__file__).parents[2] / "roles" / "prove_account" / "files" / "policy.json"

# parliament wants every resource of an action in one statement, and an account in every ARN; its table is older than AWS's.
ISSUES = ("RESOURCE_MISMATCH", "RESOURCE_STAR")
EXPECTED = {
    "cloudwatch:DescribeAlarms": "without * CloudWatch shows no composite alarm (CloudWatch API reference, DescribeAlarms)",
    "ec2:AttachVolume": "the instance carries the tag of the hosts, the volume that of the roll-back",
    "ec2:CreateReplaceRootVolumeTask": "the instance and the snapshot carry a tag, the new volume and the task have none yet",
    "ec2:CreateSnapshots": "the instance must carry the tag, its volumes and the new snapshots need not",
    "ec2:CreateVolume": "the snapshot must be of a restore point, and the new volume has no tag yet",
    "ec2:DetachVolume": "the instance carries the tag of the hosts, the volume that of the roll-back",
    "ec2:CreateSnapshot": "the volume must carry the tag, which the snapshot cannot have yet, so each has its statement",
    "ec2:RunInstances": "only what it makes can carry the tag, so that and the rest have a statement each",
    "servicequotas:GetServiceQuota": "AWS evaluates it on the quota (Service Authorization Reference, Service Quotas)",
    "ssm:DescribeDocument": "AWS's own documents belong to no account",
    "ssm:GetParameter": "AWS's own parameters belong to no account",
    "ssm:SendCommand": "a host must carry the tag, and a document has none, so each has its statement",
}


def main() -> int:
    """Lint; the exit code is 1 when something was found."""
    policies = [pair for stacks in with_everything() for pair in stacks.policies()]
    policies.append(("prove_account", PROVER.read_text(encoding="utf-8")))
    findings = {reported for name, document in policies for reported in lint(document, name)}
    met = {action for _name, issue, action in findings if issue in ISSUES and action in EXPECTED}
    unexpected = sorted(it for it in findings if it[2] not in met)
    for name, issue, action in unexpected:
        print(f"{name}: {issue} {action}")
    for action in sorted(set(EXPECTED) - met):
        print(f"parliament does not complain of {action} any more: take it out of EXPECTED")
    return int(bool(unexpected or set(EXPECTED) - met))


def lint(document: dict[str, Any] | str, name: str) -> list[tuple[str, str, str]]:
    """Findings as the resource of the template, the issue, and the action or what else parliament says of it."""
    text = document if isinstance(document, str) else json.dumps(document)
    found = parliament.analyze_policy_string(text).findings
    return [(name, finding.issue, action) for finding in found for action in _actions(finding.detail)]


def _actions(detail: Any) -> list[str]:
    rows = detail if isinstance(detail, list) else [detail]
    return [row["action"] if isinstance(row, dict) and "action" in row else str(row) for row in rows]


if __name__ == "__main__":
    sys.exit(main())
