# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's default output of a run, without any setting of the user's: what matters, and nothing that went well."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from living_lab import TWO_MINUTES_WITH_A_REBOOT, Ended, LivingLab
from terminal import COLUMNS, keep

from lab.runner import ansible_playbook

pytestmark = pytest.mark.xdist_group("quiet runs")

FLEET: list[dict[str, Any]] = [
    {"name": "web-{1..6}", "state": "stopped"},
    {"name": "on-{1..5}"},
    {"name": "broken", "updates": [{**TWO_MINUTES_WITH_A_REBOOT, "result": "0x800F0922"}]},
]
WENT_WELL = re.compile(r"^(?:ok|changed|skipping|included)(?:: | \[).*", re.MULTILINE)
DEAD_WEBHOOK = "https://127.0.0.1:9/no-webhook"
MOST_LINES_A_HOST = 30.0
"""With the line a minute, the plan, the table, the recap and Ansible's words of a failure."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingLab]:
    keys: dict[str, Any] = {"defaults": {"updates": [TWO_MINUTES_WITH_A_REBOOT]}, "scale": 200}
    with LivingLab(tmp_path_factory.mktemp("quiet"), FLEET, **keys) as lab:
        yield lab


@pytest.fixture(scope="module")
def ended(lab: LivingLab) -> Ended:
    """A run of the whole fleet."""
    return lab.playbook("patch", variables={"patch_failure_budget": 2})


def test_a_run_prints_lines_of_progress_and_failures_only(ended: Ended) -> None:
    lines = ended.output.splitlines()
    keep("a-run-of-12-hosts", lines)
    assert ended.code == 2, ended.output
    assert WENT_WELL.findall(ended.output) == []
    assert "no hosts matched" not in ended.output
    assert set(re.findall(r"^PLAY \[(.+?)\]", ended.output, re.MULTILINE)) == {
        "Find hosts by tag",
        "Plan",
        "Patch",
        "Report",
        "Fail hosts that are not patched",
    }
    headings = [at for at, line in enumerate(lines) if line.startswith("TASK [")]
    assert all(lines[at + 1].startswith(("[ERROR]", "fatal: ", "[WARNING]")) for at in headings), "only of failures"
    assert len(re.findall(r"^fatal: \[broken\]", ended.output, re.MULTILINE)) == 2, "at its step, and as a verdict"
    for name in ("web-1", "on-5", "broken"):
        assert re.search(rf"^  \d\d:\d\d:\d\d  {name} +(patched|failed: .+)$", ended.output, re.MULTILINE)
    assert len(lines) / 12 <= MOST_LINES_A_HOST


def test_tasks_of_the_users_and_warnings_are_shown_as_ever(lab: LivingLab) -> None:
    hello = lab.file("hello.yml", [{"name": "Say hello", "ansible.builtin.debug": {"msg": "hello of the user"}}])
    left_out = [f"web-{number}" for number in range(1, 7)] + [f"on-{number}" for number in range(2, 6)] + ["broken"]
    played = lab.playbook(
        "patch", variables={"patch_pre_tasks": str(hello), "patch_exclude": left_out, "patch_notify": DEAD_WEBHOOK}
    )
    assert played.outcomes["on-1"] in {"patched", "compliant"}
    assert "TASK [patchfleet.windows.user_tasks : Say hello]" in played.output
    assert '"msg": "hello of the user"' in played.output
    assert "[WARNING]: The webhook of patch_notify did not take the message." in played.words
    shown = [line for line in WENT_WELL.findall(played.output) if "-> localhost]" not in line]
    assert shown == [f"included: {hello} for on-1 => (item={hello})", "ok: [on-1] => {"]


@pytest.mark.parametrize(
    ("options", "environment"),
    [(["-v"], {}), ([], {"ANSIBLE_DISPLAY_OK_HOSTS": "true"}), ([], {"ANSIBLE_DISPLAY_SKIPPED_HOSTS": "true"})],
    ids=["-v", "ok hosts", "skipped hosts"],
)
def test_who_wants_all_lines_gets_them(lab: LivingLab, options: list[str], environment: dict[str, str]) -> None:
    output = lab.playbook("plan", *options, environment=environment).output
    assert "TASK [patchfleet.windows.discover : Plan]" in output
    assert re.search(r"^ok: \[localhost\]", output, re.MULTILINE)


@pytest.mark.usefixtures("ended")
def test_restore_says_what_became_of_its_hosts_and_no_more(lab: LivingLab) -> None:
    restored = lab.playbook("restore")
    assert restored.code == 0, restored.output
    assert "Nothing is open: every host is as it was found." in restored.words
    assert WENT_WELL.findall(restored.output) == []


@pytest.mark.usefixtures("ended")
def test_in_a_terminal_a_row_of_the_plan_and_of_the_report_is_not_broken(lab: LivingLab) -> None:
    """It has 80 columns."""
    assert COLUMNS == 80
    command = [ansible_playbook(), "patchfleet.windows.plan", "-e", f"patch_ledger={lab.ledger}"]
    planned = lab.in_terminal(command, lambda _lines: None, {})
    keep("plan-of-12-hosts", planned)
    rows = [line for line in planned if line.startswith("  wave")]
    assert len(rows) == 12
    assert all(re.search(r" i-[0-9a-f]{17}$", row) for row in rows), rows
    command[1] = "patchfleet.windows.report"
    reported = lab.in_terminal(command, lambda _lines: None, {})
    keep("report-of-12-hosts", reported)
    assert any(re.fullmatch(r"HOST +OUTCOME .* REASON", line) for line in reported)
    assert any(re.match(r"web-6 +[a-z]+\b", line) for line in reported)
