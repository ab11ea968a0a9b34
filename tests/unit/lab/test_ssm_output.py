# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Run Command shows of a program's output, and what it cuts away."""

from __future__ import annotations

import pytest

from conftest import MakeLab
from lab.agent import Outcome
from virtual_lab import programs


def test_the_head_of_long_output_is_kept(make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = make_lab({"name": "a"})
    programs(monkeypatch, Outcome(0, "o" * 30_000, "e" * 30_000))
    logs = {"CloudWatchOutputEnabled": True, "CloudWatchLogGroupName": "/aws/ssm/patch-manager"}
    command = lab.send("a", CloudWatchOutputConfig=logs)
    lab.run_for(60)
    reported = lab.invocation(command, "a")
    assert reported["StandardOutputContent"] == "o" * 23_980 + "--output truncated--"
    assert reported["StandardErrorContent"] == "e" * 8_000
    listed = lab.ssm.list_command_invocations(CommandId=command, Details=True)["CommandInvocations"][0]
    assert 2_498 <= len(listed["CommandPlugins"][0]["Output"]) <= 2_500
    stream = f"{command}/{lab.id('a')}/aws-runPowerShellScript/stdout"
    events = lab.client("logs").get_log_events(logGroupName="/aws/ssm/patch-manager", logStreamName=stream)["events"]
    assert "".join(event["message"] for event in events) == "o" * 30_000


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("x" * 23_999, "x" * 23_999),
        ("x" * 24_000, "x" * 23_980 + "--output truncated--"),
        ("ü" * 11_990, "ü" * 11_990),
        ("ü" * 12_000, "ü" * 11_990 + "--output truncated--"),
        ("ü" * 11_990 + "x" * 19 + "ü" * 10, "ü" * 11_990 + "--output truncated--"),
        ("x" + "ü" * 12_000, "x" + "ü" * 11_989 + "\N{REPLACEMENT CHARACTER}--output truncated--"),
    ],
)
def test_the_output_has_the_given_number_of_bytes_and_says_that_it_is_cut(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch, sent: str, shown: str
) -> None:
    lab = make_lab({"name": "a"})
    programs(monkeypatch, Outcome(0, sent))
    command = lab.send("a")
    lab.run_for(60)
    assert lab.invocation(command, "a")["StandardOutputContent"] == shown


@pytest.mark.parametrize(
    ("out", "err", "shown"),
    [
        ("o" * 2_499, "", "o" * 2_499),
        ("o" * 2_500, "", "o" * 2_477 + "\n---Output truncated---"),
        ("ü" * 1_260, "", "ü" * 1_238 + "\N{REPLACEMENT CHARACTER}\n---Output truncated---"),
        ("ü" * 12_000, "", "ü" * 1_238 + "\N{REPLACEMENT CHARACTER}\n---Output truncated---"),
        ("", "e" * 9_000, "\n----------ERROR-------\n" + "e" * 2_453 + "\n---Error truncated----"),
        ("o", "e" * 10, "o\n----------ERROR-------\n" + "e" * 10),
        ("o" * 100, "e" * 2_376, "o" * 100 + "\n----------ERROR-------\n" + "e" * 2_353 + "\n---Error truncated----"),
        ("o" * 2_400, "e" * 76, "o" * 2_377 + "\n---Output truncated---\n----------ERROR-------\n" + "e" * 76),
        (
            "o" * 1_300,
            "e" * 1_300,
            "o" * 1_215
            + "\n---Output truncated---\n----------ERROR-------\n"
            + "e" * 1_215
            + "\n---Error truncated----",
        ),
    ],
)
def test_the_lists_join_output_and_errors_in_the_given_number_of_bytes(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch, out: str, err: str, shown: str
) -> None:
    lab = make_lab({"name": "a"})
    programs(monkeypatch, Outcome(0, out, err))
    command = lab.send("a")
    lab.run_for(60)
    listed = lab.ssm.list_command_invocations(CommandId=command, Details=True)["CommandInvocations"][0]
    assert listed["CommandPlugins"][0]["Output"] == shown
