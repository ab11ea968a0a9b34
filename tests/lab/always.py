# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is held in every scenario, whatever it says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from lab.fields import OUTCOMES
from lab.matching import show
from lab.power import ON_STATES, OURS, final_owners
from lab.records import Call, Run
from lab.targets import expected_targets

SIZE_ONLY = {"VolumeId", "Size", "DryRun"}
_CHUNK_BYTES = 1 << 20


def always_problems(run: Run, secrets: Sequence[str]) -> list[str]:
    """One line for everything that no run may do or leave, whatever its scenario expects."""
    return [
        *_truth_problems(run),
        *_report_problems(run),
        *(problem for call in run.trace for problem in _call_problems(call)),
        *_secret_problems(run.out, secrets),
    ]


def _truth_problems(run: Run) -> Iterator[str]:
    owners = final_owners(run)
    for name, truth in run.truth.items():
        if truth.get("unrecorded_starts"):
            yield f"always.unrecorded_starts.{name}: expected 0, got {truth['unrecorded_starts']}"
        if truth.get("cut_off_by_us"):
            yield f"always.cut_off.{name}: expected no installation cut off by us, got {truth['cut_off_by_us']}"
        held = run.reported.get(name, {}).get("outcome") == "held"
        if truth.get("state") in ON_STATES and owners.owner(name) == OURS and not held:
            yield f"always.left_on.{name}: expected the host that we started to be off again, got {truth['state']}"


def _report_problems(run: Run) -> Iterator[str]:
    if run.report is None:
        return
    counted: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for host in run.report_hosts:
        name = run.scenario_name(host) or f"{host.get('host')} (not of the scenario)"
        counted[name] += 1
        outcome = str(host.get("outcome"))
        outcomes[outcome] += 1
        if outcome not in OUTCOMES:
            yield f"always.outcome.{name}: expected one of {', '.join(OUTCOMES)}, got {show(host.get('outcome'))}"
        missing = run.truth.get(name, {}).get("missing")
        if outcome in ("patched", "compliant") and missing:
            yield f"always.missing.{name}: expected nothing missing on a {outcome} host, got {show(missing)}"
    for name, count in counted.items():
        if count > 1:
            yield f"always.targets.{name}: expected one outcome, got {count}"
    for name in sorted(expected_targets(run) - counted.keys()):
        yield f"always.targets.{name}: expected one outcome, got none"
    totals = {outcome: count for outcome, count in run.report.get("totals", {}).items() if count}
    if totals != dict(outcomes):
        yield f"always.totals: expected {show(dict(outcomes))} as the hosts say, got {show(totals)}"


def _call_problems(call: Call) -> Iterator[str]:
    where = f"{', '.join(call.hosts) or 'no host'} after {call.t:.0f} s"
    if call.error == "NotImplemented":
        yield f"always.unknown.{call.service}.{call.operation}: expected calls that the lab knows, got one with {where}"
    if not call.counts:
        return
    if call.operation == "StopInstances":
        for option in ("Force", "SkipOsShutdown"):
            if str(call.params.get(option, False)).lower() == "true":
                yield f"always.stop: expected no {option}, got it with {where}"
    if call.operation == "ModifyVolume" and call.params.keys() - SIZE_ONLY:
        more = ", ".join(sorted(call.params.keys() - SIZE_ONLY))
        yield f"always.modify_volume: expected a Size alone, got {more} with {where}"


def _secret_problems(out: Path, secrets: Sequence[str]) -> Iterator[str]:
    """Names the file, never the secret."""
    wanted = {text.encode() for secret in secrets for text in (secret, json.dumps(secret)[1:-1]) if secret}
    if not wanted:
        return
    for file in sorted(path for path in out.rglob("*") if path.is_file()):
        if _holds_any(file, wanted):
            yield f"always.secrets: expected no secret in {file.relative_to(out)}, got one"


def _holds_any(file: Path, wanted: set[bytes]) -> bool:
    overlap = max(map(len, wanted)) - 1
    tail = b""
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            text = tail + chunk
            if any(secret in text for secret in wanted):
                return True
            tail = text[-overlap:] if overlap else b""
    return False
