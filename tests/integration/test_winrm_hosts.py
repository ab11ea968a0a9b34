# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts without AWS, on good days and on bad ones: each ends in the right outcome, with a sentence that a person understands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from living_lab import TWO_MINUTES_WITH_A_REBOOT, Ended, LivingLab

from lab.winrm.options import Options

PAGE = Path(__file__).parents[2] / "docs" / "inventory.md"

DAYS: dict[str, Options] = {
    "good": Options(),
    "plain": Options(scheme="http"),
    "noisy": Options(answers="noisy"),
    "skewed": Options(clock_skew_seconds=900),
    "cut": Options(cut_when={"installing": 120}),
    "dark": Options(),
    "goes-dark": Options(),
    "locked": Options(),
    "untrusted": Options(certificate="untrusted"),
    "garbage": Options(answers="garbage"),
    "truncated": Options(answers="truncated"),
    "narrow": Options(shell="32-bit"),  # noqa: S604 - no shell of this machine
    "constrained": Options(shell="constrained"),  # noqa: S604
    "no-system": Options(may_become_system=False),
    "no-system-2025": Options(may_become_system=False),
    "hop": Options(search_error="0x80070005"),
    "wsus": Options(search_error="0x80072EE2"),
}
WINDOWS: dict[str, dict[str, Any]] = {"no-system-2025": {"windows": {"update_api_over_network": "refused"}}}
HOSTS: list[dict[str, Any]] = [
    *(
        {"name": name, "kind": "winrm", "updates": [TWO_MINUTES_WITH_A_REBOOT], **WINDOWS.get(name, {})}
        for name in DAYS
    ),
    {"name": "off", "kind": "winrm", "unreachable_after": 0, "updates": [TWO_MINUTES_WITH_A_REBOOT]},
    {"name": "fills", "kind": "winrm", "updates": [{**TWO_MINUTES_WITH_A_REBOOT, "gib": 40}]},
    {"name": "renewed", "kind": "hybrid", "updates": [TWO_MINUTES_WITH_A_REBOOT]},
]
EVENTS = [
    {"when": "dark installing", "do": "stop"},  # the power fails, and comes back
    {"when": "dark installing", "after_seconds": 900, "do": "start"},
    {"when": "goes-dark installing", "do": "stop"},
    {"when": "renewed installing", "do": "agent_dies"},  # it updates itself
    {"when": "renewed installing", "after_seconds": 900, "do": "agent_returns"},
]
PATCHED = ("good", "plain", "noisy", "skewed", "cut", "no-system", "no-system-2025")
TROUBLE = {  # outcome, step, reason code, and what the sentence has in it
    "locked": ("deferred", "ready", "unreachable", "credentials were rejected"),
    "untrusted": ("deferred", "ready", "unreachable", "certificate verify failed"),
    "off": ("deferred", "ready", "unreachable", "Connection refused"),
    "goes-dark": ("failed", "patch", "install_timeout", "not cut off"),
    "fills": ("failed", "verify", "still_missing", "The disk is full"),
    "garbage": ("failed", "disk", "script_failed", "gave no answer that can be read"),
    "truncated": ("failed", "disk", "answer_cut_off", "its end is missing"),
    "narrow": ("failed", "ready", "wrong_bitness", "32-bit PowerShell"),
    "constrained": ("failed", "ready", "constrained_language", "Constrained Language Mode"),
    "hop": ("failed", "repair", "update_access_denied", "second hop"),
    "wsus": ("failed", "repair", "update_source_unreachable", "does not reach its update source"),
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingLab]:
    with LivingLab(tmp_path_factory.mktemp("halls"), HOSTS, winrm=DAYS, events=EVENTS, scale=60) as living:
        yield living


@pytest.fixture(scope="module")
def ended(lab: LivingLab) -> Ended:
    locked = lab.file("locked.yml", {"all": {"hosts": {"locked": {"ansible_password": "not this one"}}}})
    variables = {"patch_hosts": "all", "patch_batch_size": 20, "patch_failure_budget": "100%"}
    variables["patch_install_timeout_seconds"] = 2400
    return lab.playbook("patch", variables=variables, inventories=[lab.workplace.inventory, locked])


def test_the_run_says_that_not_all_went_well(ended: Ended) -> None:
    assert ended.code == 2
    assert set(ended.outcomes) == {host["name"] for host in HOSTS}


@pytest.mark.parametrize("name", PATCHED)
def test_what_can_be_patched_is_patched_and_proven(lab: LivingLab, ended: Ended, name: str) -> None:
    host = ended.host(name)
    assert (host["outcome"], host["kind"]) == ("patched", "winrm"), host["reason"]
    assert (host["installed"], host["missing"], host["reboots"]) == ([TWO_MINUTES_WITH_A_REBOOT["kb"]], [], 1)
    assert host["verified_at"]
    assert lab.truth(name)["missing"] == []


def test_a_host_that_lost_its_power_in_the_middle_is_patched_when_it_is_back(lab: LivingLab, ended: Ended) -> None:
    host = ended.host("dark")
    assert (host["outcome"], lab.truth("dark")["missing"]) == ("patched", []), host["reason"]
    assert host["reboots"] == 2  # its return is one


def test_an_agent_that_is_renewed_in_the_middle_reports_its_command_later(lab: LivingLab, ended: Ended) -> None:
    assert (ended.host("renewed")["outcome"], lab.truth("renewed")["missing"]) == ("patched", [])


@pytest.mark.parametrize("name", TROUBLE)
def test_trouble_is_reported(lab: LivingLab, ended: Ended, name: str) -> None:
    host = ended.host(name)
    outcome, step, code, words = TROUBLE[name]
    assert (host["outcome"], host["step"], host["reason_code"]) == (outcome, step, code), host["reason"]
    assert words in host["reason"]
    assert lab.truth(name)["missing"] == [TWO_MINUTES_WITH_A_REBOOT["kb"]]


def test_no_password_is_reported(lab: LivingLab, ended: Ended) -> None:
    password = lab.lab.variables("good")["ansible_password"]
    files = [path.read_text(errors="replace") for path in ended.folder.iterdir()]
    assert all(secret not in text for secret in (password, "not this one") for text in [ended.output, *files])


def test_the_mixed_inventory_of_the_docs(tmp_path: Path) -> None:
    """As it stands; the lab's inventory after it knows the addresses and ids that the hosts have here."""
    text = PAGE.read_text()
    (inventory,) = (block for block in text.split("```yaml\n")[1:] if "hall-01" in block)
    updates = {"updates": [TWO_MINUTES_WITH_A_REBOOT]}
    hosts = [
        {"name": "dev-sql-01", "state": "stopped", "groups": ["cloud"], **updates},
        {"name": "branch-01", "kind": "hybrid", "groups": ["onprem"], **updates},
        {"name": "hall-01", "kind": "winrm", "groups": ["onprem"], **updates},
        {"name": "hall-02", "kind": "winrm", "groups": ["onprem"]},
    ]
    with LivingLab(tmp_path, hosts) as lab:
        given = tmp_path / "inventory.yml"
        given.write_text(inventory.partition("```")[0])
        ended = lab.playbook(
            "patch", variables={"patch_hosts": "cloud,onprem"}, inventories=[given, lab.workplace.inventory]
        )
        assert ended.code == 0, ended.output
        assert ended.outcomes == {
            "dev-sql-01": "patched",
            "branch-01": "patched",
            "hall-01": "patched",
            "hall-02": "compliant",
        }
        assert lab.truth("dev-sql-01")["state"] == "stopped"
