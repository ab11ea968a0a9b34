# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timeline of a host: every source is in it, in the order of time, and nothing of other hosts."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fabricated import IDS, Run, patch_baseline
from lab.cli import first_host, main
from lab.explain import ExplainError, explain

LOG = """
TASK [patchfleet.windows.start_hosts : Start it when it is off] ****
  22:00:06  dev-01                start    starting
  22:00:07  dev-010               start    starting
\x1b[0;31mfatal: [dev-01]: FAILED! => {"changed": false, "msg": "It said \\"no\\"."}\x1b[0m
fatal: [dev-02]: FAILED! => {"changed": false, "msg": "Not of dev-01."}
"""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    run = Run()
    run.logs = [LOG]
    run.call(720, "SendCommand", ["dev-01"], error="ThrottlingException", params=patch_baseline("Scan"))
    run.call(721, "DescribeInstances", ["dev-01"], caller="other")
    run.hosts["dev-01"]["history"] = [{"t": 0, "state": "stopped"}, {"t": 90, "event": "booted"}]
    run.reports(0, outcome="failed", step="start", reason_code="refused", reason="It said no.")
    run.write(tmp_path)
    with closing(sqlite3.connect(tmp_path / "out" / "ledger.sqlite")) as ledger, ledger:
        ledger.execute("CREATE TABLE some_table (host_key TEXT, step TEXT, started_at REAL, ok INTEGER, facts TEXT)")
        row = "INSERT INTO some_table VALUES (?, 'start', 1794693605.0, 0, ?)"
        ledger.execute(row, (IDS["dev-01"], '{"grown_gib": 20}'))
        ledger.execute(row, (IDS["dev-02"], '{"grown_gib": 40}'))
    return tmp_path / "out"


def test_every_source_is_in_the_timeline(out: Path) -> None:
    lines = explain(out, "dev-01")
    assert lines[0] == f"dev-01  {IDS['dev-01']}: failed (start, refused, It said no.); it is stopped"
    assert [" ".join(line.split()) for line in lines[1:]] == [
        "0.0 s 22:00:00 step 1 patch begins",
        "0.0 s 22:00:00 step 1 ec2.DescribeInstances: ok",
        "0.0 s 22:00:00 host is stopped",
        "5.0 s 22:00:05 step 1 ec2.StartInstances: ok",
        "5.0 s 22:00:05 ledger some_table.started_at (start, failed)",
        "6.0 s 22:00:06 log 1 start starting",
        '7.0 s 22:00:07 log 1 FAILED patchfleet.windows.start_hosts : Start it when it is off: It said "no".',
        "90.0 s 22:01:30 host booted",
        "130.0 s 22:02:10 step 1 ssm.SendCommand (AWS-RunPowerShellScript): ok",
        "150.0 s 22:02:30 step 1 ssm.SendCommand (AWS-RunPatchBaseline, Install): ok",
        "600.0 s 22:10:00 step 1 ssm.SendCommand (AWS-RunPatchBaseline, Scan): ok",
        "700.0 s 22:11:40 step 1 ec2.DescribeInstances: ok",
        "701.0 s 22:11:41 step 1 ec2.StopInstances: ok",
        "720.0 s 22:12:00 step 1 ssm.SendCommand (AWS-RunPatchBaseline, Scan): ThrottlingException",
        "721.0 s 22:12:01 other ec2.DescribeInstances: ok",
        "790.0 s 22:13:10 step 1 ec2.DescribeInstances: ok",
        "800.0 s 22:13:20 step 1 patch ends: 0",
        "facts in run None:",
        "grown_gib: 20",
    ]


def test_the_same_read_again_and_again_is_one_line(tmp_path: Path) -> None:
    run = Run()
    for t in (791, 795):
        run.call(t, "DescribeInstances", ["dev-01"])
    run.write(tmp_path)
    assert "ec2.DescribeInstances, 3 times until 795.0 s: ok" in "\n".join(explain(tmp_path / "out", "dev-01"))


def test_a_progress_line_of_the_next_day_comes_after_those_of_the_first(tmp_path: Path) -> None:
    run = Run()
    run.logs = ["  23:59:59  dev-01  patch  one\n  00:00:02  dev-01  patch  two\n"]
    run.write(tmp_path)
    (line,) = (line for line in explain(tmp_path / "out", "dev-01") if line.endswith("two"))
    assert line.startswith("   7202.0 s  00:00:02")


def test_what_cannot_be_explained_is_refused_by_name(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ExplainError, match="no such host; there are dev-01, dev-02"):
        explain(out, "dev-03")
    assert main(["explain", str(tmp_path), "dev-01"]) == 2
    assert "expected the folder of a run that has ended" in capsys.readouterr().err
    assert main(["explain", str(out), "dev-01"]) == 0
    assert capsys.readouterr().out.startswith("dev-01  ")


@pytest.mark.parametrize(
    ("problems", "name"),
    [
        (["expect.rc: expected 0, got 2", "expect.state.web-01.state: expected stopped, got running"], "web-01"),
        (["expect.never.StartInstances: expected no call with web-010, got one with web-010"], "web-010"),
        (["always.totals: expected {}, got {}"], None),
        (["invariants[5].web: expected nothing done to a host that is deferred, got SendCommand"], "web"),
    ],
)
def test_the_first_host_that_a_problem_names(problems: list[str], name: str | None) -> None:
    assert first_host(problems, ["web", "web-01", "web-010"]) == name
