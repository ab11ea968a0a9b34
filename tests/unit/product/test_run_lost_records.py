# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A ledger that was lost is rebuilt from the owner tags, and nothing that they do not prove is stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import iso
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import Failed, InvalidOption
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.run_recovery import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from operations import perform

from .fakes import ID, START, FakeAccount, client_error, instance, reservations, tags
from .stage import CALLER, RUN, Stage, a_host

KEY = "patchfleet:run"
LOST = "20261101T220000Z-beef"
LATER = START + 7200


def marked(value: str, state: str = "running", launched: float = 5, instance_id: str = ID) -> dict[str, Any]:
    """An instance with such an owner tag."""
    both = tags(patchfleet__run=value, Name="dev-01")
    return {**instance(state, launched=launched, Tags=both), "InstanceId": instance_id}


def ours(launched: float = 5) -> str:
    return f"{LOST} launched {iso(START + launched)}"


def recover(stage: Stage, *instances: dict[str, Any], state: str = "open_hosts", **options: Any) -> dict[str, Any]:
    stage.clock.sleep(LATER - START)
    stage.account.on("describe_instances", reservations(*instances))
    options = {"from_account": "check", "mark_tag": KEY, "regions": ["eu-central-1"], **options}
    return perform(OPERATION, stage.context(OPERATION, state=state, **options))


def refusal(stage: Stage, *instances: dict[str, Any], **options: Any) -> Failed:
    with pytest.raises(Failed) as caught:
        recover(stage, *instances, **options)
    return caught.value


def test_the_account_is_not_asked_unless_someone_wants_it(stage: Stage) -> None:
    assert refusal(stage, marked(ours()), from_account=None).code == "no_run"
    assert stage.account.calls == []


def test_a_check_names_what_is_on_because_of_a_lost_run_and_writes_nothing(stage: Stage) -> None:
    error = refusal(stage, marked(ours()))
    assert error.code == "records_lost"
    assert f"dev-01 ({ID}, eu-central-1) is on because of run {LOST}, which started it at" in error.reason
    command = (
        "ansible-playbook patchfleet.windows.restore -e patch_mark_tag=patchfleet:run -e patch_from_account=rebuild"
    )
    assert f"`{command} -e patch_regions=eu-central-1`." in error.reason
    assert (stage.ledger.open_power(), stage.ledger.runs()) == ([], [])


def test_what_is_proven_is_recorded_as_the_lost_ledger_had_it(stage: Stage) -> None:
    result = recover(stage, marked(ours()), from_account="rebuild")
    (record,) = stage.ledger.open_power()
    assert (record.original_state, record.started_by, record.launch_time) == ("stopped", LOST, START + 5)
    assert [(host["key"], host["run_id"]) for host in result["hosts"]] == [(ID, LOST)]
    assert result["lines"][1].startswith(f"Rebuilt: dev-01 ({ID}, eu-central-1) is on because of run {LOST}")
    facts = stage.ledger.host(LOST, ID).facts
    assert (facts["mark"], facts["mark_launch"], facts["servicing"]) == (KEY, START + 5, True)
    assert recover(stage, marked(ours()), state="open_hosts", from_account="rebuild", take_over=True)["hosts"] != []
    assert len(stage.ledger.open_power()) == 1, "once"


def test_check_mode_rebuilds_nothing(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations(marked(ours())))
    options = {"from_account": "rebuild", "mark_tag": KEY, "regions": ["eu-central-1"], "state": "open_hosts"}
    with pytest.raises(Failed, match="is on because of run"):
        perform(OPERATION, stage.context(OPERATION, check_mode=True, **options))
    assert stage.ledger.open_power() == []


@pytest.mark.parametrize(
    ("value", "doubt"),
    [
        (LOST, "does not show that the run started it"),
        (ours(4000), "another user started it again"),
        (ours(3), "another user started it again"),
    ],
    ids=["no-launch", "other-start", "two-seconds"],
)
def test_what_is_not_proven_is_named_and_not_recorded(stage: Stage, value: str, doubt: str) -> None:
    stage.open_run()
    assert recover(stage, marked(value), from_account="rebuild")["hosts"] == []
    assert stage.ledger.open_power() == []
    error = refusal(stage, marked(value), from_account="rebuild", state="closed")
    assert (error.code, doubt in error.reason, "stays on" in error.reason) == ("records_lost", True, True)


def test_a_run_that_the_ledger_knows_is_not_rebuilt(stage: Stage) -> None:
    """Its record was closed, so the ledger has decided that the host stays on."""
    stage.open_run()
    value = f"{RUN} launched {iso(START + 5)}"
    assert "this ledger knows the run" in refusal(stage, marked(value)).reason
    recover(stage, marked(value), from_account="rebuild")
    assert stage.ledger.open_power() == []


