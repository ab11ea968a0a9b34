# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages to a webhook: what they say in which format, that they change nothing, and that the URL stays a secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.utils.display import Display

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption
from ansible_collections.patchfleet.windows.plugins.module_utils._base.webhook import is_webhook, post
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_admission import OPERATION as ADMISSION
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_report import OPERATION as REPORT
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION as RUNS
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.arguments import TRACKING_ARGUMENTS
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.operation import Operation
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import read
from ansible_collections.patchfleet.windows.plugins.module_utils._run.notices import Notice, a_notice, body_of
from ansible_collections.patchfleet.windows.plugins.plugin_utils._controller_operation import ControllerOperation
from operations import perform
from webhook import SECRET, Webhook

from .fakes import instance, reservations
from .stage import RUN, Stage, a_host
from .test_actions import action

SLACK = f"https://hooks.slack.com/services/{SECRET}"
TEAMS = "https://prod-12.westeurope.logic.azure.com:443/workflows/0123/triggers/manual/paths/invoke?sig=abc"
CARD = "application/vnd.microsoft.card.adaptive"
LINK = "https://reports.s3.eu-central-1.amazonaws.com/report.html"
HOSTS = [a_host(f"i-{number}", position=number, name=f"dev-{number}") for number in range(3)]
FAILED = Verdict("failed", "patch", "still_missing", "KB1 & KB2 are <missing>.")


@pytest.fixture
def night(stage: Stage) -> Stage:
    def answer(*, InstanceIds: list[str]) -> dict[str, Any]:  # noqa: N803
        return reservations(instance("stopped", InstanceId=InstanceIds[0]))

    stage.account.on("describe_instances", answer)
    stage.open_run(*HOSTS, failure_budget_hosts=0)
    stage.ledger.set_outcome(RUN, "i-0", FAILED)
    return stage


def notice(stage: Stage, link: str | None = LINK) -> Notice:
    context = stage.context(REPORT, run_id=RUN)
    totals = {"patched": 5, "failed": 1}
    return a_notice(context, stage.ledger.run(RUN), "finished", totals, lines=["dev-0 <failed> & held"], link=link)


# Formats


def test_any_other_webhook_gets_all_as_json(night: Stage) -> None:
    assert body_of("auto", "https://relay.example.com/patching", notice(night)) == {
        "schema": 1,
        "event": "finished",
        "run_id": RUN,
        "operation": "install",
        "at": "2026-11-14T22:00:00Z",
        "totals": {"patched": 5, "failed": 1},
        "reason": None,
        "lines": ["dev-0 <failed> & held"],
        "link": LINK,
        "text": f"Patch run {RUN} finished: 5 patched, 1 failed.",
    }


@pytest.mark.parametrize(("wanted", "url"), [("auto", SLACK), ("slack", "https://chat.example.com/hook")])
def test_slack_gets_text_that_is_no_markup(night: Stage, wanted: str, url: str) -> None:
    lines = [f"Patch run {RUN} finished: 5 patched, 1 failed.", "• dev-0 &lt;failed&gt; &amp; held"]
    assert body_of(wanted, url, notice(night)) == {"text": "\n".join([*lines, f"<{LINK}|Report>"])}
    where = "controller:/srv/reports/report.html"
    assert body_of(wanted, url, notice(night, where)) == {"text": "\n".join([*lines, f"Report: {where}"])}


@pytest.mark.parametrize(("wanted", "url"), [("auto", TEAMS), ("teams", "https://chat.example.com/hook")])
def test_teams_gets_a_card(night: Stage, wanted: str, url: str) -> None:
    message: Any = body_of(wanted, url, notice(night))
    (attachment,) = message["attachments"]
    assert (message["type"], attachment["contentType"]) == ("message", CARD)
    texts = [block["text"] for block in attachment["content"]["body"]]
    assert texts == [f"Patch run {RUN} finished: 5 patched, 1 failed.", "dev-0 <failed> & held"]
    assert attachment["content"]["actions"] == [{"type": "Action.OpenUrl", "title": "Report", "url": LINK}]
    without_page: Any = body_of(wanted, url, notice(night, "/srv/report.html"))
    card = without_page["attachments"][0]["content"]
    assert ("actions" in card, card["body"][-1]["text"]) == (False, "Report: /srv/report.html")


