# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report for a terminal, as Markdown and as a page: nothing unknown becomes a number, and no name becomes markup."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._report._hosts import details
from ansible_collections.patchfleet.windows.plugins.module_utils._report.host_csv import to_host_csv
from ansible_collections.patchfleet.windows.plugins.module_utils._report.html import to_html
from ansible_collections.patchfleet.windows.plugins.module_utils._report.markdown import to_markdown
from ansible_collections.patchfleet.windows.plugins.module_utils._report.table import to_table
from ansible_collections.patchfleet.windows.plugins.module_utils._report.updates import count_updates
from report_sample import HOSTILE_NAMES, estate, fleet, host, report


def columns(line: str) -> int:
    """Columns of a terminal: wide characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line
    )


@pytest.mark.parametrize("size", [1, 12, 60, 500])
@pytest.mark.parametrize("width", [80, 100, 160])
def test_every_line_of_the_table_fits(size: int, width: int) -> None:
    assert max(columns(line) for line in to_table(fleet(size), width).splitlines()) <= width


def test_long_and_wide_names_fit_too() -> None:
    hosts = [
        host(1, host="東京-開発-" * 20),
        host(2, host="x" * 300, outcome="failed", step="disk", reason="word " * 90),
    ]
    assert max(columns(line) for line in to_table(report(hosts)).splitlines()) <= 100


def test_hosts_that_need_a_person_come_first_and_the_totals_last() -> None:
    hosts = [host(1), host(2, outcome="failed", step="disk", reason="No room."), host(3, outcome="held", reason="On.")]
    lines = to_table(report(hosts)).splitlines()
    text = "\n".join(lines)
    assert text.index("dev-02") < text.index("dev-01")
    assert text.index("dev-03") < text.index("dev-01")
    assert "1 failed (disk)" in lines[-1]
    assert "1 patched" in lines[-1]


def test_a_host_that_a_person_has_to_check_is_shown_with_its_id() -> None:
    bad, good = host(1, outcome="failed", reason="It failed."), host(2, outcome="patched")
    table, page, ticket = (render(report([bad, good])) for render in (to_table, to_html, to_markdown))
    assert bad["instance_id"] in table
    assert good["instance_id"] not in table
    for one in (bad, good):
        assert one["instance_id"] in page
        assert f"{one['host']} ({one['instance_id']})" in ticket


@pytest.mark.parametrize("render", [to_table, to_markdown, to_html])
def test_a_host_of_which_nothing_is_known_is_rendered(render: Any) -> None:
    text = render(report([host(1, outcome="deferred", instance_id=None, kind=None)], finished_at=None))
    assert "dev-01" in text
    assert "None" not in text


@pytest.mark.parametrize("render", [to_table, to_markdown, to_html])
def test_a_run_at_work_says_so_and_what_its_hosts_do(render: Any) -> None:
    hosts = [
        host(1, outcome="patched"),
        host(2, outcome=None, step="patch", region="us-east-1"),
        host(3, outcome=None, step="admit"),
        host(4, outcome=None),
    ]
    text = render(report(hosts, finished_at=None, as_of="2026-11-14T22:31:00Z"))
    assert "at work (patch)" in text or "at work</span>" in text
    assert "waiting" in text
    assert "None" not in text
    ended = render(report(hosts[:1], as_of=None))
    assert "at work" not in ended.partition("<style>")[0]
    assert "refresh" not in ended.partition("<style>")[0]


def test_the_page_of_a_run_at_work_counts_and_filters_hosts_that_have_not_ended() -> None:
    hosts = [host(1, outcome=None, step="patch"), host(2, outcome=None)]
    page = to_html(report(hosts, finished_at=None, as_of="2026-11-14T22:31:00Z"))
    assert '<button class="tile" disabled data-o="at work"><b>1</b>' in page
    assert '<tr id=h0 data-o="at work"' in page
    assert "<dt>Finished</dt><dd>not yet</dd>" in page


def test_the_updates_are_counted_before_and_after() -> None:
    failed = [{"kb": "KB3", "hresult": "0x80070643"}]
    hosts = [
        host(1, installed=["KB1", "KB2"], missing=[]),
        host(2, installed=["KB1"], missing=["KB3"], failed_updates=failed),
        host(3, installed=["KB3"], missing=["KB3"], failed_updates=[{"kb": "KB3", "hresult": "0x8024402C"}]),
        host(4, installed=None, missing=None, failed_updates=None),
    ]
    counted = [(one.kb, one.before, one.installed, one.missing, dict(one.failed)) for one in count_updates(hosts)]
    assert counted == [
        ("KB3", 2, 0, 2, {"0x80070643": 1, "0x8024402C": 1}),
        ("KB1", 2, 2, 0, {}),
        ("KB2", 1, 1, 0, {}),
    ]
    page = to_html(report(hosts))
    row = page.partition("<tr><th scope=row>KB3")[2].partition("\n")[0]
    assert re.findall(r'<td [^>]*data-label="([^"]*)">([^<]*)', row) == [
        ("Missing before", "2"),
        ("Installed", "0"),
        ("Still missing", "2"),
        ("Failed with", "0x80070643 (1), 0x8024402C (1)"),
    ]
    assert "Updates, by hosts" not in to_html(report(hosts[3:]))


def test_the_table_for_spreadsheets_and_the_page_have_operator_evidence_and_restore_point() -> None:
    point = {
        "snapshots": ["snap-1"],
        "made_at": "2026-11-14T22:05:00Z",
        "expires_at": "2026-11-28T22:05:00Z",
        "gib": 100,
    }
    one = host(
        1,
        restore_point=point,
        checks={"shop": {"before": True, "after": False}},
        evidence={"services": {"before": ["W3SVC", "Spooler"], "after": ["W3SVC"]}},
    )
    made = report([one], by={"user": "carol", "machine": "tower", "arn": "arn:aws:iam::1:user/carol"})
    (line,) = csv.DictReader(io.StringIO(to_host_csv(made)))
    assert line["started_by"] == "carol@tower as arn:aws:iam::1:user/carol"
    assert line["checks"] == "shop: passes → fails"
    assert line["evidence"] == "services: 2 → 1 (gone: Spooler)"
    assert line["restore_point"].startswith("snap-1 (100.0 GiB of 2026-11-14 22:05:00 UTC, kept until 2026-11-28")
    page = to_html(made)
    assert line["started_by"] in page
    data = json.loads(page.partition("id=data>")[2].partition("</script>")[0])
    assert {line[name] for name in ("checks", "evidence", "restore_point")} <= set(data["hosts"][0]["facts"])


def test_a_line_of_the_table_for_spreadsheets_is_a_host_and_an_update() -> None:
    hosts = [
        host(1, outcome="failed", installed=["KB1"], missing=["KB10", "KB9"], reason="=1+1", on_seconds=60.5)
        | {"failed_updates": [{"kb": "KB9", "hresult": "0x80070643"}, {"kb": "KB2", "hresult": "0x1"}]},
        host(2, host='@a"b,c\nd', outcome="compliant"),
    ]
    lines = list(csv.DictReader(io.StringIO(to_host_csv(report(hosts)))))
    assert [(line["host"], line["kb"], line["state"], line["hresult"]) for line in lines] == [
        ("dev-01", "KB1", "installed", ""),
        ("dev-01", "KB2", "failed", "0x1"),
        ("dev-01", "KB9", "missing", "0x80070643"),
        ("dev-01", "KB10", "missing", ""),
        ("'@a\"b,c d", "", "", ""),
    ]
    assert {line["reason"] for line in lines} == {"'=1+1", ""}
    assert (lines[0]["on_seconds"], lines[0]["final_state"]) == ("60.5", "")


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_no_name_becomes_markup(name: str) -> None:
    bad = report([host(1, host=name, outcome="failed", step="disk", reason=name, installed=[name])])
    page = to_html(bad)
    assert "<script>alert" not in page
    assert page.count("<script") == to_html(report([host(1)])).count("<script")
    markdown = to_markdown(bad)
    assert "<script" not in markdown
    bars = {len(re.findall(r"(?<!\\)[|]", line)) for line in markdown.splitlines() if line.startswith("|")}
    assert len(bars) == 1
    assert all(char.isprintable() or char == "\n" for char in to_table(bad))


@pytest.mark.parametrize("word", ["@everyone", "#123", "ops@example.com", "https://a.example/x", "WWW.example.com"])
def test_no_text_of_a_host_is_a_mention_a_reference_or_a_link_in_an_issue(word: str) -> None:
    """GitHub and GitLab notify whom a report names."""
    markdown = to_markdown(report([host(1, outcome="failed", reason=f"Asked {word} & more.")]))
    assert word not in markdown
    assert word in markdown.replace("<!-- -->", "")
    assert "&amp; more" in markdown


def test_the_page_asks_no_one_for_anything() -> None:
    page = to_html(fleet(60))
    assert "Content-Security-Policy" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page


CLEANUP_ACTIONS = [
    {"name": "component_store", "won_gib": 2.04, "skipped": None},
    {"name": "old_windows", "won_gib": 0.0, "skipped": "not_asked_for"},
    {"name": "volume_growth", "won_gib": 20.0, "skipped": None},
]


@pytest.mark.parametrize("render", [to_markdown, to_html])
def test_what_each_means_of_making_room_won_is_reported(render: Any) -> None:
    short = host(
        1, outcome="failed", step="disk", reason="No room.", rungs=CLEANUP_ACTIONS, snapshot_id="snap-1", wanted_gib=33
    )
    text = render(report([short]))
    assert "component store: 2.0 GiB, old windows: left out (not asked for), volume growth: 20.0 GiB" in text


@pytest.mark.parametrize("render", [to_table, to_markdown, to_html])
def test_of_a_patched_host_the_room_that_was_made_is_remarked(render: Any) -> None:
    assert "2.0 GiB cleaned" in render(report([host(1, outcome="patched", rungs=CLEANUP_ACTIONS, grown_gib=20)]))


# Accounts and regions


def test_the_page_sums_up_each_account_and_region_and_has_them_as_filters() -> None:
    hosts = [
        host(1, account="210987654321", region="us-east-1", on_seconds=60),
        host(2, account="210987654321", region="us-east-1", outcome="failed", step="patch", on_seconds=30),
        host(3, account="123456789012", region="eu-central-1"),
        host(4, kind="winrm", instance_id=None),
    ]
    page = to_html(report(hosts))
    body = page[page.index("<section class=sums>") : page.index("<div class=toolbar")]
    rows = [re.findall(r"<t[hd][^>]*>(?:<button[^>]*>)?([^<]*)", row) for row in re.findall(r"<tr>.*", body)]
    assert rows == [
        ["Account", "Region", "Hosts", "", "", "On time"],  # the outcomes follow their symbols
        ["123456789012", "eu-central-1", "1", "1", "0", "–"],
        ["210987654321", "us-east-1", "2", "1", "1", "1 min 30 s"],
        ["–", "–", "1", "1", "0", "–"],
        ["All", "", "4", "3", "1", "1 min 30 s"],
    ]
    assert 'data-a="210987654321" data-r="us-east-1"><th scope=row class=c-host>' in page
    assert "<th scope=col class=c-account>Account" in page
    assert "<th scope=col class=c-region>Region" in page


def test_the_sums_have_the_cost_where_a_price_is_known() -> None:
    hosts = [
        host(1, account="1", region="r", on_usd=1.5),
        host(2, account="1", region="r", on_usd=0.75),
        host(3, account="2", region="r", on_usd=None),
    ]
    costs = re.findall(r'<td class="number" data-label="Cost, USD">([^<\n]*)', to_html(report(hosts)))
    assert costs == ["2.25", "–", "2.25"]
    assert "Cost, USD<" not in to_html(report([host(1, account="1"), host(2, account="2")]))


def test_one_account_and_region_needs_no_sums() -> None:
    hosts = [host(number, account="123456789012", region="eu-central-1") for number in (1, 2)]
    assert "<section class=sums>" not in to_html(report(hosts))
    assert "<table id=hosts class=one-location " in to_html(report(hosts)), "nor columns"
    assert "<table id=hosts aria-labelledby" in to_html(report([*hosts, host(3, account="210987654321")]))
    assert "<th scope=col class=c-account>Account" in to_html(report(hosts))


@pytest.mark.parametrize("render", [to_markdown, to_table])
def test_text_names_the_account_only_where_there_are_several(render: Any) -> None:
    theirs = host(2, account="210987654321", region="us-east-1", outcome="failed", reason="No.")
    ours = [host(number, account="123456789012", region="eu-central-1") for number in (1, 3)]
    assert "210987654321" in render(report([*ours, theirs]))
    assert "123456789012" not in render(report([*ours, host(4, kind="winrm", instance_id=None)]))


def test_markdown_sums_up_each_account_and_region() -> None:
    hosts = [host(1, account="1"), host(2, account="2", region="r"), host(3, account="2", region="r", outcome="held")]
    assert "| 2 | r | 2 | 1 patched · 1 held |" in to_markdown(report(hosts))


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140])
def test_every_line_of_the_table_of_an_estate_fits(width: int) -> None:
    assert max(columns(line) for line in to_table(estate(60), width).splitlines()) <= width


def test_the_details_of_a_host_show_what_works_before_and_after() -> None:
    gone: dict[str, Any] = {
        "verdicts": {"KB5031361": "installed", "KB5031364": "not_applicable"},
        "checks": {
            "shop": {"before": True, "after": False},
            "<b>page</b>": {"before": None, "after": True},
        },
        "evidence": {
            "ports": {"before": ["443", "80"], "after": ["80"]},
            "build": {"before": ["20348.1"], "after": ["20348.2"]},
            "tasks": {"before": ["a", "b"], "after": None},
        },
        "remarks": ["One.", "Two."],
    }
    shown, plain = (details([host(1, **more)]) for more in (gone, {}))
    facts = dict(zip(shown["labels"], shown["hosts"][0]["facts"], strict=True))
    assert facts["Verdicts"] == "KB5031361: installed, KB5031364: not_applicable"
    assert facts["Checks"] == "shop: passes \u2192 fails; <b>page</b>: not known \u2192 passes"
    assert facts["Evidence"] == (
        "ports: 2 \u2192 1 (gone: 443); build: 20348.1 \u2192 20348.2; tasks: 2 \u2192 not known"
    )
    assert facts["Remarks"] == "One. Two."
    without = dict(zip(plain["labels"], plain["hosts"][0]["facts"], strict=True))
    assert [without[label] for label in ("Verdicts", "Checks", "Evidence", "Remarks")] == ["", "", "", ""]
    assert "<b>page</b>" not in to_html(report([host(1, **gone)]))
