# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The history of months: what the runs of a ledger say together."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import iso
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._history.build import History
from ansible_collections.patchfleet.windows.plugins.module_utils._history.lines import to_lines
from ansible_collections.patchfleet.windows.plugins.module_utils._history.page import to_page
from ansible_collections.patchfleet.windows.plugins.module_utils._history.table import to_csv
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_history import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import check_together, read
from ansible_collections.patchfleet.windows.plugins.module_utils._run.closing import set_interrupted_outcomes
from months import DAY, KEY, START, Months, missing
from operations import perform

from .fakes import client_error
from .stage import Stage

CRITICAL = {"KB1": "critical"}
LIMITS = {"critical": 14.0}


@pytest.fixture
def months(stage: Stage) -> Months:
    return Months(stage.ledger)


def spans(history: History) -> list[tuple[Any, ...]]:
    return [(update["kb"], update["state"], round(update["days"]), update["late"]) for update in history["updates"]]


def test_an_update_is_missing_from_the_first_scan_that_misses_it_until_a_scan_proves_it(months: Months) -> None:
    months.run(0, **missing("KB1", severities=CRITICAL))
    assert spans(months.history(10, LIMITS)) == [("KB1", "missing", 10, False)]
    assert spans(months.history(20, LIMITS)) == [("KB1", "missing", 20, True)]
    last = months.run(30, facts={"missing": [], "installed": ["KB1"]})
    (update,) = months.history(40, LIMITS)["updates"]
    assert (update["state"], update["days"], update["late"]) == ("installed", 30.0, True)
    assert update["proven_at"] == iso(START + 30 * DAY + 3600)
    assert update["proven_by"] == last


def test_an_update_that_no_run_installed_is_not_called_installed(months: Months) -> None:
    months.run(0, **missing("KB1"))
    months.run(30, **missing("KB2"))
    assert spans(months.history(31)) == [("KB1", "not_offered", 30, False), ("KB2", "missing", 1, False)]


def test_a_run_that_found_and_installed_it_proves_it_in_one_visit(months: Months) -> None:
    months.run(0, facts={"missing": [], "installed": ["KB1"]})
    assert spans(months.history(1)) == [("KB1", "installed", 0, False)]


def test_an_update_that_is_missing_again_has_two_spans(months: Months) -> None:
    months.run(0, facts={"missing": [], "installed": ["KB1"]})
    months.run(30, **missing("KB1"))
    assert [state for _kb, state, _days, _late in spans(months.history(31))] == ["installed", "missing"]


def test_a_run_for_named_updates_speaks_of_these_alone(months: Months) -> None:
    """patch_kbs: what it does not search for is as missing as before, and no proof that the host is complete."""
    months.run(0, **missing("KB1", "KB2"))
    months.run(10, facts={"missing": [], "installed": ["KB1"], "verdicts": {"KB1": "installed"}, "only_a_part": True})
    history = months.history(20)
    assert spans(history) == [("KB1", "installed", 10, False), ("KB2", "missing", 20, False)]
    (host,) = history["hosts"]
    assert (host["state"], host["missing"]) == ("incomplete", ["KB2"])


def test_a_run_whose_named_updates_are_all_left_out_proves_nothing_of_others(months: Months) -> None:
    months.run(0, **missing("KB1", "KB2"))
    facts = {"missing": [], "verdicts": {"KB1": "excluded"}, "only_a_part": True}
    months.run(10, outcome="noncompliant", code="updates_excluded", facts=facts)
    assert [state for _kb, state, _days, _late in spans(months.history(20))] == ["missing", "missing"]


def test_a_named_update_that_is_missing_makes_a_complete_host_incomplete(months: Months) -> None:
    months.run(0, facts={"missing": []})
    months.run(1, **missing("KB7", verdicts={"KB7": "missing"}))
    assert months.history(2)["hosts"][0]["state"] == "incomplete"
    months.run(3, facts={"missing": [], "installed": ["KB7"], "verdicts": {"KB7": "installed"}})
    months.run(4, facts={"missing": []})
    assert months.history(5)["hosts"][0]["state"] == "complete"