@pytest.mark.parametrize("one", [marked("Ann"), marked(ours(), "stopped"), marked(ours(), "stopping")])
def test_tags_of_others_and_instances_that_are_off_are_no_matter(stage: Stage, one: dict[str, Any]) -> None:
    stage.open_run()
    stage.ledger.close_run(RUN, START)
    searched, clear, *_more = recover(stage, one)["lines"]
    assert searched == "Searched for the tag patchfleet:run: eu-central-1."
    assert "Nothing is open" in clear


def test_a_host_with_an_open_record_is_not_lost(stage: Stage) -> None:
    stage.open_run(a_host())
    stage.record("stopped")
    stage.ledger.note_start(ID, RUN, START)
    assert [host["key"] for host in recover(stage, marked(f"{RUN} launched {iso(START + 5)}"))["hosts"]] == [ID]


def test_without_the_key_of_the_tag_there_is_nothing_to_search_for(stage: Stage) -> None:
    with pytest.raises(InvalidOption, match="patch_mark_tag"):
        recover(stage, mark_tag=None)


def test_a_check_makes_no_ledger(stage: Stage, tmp_path: Path) -> None:
    stage.account.on("describe_instances", reservations(marked(ours())))
    path = tmp_path / "lost.sqlite"
    options = {"from_account": "check", "mark_tag": KEY, "regions": ["eu-central-1"], "state": "open_hosts"}
    defaults = {name: spec.get("default") for name, spec in OPERATION.arguments.items()}
    context = OperationContext({**defaults, **options, "ledger": str(path)}, clock=stage.clock, aws=stage.aws)
    with pytest.raises(Failed, match=f"is on because of run {LOST}"):
        perform(OPERATION, context)
    assert not path.exists()


# Several accounts

SALES = {
    "name": "sales",
    "id": "210987654321",
    "role_arn": "arn:aws:iam::210987654321:role/PatchFleet-controller-eu-central-1",
    "external_id": "factory-7",
    "regions": ["us-east-1"],
}
THEIRS = "i-0aaaaaaaaaaaaaaaa"


def another_account(stage: Stage, **answers: Any) -> None:
    """The account sales, in which a lost run has started an instance."""
    other = stage.account.accounts[SALES["id"]] = FakeAccount(stage.clock)
    other.on("get_caller_identity", {**CALLER, "Account": SALES["id"]})
    for operation, answer in {
        "describe_instances": reservations(marked(ours(), instance_id=THEIRS)),
        **answers,
    }.items():
        other.on(operation, answer)


def test_every_account_is_searched_and_named(stage: Stage) -> None:
    another_account(stage)
    reason = refusal(stage, marked(ours()), accounts=[SALES]).reason
    assert f"dev-01 ({ID}, eu-central-1) is on because of run {LOST}" in reason
    assert f"dev-01 ({THEIRS}, us-east-1 of account sales (210987654321)) is on because of run {LOST}" in reason
    assert reason.endswith(
        "Searched for the tag patchfleet:run: eu-central-1, us-east-1 of account sales (210987654321)."
    )


def test_a_host_of_another_account_is_rebuilt_with_what_reaches_it(stage: Stage) -> None:
    another_account(stage)
    result = recover(stage, accounts=[SALES], from_account="rebuild")
    (record,) = stage.ledger.open_power()
    account = {name: value for name, value in SALES.items() if name != "regions"}
    assert (record.region, record.account) == ("us-east-1", account)
    assert [(host["key"], host["account"]) for host in result["hosts"]] == [(THEIRS, account)]
    assert stage.ledger.host(LOST, THEIRS).facts["account"] == account


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (
            {"get_caller_identity": client_error("AccessDenied", operation="AssumeRole")},
            "The role of the account sales (210987654321) cannot be assumed.",
        ),
        (
            {"describe_instances": client_error("UnauthorizedOperation", operation="DescribeInstances")},
            "us-east-1 of account sales (210987654321) could not be searched. The role of the account sales (210987654321) lacks",
        ),
    ],
)
def test_an_account_that_cannot_be_searched_is_named_and_keeps_no_other(
    stage: Stage, answers: dict[str, Any], words: str
) -> None:
    another_account(stage, **answers)
    options: dict[str, Any] = {"accounts": [SALES], "from_account": "rebuild"}
    result = recover(stage, marked(ours()), **options)
    assert [host["key"] for host in result["hosts"]] == [ID]
    assert words in result["lines"][0]
    stage.ledger.close_power(ID, "restored", LATER)
    stage.account.on("describe_instances", reservations())
    with pytest.raises(Failed) as caught:
        perform(OPERATION, stage.context(OPERATION, state="closed", mark_tag=KEY, regions=["eu-central-1"], **options))
    assert (caught.value.code, words in caught.value.reason) == ("records_lost", True)
    assert caught.value.reason.endswith("Whether instances are on there because of a lost run is unknown.")
