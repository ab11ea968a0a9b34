# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks as their user runs them, beyond what the scenarios show: plan, check mode, restore, report, targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from living_lab import TWO_MINUTES_WITH_A_REBOOT, LivingLab

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import open_ledger

ABROAD = "us-east-1"
ODD_NAMES = ("localhost", "all", "127.0.0.1", "{{ 6 * 7 }}", "web server", "a,b:!c", "patchfleet_planned", "-x", "東京")

UPDATES = {"scan_seconds": 10, "updates": [TWO_MINUTES_WITH_A_REBOOT]}
HOSTS: list[dict[str, Any]] = [
    {"name": "dev-1", "state": "stopped", **UPDATES},
    {"name": "dev-2", "type": "m5.large", **UPDATES},
    {"name": "dev-3", **UPDATES},
    {"name": "scaled", "asg": True},
    {"name": "penguin", "platform": "linux"},
    {"name": "spot", "state": "stopped", "spot": True},
    {"name": "kept", "state": "stopped", "stop_protected": True},
    {"name": "home", "tags": {"PatchGroup": "Far"}, "scan_seconds": 10},
    {"name": "abroad", "region": ABROAD, "state": "stopped", "tags": {"PatchGroup": "Far"}, "scan_seconds": 10},
    *(
        {"name": f"odd-{number}", "tags": {"PatchGroup": "Odd", "Name": name}, "scan_seconds": 10}
        for number, name in enumerate([*ODD_NAMES, ODD_NAMES[0]])
    ),
    {"name": "many-{1..55}", "tags": {"PatchGroup": "Many"}},
    {
        "name": "inv-{1..3}",
        "tags": {"PatchGroup": "Inventory", "Stage": "test"},
        "groups": ["wide"],
        "scan_seconds": 10,
    },
]
EXCLUDED = {
    "scaled": "It belongs to the Auto Scaling group",
    "penguin": "It is not a Windows host",
    "spot": "It is a Spot instance",
    "kept": "It is protected against being stopped",
    "dev-3": "It is left out by patch_exclude (dev-3)",
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingLab]:
    # The controller's role of setup_aws has rights by one tag, and these tests use several: an administrator runs them.
    with LivingLab(tmp_path_factory.mktemp("playbooks"), HOSTS, scale=200, bare=True) as lab:
        yield lab


def scan(lab: LivingLab, value: str, **variables: Any) -> dict[str, Any]:
    """Variables of a run that only scans the hosts with this value of the tag."""
    return {"patch_tag_value": value, "patch_operation": "scan", **variables}


# ---- plan and check mode


@pytest.mark.parametrize("command", [("plan",), ("patch", "--check"), ("plan", "--check")], ids=" ".join)
def test_a_plan_shows_everything_and_touches_nothing(lab: LivingLab, tmp_path: Path, command: tuple[str, ...]) -> None:
    ledger = tmp_path / "ledger.sqlite"
    variables = {
        "patch_ledger": str(ledger),
        "patch_batch_size": 1,
        "patch_priority_instance_types": ["m5.large"],
        "patch_exclude": ["dev-3"],
    }
    ended = lab.playbook(*command, variables=variables)
    assert ended.code == 0, ended.output
    planned = [line.split()[1:5] for line in ended.output.splitlines() if line.startswith("  wave")]
    assert planned == [["1", "+0:00", "dev-2", "running"], ["2", "+0:45", "dev-1", "stopped"]]
    for name, reason in EXCLUDED.items():
        assert f"left out {name}: {reason}" in ended.words
    assert "2 hosts will be patched, 1 at a time" in ended.words
    assert all(len(line) <= 100 for line in ended.output.splitlines() if line.startswith("  "))
    assert ended.touched == []
    assert open_ledger(str(ledger)).runs() == []
    assert not (ended.folder / "report.json").exists()


# ---- restore and report


def test_restore_gives_no_all_clear_from_a_ledger_that_is_not_there(lab: LivingLab, tmp_path: Path) -> None:
    ledger = tmp_path / "new.sqlite"
    ended = lab.playbook("restore", variables={"patch_ledger": str(ledger)})
    assert ended.code == 2, ended.output
    assert f"There is no ledger {ledger}" in ended.words
    assert (ended.calls, ledger.exists()) == ([], False)


def test_report_shows_the_last_run_or_one_by_its_id(lab: LivingLab) -> None:
    first = lab.playbook("patch", variables=scan(lab, "Windows", patch_exclude="dev-2,dev-3"))
    second = lab.playbook("patch", variables=scan(lab, "Windows", patch_exclude="dev-1,dev-2"))
    assert (first.code, second.code) == (0, 0), first.output + second.output
    newest = lab.playbook("report")
    again = lab.playbook("report", variables={"patch_run_id": first.report["run_id"]})
    assert (newest.report["run_id"], newest.code) == (second.report["run_id"], 0)
    assert again.report == first.report
    for name in ("report.html", "report.md"):
        assert (again.folder / name).read_text() == (first.folder / name).read_text()
    unknown = lab.playbook("report", variables={"patch_run_id": "20000101T000000Z-0000"})
    assert unknown.code == 2
    assert "knows no run '20000101T000000Z-0000'" in unknown.output
    assert newest.calls == again.calls == unknown.calls == []