def test_an_update_that_is_left_out_is_missing_all_the_same(months: Months) -> None:
    left_out = {"missing": [], "installed": ["KB1"], "verdicts": {"KB2": "excluded"}}
    months.run(0, outcome="noncompliant", code="updates_excluded", facts=left_out)
    history = months.history(20)
    assert ("KB2", "missing", 20, False) in spans(history)
    assert history["hosts"][0]["state"] == "incomplete"


def test_an_update_that_waits_for_a_reboot_is_not_proven_before_it(months: Months) -> None:
    """patch_reboot: never installs now, and patch_operation: reboot proves it later."""
    months.run(0, **missing("KB1"))
    months.run(1, outcome="noncompliant", code="reboot_pending", facts={"missing": [], "installed": ["KB1", "KB2"]})
    assert {(kb, state) for kb, state, _days, _late in spans(months.history(2))} == {
        ("KB1", "missing"),
        ("KB2", "missing"),
    }
    months.run(3, facts={"missing": [], "installed": ["KB1", "KB2"]})
    assert {state for _kb, state, _days, _late in spans(months.history(4))} == {"installed"}


@pytest.mark.parametrize(
    "visit",
    [
        {"outcome": "noncompliant", "code": "reboot_pending", "facts": {"missing": [], "installed": ["KB1"]}},
        {"outcome": "failed", "code": "interrupted", "facts": {"installed": ["KB1"]}},
    ],
    ids=["reboot", "no scan"],
)
def test_what_an_earlier_run_installed_was_installed(months: Months, visit: dict[str, Any]) -> None:
    """The run that proves it finds nothing to install: a person rebooted the host, or the controller had died before its scan."""
    months.run(0, **missing("KB1"))
    months.run(1, **visit)
    months.run(2, outcome="compliant", facts={"missing": [], "installed": []})
    assert spans(months.history(3))[0][:2] == ("KB1", "installed")


def test_an_update_that_a_later_scan_missed_again_was_not_installed(months: Months) -> None:
    months.run(0, **missing("KB1"))
    months.run(1, outcome="failed", code="interrupted", facts={"installed": ["KB1"]})
    months.run(2, **missing("KB1"))
    months.run(3, outcome="compliant", facts={"missing": [], "installed": []})
    assert spans(months.history(4))[0][:2] == ("KB1", "not_offered")


@pytest.mark.parametrize(("facts", "state"), [({}, "not_proven"), ({"missing": ["KB1"]}, "incomplete")])
def test_a_host_that_was_rolled_back_is_not_complete(months: Months, facts: dict[str, Any], state: str) -> None:
    """The scan after the roll-back may have failed."""
    months.run(0, facts={"missing": [], "installed": ["KB1"]})
    plan = {"is_made": True, "snapshot_id": "snap-1"}
    months.run(1, outcome="failed", code="updates_not_gone", facts={**facts, "roll_back": plan})
    assert [host["state"] for host in months.history(2)["hosts"]] == [state]


def test_a_run_without_a_scan_proves_nothing(months: Months) -> None:
    months.run(0, **missing("KB1"))
    months.run(30, outcome="failed", code="did_not_boot", facts={})
    assert spans(months.history(40)) == [("KB1", "missing", 40, False)]


def test_the_severity_of_one_host_counts_for_all(months: Months) -> None:
    months.run(0, key="i-a", **missing("KB1"))
    months.run(1, key="i-b", **missing("KB1", severities=CRITICAL))
    assert {update["severity"] for update in months.history(2)["updates"]} == {"critical"}


def test_where_hosts_differ_the_worst_severity_counts(months: Months) -> None:
    for number, severity in enumerate(("low", "critical", "important")):
        months.run(number, key=f"i-{number}", **missing("KB1", severities={"KB1": severity}))
    assert {update["severity"] for update in months.history(3)["updates"]} == {"critical"}


