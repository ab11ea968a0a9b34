# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook that proves an account, in the emulated one: green, with a difference, and killed in the middle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from living_lab import LivingLab, Running

from lab.world import Host

WANTED = {"prove_subnet_id": "subnet-0a1b2c3d4e5f6071b", "prove_confirmed": True}
POLICY = Path(__file__).parents[2] / "roles" / "prove_account" / "files" / "policy.json"
QUICK = ["rights.controller.simulated", "rights.host.no_parameters", "windows.disk.fresh"]


class Account:
    """A lab that is set up, and the prover's credentials for it, which have the rights of its policy and no others."""

    def __init__(self, lab: LivingLab) -> None:
        self.lab = lab
        lab.lab.make_role("Prover", json.loads(POLICY.read_text(encoding="utf-8")))

    @property
    def keys(self) -> dict[str, str | None]:
        given = self.lab.lab.new_credentials(role="Prover")
        return {
            "AWS_ACCESS_KEY_ID": given.access_key,
            "AWS_SECRET_ACCESS_KEY": given.secret_key,
            "AWS_SESSION_TOKEN": given.session_token,
        }

    def begin(self, *options: str, **variables: Any) -> Running:
        report = {"prove_report_dir": str(self.lab.folder / "proof")}
        given = {**report, **variables}
        return self.lab.begin("prove_account", *options, variables=given, environment=self.keys)

    @property
    def left(self) -> list[str]:
        """Instances, windows and schedules of proofs."""
        tagged = [{"Name": "tag-key", "Values": ["patchfleet:proof"]}]
        rows = self.lab.client("ec2").describe_instances(Filters=tagged)["Reservations"]
        on = [row["InstanceId"] for one in rows for row in one["Instances"] if row["State"]["Name"] != "terminated"]
        windows = [row["WindowId"] for row in self.lab.client("ssm").describe_maintenance_windows()["WindowIdentities"]]
        group = {"GroupName": "PatchFleet", "NamePrefix": "patchfleet-proof-"}
        schedules = self.lab.client("scheduler").list_schedules(**group)["Schedules"]
        made = [row for row in windows if row in self.lab.lab._play.account.made_windows]  # noqa: SLF001
        return [*on, *made, *(row["Name"] for row in schedules)]

    @property
    def answers(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.lab.folder / "proof" / "beliefs.json").read_text(encoding="utf-8"))
        return found


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with LivingLab(tmp_path, [{"name": "dev-01"}]) as lab:
        yield Account(lab)


def test_every_belief_is_asked_in_a_real_run_and_nothing_is_left(account: Account) -> None:
    ended = account.begin(**WANTED).end()
    assert ended.code == 0, ended.output
    assert "costs at most 0.58 USD" in ended.words
    answers = account.answers
    assert answers["complete"]
    assert {row["status"] for row in answers["beliefs"]} == {"as_expected"}
    assert "123456789012" not in (account.lab.folder / "proof" / "beliefs.md").read_text(encoding="utf-8")
    assert account.left == []


def test_a_difference_ends_with_2_and_is_named(account: Account) -> None:
    core = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    account.lab.client("iam").attach_role_policy(RoleName="PatchFleet-host-eu-central-1", PolicyArn=core)
    ended = account.begin(**WANTED, prove_beliefs=QUICK).end()
    assert ended.code == 2
    assert "rights.host.no_parameters: differs: The host's role may read every parameter" in ended.words
    assert "2 beliefs as expected, 1 different, 0 not answered." in ended.words
    assert account.left == []


def test_what_a_killed_proof_leaves_is_found_and_taken_away(account: Account) -> None:
    running = account.begin(**WANTED)

    def kill(host: Host, word: str) -> None:
        if host.name.startswith("launched") and word == "online":
            running.process.kill()

    account.lab.lab._play.world.listen(kill)  # noqa: SLF001
    assert running.end().code != 0
    assert len(account.left) == 2, "the instance, and the schedule that would stop it"

    refused = account.begin(**WANTED).end()
    assert refused.code != 0
    assert "of an earlier proof" in refused.words
    shown = account.begin("--check", prove_state="absent").end()
    assert "would be terminated." in shown.words
    assert len(account.left) == 2

    gone = account.begin(prove_state="absent").end()
    assert gone.code == 0, gone.output
    assert account.left == []
    assert "There is nothing of a proof" in account.begin(prove_state="absent").end().words


def test_nothing_is_made_unless_it_is_confirmed(account: Account) -> None:
    reported = account.begin(prove_subnet_id=WANTED["prove_subnet_id"]).end()
    assert reported.code != 0
    assert "costs at most" in reported.words
    assert "agree with -e prove_confirmed=true. Nothing was made." in reported.words
    shown = account.begin("--check", **WANTED).end()
    assert shown.code == 0, shown.output
    mistyped = account.begin(**WANTED, prove_confirm=True).end()
    assert "There is no variable prove_confirm." in mistyped.words
    assert account.left == []
