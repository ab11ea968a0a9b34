# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""People who are logged on: a reboot takes their work, and whether it may is the owner's choice."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import (
    Deferred,
    Unreachable,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._model.reasons import Reason
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.windows_sessions import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._update.channels import open_channel
from operations import perform

from .fakes import ID, complained
from .stage import RUN, Stage

SCRIPTS = {"inspect_sessions": "", "send_session_message": ""}


@pytest.fixture(autouse=True)
def a_run(stage: Stage) -> None:
    stage.open_run()


def check(stage: Stage, *counts: int, check_mode: bool = False, **params: Any) -> dict[str, Any]:
    stage.guest.answers("inspect_sessions", *({"sessions": count} for count in counts))
    options = {"run_id": RUN, "host": ID, "instance_id": ID, "scripts": SCRIPTS, **params}
    return perform(OPERATION, stage.context(OPERATION, check_mode=check_mode, **options))


def deferral(stage: Stage, *counts: int, **params: Any) -> Deferred:
    with pytest.raises(Deferred) as caught:
        check(stage, *counts, **params)
    assert caught.value.code == Reason.SESSIONS
    return caught.value


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (0, []),
        (1, ["1 person is logged on; a reboot will take their work"]),
        (2, ["2 people are logged on; a reboot will take their work"]),
    ],
)
def test_people_are_warned_of_by_default(stage: Stage, count: int, message: list[str]) -> None:
    assert check(stage, count) == {"changed": False, "sessions": count}
    assert (stage.message, stage.facts()["sessions"]) == (message, count)


@pytest.mark.parametrize("policy", ["warn", "ignore", "defer", "wait"])
def test_no_user_logged_on_is_no_matter(stage: Stage, policy: str) -> None:
    assert check(stage, 0, policy=policy)["sessions"] == 0
    assert (stage.message, stage.guest.names) == ([], ["inspect_sessions"])


def test_people_may_be_ignored(stage: Stage) -> None:
    assert check(stage, 2, policy="ignore")["sessions"] == 2
    assert stage.message == []


def test_a_host_with_people_on_it_may_be_deferred(stage: Stage) -> None:
    assert deferral(stage, 1, policy="defer").reason == "1 person is logged on (patch_sessions is defer)."
    host = stage.ledger.host(RUN, ID)
    assert (host.outcome, host.reason_code) == ("deferred", "sessions")


def test_a_host_that_was_started_for_the_run_counts_as_started_and_fails(stage: Stage) -> None:
    stage.ledger.update_facts(RUN, ID, {"started_by_run": True})
    deferral(stage, 1, policy="defer")
    host = stage.ledger.host(RUN, ID)
    assert (host.outcome, host.phase, host.reason_code) == ("failed", "ready", "sessions")
    assert host.reason == "1 person is logged on (patch_sessions is defer). It had been started for this run already."


class Gone:
    """A connection that nothing answers on any more."""

    def run_script(self, text: str, timeout_seconds: float) -> str:
        raise Unreachable("The host cannot be reached over its connection: reset")


def test_a_host_that_is_gone_before_anything_was_started_is_deferred(stage: Stage) -> None:
    context = stage.context(OPERATION, run_id=RUN, host=ID, instance_id="hall-1", scripts=SCRIPTS, policy="defer")
    context.channel = open_channel(context, Gone())  # type: ignore[arg-type]
    with pytest.raises(Deferred) as caught:
        perform(OPERATION, context)
    assert caught.value.code == Reason.UNREACHABLE


def test_people_may_be_waited_for(stage: Stage) -> None:
    assert check(stage, 2, 2, 1, 0, policy="wait")["sessions"] == 0
    assert stage.guest.names == ["inspect_sessions"] * 4
    assert "waiting at most 3600 s" in stage.message[0]
    assert stage.facts()["sessions"] == 0


def test_people_who_stay_longer_than_that_have_the_host_deferred(stage: Stage) -> None:
    error = deferral(stage, 2, 1, policy="wait", timeout_seconds=1800)
    assert error.reason.startswith("1 person is still logged on after 1800 s")
    assert 1800 <= stage.clock.passed < 2000


# The message


def report(stage: Stage, message: str | None = "Back at ten.", **params: Any) -> dict[str, Any]:
    return check(stage, state="notified", text=message, **params)


def test_users_are_notified_by_data_and_never_by_text_of_a_script(stage: Stage) -> None:
    stage.guest.answers("send_session_message", {"sessions": 2, "sent": True})
    assert report(stage, "'; Stop-Computer; '") == {"changed": True, "sessions": 2}
    assert stage.guest.inputs("send_session_message") == [{"message": "'; Stop-Computer; '", "seconds": 600}]
    sent = stage.account.of("send_command")[0].params["Parameters"]["commands"]
    assert "Stop-Computer" not in "\n".join(sent)
    assert stage.message == ["2 people are logged on and saw the message"]


def test_without_users_no_message_is_shown(stage: Stage) -> None:
    stage.guest.answers("send_session_message", {"sessions": 0, "sent": False})
    assert (report(stage)["changed"], stage.message) == (False, [])


def test_a_message_that_cannot_be_shown_is_no_failure(stage: Stage) -> None:
    stage.guest.on("send_session_message", complained("send_session_message", "no_msg", "No msg.exe."))
    assert report(stage)["changed"] is False
    assert stage.message == ["the users could not be notified: No msg.exe."]
    assert stage.ledger.host(RUN, ID).outcome is None


@pytest.mark.parametrize("how", [{"message": None}, {"message": ""}, {"check_mode": True}], ids=str)
def test_nothing_is_sent_without_a_message_or_in_check_mode(stage: Stage, how: dict[str, Any]) -> None:
    report(stage, **how)
    assert stage.guest.names == []