def test_an_unknown_severity_has_a_limit_of_its_own(months: Months) -> None:
    months.run(0, **missing("KB1"))
    assert spans(months.history(20, LIMITS))[0][-1] is False
    assert spans(months.history(20, {"unspecified": 14.0}))[0][-1] is True


def test_a_host_is_late_although_each_months_update_replaces_the_last(months: Months) -> None:
    for number in range(3):
        kb = f"KB{number}"
        months.run(10.0 * number, **missing(kb, severities={kb: "critical"}))
    history = months.history(29, LIMITS)
    assert history["totals"]["late_updates"] == 0
    assert history["hosts"][0]["late_severities"] == ["critical"]
    assert any("critical updates have been missing since 2026-11-14" in line for line in to_lines(history))


@pytest.mark.parametrize(
    ("outcomes", "again"),
    [
        (["failed"], False),
        (["failed", "failed"], True),
        (["failed", "patched", "held"], True),
        (["failed", "failed", "patched"], False),
        (["failed", "deferred", "failed"], True),
        (["failed", "patched", "patched", "patched", "patched", "failed"], False),
    ],
)
def test_a_host_fails_again_by_its_last_five_attempts(months: Months, outcomes: list[str], again: bool) -> None:
    for number, outcome in enumerate(outcomes):
        months.run(number, outcome=outcome, code="did_not_boot" if outcome in {"failed", "held"} else None)
    (host,) = months.history(7)["hosts"]
    assert host["fails_again"] is again


def test_a_killed_run_that_restore_settled_counts_with_what_it_proved(months: Months) -> None:
    """It is no failure of the host, and its scan counts."""
    run_id = months.run(0, outcome=None, **{k: v for k, v in missing("KB1").items() if k == "facts"})
    months.ledger.begin_phase(run_id, KEY, "patch", START)
    set_interrupted_outcomes(months.ledger, run_id)
    months.run(1, **missing("KB1"))
    history = months.history(2)
    assert spans(history) == [("KB1", "missing", 2, False)]
    assert history["hosts"][0]["fails_again"] is False
    assert history["runs"][-1]["outcomes"] == {"failed": 1}


def test_hosts_without_a_recent_run_or_scan_are_named(months: Months) -> None:
    months.run(0, key="i-gone", name="gone", facts={"missing": []})
    months.run(0, key="i-silent", name="silent", outcome="deferred", code="no_time")
    months.run(59, key="i-silent", name="silent", outcome="deferred", code="no_time")
    months.run(59, key="i-fresh", name="fresh", facts={"missing": []})
    history = months.history(60)
    named = {host["host"]: (host["absent"], host["unproven"]) for host in history["hosts"]}
    assert named == {"fresh": (False, False), "gone": (True, True), "silent": (False, True)}
    text = "\n".join(to_lines(history))
    assert "gone: no run has had it since 2026-11-14" in text
    assert "silent: the last run ended with deferred (no_time). No scan has proven anything of it." in text


def test_the_trend_shows_each_week_what_was_known_then(months: Months) -> None:
    months.run(0, **missing("KB1"))
    months.run(10, facts={"missing": [], "installed": ["KB1"]})
    trend = months.history(15)["trend"]
    assert [(period["complete"], period["incomplete"]) for period in trend] == [(0, 1), (0, 1), (1, 0)]
    assert [period["complete_percent"] for period in trend] == [0.0, 0.0, 100.0]


def test_a_long_history_is_shown_by_months(months: Months) -> None:
    months.run(0, facts={"missing": []})
    months.run(300, facts={"missing": []})
    until = [period["until"] for period in months.history(300)["trend"]]
    assert until[:2] == ["2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"]
    assert len(until) == 11


def test_a_run_of_a_controller_whose_clock_is_ahead_has_a_trend_too(months: Months) -> None:
    months.run(0.001, facts={"missing": []})
    assert len(months.history(0)["trend"]) == 1


