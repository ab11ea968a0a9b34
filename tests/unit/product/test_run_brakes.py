# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever keeps hosts of a run from starting sends one message, and is in the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.breaker import keep_brake_once
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._model.reasons import Reason, Section
from ansible_collections.patchfleet.windows.plugins.module_utils._model.run_settings import Brake, BrakeKind
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_admission import OPERATION as ADMISSION
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION as RUNS
from ansible_collections.patchfleet.windows.plugins.module_utils._report.build import build_report
from ansible_collections.patchfleet.windows.plugins.module_utils._run.brakes import BY_CODE
from operations import perform
from webhook import Webhook

from .backends import BACKENDS
from .fakes import client_error, instance, reservations
from .stage import RUN, Stage, a_host
from .test_actions import action
from .test_run_notices import Noticing
from .test_stop_alarms import ERRORS, CloudWatch

HUB, SALES = {"id": "123456789012"}, {"id": "210987654321", "name": "sales"}
HOSTS = [
    a_host(f"i-{number}", position=number, name=f"dev-{number}", facts={"account": SALES if number < 3 else HUB})
    for number in range(4)
]
FAILED = Verdict("failed", "patch", "still_missing", "KB1 is missing.")
DENIED = client_error("AccessDenied", "You are not authorized.", "DescribeAlarms", 403)


@pytest.fixture
def stage(stage: Stage) -> Stage:
    def answer(*, InstanceIds: list[str]) -> dict[str, Any]:  # noqa: N803
        return reservations(instance("stopped", InstanceId=InstanceIds[0]))

    stage.account.on("describe_instances", answer)
    return stage


def admit(stage: Stage, url: str | None, *keys: str) -> list[dict[str, Any]]:
    chosen = keys or ("i-1", "i-2")
    return [perform(ADMISSION, stage.context(ADMISSION, run_id=RUN, host=key, notify=url)) for key in chosen]


def fail_a_host(stage: Stage, url: str) -> None:
    stage.open_run(*HOSTS, failure_budget_hosts=0)
    stage.ledger.set_outcome(RUN, "i-0", FAILED)
    admit(stage, url)


def raise_an_alarm(stage: Stage, url: str) -> None:
    CloudWatch(stage.account, {"errors": "ALARM"})
    stage.open_run(*HOSTS, stop_alarms=[ERRORS])
    admit(stage, url)


def hide_the_alarms(stage: Stage, url: str) -> None:
    stage.account.on("describe_alarms", DENIED)
    stage.open_run(*HOSTS, stop_alarms=[ERRORS])
    admit(stage, url)


def stand_still(stage: Stage, url: str) -> None:
    stage.open_run(*HOSTS)
    for key in ("i-1", "i-2"):
        variables = {"inventory_hostname": key, "patch_notify": url}
        ledger = str(stage.folder / "ledger.sqlite")
        action(Noticing, run_id=RUN, host=key, ledger=ledger).run(task_vars=variables)


def stop(stage: Stage, url: str) -> None:
    stage.open_run(*HOSTS)
    perform(RUNS, stage.context(RUNS, state="stopped", by="alice", reason="Checkout is down", notify=url))
    admit(stage, url)


def leave_the_canary_at_work(stage: Stage, url: str) -> None:
    stage.open_run(*HOSTS, canary=1, canary_keys=["i-0"])
    admit(stage, url)


def fail_a_host_of_an_account(stage: Stage, url: str) -> None:
    hosts = {SALES["id"]: 3, HUB["id"]: 1}
    stage.open_run(*HOSTS, failure_budget_hosts=3, account_failure_budget=0, account_hosts=hosts)
    stage.ledger.set_outcome(RUN, "i-0", FAILED)
    admit(stage, url)
    assert admit(stage, url, "i-3")[0]["admitted"] is True


def be_late(stage: Stage, url: str) -> None:
    stage.open_run(*HOSTS, deadline_at=stage.clock.now() + 60)
    admit(stage, url)


def let_the_credentials_end(stage: Stage, url: str) -> None:
    stage.open_run(*HOSTS)
    stage.account.on("describe_instances", client_error("RequestExpired"))
    admit(stage, url, "i-1")
    stage.account.expires_at = stage.clock.now() + 600
    admit(stage, url, "i-2")


def close_the_run(stage: Stage, url: str) -> None:
    stage.open_run(*HOSTS)
    stage.ledger.close_run(RUN, stage.clock.now())
    admit(stage, url)


