# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the playbook `evidence` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ansible_collections.patchfleet.windows.plugins.module_utils._report import _format as f

from .._base.text import counted, join_sentences
from .evidence import EvidenceUpdate, EvidenceVisit, HostEvidence, PatchManagerRecord, knows
from .spans import MISSING

UNKNOWN = "unknown"
"""Of an update that neither a run nor Patch Manager has found on a host."""
NOT_INSTALLED = ("Missing", "Failed")
"""States of Patch Manager that are named for a host of which all updates are asked for."""


def evidence_lines(hosts: Sequence[HostEvidence], kbs: Sequence[str], target: str | None) -> list[str]:
    """Of each host its runs, its updates and Patch Manager's records; of an update only the hosts that know it, and its sums."""
    lines = []
    for host in hosts:
        if target is not None or knows(host):
            lines += list(_host(host, by_kb=bool(kbs)))
    if target is None:
        lines += [_sums(hosts, kb) for kb in kbs]
    return lines


def _sums(hosts: Sequence[HostEvidence], kb: str) -> str:
    states = Counter(_state(host, kb) for host in hosts)
    named = ", ".join(f"{f.words(state)} on {states[state]}" for state in sorted(set(states) - {UNKNOWN}))
    unknown = f"not known on {states[UNKNOWN]}" if states[UNKNOWN] else ""
    return f"{kb}: {', '.join(filter(None, (named, unknown)))} of {counted(len(hosts), 'host')}."


def _state(host: HostEvidence, kb: str) -> str:
    """As Patch Manager's last operation found it, else as the runs know it."""
    record = host["patch_manager"]
    recorded = [update["state"] for update in record["updates"] if update["kb"] == kb] if record else []
    known = [*recorded, *(update["state"] for update in host["updates"] if update["kb"] == kb)]
    return known[0].lower() if known else UNKNOWN


def _host(host: HostEvidence, *, by_kb: bool) -> Iterator[str]:
    location = ", ".join(map(f.plain, filter(None, (host["account"], host["region"]))))
    yield f"{f.name_and_id(host)}{f', {location}' if location else ''}"
    yield from (f"  {_visit(visit)}" for visit in host["visits"])
    yield from (f"  {_update(update)}" for update in host["updates"])
    yield from (f"  {text}" for text in _record(host["patch_manager"], by_kb=by_kb))


def _visit(visit: EvidenceVisit) -> str:
    ended = f.plain(visit["outcome"] or "no outcome yet")
    reason = f" ({visit['reason_code']})" if visit["reason_code"] else ""
    missing = "not known" if visit["missing"] is None else _listed(visit["missing"]) or "nothing"
    installed = _listed(visit["installed"]) or "nothing"
    when = f.utc(visit["opened_at"])
    by = f.describe_operator(visit["by"])
    commands = [f"commands: {_listed(visit['command_ids'])}"] if visit["command_ids"] else []
    parts = [when, f"run {visit['run_id']}", f"{ended}{reason}", f"installed: {installed}", f"missing: {missing}"]
    return "  ".join([*parts, *commands, f"started by: {by}"])


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(f.plain, names))


def _update(update: EvidenceUpdate) -> str:
    kb, first = f"{f.plain(update['kb'])} ({update['severity']})", f.utc(update["first_missing_at"], "{date}")
    code = f" ({f.plain(update['hresult'])})" if update["hresult"] else ""
    if update["state"] == MISSING:
        return f"{kb}: missing since {first}, {update['days']:g} days{code}."
    ended, how = f.utc(update["proven_at"]), f.words(update["state"])
    return join_sentences(
        f"{kb}: {how}, proven {ended} by run {update['proven_by']}; missing for {update['days']:g} days{code}.",
        f"The run was started by {f.plain(update['started_by'])}." if update["started_by"] else None,
        f"Its commands: {_listed(update['proven_with'])}." if update["proven_with"] else None,
    )


def _record(record: PatchManagerRecord | None, *, by_kb: bool) -> Iterator[str]:
    if record is None:
        yield "Patch Manager has no records of hosts that are no managed nodes."
        return
    if record["trouble"]:
        yield f"Patch Manager's records cannot be read. {f.plain(record['trouble'])}"
        return
    if record["operation"] is None:
        yield "Patch Manager knows no operation on this node."
        return
    counts = f"{record['missing']} missing, {record['failed']} failed"
    yield f"Patch Manager: the last {record['operation']} ended {f.utc(record['ended_at'])}: {counts}."
    for update in record["updates"]:
        if by_kb or update["state"] in NOT_INSTALLED:
            at = f" on {f.utc(update['installed_at'])}" if update["installed_at"] else ""
            yield f"Patch Manager: {f.plain(update['kb'])} ({update['severity']}) is {f.plain(update['state'])}{at}."