def test_a_start_that_a_later_run_took_over_counts_once(months: Months) -> None:
    months.run(0, facts={"on_since": START})
    months.run(1, facts={"on_since": START, "off_at": START + 7200})
    months.run(2, key="i-lost", facts={"on_since": START})
    on = months.history(3)["on_hours"]
    assert on == {"total": 2.0, "by_month": {"2026-11": 2.0}, "unknown": 1}


def test_causes_are_counted_by_code_and_hresult(months: Months) -> None:
    failed = [{"kb": "KB1", "hresult": "0x800F0922"}, {"kb": "KB9", "hresult": "0x80070643"}]
    for number in range(2):
        months.run(number, **missing("KB1", failed_updates=failed))
    months.run(3, outcome="failed", code="did_not_boot")
    causes = [(row["reason_code"], row["hresults"], row["times"]) for row in months.history(4)["causes"]]
    assert causes == [("still_missing", ["0x800F0922"], 2), ("did_not_boot", [], 1)]


def test_names_that_are_formulas_or_markup_stay_text(months: Months) -> None:
    months.run(0, name="=cmd|'/c calc'!A0", **missing("KB1"))
    months.run(1, key="i-b", name="<script>alert(1)</script>", **missing("KB1"))
    history = months.history(2)
    rows = list(csv.DictReader(io.StringIO(to_csv(history))))
    assert {row["host"] for row in rows} == {"'=cmd|'/c calc'!A0", "<script>alert(1)</script>"}
    page = to_page(history)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_pack_holds_all_of_it_under_sums_that_agree(months: Months, stage: Stage, tmp_path: Path) -> None:
    run_id = months.run(0, **missing("KB1"))
    stage.clock.sleep(2 * DAY)
    result = perform(OPERATION, stage.context(OPERATION, report_dir=str(tmp_path), evidence_pack=True))
    (name,) = [name for name in result["files"] if name.endswith(".zip")]
    with zipfile.ZipFile(tmp_path / name) as pack:
        lines = pack.read("SHA256SUMS").decode().splitlines()
        sums = {file: digest for digest, file in (line.split("  ", 1) for line in lines)}
        assert {file: hashlib.sha256(pack.read(file)).hexdigest() for file in sums} == sums
        assert set(pack.namelist()) == {*sums, "SHA256SUMS"}
        (verdict,) = map(json.loads, pack.read("verdicts.jsonl").decode().splitlines())
    reports = {f"reports/{run_id}/report.{ending}" for ending in ("json", "md", "html")}
    assert set(sums) == {*reports, "verdicts.jsonl", "history.html", "history.csv", "history.json"}
    assert (verdict["run_id"], verdict["reason_code"], verdict["facts"]["missing"]) == (
        run_id,
        "still_missing",
        ["KB1"],
    )
    whole = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    assert result["lines"][-1].endswith(whole)


def test_all_files_are_written_into_the_bucket(months: Months, stage: Stage, tmp_path: Path) -> None:
    """A job of AWX loses its disk."""
    months.run(0, **missing("KB1"))
    stage.account.on("put_object", {})
    options = {
        "report_dir": str(tmp_path),
        "report_bucket": "s3://our-reports/patch",
        "report_kms_key": "alias/reports",
    }
    result = perform(OPERATION, stage.context(OPERATION, evidence_pack=True, **options))
    calls = {call.params["Key"]: call.params for call in stage.account.of("put_object")}
    for name in ("history.html", "history.csv", "history.json", next(n for n in result["files"] if n.endswith(".zip"))):
        assert calls[f"patch/history/{name}"]["Body"] == (tmp_path / name).read_bytes()
        assert result["objects"][name] == f"s3://our-reports/patch/history/{name}"
        assert f"{name}: {result['objects'][name]}" in result["lines"]
    assert {params["SSEKMSKeyId"] for params in calls.values()} == {"alias/reports"}
    perform(OPERATION, stage.context(OPERATION, check_mode=True, **options))
    assert len(stage.account.of("put_object")) == len(calls)


