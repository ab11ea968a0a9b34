# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a run stands, by what the ledger knows: hosts that have ended, are at work or wait, and the predicted end."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import LEASE_SECONDS, Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._model.outcomes import Outcome
from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.commands import playbook_command
from ansible_collections.patchfleet.windows.plugins.module_utils._report.status import (
    as_text,
    minute_line,
    status_lines,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._report.table import columns_of
from ansible_collections.patchfleet.windows.plugins.module_utils._report.watch import (
    display_of,
    read_watched,
    result_of,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._run.progress import Progress, read_progress
from operations import perform

from .fakes import START
from .stage import RUN, Stage, a_host

HOUR = 3600.0
OPTIONS = {"state": "watched"}


def key(number: int) -> str:
    return f"i-{number:017x}"


def hosts(number: int, batch: int | None = None, **more: Any) -> list[Any]:
    """With a batch, in waves of this number."""
    return [
        a_host(
            key(at),
            position=at,
            name=f"dev-{at:03}",
            wave=1 if batch is None else at // batch + 1,
            **more,
        )
        for at in range(number)
    ]


def phase(stage: Stage, number: int, name: str, seconds: float | None, ok: bool = True) -> None:
    """A phase that took this time; None: it is open."""
    stage.ledger.begin_phase(RUN, key(number), Phase(name), stage.clock.now())
    if seconds is not None:
        stage.clock.sleep(seconds)
        stage.ledger.end_phase(RUN, key(number), Phase(name), stage.clock.now(), ok)


def end(stage: Stage, number: int, outcome: str) -> None:
    stage.ledger.set_outcome(RUN, key(number), Verdict(Outcome(outcome), Phase.PATCH, None, "It did not work."))


def progress(stage: Stage) -> Progress:
    stage.ledger.heartbeat(RUN, stage.clock.now())
    return read_progress(stage.ledger, RUN, stage.clock.now())


def test_hosts_have_ended_are_at_work_or_wait(stage: Stage) -> None:
    stage.open_run(*hosts(9), batch_size=5)
    phase(stage, 0, "admit", 1)
    phase(stage, 0, "patch", 60)
    phase(stage, 0, "restore", 60)
    end(stage, 0, "patched")
    phase(stage, 1, "admit", 1)
    phase(stage, 1, "patch", 60, ok=False)
    end(stage, 1, "failed")
    phase(stage, 1, "restore", None)
    phase(stage, 2, "admit", 1)
    phase(stage, 2, "start", 30)
    phase(stage, 3, "admit", None)
    phase(stage, 4, "admit", 1)
    phase(stage, 4, "start", 1, ok=False)
    end(stage, 5, "excluded")
    end(stage, 6, "deferred")
    phase(stage, 7, "admit", 1)
    found = progress(stage)
    assert {work.host.name: str(work.phase) for work in found.at_work} == {
        "dev-001": "restore",
        "dev-002": "start",
        "dev-007": "admit",
    }
    assert [host.name for host in found.waiting] == ["dev-003", "dev-004", "dev-008"]
    assert (found.done, found.total, found.failed) == (2, 8, 0)
    assert [host.name for host in found.problems] == ["dev-001"]


def test_the_last_problem_comes_last(stage: Stage) -> None:
    stage.open_run(*hosts(3))
    for number in (2, 0, 1):
        phase(stage, number, "patch", 60, ok=False)
        end(stage, number, "failed")
    assert [host.name for host in progress(stage).problems] == ["dev-002", "dev-000", "dev-001"]


def test_a_run_that_is_watched_is_watched_until_its_end(stage: Stage) -> None:
    """A newer run may end earlier."""
    stage.open_run(a_host("i-1"))
    stage.clock.sleep(60)
    stage.open_run(a_host("i-2", "newer"), run_id="newer")
    stage.ledger.close_run("newer", stage.clock.now())
    watched = read_watched(stage.context(OPERATION, **OPTIONS))
    assert [one.run.run_id for one in watched] == [RUN]
    stage.ledger.close_run(RUN, stage.clock.now())
    assert [one.run.run_id for one in read_watched(stage.context(OPERATION, **OPTIONS), watched)] == [RUN]


def test_the_host_at_work_for_the_longest_time_comes_first_with_when_its_phase_began(stage: Stage) -> None:
    stage.open_run(*hosts(2), batch_size=2)
    phase(stage, 1, "admit", 1)
    phase(stage, 1, "start", 100)
    phase(stage, 0, "admit", 1)
    phase(stage, 1, "patch", None)
    first, second = progress(stage).at_work
    assert (first.host.name, first.since, first.admitted_at) == ("dev-001", START + 102, START + 1)
    assert (second.host.name, second.phase) == ("dev-000", "admit")


@pytest.mark.parametrize(
    ("batch", "expected_hours"),
    [(None, 3.0), (2, 3.0), (3, 2.0)],
    ids=["a window of two", "waves of two", "waves of three"],
)
def test_the_end_follows_from_expected_times_and_hosts_at_once(
    stage: Stage, batch: int | None, expected_hours: float
) -> None:
    facts: Any = {"expected_seconds": HOUR}
    stage.open_run(*hosts(6, batch, facts=facts), batch_size=batch or 2)
    assert progress(stage).ends_at == START + expected_hours * HOUR


def test_hosts_without_a_history_take_what_this_run_took(stage: Stage) -> None:
    stage.open_run(*hosts(3), batch_size=1, expected_seconds=HOUR)
    phase(stage, 0, "admit", 500)
    phase(stage, 0, "patch", 600)
    end(stage, 0, "patched")
    assert progress(stage).ends_at == stage.clock.now() + 2 * 600


def test_a_host_that_is_over_its_time_takes_a_minute_more(stage: Stage) -> None:
    stage.open_run(*hosts(1), batch_size=1, expected_seconds=HOUR)
    phase(stage, 0, "admit", 1)
    phase(stage, 0, "patch", None)
    stage.clock.sleep(2 * HOUR)
    assert progress(stage).ends_at == stage.clock.now() + 60


def test_a_run_ends_at_its_deadline_and_a_dead_or_closed_one_never(stage: Stage) -> None:
    stage.open_run(*hosts(5), batch_size=1, expected_seconds=HOUR, deadline_at=START + 2 * HOUR)
    assert progress(stage).ends_at == START + 2 * HOUR
    stage.clock.sleep(LEASE_SECONDS)
    dead = read_progress(stage.ledger, RUN, stage.clock.now())
    assert (dead.ends_at, dead.is_active) == (None, False)
    assert "Its controller was last active at 2026-11-14T22:00:00Z." in " ".join(as_text(status_lines(dead)))


def test_the_command_that_puts_the_hosts_of_a_dead_run_back_can_be_copied_whole(stage: Stage) -> None:
    """It is wider than the terminal: its lines are continued as a shell continues them, and none of its words is broken."""
    stage.open_run(*hosts(1))
    stage.clock.sleep(LEASE_SECONDS)
    ledger = f"/srv/{'long folder/' * 9}night.sqlite"
    command = playbook_command("restore", ledger)
    dead = read_progress(stage.ledger, RUN, stage.clock.now())
    shown = "\n".join(as_text(status_lines(dead, 40, restore_command=command)))
    start = shown.index("ansible-playbook")
    assert shlex.split(shown[start:].replace("\\\n", ""))[:4] == shlex.split(command)


@pytest.mark.parametrize(("number", "breaker", "shown"), [(5, None, True), (1, None, False), (5, "The shop.", False)])
def test_a_run_with_hosts_to_start_says_how_it_is_stopped(
    stage: Stage, number: int, breaker: str | None, shown: bool
) -> None:
    stage.open_run(*hosts(number))
    stage.ledger.set_outcome(RUN, key(0), Verdict(Outcome.PATCHED))
    if breaker:
        stage.open_breaker(breaker)
    context = stage.context(OPERATION, state="watched")
    lines = "\n".join(result_of(context, read_watched(context))["lines"]).replace("\\\n", "")
    assert ("patchfleet.windows.stop" in lines) is shown
    if shown:
        given = shlex.split(lines[lines.index("ansible-playbook") :])
        assert f"patch_run_id={RUN}" in given
    assert "windows.stop" not in "\n".join(as_text(display_of(context, read_watched(context))))


def test_a_run_of_an_earlier_version_has_no_end(stage: Stage) -> None:
    stage.open_run(*hosts(2))
    found = progress(stage)
    assert found.ends_at is None
    assert minute_line(found) == "0 of 2 done, 0 at work, 2 waiting"


def test_the_line_of_a_minute_says_what_matters(stage: Stage) -> None:
    stage.open_run(*hosts(4), batch_size=2, expected_seconds=HOUR)
    end(stage, 0, "failed")
    phase(stage, 1, "admit", 60)
    phase(stage, 1, "patch", None)
    assert minute_line(progress(stage)) == "1 of 4 done, 1 failed, 1 at work, 2 waiting; ends ~00:01 UTC"


@pytest.mark.parametrize("number", [12, 60, 500])
@pytest.mark.parametrize("width", [80, 120])
def test_any_fleet_is_readable(stage: Stage, number: int, width: int) -> None:
    stage.open_run(*hosts(number), batch_size=50, expected_seconds=HOUR)
    for at in range(number):
        if at % 10 == 0:
            end(stage, at, "failed")
        elif at % 10 > 2:
            phase(stage, at, "patch", None)
    found = progress(stage)
    lines = as_text(status_lines(found, width))
    assert max(map(columns_of, lines)) <= width
    assert len(lines) <= 24 + 3 * 10
    assert columns_of(minute_line(found)) <= 68
    failed, busy = len(range(0, number, 10)), sum(at % 10 > 2 for at in range(number))
    assert f"{failed} of {number} done" in lines[1]
    assert f"At work: {busy} patch" in lines
    assert ("which started later" in "".join(lines)) is (busy > 20)
    assert "  dev-000 failed (patch): It did not work." in lines or number > 100


def test_names_and_reasons_of_strangers_cannot_leave_their_line(stage: Stage) -> None:
    stage.open_run(a_host(key(0), name="\x1b[2J東京" * 20), a_host(key(1), name="b\nc", position=1), batch_size=2)
    phase(stage, 0, "patch", None)
    end(stage, 1, "failed")
    text = as_text(status_lines(progress(stage), 60))
    assert max(map(columns_of, text)) <= 60
    assert all(line.isprintable() for line in text)


def test_the_runs_at_work_are_watched_and_without_any_the_last_one(stage: Stage) -> None:
    stage.open_run(*hosts(2), batch_size=2)
    phase(stage, 0, "patch", None)
    stage.clock.sleep(60)
    stage.open_run(a_host("i-9", "second"), run_id="second")
    both = perform(OPERATION, stage.context(OPERATION, **OPTIONS))
    assert [row["run_id"] for row in both["progress"]] == [RUN, "second"]
    (work,) = both["progress"][0]["at_work"]
    assert (work["host"], work["step"], work["since"]) == ("dev-000", "patch", "2026-11-14T22:00:00Z")
    assert "  dev-000   patch    since 22:00     1 min, of 1 min" in both["lines"]
    one = perform(OPERATION, stage.context(OPERATION, run_id=RUN, **OPTIONS))
    assert [row["run_id"] for row in one["progress"]] == [RUN]
    for run_id in (RUN, "second"):
        stage.ledger.close_run(run_id, stage.clock.now())
    ended = perform(OPERATION, stage.context(OPERATION, **OPTIONS))
    assert [(row["run_id"], row["alive"]) for row in ended["progress"]] == [("second", False)]
    assert "It ended at 22:01 UTC, after 0 s." in ended["lines"]


def test_a_ledger_without_a_run_says_so(stage: Stage) -> None:
    assert perform(OPERATION, stage.context(OPERATION, **OPTIONS))["lines"] == ["The ledger holds no run yet."]
