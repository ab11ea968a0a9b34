# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""People stop a run and let it continue: which run, who, why, and what else had stopped it."""

from __future__ import annotations

import getpass
import socket
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.breaker import keep_brake
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import LEASE_SECONDS, Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._model.run_settings import Brake
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_admission import OPERATION as ADMISSION
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._report.build import build_report
from ansible_collections.patchfleet.windows.plugins.module_utils._report.html import to_html
from ansible_collections.patchfleet.windows.plugins.module_utils._report.joint import build_joint_report
from ansible_collections.patchfleet.windows.plugins.module_utils._report.markdown import to_markdown
from ansible_collections.patchfleet.windows.plugins.module_utils._run.slices import kept_settings
from operations import perform

from .fakes import START, instance, reservations
from .stage import RUN, Stage, a_host

OTHER = "20261114T220000Z-0002"
WHY = "Checkout is down"
HERE = socket.gethostname()
SENTENCE = f"alice stopped it from {HERE} at 2026-11-14T22:00:00Z: {WHY}"
HOSTS = [a_host(f"i-{number}", position=number, name=f"dev-{number}") for number in range(4)]


def do(stage: Stage, state: str, *, check_mode: bool = False, **params: Any) -> dict[str, Any]:
    given = {"by": "alice", "reason": WHY, **params}
    return perform(OPERATION, stage.context(OPERATION, check_mode=check_mode, state=state, **given))


def refusal(stage: Stage, state: str, **params: Any) -> str:
    with pytest.raises(PatchFleetError) as caught:
        do(stage, state, **params)
    return caught.value.reason


def breaker(stage: Stage, run_id: str = RUN) -> str | None:
    return stage.ledger.run(run_id).breaker


@pytest.fixture
def night(stage: Stage) -> Stage:
    """One host is at work, one has ended, two wait."""
    stage.open_run(*HOSTS)
    stage.ledger.begin_phase(RUN, "i-0", "start", START)
    stage.ledger.set_outcome(RUN, "i-1", Verdict("patched"))
    return stage


def test_the_one_run_at_work_is_stopped_and_resumed(night: Stage) -> None:
    stopped = do(night, "stopped")
    assert stopped == {
        "changed": True,
        "stopped": [RUN],
        "lines": [
            f"{RUN} starts no other host. {SENTENCE}",
            "At work, and finished in any case: dev-0.",
            "Not started yet: dev-2, dev-3.",
            f"To let it continue while it lives: `ansible-playbook patchfleet.windows.resume -e patch_run_id={RUN}`.",
        ],
    }
    assert breaker(night) == SENTENCE
    night.ledger.set_outcome(RUN, "i-2", Verdict("deferred", "admit", "breaker", SENTENCE))
    night.clock.sleep(60)
    resumed = do(night, "resumed", reason=None, by=None)
    assert resumed["lines"] == [
        f"{RUN} starts hosts again. It was stopped: {SENTENCE}",
        "At work, and finished in any case: dev-0.",
        "Not started yet: dev-3.",
        "Deferred, and left to a further run: dev-2.",
    ]
    assert breaker(night) is None
    assert night.ledger.run(RUN).settings["brakes"] == [
        {"kind": "stop", "at": START, "by": "alice", "machine": HERE, "reason": WHY},
        {"kind": "resume", "at": START + 60, "by": getpass.getuser(), "machine": HERE, "reason": ""},
    ]


def test_hosts_start_again_once_it_is_resumed(night: Stage) -> None:
    night.account.on("describe_instances", lambda **_ids: reservations(instance("stopped", InstanceId="i-3")))

    def admitted(key: str) -> bool:
        return bool(perform(ADMISSION, night.context(ADMISSION, run_id=RUN, host=key))["admitted"])

    do(night, "stopped")
    assert not admitted("i-2")
    do(night, "resumed")
    assert admitted("i-3")
    assert night.ledger.host(RUN, "i-2").reason_code == "breaker"


def test_control_characters_of_a_name_or_a_reason_are_not_kept(night: Stage) -> None:
    do(night, "stopped", by="al\x1bice", reason="down\nagain")
    (brake,) = night.ledger.run(RUN).settings["brakes"]
    assert (brake["by"], brake["reason"]) == ("al\ufffdice", "down again")


def test_who_when_and_why_are_in_the_report(night: Stage) -> None:
    do(night, "stopped")
    night.clock.sleep(60)
    do(night, "resumed", by="bob", reason="It is up again.")
    report = build_report(night.ledger, RUN, night.clock.now())
    who = {"machine": HERE}
    assert report["brakes"] == [
        {"kind": "stop", "at": "2026-11-14T22:00:00Z", "by": "alice", **who, "reason": WHY},
        {"kind": "resume", "at": "2026-11-14T22:01:00Z", "by": "bob", **who, "reason": "It is up again."},
    ]
    sentences = (
        f"Stopped by alice from {HERE} at 2026-11-14T22:00:00Z: {WHY}.",
        f"Resumed by bob from {HERE} at 2026-11-14T22:01:00Z: It is up again.",
    )
    for text in (to_html(report), to_markdown(report)):
        assert [sentence in text for sentence in sentences] == [True, True]


def test_a_stop_without_a_reason_is_refused(night: Stage) -> None:
    for reason in (None, "", "  "):
        assert "patch_stop_reason" in refusal(night, "stopped", reason=reason)
    assert breaker(night) is None


