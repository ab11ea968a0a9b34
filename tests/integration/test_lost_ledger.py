# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger is lost while hosts are on because of a run: docs/runbook.md, "The ledger is lost"."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

from living_lab import TWO_MINUTES_WITH_A_REBOOT, LivingLab

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import open_ledger

UPDATES = {"scan_seconds": 10, "updates": [{**TWO_MINUTES_WITH_A_REBOOT, "seconds": 600}]}
STOP_WHEN_IT_INSTALLS: list[dict[str, Any]] = [{"when": "off-1 installing", "do": "term_controller"}]
SALES = {"name": "sales", "id": "210987654321", "region": "us-east-1"}
ROLE = "arn:aws:iam::210987654321:role/PatchFleet-controller-us-east-1"
ACCOUNTS = [{"name": "sales", "role_arn": ROLE, "regions": ["us-east-1"]}]
MARK = {"patch_mark_tag": "patchfleet:run", "patch_accounts": ACCOUNTS}


def test_hosts_that_are_proven_to_be_on_because_of_a_lost_run_are_put_back(tmp_path: Path) -> None:
    far = {"name": "far", "state": "stopped", "account": "sales"}
    hosts = [{"name": "off-{1..2}", "state": "stopped"}, {"name": "on"}, far]
    given: dict[str, Any] = {"account": {"accounts": [SALES]}, "defaults": UPDATES, "events": STOP_WHEN_IT_INSTALLS}
    with LivingLab(tmp_path, hosts, scale=200, **given) as lab:
        cut_off = lab.playbook("patch", variables={**MARK, "patch_batch_size": 4})
        assert cut_off.code not in (0, "timeout"), cut_off.output
        (run,) = open_ledger(str(lab.ledger)).runs()
        for file in lab.folder.glob("ledger.sqlite*"):
            file.unlink()
        # As if the controller had died between the start and the tag that proves it.
        unproven = {"Key": "patchfleet:run", "Value": run.run_id}
        lab.client("ec2").create_tags(Resources=[lab.id("off-2")], Tags=[unproven])

        blind = lab.playbook("restore")
        assert (blind.code, "There is no ledger" in blind.words) == (2, True), blind.output
        searched = lab.playbook("restore", variables={**MARK, "patch_from_account": "check"})
        assert searched.code == 2, searched.output
        assert f"off-1 ({lab.id('off-1')}, eu-central-1) is on because of run {run.run_id}" in searched.words
        assert f"off-2 ({lab.id('off-2')}, eu-central-1) has the tag of run {run.run_id}, but" in searched.words
        assert (
            f"far ({lab.id('far')}, us-east-1 of account sales (210987654321)) is on because of run" in searched.words
        )
        assert "Searched for the tag patchfleet:run: eu-central-1, us-east-1 of account sales" in searched.words
        assert (set(searched.touched), lab.ledger.exists()) == ({"AssumeRole"}, False)

        # Typed as it is printed: the command has the ledger, the tag and where to search.
        reason = next(result.result["msg"] for result in searched.results if result.status == "failed")
        (command,) = re.findall("`(ansible-playbook .+?)`", reason)
        back = lab.run(shlex.split(command))
        assert back.code == 2, back.output
        assert f"off-2 ({lab.id('off-2')}, eu-central-1) has the tag of run {run.run_id}, but" in back.words
        truth = lab.lab.truth()["hosts"]
        tags = lab.client("ec2").describe_instances()["Reservations"]
        report = lab.playbook("report")
        assert report.code == 0, report.output

    assert {name: host["state"] for name, host in truth.items()} == {
        "off-1": "stopped",
        "off-2": "running",
        "on": "running",
        "far": "stopped",
    }
    assert (truth["off-1"]["cut_off"], truth["off-1"]["installed"]) == (0, ["KB5031361"])
    assert (truth["far"]["cut_off"], truth["far"]["stops"]) == (0, 1)
    assert back.touched.count("StopInstances") == 1, "by the credentials; a session of the role stops the other"
    marked = {
        instance["InstanceId"]
        for group in tags
        for instance in group["Instances"]
        if "patchfleet:run" in {tag["Key"] for tag in instance["Tags"]}
    }
    assert marked == {lab.id("off-2"), lab.id("on")}
    assert report.outcomes == {"off-1": "failed", "far": "failed"}
    assert report.report["run_id"] == run.run_id