SITUATIONS: dict[BrakeKind, tuple[Callable[[Stage, str], None], str, str]] = {
    BrakeKind.FAILURES: (fail_a_host, "stopped", "1 host failed, and patch_failure_budget tolerates 0."),
    BrakeKind.ALARM: (raise_an_alarm, "stopped", "The alarm errors (eu-central-1) is in ALARM since "),
    BrakeKind.STANDSTILL: (stand_still, "stopped", "This controller stood still from "),
    BrakeKind.STOP: (stop, "stopped", "alice stopped it from "),
    BrakeKind.ALARMS_UNKNOWN: (
        hide_the_alarms,
        "braked",
        "The alarms of patch_stop_alarms cannot be read, so no host ",
    ),
    BrakeKind.CANARIES: (leave_the_canary_at_work, "braked", "The canary dev-0 had not ended in time."),
    BrakeKind.ACCOUNT: (
        fail_a_host_of_an_account,
        "braked",
        "1 host of the account sales (210987654321) failed, and patch_account_failure_budget tolerates 0.",
    ),
    BrakeKind.TIME: (
        be_late,
        "braked",
        "dev-1 is the first host that does not start. Its workflow would take about 45 min",
    ),
    BrakeKind.CREDENTIALS: (
        let_the_credentials_end,
        "braked",
        "dev-1 is the first host that does not start. The AWS cred",
    ),
    BrakeKind.INTERRUPTED: (close_the_run, "braked", "dev-1 is the first host that does not start. Another controller"),
}
"""How each kind comes about for two hosts, the event of its message, and how its reason begins."""


def test_each_kind_of_brake_is_played() -> None:
    assert set(SITUATIONS) == set(BrakeKind) - {BrakeKind.RESUME}


ALONE = {
    "no_capacity",
    "no_headroom",
    "leased",
    "host_off",
    "sessions",
    "at_most",
    "in_use",
    "cluster_node",
    "cluster_busy",
    "cluster_unhealthy",
    "unreachable",
    "connection_settings",
    "login_refused",
}
"""Reasons of one host, which say nothing of the hosts after it."""
OPENED = {"breaker", "stood_still"}
"""Of a breaker, whose message is sent when it is opened."""


def test_each_reason_for_which_a_host_is_deferred_is_its_own_or_a_brake() -> None:
    deferred = {str(reason) for reason in Reason if reason.section == Section.DEFERRED}
    braked = {str(reason) for reason in BY_CODE if reason.section == Section.DEFERRED}
    assert deferred == ALONE | OPENED | braked
    assert not braked & (ALONE | OPENED)


@pytest.mark.parametrize("kind", SITUATIONS)
def test_each_kind_of_brake_sends_one_message_and_is_in_the_report(stage: Stage, kind: BrakeKind) -> None:
    play, event, reason = SITUATIONS[kind]
    with Webhook() as webhook:
        play(stage, webhook.url)
    (message,) = webhook.messages
    assert (message["event"], message["reason"][: len(reason)]) == (event, reason)
    stops = "stopped" if event == "stopped" else "does not start all hosts"
    assert message["text"].startswith(f"Patch run {RUN} {stops}")
    report = build_report(stage.ledger, RUN, stage.clock.now())
    assert {brake["kind"] for brake in report["brakes"]} == {kind}
    assert (stage.ledger.run(RUN).breaker is not None) is (event == "stopped")


def test_in_check_mode_nothing_is_kept_and_sent(stage: Stage) -> None:
    stage.open_run(*HOSTS, deadline_at=stage.clock.now() + 60)
    with Webhook() as webhook:
        context = stage.context(ADMISSION, check_mode=True, run_id=RUN, host="i-1", notify=webhook.url)
        assert perform(ADMISSION, context)["admitted"] is False
    assert (webhook.messages, "brakes" in stage.ledger.run(RUN).settings) == ([], False)


@pytest.mark.parametrize("name", BACKENDS)
def test_of_several_hosts_one_keeps_the_brake(name: str, stage: Stage, tmp_path: Path) -> None:
    opener = BACKENDS[name](tmp_path)
    stage.ledger = opener()  # type: ignore[assignment]
    stage.open_run(*HOSTS)
    brake: Brake = {"kind": "account", "at": 1.0, "by": None, "machine": None, "reason": "why", "account": "1"}
    ledgers = opener(), opener()
    assert [keep_brake_once(ledger, RUN, {**brake, "at": at}) for at, ledger in enumerate(ledgers, 2)] == [True, False]
    assert keep_brake_once(ledgers[0], RUN, {**brake, "account": "2"})
    assert not ledgers[1].change_breaker(RUN, None, None, {**brake, "at": 9.0}, True), "it came in between"
    assert len(stage.ledger.run(RUN).settings["brakes"]) == 2
