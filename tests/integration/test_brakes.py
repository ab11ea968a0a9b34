# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of docs/brakes.md as they stand there, and what a webhook gets of a run that an alarm stops."""

from __future__ import annotations

import re
import shlex
import threading
from pathlib import Path

import pytest
from living_lab import LIMIT_SECONDS, UPDATE, Ended, LivingLab, Running

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import open_ledger
from lab.process import Process
from webhook import SECRET, Webhook

PAGE = (Path(__file__).parents[2] / "docs" / "brakes.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN_OF_THE_PAGE = "20261114T220000Z-ab12"
FILE_OF_THE_PAGE = "@notify.yml"


def commands(heading: str) -> list[str]:
    """Those of a section of the page."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [line for block in BLOCK.findall(section) for line in block.splitlines()]


(PATCH,) = commands("An alarm stops it")
STOP, STOP_IN_TABLE, STOP_ONE, STOP_ALL = commands("A colleague stops it")
(RESUME,) = commands("It continues")
(NOTIFY,) = commands("A message when it happens")
HOST = {"name": "off", "state": "stopped", "updates": [UPDATE]}
OK = {"alarms": {"checkout-errors": "OK"}}


def typed(lab: LivingLab, command: str, *more: str) -> Running:
    """A command of the page; ledger and report are the lab's where it names none."""
    program, playbook, *options = shlex.split(command)
    assert program == "ansible-playbook"
    return lab.begin(playbook, *options, *more)


def test_the_commands_of_the_page_stop_a_run_and_let_it_continue(tmp_path: Path) -> None:
    """A run whose controller was killed a moment ago may still be at work: nothing that is typed here is in a hurry."""
    started = threading.Event()
    events = [{"when": "off starting", "do": "term_controller"}]

    def kill(process: Process) -> None:
        process.kill()
        started.set()

    with LivingLab(tmp_path, [HOST], events=events, account=OK, scale=1) as lab:
        lab.on_controller = kill
        typed(lab, PATCH)
        assert started.wait(LIMIT_SECONDS)
        ledger = open_ledger(str(lab.ledger))
        (run,) = ledger.runs()

        def do(command: str) -> tuple[Ended, str | None]:
            ended = typed(lab, command.replace(RUN_OF_THE_PAGE, run.run_id)).end()
            return ended, ledger.run(run.run_id).breaker

        stopped, breaker = do(STOP)
        assert (stopped.code, str(breaker).partition(": ")[2]) == (0, "Checkout is down"), stopped.output
        assert "At work, and finished in any case: off." in stopped.words
        resumed, breaker = do(RESUME)
        assert (resumed.code, breaker) == (0, None), resumed.output
        elsewhere, breaker = do(STOP_IN_TABLE)
        assert (elsewhere.code, breaker) == (2, None)
        assert "No run is at work in the ledger dynamodb://PatchFleet-ledger." in elsewhere.words
        for command in (STOP_ONE, STOP_ALL):
            stopped, breaker = do(command)
            assert (stopped.code, str(breaker).partition(": ")[2]) == (0, "Checkout is down"), stopped.output
    reasons = [(brake["kind"], brake["reason"]) for brake in ledger.run(run.run_id).settings["brakes"]]
    down, up = ("stop", "Checkout is down"), ("resume", "Checkout is up again")
    assert reasons == [down, up, down, down]


def test_a_webhook_gets_a_stop_and_the_end_and_no_file_has_its_url(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = tmp_path_factory.mktemp("settings") / "notify.yml"
    account = {"alarms": {"checkout-errors": "ALARM"}}
    with Webhook() as webhook, LivingLab(tmp_path, [HOST], account=account) as lab:
        settings.write_text(f"patch_notify: {webhook.url}\n", encoding="utf-8")
        assert FILE_OF_THE_PAGE in NOTIFY
        ended = typed(
            lab, NOTIFY.replace(FILE_OF_THE_PAGE, f"@{settings}"), "-vvv", "-e", "patch_stop_alarms=checkout-errors"
        ).end()
    assert ended.code == 2
    assert ended.host("off")["reason_code"] == "breaker"
    assert "is in ALARM since" in ended.words
    stopped, finished = webhook.messages
    assert (stopped["event"], stopped["totals"], stopped["run_id"]) == ("stopped", {}, ended.report["run_id"])
    assert "The alarm checkout-errors (eu-central-1) is in ALARM since" in stopped["reason"]
    assert (finished["event"], finished["totals"]) == ("finished", {"deferred": 1})
    assert finished["link"] == str(ended.folder / "report.html")
    with_url = [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert with_url == []
