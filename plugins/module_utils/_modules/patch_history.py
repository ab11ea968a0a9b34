# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation patch_history."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping

from .._base.errors import NoRun
from .._base.files import replace_file
from .._base.text import clean_text, counted
from .._history.build import History, Totals, build_history, recent_runs
from .._history.lines import to_lines
from .._history.pack import pack_files, write_pack
from .._history.page import to_page
from .._history.spans import MISSING
from .._history.table import to_csv
from .._ledger import describe_ledger
from .._operation.context import OperationContext
from .._operation.operation import Operation
from .._operation.results import Result
from .._plan.report_bucket import ReportStore, bucket_of
from .._plan.report_folder import not_writable, report_folder
from .._plan.variables import module_options

FOLDER = "history"
"""In the folder of all reports, where the user names none."""


class HistoryResult(Result):
    """``files`` is name to path, ``objects`` name to address in the bucket; ``fail_again`` names hosts, ``late_kbs`` KBs that are
    missing longer than their limit.
    """

    totals: Totals
    fail_again: list[str]
    late_kbs: list[str]
    files: dict[str, str]
    objects: dict[str, str]
    lines: list[str]


def work(context: OperationContext) -> HistoryResult:
    """Write history.html, history.csv and history.json of the runs in the ledger, and with evidence_pack the ZIP. With
    report_bucket they are objects, too.

    Returns:
        changed, totals, fail_again (names), late_kbs, files (name to path), objects (name to address), lines.

    Raises:
        NoRun: the ledger does not exist, or has no run of this time.
        InvalidOption: the folder cannot be written, or the bucket is none.
        PatchFleetError: AWS does not take an object.
    """
    params, now, bucket = context.params, context.clock.now(), bucket_of(context.params)
    ledger, days = context.existing_ledger(), params["history_days"]
    runs = recent_runs(ledger, days, now)
    if not runs:
        raise no_run_of(context, days)
    history = build_history(ledger, runs, days, params["sla_days"] or {}, now)
    texts = {
        "history.html": to_page(history),
        "history.csv": to_csv(history),
        "history.json": json.dumps(history, indent=1, ensure_ascii=False, allow_nan=False),
    }
    folder, files, lines = report_folder(params["report_dir"], FOLDER), dict[str, str](), to_lines(history)
    lines += _commands(context, history)
    objects: dict[str, str] = {}
    if not context.check_mode:
        try:
            files = _write(folder, texts)
            lines += ["", *(f"{name}: {path}" for name, path in files.items())]
            if params["evidence_pack"]:
                name = time.strftime("evidence-%Y%m%dT%H%M%SZ.zip", time.gmtime(now))
                path = os.path.join(folder, name)
                whole = write_pack(path, pack_files(texts, ledger, runs, now))
                files[name] = path
                lines += [f"{name}: {path}", f"SHA-256 of {name}: {whole}"]
        except OSError as error:
            raise not_writable(folder, f"{error}.") from error
        if bucket is not None:
            objects = ReportStore(bucket, FOLDER, context.aws).write(
                {name: _read(path) for name, path in files.items()}
            )
            lines += ["", *(f"{name}: {address}" for name, address in objects.items())]
    return _result(history, files, objects, lines)


def _commands(context: OperationContext, history: History) -> list[str]:
    """Those that show all that is known of the update that is missing for the longest time, and of a host that misses it."""
    missing = [update for update in history["updates"] if update["state"] == MISSING]
    if not missing:
        return []
    longest = max(missing, key=lambda update: update["days"])
    of_update = context.command("evidence", {"patch_kbs": longest["kb"]})
    of_host = context.command("evidence", {"patch_host": longest["instance_id"] or longest["host"]})
    return [
        "",
        f"All that is known of {clean_text(longest['kb'])}, which is missing longest: {of_update}.",
        f"All that is known of {clean_text(longest['host'])}: {of_host}.",
    ]


def no_run_of(context: OperationContext, days: int) -> NoRun:
    """The error of a ledger without a run of this time."""
    where = describe_ledger(context.params["ledger"])
    return NoRun(f"The ledger {where} has no run of the last {counted(days, 'day')} (patch_history_days).")


def _result(history: History, files: dict[str, str], objects: dict[str, str], lines: list[str]) -> HistoryResult:
    late = {update["kb"] for update in history["updates"] if update["late"] and update["proven_at"] is None}
    return {
        "changed": True,  # in check mode it would be
        "totals": history["totals"],
        "fail_again": [host["host"] for host in history["hosts"] if host["fails_again"]],
        "late_kbs": sorted(late),
        "files": files,
        "objects": objects,
        "lines": lines,
    }


def _write(folder: str, texts: Mapping[str, str]) -> dict[str, str]:
    os.makedirs(folder, exist_ok=True)
    return {name: replace_file(os.path.join(folder, name), text) for name, text in texts.items()}


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def printed(result: HistoryResult) -> Iterable[str]:
    """What is printed of the history."""
    return result["lines"]


OPERATION = Operation(
    name="patch_history",
    arguments={
        "ledger": {"type": "str"},
        "report_dir": {"type": "str"},
        **module_options("patch_history"),
    },
    work=work,
    lines=printed,
    uses_aws=False,
)