def test_a_bucket_that_takes_no_object_is_reported(months: Months, stage: Stage, tmp_path: Path) -> None:
    months.run(0)
    stage.account.on("put_object", client_error("AccessDenied", "not authorized", "PutObject", 403))
    with pytest.raises(PatchFleetError, match="s3:PutObject"):
        perform(OPERATION, stage.context(OPERATION, report_dir=str(tmp_path), report_bucket="s3://our-reports"))
    with pytest.raises(InvalidOption, match=r"patch_report_bucket: .* It must be s3://BUCKET"):
        perform(OPERATION, stage.context(OPERATION, report_dir=str(tmp_path), report_bucket="our-reports"))


def test_the_commands_that_show_more_of_what_is_missing_are_printed(months: Months, stage: Stage) -> None:
    months.run(0, **missing("KB1"))
    months.run(3, **missing("KB1", "KB2"))
    stage.clock.sleep(10 * DAY)
    text = "\n".join(perform(OPERATION, stage.context(OPERATION, check_mode=True))["lines"])
    assert "`ansible-playbook patchfleet.windows.evidence -e patch_kbs=KB1`" in text
    assert "patchfleet.windows.evidence -e patch_host=" in text


def test_where_nothing_is_missing_no_command_is_printed(months: Months, stage: Stage) -> None:
    months.run(0, facts={"missing": [], "installed": ["KB1"]})
    assert "evidence" not in "\n".join(perform(OPERATION, stage.context(OPERATION, check_mode=True))["lines"])


def test_check_mode_writes_nothing(months: Months, stage: Stage, tmp_path: Path) -> None:
    months.run(0, **missing("KB1"))
    context = stage.context(OPERATION, check_mode=True, report_dir=str(tmp_path / "new"), evidence_pack=True)
    result = perform(OPERATION, context)
    assert (result["changed"], result["files"]) == (True, {}), "it would write them"
    assert not (tmp_path / "new").exists()


def test_a_ledger_without_runs_of_this_time_is_refused(months: Months, stage: Stage) -> None:
    months.run(0)
    stage.clock.sleep(40 * DAY)
    with pytest.raises(PatchFleetError, match=r"no run of the last 30 days \(patch_history_days\)"):
        perform(OPERATION, stage.context(OPERATION, history_days=30))


def test_a_folder_that_cannot_be_written_is_named(months: Months, stage: Stage, tmp_path: Path) -> None:
    months.run(0)
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidOption, match="patch_report_dir"):
        perform(OPERATION, stage.context(OPERATION, report_dir=str(tmp_path / "file" / "below")))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("patch_sla_days", 14, "It must be a mapping of severities to days"),
        ("patch_sla_days", {"critcal": 14}, "Did you mean critical?"),
        (
            "patch_sla_days",
            {"critical": 0},
            "patch_sla_days.critical: 0 is not valid. It must be a number of days above",
        ),
        ("patch_sla_days", {"critical": "soon"}, "It must be a number of days above 0."),
        ("patch_sla_days", {"critical": True}, "It must be a number of days above 0."),
        ("patch_history_days", 0, "It must be at least 1."),
    ],
)
def test_bad_values_are_refused_by_name(name: str, value: Any, words: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        read({name: value})
    assert name in caught.value.reason
    assert words in caught.value.reason


@pytest.mark.parametrize(("kind", "refused"), [("root", True), ("none", False)])
def test_runs_with_restore_points_are_kept_as_long_as_these(kind: str, refused: bool) -> None:
    settings = read({"patch_history_days": 7, "patch_restore_point": kind, "patch_batch_size": 1})
    with pytest.raises(InvalidOption, match="patch_history_days: 7") if refused else nullcontext():
        check_together(settings, 5, START)


def test_severities_are_read_in_any_case() -> None:
    assert read({"patch_sla_days": {"Critical": "14", "low": 90}})["sla_days"] == {"critical": 14.0, "low": 90.0}
