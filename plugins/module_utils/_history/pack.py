# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The evidence pack: history, reports and verdicts of months in one ZIP, with a manifest of SHA-256 sums."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO

from ansible_collections.patchfleet.windows.plugins.module_utils._report.build import build_report
from ansible_collections.patchfleet.windows.plugins.module_utils._report.html import to_html
from ansible_collections.patchfleet.windows.plugins.module_utils._report.markdown import to_markdown

from .._base.files import replaced
from .._ledger.records import Ledger, Run
from .._ledger.stored import host_values, phase_values

MANIFEST = "SHA256SUMS"
"""Lines as ``sha256sum --check`` reads them."""


def write_pack(path: str, files: Iterable[tuple[str, str]]) -> str:
    """Write these files (name, text) and their manifest into a ZIP, which is replaced whole; returns its SHA-256 sum.

    Raises:
        OSError: it cannot be written.
    """
    sums = []
    with replaced(path) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as pack:
            for name, text in files:
                content = text.encode()
                sums.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
                pack.writestr(name, content)
            pack.writestr(MANIFEST, "".join(sums))
        return _sum_of(file)


def _sum_of(file: BinaryIO) -> str:
    whole = hashlib.sha256()
    file.seek(0)
    while block := file.read(2**20):
        whole.update(block)
    return whole.hexdigest()


def pack_files(texts: Mapping[str, str], ledger: Ledger, runs: Sequence[Run], now: float) -> Iterator[tuple[str, str]]:
    """The history's own files, the report of each run, and a line of JSON for each verdict; one run at a time."""
    yield from texts.items()
    verdicts = []
    for run in runs:
        report = build_report(ledger, run.run_id, now)
        folder = f"reports/{run.run_id}"
        yield f"{folder}/report.json", json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
        yield f"{folder}/report.md", to_markdown(report)
        yield f"{folder}/report.html", to_html(report)
        verdicts += list(_verdicts(ledger, run))
    yield "verdicts.jsonl", "".join(verdicts)


def _verdicts(ledger: Ledger, run: Run) -> Iterator[str]:
    """What the ledger knows of each host of a run: its outcome, what that is based on, and when each phase began and ended."""
    phases: dict[str, list[Mapping[str, object]]] = {}
    for time in ledger.phases(run.run_id):
        phases.setdefault(time.host_key, []).append(phase_values(time))
    for host in ledger.hosts(run.run_id):
        row = {**host_values(host), "facts": host.facts, "phases": phases.get(host.key, [])}
        yield json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"
