# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation patch_report."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from .._base.errors import NoRun, PatchFleetError
from .._base.files import replace_file
from .._ledger.records import Ledger, Run
from .._model.outcomes import UNFINISHED, UNTOUCHED
from .._model.reasons import Reason
from .._model.run_settings import ROLL_BACK
from .._operation.context import OperationContext
from .._operation.operation import Operation
from .._operation.results import Result
from .._plan.report_bucket import ReportStore, bucket_of
from .._plan.report_folder import not_writable, report_folder
from .._plan.variables import module_options
from .._report.fields import Report
from .._report.host_csv import to_host_csv
from .._report.html import to_html
from .._report.joint import build_joint_report, own_runs, runs_to_report
from .._report.markdown import to_markdown
from .._report.not_offered import not_offered_lines
from .._report.stats import sentences_to_check, to_stats
from .._report.table import to_table
from .._run.closing import set_interrupted_outcomes
from .._run.notices import FINISHED, Webhook, a_notice, notify, webhook_of
from .._run.slices import is_named, runs_of_job
from .._run.taken_over import is_leased_elsewhere


class ReportResult(Result, total=False):
    """``table`` has lines of at most 100 columns; ``verdicts`` is the sentence of each host that makes the run fail, by its key."""

    run_id: str
    report: Report
    table: list[str]
    files: dict[str, str]
    objects: dict[str, str]
    stats: Mapping[str, object]
    verdicts: dict[str, str]
    warnings: list[str]


def work(context: OperationContext) -> ReportResult:
    """Write report.json, report.md, report.html and report.csv of a run.

    Returns:
        changed, run_id, report (as in report.json), table (lines of at most 100 columns), files, objects (in the bucket), stats
        (for set_stats), verdicts (host key → the sentence for a host that makes the run fail), warnings.

    Raises:
        PatchFleetError: there is no run, or with must_write the files or the objects cannot be written.
    """
    params = context.params
    bucket = bucket_of(params)
    name, runs = _runs(context.existing_ledger(), context.params.get("run_id"))
    for run in runs:
        close_if_abandoned(context, run)
    report = build_joint_report(context.ledger, name, runs, context.clock.now())
    texts = {} if context.check_mode else _texts(report)
    command = _command_to_repeat(context, name)
    files, warnings = _write(report_folder(params["report_dir"], name), name, texts, params["must_write"], command)
    objects: dict[str, str] = {}
    if bucket is not None and texts:
        objects, unwritten = _upload(ReportStore(bucket, name, context.aws), texts, params["must_write"], command)
        warnings += unwritten
    webhook = webhook_of(context)
    if webhook is not None and not context.check_mode:
        warnings += _notify(context, webhook, replace(runs[0], run_id=name), report, {**files, **objects})
    result: ReportResult = {
        "changed": bool(files) or context.check_mode,
        "run_id": name,
        "report": report,
        "table": to_table(report, context.columns).splitlines(),
        "files": files,
        "objects": objects,
        "stats": to_stats(report),
        "verdicts": _verdicts_of_slice(context.ledger, runs, context.params.get("run_id")),
    }
    if warnings:
        result["warnings"] = warnings
    return result


def _runs(ledger: Ledger, wanted: str | None) -> tuple[str, list[Run]]:
    """What is reported, by its name."""
    newest = next((run.run_id for run in ledger.runs() if run.operation != ROLL_BACK), None)
    if not wanted and not newest:
        raise NoRun("The ledger holds no run yet; there is nothing to report.")
    return runs_to_report(ledger, wanted or str(newest))


def close_if_abandoned(context: OperationContext, run: Run) -> None:
    """A run whose controller died is reported as what its hosts had reached."""
    over = context.params.get("take_over", False) or not run.is_active(context.clock.now())
    if over and not context.check_mode:
        set_interrupted_outcomes(context.ledger, run.run_id)


def _verdicts_of_slice(ledger: Ledger, runs: Sequence[Run], run_id: str | None) -> dict[str, str]:
    """Of a slice those of its own hosts: the others fail by theirs. A host that another run of the job has counts there."""
    run = next((one for one in runs if one.run_id == run_id), None)
    own = own_runs(runs, run) if run else list(runs)
    verdicts = {key: why for one in reversed(own) for key, why in _verdicts(ledger, one).items()}
    if not is_named(own[0]):
        return verdicts
    rows = [host for one in runs_of_job(ledger, own[0].settings["slice"]["of"]) for host in ledger.hosts(one.run_id)]
    had = {host.key for host in rows if not is_leased_elsewhere(host)}
    lost = {host.key for one in own for host in ledger.hosts(one.run_id) if is_leased_elsewhere(host)}
    kept = {host.key for one in own for host in ledger.hosts(one.run_id) if not is_leased_elsewhere(host)}
    return {key: why for key, why in verdicts.items() if key not in (lost & had) - kept}