def test_in_check_mode_nothing_is_written(night: Stage) -> None:
    assert do(night, "stopped", check_mode=True)["stopped"] == [RUN]
    assert (breaker(night), "brakes" in night.ledger.run(RUN).settings) == (None, False)


# Which run


def test_of_several_runs_one_is_named(night: Stage) -> None:
    night.open_run(a_host("i-9", OTHER), run_id=OTHER)
    listed = refusal(night, "stopped")
    assert f"{RUN} was started by somebody on controller at 2026-11-14T22:00:00Z." in listed
    assert f"{OTHER} was started by" in listed
    assert listed.endswith("Give the id of one, or all.")
    assert do(night, "stopped", run_id=OTHER)["stopped"] == [OTHER]
    assert (breaker(night), breaker(night, OTHER)) == (None, SENTENCE)
    assert sorted(do(night, "stopped", run_id="all")["stopped"]) == [RUN, OTHER]
    assert sorted(do(night, "resumed", run_id="all")["stopped"]) == [RUN, OTHER]
    assert (breaker(night), breaker(night, OTHER)) == (None, None)


@pytest.mark.parametrize("state", ["stopped", "resumed"])
def test_without_a_run_at_work_there_is_nothing_to_do(night: Stage, state: str) -> None:
    night.clock.sleep(LEASE_SECONDS)
    assert "No run is at work in the ledger" in refusal(night, state)
    assert do(night, "stopped", run_id=RUN)["stopped"] == [RUN]  # its controller may come back
    night.ledger.close_run(RUN, night.clock.now())
    assert f"Run {RUN} ended at 2026-11-14T22:15:00Z." in refusal(night, state, run_id=RUN)


def test_slices_of_one_job_are_stopped_together(stage: Stage) -> None:
    for run_id, key in ((RUN, "i-1"), (OTHER, "i-2")):
        stage.open_run(a_host(key, run_id), run_id=run_id, **kept_settings("41", 1, 1))
    assert sorted(do(stage, "stopped")["stopped"]) == [RUN, OTHER]
    joint = build_joint_report(stage.ledger, "41", stage.ledger.runs(), stage.clock.now())
    assert [brake["kind"] for brake in joint["brakes"]] == ["stop"]
    assert sorted(do(stage, "resumed", run_id=RUN)["stopped"]) == [RUN, OTHER]


def test_what_a_slice_that_has_ended_was_stopped_by_is_lifted_too(stage: Stage) -> None:
    """Slices of AWX do not wait for each other, and the breaker of each stops all."""
    for run_id, key in ((RUN, "i-1"), (OTHER, "i-2")):
        stage.open_run(a_host(key, run_id), run_id=run_id, **kept_settings("41", 1, 1))
    do(stage, "stopped")
    stage.ledger.close_run(RUN, stage.clock.now())
    assert sorted(do(stage, "resumed")["stopped"]) == [RUN, OTHER]
    assert (breaker(stage, RUN), breaker(stage, OTHER)) == (None, None)


def test_a_stop_is_not_lost_where_others_change_the_breaker_meanwhile(
    night: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, reasons = night.ledger.change_breaker, ["2 hosts failed.", None]

    def late(run_id: str, before: str | None, after: str | None, brake: Brake) -> bool:
        if reasons:
            reason: Brake = {"kind": "alarm", "at": START, "by": None, "machine": None, "reason": f"{len(reasons)}"}
            assert change(run_id, breaker(night), reasons.pop(0), reason)
        return change(run_id, before, after, brake)

    monkeypatch.setattr(night.ledger, "change_breaker", late)
    do(night, "stopped")
    assert breaker(night) == SENTENCE


# What else stopped it


def test_a_run_that_is_not_stopped_cannot_go_on(night: Stage) -> None:
    assert refusal(night, "resumed") == f"{RUN} is not stopped."


def test_what_failures_have_stopped_is_not_lifted(night: Stage) -> None:
    night.open_breaker("2 hosts failed.")
    assert do(night, "stopped")["lines"][0] == f"{RUN} starts no other host. 2 hosts failed."
    assert refusal(night, "resumed").endswith("for a reason that resume does not lift. 2 hosts failed.")
    assert breaker(night) == "2 hosts failed."
    assert [brake["kind"] for brake in night.ledger.run(RUN).settings["brakes"]] == ["failures", "stop"]


def test_a_standstill_after_a_stop_is_not_lifted(night: Stage) -> None:
    do(night, "stopped")
    brake: Brake = {"kind": "standstill", "at": START, "by": None, "machine": None, "reason": "It stood still."}
    keep_brake(night.ledger, RUN, brake, "It stood still.")
    assert "for a reason that resume does not lift." in refusal(night, "resumed")
    assert breaker(night) == SENTENCE


def test_what_an_alarm_has_stopped_is_resumed(night: Stage) -> None:
    sentence = "The alarm errors (eu-central-1) is in ALARM since 2026-11-14T22:00:00Z."
    brake: Brake = {"kind": "alarm", "at": START, "by": None, "machine": None, "reason": sentence}
    assert night.ledger.change_breaker(RUN, None, sentence, brake)
    assert do(night, "resumed")["stopped"] == [RUN]
    assert breaker(night) is None