def test_report_without_any_run_says_so(lab: LivingLab, tmp_path: Path) -> None:
    ended = lab.playbook("report", variables={"patch_ledger": str(tmp_path / "new.sqlite")})
    assert ended.code == 2
    assert f"There is no ledger {tmp_path / 'new.sqlite'}" in ended.words


# ---- targets


def test_hosts_are_found_by_tag_in_two_regions(lab: LivingLab) -> None:
    ended = lab.playbook("patch", variables=scan(lab, "Far", patch_regions=["eu-central-1", ABROAD]), inventories=[])
    assert ended.code == 0, ended.output
    assert ended.outcomes == {"abroad": "compliant", "home": "compliant"}
    assert {host["host"]: host["region"] for host in ended.report["hosts"]} == {
        "abroad": ABROAD,
        "home": "eu-central-1",
    }
    assert (lab.truth("abroad")["state"], lab.truth("abroad")["starts"]) == ("stopped", 1)


AWS_EC2 = {
    "plugin": "amazon.aws.aws_ec2",
    "regions": ["eu-central-1"],
    "filters": {"tag:PatchGroup": "Inventory"},
    "hostnames": ["tag:Name"],
    "keyed_groups": [{"key": "tags.Stage", "prefix": "stage"}],
}


def test_hosts_of_the_real_inventory_plugin_are_patched_within_a_limit(lab: LivingLab) -> None:
    inventory = lab.file("fleet.aws_ec2.yml", AWS_EC2)
    variables = {"patch_hosts": "stage_test", "patch_operation": "scan"}
    ended = lab.playbook("patch", "--limit", "inv-1,inv-3", variables=variables, inventories=[inventory])
    assert ended.code == 0, ended.output
    assert ended.outcomes == {"inv-1": "compliant", "inv-3": "compliant"}
    assert lab.id("inv-2") not in str([call for call in ended.calls if call["operation"] == "SendCommand"])


def test_the_tag_and_the_inventory_name_the_same_hosts_once(lab: LivingLab) -> None:
    variables = {"patch_hosts": "wide", "patch_tag_key": "PatchGroup", "patch_tag_value": "Inventory"}
    ended = lab.playbook("plan", variables=variables)
    assert ended.code == 0, ended.output
    assert ended.output.count("wave 1") == 3
    assert "3 hosts will be patched" in ended.words


def test_waves_are_as_large_as_the_plan_says_for_each_source_of_their_size(tmp_path: Path) -> None:
    """Play keywords do not see the inventory's variables."""
    hosts = [{"name": "off-{1..3}", "state": "stopped", "groups": ["dev"], "scan_seconds": 10}]
    with LivingLab(tmp_path, hosts, scale=200) as lab:
        everywhere = lab.file("vars.yml", {"all": {"vars": {"patch_batch_size": 1, "patch_operation": "scan"}}})
        ended = lab.playbook("patch", inventories=[lab.workplace.inventory, everywhere])
        assert ended.code == 0, ended.output
        assert "3 hosts will be scanned, 1 at a time" in ended.words
        assert lab.lab.truth()["running_at_once"] == 1
        of_the_run = Counter(ended.skipped)
        assert [task for task, hosts in of_the_run.items() if hosts > 1] == [], "no task of a host is skipped"


def test_an_inventory_that_is_set_up_for_winrm_changes_nothing(lab: LivingLab) -> None:
    everywhere = {"all": {"vars": {"ansible_connection": "winrm", "ansible_shell_type": "powershell"}}}
    inventories = [lab.workplace.inventory, lab.file("winrm.yml", everywhere)]
    variables = {"patch_hosts": "inv-1", "patch_operation": "scan"}
    ended = lab.playbook("patch", variables=variables, inventories=inventories)
    assert ended.code == 0, ended.output
    assert ended.outcomes == {"inv-1": "compliant"}
    for playbook in ("plan", "restore", "report"):
        ended = lab.playbook(playbook, variables=variables, inventories=inventories)
        assert ended.code == 0, ended.output


def test_more_hosts_than_a_page_are_all_found(lab: LivingLab) -> None:
    """DescribeInstanceInformation gives 50 a page at most."""
    ended = lab.playbook("plan", variables={"patch_tag_value": "Many"})
    assert ended.code == 0, ended.output
    assert ended.output.count("  wave ") == 55
    assert "NextToken" in str(ended.calls)


def test_odd_names_are_names_and_nothing_else(lab: LivingLab) -> None:
    ended = lab.playbook("patch", variables=scan(lab, "Odd", patch_batch_size="100%"), inventories=[])
    assert ended.code == 0, ended.output
    assert sorted(host["host"] for host in ended.report["hosts"]) == sorted([*ODD_NAMES, ODD_NAMES[0]])
    assert ended.report["totals"] == {"compliant": len(ODD_NAMES) + 1}
    commands = {host for call in ended.calls if call["operation"] == "SendCommand" for host in call["hosts"]}
    assert commands == {f"odd-{number}" for number in range(len(ODD_NAMES) + 1)}
    assert "42" not in [host["host"] for host in ended.report["hosts"]]