def _verdicts(ledger: Ledger, run: Run) -> dict[str, str]:
    """Why hosts make the run fail. One that started none of its hosts fails for all of them: they were asked for."""
    strict = bool(run.settings.get("fail_on_deferred"))
    hosts = ledger.hosts(run.run_id)
    if all(host.outcome in UNTOUCHED for host in hosts):
        return {host.key: f"{host.outcome}: {host.reason} This run started none of its hosts." for host in hosts}
    return {
        host.key: f"{host.outcome}: {host.reason}"
        for host in hosts
        if host.outcome in UNFINISHED and (host.reason_code != Reason.NO_TIME or strict)
    }


def _texts(report: Report) -> dict[str, str]:
    """The report by the names of its files."""
    return {
        "report.json": json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False),
        "report.md": to_markdown(report),
        "report.html": to_html(report),
        "report.csv": to_host_csv(report),
    }


def _write(
    folder: str, run_id: str, texts: Mapping[str, str], must_write: bool, command: str
) -> tuple[dict[str, str], list[str]]:
    """The written files, and warnings. A run's verdicts must not depend on a disk that has filled up meanwhile."""
    if not texts:
        return {}, []
    try:
        return _write_all(folder, texts), []
    except OSError as error:
        failure = not_writable(folder, f"{error}.")
        if must_write:
            raise failure from error
    again = f"When that is fixed, write it again: {command}."
    instead = report_folder(None, run_id)
    try:
        files = _write_all(instead, texts)
    except OSError as error:
        return {}, [f"{failure.reason} Nor could it be written to {instead} ({error}). {again}"]
    return files, [f"{failure.reason} The report is in {instead}. {again}"]


def _upload(
    store: ReportStore, texts: Mapping[str, str], must_write: bool, command: str
) -> tuple[dict[str, str], list[str]]:
    """The addresses of the objects, and warnings: a verdict depends on no bucket either."""
    try:
        return store.write(texts), []
    except PatchFleetError as error:
        if must_write:
            raise
        return {}, [
            f"The report could not be written to {store.folder}: {error.reason} When that is fixed, write it again: {command}."
        ]


def _command_to_repeat(context: OperationContext, run_id: str) -> str:
    """The command that writes this report to the same places."""
    params = context.params
    variables = {
        "patch_run_id": run_id,
        "patch_report_dir": params["report_dir"],
        "patch_report_bucket": params["report_bucket"],
        "patch_report_kms_key": params["report_kms_key"],
    }
    return context.command("report", {name: value for name, value in variables.items() if value})


def _write_all(folder: str, texts: Mapping[str, str]) -> dict[str, str]:
    os.makedirs(folder, exist_ok=True)
    return {name: replace_file(os.path.join(folder, name), text) for name, text in texts.items()}


def _notify(
    context: OperationContext, webhook: Webhook, run: Run, report: Report, where: Mapping[str, str]
) -> list[str]:
    """Send the webhook the message that the run has ended; warnings."""
    link, lines = where.get("report.html"), sentences_to_check(report)
    notice = a_notice(context, run, FINISHED, report["totals"], reason=report["breaker"], lines=lines, link=link)
    warning = notify(context, webhook, notice)
    return [warning] if warning else []


def table_and_files(result: ReportResult) -> Iterable[str]:
    """What is printed of the report."""
    yield from result["table"]
    yield ""
    for name, path in [*result["files"].items(), *result["objects"].items()]:
        yield f"{name}: {path}"
    yield from not_offered_lines(result["report"]["hosts"])


OPERATION = Operation(
    name="patch_report",
    arguments={
        "ledger": {"type": "str"},
        "run_id": {"type": "str"},
        "report_dir": {"type": "str"},
        "take_over": {"type": "bool", "default": False},
        "must_write": {"type": "bool", "default": True},
        **module_options("patch_report"),
    },
    work=work,
    lines=table_and_files,
    uses_aws=False,
)