def test_a_service_is_known_by_the_end_of_its_hosts_name(night: Stage) -> None:
    assert "schema" in body_of("auto", "https://hooks.slack.com.example.com/a", notice(night))
    assert "schema" in body_of("json", SLACK, notice(night))


# When


def test_the_first_host_that_opens_the_breaker_sends_one_message(night: Stage) -> None:
    with Webhook() as webhook:
        for key in ("i-1", "i-2"):
            perform(ADMISSION, night.context(ADMISSION, run_id=RUN, host=key, notify=webhook.url))
    (message,) = webhook.messages
    assert (message["event"], message["totals"]) == ("stopped", {"failed": 1})
    assert message["reason"] == (
        "1 host failed, and patch_failure_budget tolerates 0. It failed with the reason code still_missing. "
        "When the cause is fixed, continue: start the run again as before."
    )
    assert message["lines"] == ["2 hosts have not ended yet."]
    assert [brake["kind"] for brake in night.ledger.run(RUN).settings["brakes"]] == ["failures"]


def test_a_stop_and_a_resumption_are_sent(stage: Stage) -> None:
    stage.open_run(*HOSTS)
    with Webhook() as webhook:
        for state, reason in (("stopped", "Checkout is down"), ("resumed", None)):
            options = {"by": "alice", "reason": reason, "notify": webhook.url}
            perform(RUNS, stage.context(RUNS, state=state, **options))
    stopped, resumed = webhook.messages
    assert (stopped["event"], stopped["reason"].partition(" from ")[0]) == ("stopped", "alice stopped it")
    assert stopped["reason"].endswith(": Checkout is down")
    assert (resumed["event"], resumed["reason"].partition(" from ")[0]) == ("resumed", "alice resumed it")


class Noticing(ControllerOperation):
    """An operation without an option for the webhook. For its clock, the last heartbeat of the run was long ago."""

    _load_name = "noticing"
    operation = Operation(
        name="noticing",
        arguments=dict(TRACKING_ARGUMENTS),
        work=lambda _context: {"changed": False},
        phase=Phase.READY,
        uses_aws=False,
    )


def test_a_controller_that_stood_still_sends_one_message(
    night: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each worker notices it, whatever its operation is; the first one says so."""
    printed: list[str] = []
    monkeypatch.setattr(Display, "display", lambda _self, text, *_args, **_kwargs: printed.append(text))
    ledger = str(tmp_path / "ledger.sqlite")
    with Webhook() as webhook:
        for key in ("i-1", "i-2"):
            variables = {"inventory_hostname": key, "patch_notify": webhook.url}
            action(Noticing, run_id=RUN, host=key, ledger=ledger).run(task_vars=variables)
    (message,) = webhook.messages
    assert (message["event"], message["totals"]) == ("stopped", {"failed": 1})
    assert message["reason"].startswith("This controller stood still from 2026-11-14T22:00:00Z to ")
    assert message["lines"] == ["2 hosts have not ended yet."]
    assert SECRET not in " ".join(printed)


def test_a_standstill_of_a_run_that_is_stopped_already_sends_nothing(night: Stage, tmp_path: Path) -> None:
    with Webhook() as webhook:
        perform(ADMISSION, night.context(ADMISSION, run_id=RUN, host="i-1", notify=webhook.url))
        variables = {"inventory_hostname": "i-2", "patch_notify": webhook.url}
        action(Noticing, run_id=RUN, host="i-2", ledger=str(tmp_path / "ledger.sqlite")).run(task_vars=variables)
    assert [message["reason"].partition(",")[0] for message in webhook.messages] == ["1 host failed"]


def test_a_command_in_a_reason_is_sent_whole(night: Stage) -> None:
    command = (
        f"ansible-playbook patchfleet.windows.patch -e patch_exclude={','.join(f'host-{n:04}' for n in range(80))}"
    )
    sent = a_notice(
        night.context(REPORT, run_id=RUN), night.ledger.run(RUN), "stopped", {}, reason=f"Continue: {command}"
    )
    assert sent["reason"] is not None
    assert sent["reason"].endswith(command)


def test_the_end_has_the_sums_the_hosts_to_check_and_where_the_report_is(night: Stage, tmp_path: Path) -> None:
    with Webhook(503, 503, 200) as webhook:
        options = {"report_dir": str(tmp_path / "report"), "notify": webhook.url}
        result = perform(REPORT, night.context(REPORT, run_id=RUN, **options))
    (message,) = webhook.messages
    assert (message["event"], message["totals"]) == ("finished", {"failed": 1})
    assert message["lines"] == ["dev-0 (i-0) failed: KB1 & KB2 are <missing>."]
    assert message["link"] == result["files"]["report.html"]
    assert "warnings" not in result
    assert SECRET not in json.dumps(result)


@pytest.mark.parametrize(
    ("codes", "why"),
    [((404,), "127.0.0.1 answered with HTTP 404."), ((302,), "127.0.0.1 answered with HTTP 302.")],
)
def test_a_webhook_that_fails_is_a_warning(night: Stage, tmp_path: Path, codes: tuple[int, ...], why: str) -> None:
    with Webhook(*codes) as webhook:
        options = {"report_dir": str(tmp_path / "report"), "notify": webhook.url}
        result = perform(REPORT, night.context(REPORT, run_id=RUN, **options))
        refused = perform(ADMISSION, night.context(ADMISSION, run_id=RUN, host="i-1", notify=webhook.url))
    warning = f"The webhook of patch_notify did not take the message. {why}"
    assert result["warnings"] == [warning]
    assert (refused["reason_code"], night.message.count(warning)) == ("breaker", 1)
    assert SECRET not in json.dumps(result) + " ".join(night.message)


def test_nothing_is_sent_without_the_variable_and_in_check_mode(night: Stage, tmp_path: Path) -> None:
    with Webhook() as webhook:
        perform(REPORT, night.context(REPORT, run_id=RUN, report_dir=str(tmp_path)))
        perform(REPORT, night.context(REPORT, check_mode=True, run_id=RUN, notify=webhook.url))
        options = {"reason": "why", "notify": webhook.url}
        perform(RUNS, night.context(RUNS, check_mode=True, state="stopped", **options))
    assert webhook.messages == []


# The secret


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        (SLACK, True),
        ("http://localhost:8080/a", True),
        ("http://[::1]/a", True),
        ("http://hooks.slack.com/a", False),
        ("https://", False),
        ("hooks.slack.com/a", False),
        ("https://a.example.com/a b", False),
        ("https://a.example.com:port/", False),
        ("ftp://a.example.com/", False),
    ],
)
def test_a_secret_goes_over_tls_or_stays_on_this_machine(url: str, is_one: bool) -> None:
    assert is_webhook(url) is is_one


def test_settings_do_not_hold_the_url() -> None:
    settings = read({"patch_notify": SLACK})
    assert settings["notify"] != read({"patch_notify": f"{SLACK}1"})["notify"]
    assert str(settings["notify"]).startswith("hooks.slack.com (")
    assert SECRET not in json.dumps(settings)


@pytest.mark.parametrize(
    "given", [f"http://chat.example.com/{SECRET}", f"https://a/{{{{ x }}}}{SECRET}", [SECRET], {"url": SECRET}, 7]
)
def test_a_refusal_does_not_show_it(given: object) -> None:
    with pytest.raises(InvalidOption, match="patch_notify: '\\(not shown\\)' is not valid") as caught:
        read({"patch_notify": given})
    assert SECRET not in caught.value.reason


def test_an_error_on_the_way_does_not_show_it() -> None:
    with Webhook() as webhook:
        url = webhook.url
    why = post(url, {})
    assert why == "127.0.0.1 could not be reached (ConnectionRefusedError)."
