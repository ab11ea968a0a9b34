# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Orders, units and sentences that the page, the Markdown and the terminal table share.

A report is the content of ``report.json``: a dict with ``run_id``, ``operation`` (install or scan), ``started_at``,
``finished_at`` (ISO 8601, null when the run was cut off), ``targets`` and ``hosts``. Unknown values are null, which is
never shown as 0 but as ``NOTHING``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import iso, parse_iso
from ansible_collections.patchfleet.windows.plugins.module_utils._base.text import clean_text, counted, join_sentences

from .._model.outcomes import FAILURES, MOST_URGENT_FIRST, UP_TO_DATE, Outcome
from .._model.phases import Phase

Report = Mapping[str, Any]
Host = Mapping[str, Any]
"""JSON: renderers show whatever a report has under the fields that they know (fields.py)."""

PHASES = tuple(Phase)
NOTHING = "–"
FROM_THE_DISK = ("unused_disk_space", "volume_growth")
WORTH_TELLING_GIB = 0.1

# Hosts that need a person come first.
_RANK = {outcome: rank for rank, outcome in enumerate(MOST_URGENT_FIRST)}


def plain(value: object) -> str:
    """A value as one line of visible text; null is ``NOTHING``.

    Line ends and tabs become a space. Other control and format characters (terminal escapes, changes of the writing
    direction, halves of surrogate pairs) become U+FFFD: names and reasons come from tags and guests.
    """
    if value is None:
        return NOTHING
    return clean_text(" ".join(str(value).split()))


def name_of(host: Host) -> str:
    return plain(host.get("host") or host.get("instance_id"))


def name_and_id(host: Host) -> str:
    """``web-01 (i-0123…)``: the name that people know, and the id that AWS's console and commands need."""
    name, instance_id = name_of(host), host.get("instance_id")
    return name if instance_id is None or plain(instance_id) == name else f"{name} ({plain(instance_id)})"


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key by which ``dev-2`` comes before ``dev-10``."""
    parts = re.findall(r"[0-9]+|[^0-9]+", text.casefold())
    return tuple((0, int(part), "") if part[0] in "0123456789" else (1, 0, part) for part in parts)


def rank(host: Host) -> int:
    """How urgent its outcome is: 0 for failed. Hosts at work come after those that have ended, and before those that wait."""
    outcome = host.get("outcome", "")
    return _RANK.get(outcome, len(_RANK) + int(outcome == WAITING))


def in_order(hosts: Iterable[Host]) -> list[Host]:
    """Failed and held hosts first, the others by outcome, alike ones by name."""
    return sorted(hosts, key=lambda host: (rank(host), natural_key(name_of(host))))


AT_WORK, WAITING = "at work", "waiting"
"""What a host without an outcome does in a run that is at work."""


def hosts_of(report: Report) -> list[Host]:
    """The hosts in order; those of a run at work that have not ended say what they do in place of an outcome."""
    hosts = report.get("hosts") or []
    if report.get("as_of"):
        hosts = [host if host.get("outcome") else {**host, "outcome": _state(host)} for host in hosts]
    return in_order(hosts)


def _state(host: Host) -> str:
    return WAITING if host.get("step") in {None, Phase.PLAN, Phase.ADMIT} else AT_WORK


def words(code: object) -> str:
    """A snake_case code in words."""
    return plain(code).replace("_", " ")


def duration(seconds: float | None) -> str:
    """Seconds in the two largest units that matter: ``45 s``, ``12 min 3 s``, ``2 h 5 min``, ``3 d 4 h``."""
    if seconds is None:
        return NOTHING
    left = round(seconds)
    if left >= 3600:
        left = round(left / 60) * 60
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    parts = []
    for unit, size in units:
        number, left = divmod(left, size)
        parts.append((number, unit))
    first = next((i for i, (number, _unit) in enumerate(parts) if number), len(parts) - 1)
    shown = [f"{number} {unit}" for number, unit in parts[first : first + 2] if number]
    return " ".join(shown) or "0 s"


def gib(value: float | None) -> str:
    """GiB with one decimal, without the unit."""
    return NOTHING if value is None else f"{value:.1f}"


def seconds_of(moment: str | None) -> float | None:
    """An ISO 8601 time as seconds since 1970."""
    return None if moment is None else parse_iso(moment)


def utc(moment: str | None, pattern: str = "{date} {time} UTC") -> str:
    """An ISO 8601 time in UTC to the second, e.g. ``2026-11-14 22:00:00 UTC``."""
    text = iso(seconds_of(moment))
    if text is None:
        return NOTHING
    date, time = text.rstrip("Z").split("T")
    return pattern.format(date=date, time=time)


def run_seconds(report: Report) -> float | None:
    """How long the run took; None when it was cut off."""
    start, end = seconds_of(report.get("started_at")), seconds_of(report.get("finished_at"))
    return None if start is None or end is None else end - start


def totals(hosts: Iterable[Host]) -> dict[str, int]:
    """Hosts per outcome, in the order of ``Outcome``, with the zeros; then those that have not ended, without."""
    found = Counter(host.get("outcome") for host in hosts)
    open_hosts = {state: found[state] for state in (AT_WORK, WAITING) if found[state]}
    return {**{str(outcome): found[outcome] for outcome in Outcome}, **open_hosts}


def totals_line(hosts: Iterable[Host], with_detail: bool = True) -> str:
    """``5 patched · 2 compliant · 1 failed (disk)``: with the phases of failed hosts and the reasons of deferred ones."""
    hosts = list(hosts)
    parts = []
    for outcome, number in totals(hosts).items():
        if not number:
            continue
        key = {"failed": "step", "deferred": "reason_code"}.get(outcome)
        why = [host[key] for host in hosts if key and host.get("outcome") == outcome and host.get(key)]
        parts.append(f"{number} {outcome}" + (_breakdown(why, number) if with_detail else ""))
    return " · ".join(parts) or "no hosts"


def _breakdown(codes: list[str], number: int) -> str:
    """`` (disk)`` when all are alike, `` (2 disk, 1 patch)`` otherwise."""
    found = Counter(codes).most_common()
    if not found:
        return ""
    if len(found) == 1 and found[0][1] == number:
        return f" ({words(found[0][0])})"
    return " (" + ", ".join(f"{times} {words(code)}" for code, times in found) + ")"


def headline(report: Report) -> str:
    """The run in a sentence or two."""
    hosts = report.get("hosts") or []
    found = totals(hosts)
    if not hosts:
        return "The run had no hosts."
    good = sum(found[outcome] for outcome in UP_TO_DATE)
    missing, troubled = found[Outcome.NONCOMPLIANT], sum(found[outcome] for outcome in FAILURES)
    return join_sentences(
        f"{good} of {counted(len(hosts), 'host')} {'is' if good == 1 else 'are'} up to date, proven by a fresh scan.",
        f"Approved updates are missing on {counted(missing, 'host')}." if missing else None,
        f"{counted(troubled, 'host')} {'needs' if troubled == 1 else 'need'} a person." if troubled else None,
        _unfinished(report),
        *map(_brake, report.get("brakes") or ()),
    )


def _unfinished(report: Report) -> str | None:
    if report.get("as_of"):
        return f"The run is at work; this is what its ledger knew at {utc(report['as_of'])}."
    return None if report.get("finished_at") else "The run did not finish; this is what its ledger knows."


def _brake(brake: Mapping[str, Any]) -> str:
    """What stopped the run or let it continue, as a sentence."""
    reason = plain(brake.get("reason"))
    who = f"{plain(brake.get('by'))} from {plain(brake.get('machine'))} at {plain(brake.get('at'))}"
    if brake.get("kind") == "stop":
        return f"Stopped by {who}: {reason.rstrip('.')}."
    if brake.get("kind") == "resume":
        return f"Resumed by {who}{f': {reason}' if brake.get('reason') else ''}".rstrip(".") + "."
    return reason


def describe_targets(targets: Mapping[str, Any] | None) -> str:
    """Which hosts were asked for: ``tag PatchGroup=Windows in eu-central-1``."""
    targets = targets or {}
    parts = [
        f"{what} {plain(targets[key])}" for key, what in (("tag", "tag"), ("hosts", "pattern")) if targets.get(key)
    ]
    text = " and ".join(parts) or NOTHING
    regions = targets.get("regions")
    found = f"{text} in {', '.join(plain(region) for region in regions)}" if regions else text
    missing = targets.get("missing_accounts")
    return f"{found}; accounts left out: {', '.join(plain(name) for name in missing)}" if missing else found


def describe_operator(by: Mapping[str, Any] | None) -> str:
    """Who started the run: ``carol@tower as arn:aws:sts::1:assumed-role/Patch/x, job 17 of AWX, launched by dave``."""
    by = by or {}
    process = "@".join(plain(by[key]) for key in ("user", "machine") if by.get(key)) or NOTHING
    name = f"{process} as {plain(by['arn'])}" if by.get("arn") else process
    job = [f"job {plain(by['job_id'])} of AWX"] if by.get("job_id") else []
    launched = [f"launched by {plain(by['launched_by'])}"] if by.get("launched_by") else []
    return ", ".join([name, *job, *launched])


def failed_updates(host: Host) -> list[str] | None:
    """``KB5031001 (0x80070643)`` for each update that failed; None when that is not known."""
    updates = host.get("failed_updates")
    if updates is None:
        return None
    return [f"{plain(update.get('kb'))} ({plain(update.get('hresult'))})" for update in updates]


def cleanup_actions(host: Host) -> list[str] | None:
    """``component store: 2.0 GiB`` for each cleanup action; None when none was tried."""
    actions = host.get("rungs")
    if actions is None:
        return None
    return [f"{words(action.get('name'))}: {_won(action)}" for action in actions]


def _won(action: Mapping[str, Any]) -> str:
    won = f"{gib(action.get('won_gib'))} GiB"
    return f"left out ({words(action['skipped'])})" if action.get("skipped") else won


def restore_point(point: Mapping[str, Any] | None) -> str | None:
    """Its snapshots, their size, when they were taken and until when they are kept; None without one."""
    if not point:
        return None
    kept = f"{gib(point['gib'])} GiB of {utc(point['made_at'])}, kept until {utc(point['expires_at'])}"
    return f"{', '.join(map(plain, point['snapshots']))} ({kept})"


def states(host: Host) -> str:
    """``stopped → running``: what the host was and what it is."""
    return f"{plain(host.get('original_state'))} → {plain(host.get('final_state'))}"


def outcome_and_phase(host: Host) -> str:
    """``failed (disk)``, ``patched``."""
    step = host.get("step")
    return plain(host.get("outcome")) + (f" ({plain(step)})" if step else "")


def sentence(host: Host) -> str:
    """Why the host ended as it did: its reason, or one that follows from the data."""
    if host.get("reason"):
        reason = plain(host["reason"])
        return reason if reason.endswith((".", "!", "?", "…")) else reason + "."
    code = f" ({words(host['reason_code'])})" if host.get("reason_code") else ""
    scan = f"the scan at {utc(host['verified_at'], '{time} UTC')}" if host.get("verified_at") else "the proving scan"
    missing = host.get("missing")
    return {
        Outcome.PATCHED: f"{_what_was_done(host)}; {scan} shows nothing missing.",
        Outcome.COMPLIANT: f"Nothing had to be installed; {scan} shows nothing missing.",
        Outcome.NONCOMPLIANT: f"{_updates(missing)} missing; the run only scanned.",
        Outcome.FAILED: f"Failed in the phase {plain(host.get('step'))}{code}.",
        Outcome.HELD: f"Its power state was not restored{code}; a person has to check it.",
        Outcome.DEFERRED: f"Not started{code}.",
        Outcome.EXCLUDED: f"Must not be touched{code}.",
    }.get(host.get("outcome", ""), NOTHING)


def remark(host: Host) -> str:
    """The remark in a narrow table: for hosts that are up to date only what is unusual."""
    if host.get("reason") or host.get("outcome") not in UP_TO_DATE:
        return sentence(host)
    return ", ".join(_besides_updates(host))


def updates(host: Host) -> str:
    """``2 of 3``: installed of those that were needed, as far as both are known."""
    installed, missing = host.get("installed"), host.get("missing")
    if installed is None:
        return NOTHING
    return f"{len(installed)} of {'?' if missing is None else len(installed) + len(missing)}"


def _updates(missing: list[str] | None) -> str:
    if missing is None:
        return "Approved updates are"
    return f"{counted(len(missing), 'approved update')} {'is' if len(missing) == 1 else 'are'}"


def _what_was_done(host: Host) -> str:
    installed = host.get("installed")
    done = "Updates installed" if installed is None else f"{counted(len(installed), 'update')} installed"
    return ", ".join([done, *_besides_updates(host)])


def _besides_updates(host: Host) -> list[str]:
    done = []
    cleaned = sum(
        action.get("won_gib") or 0.0 for action in host.get("rungs") or () if action["name"] not in FROM_THE_DISK
    )
    if cleaned >= WORTH_TELLING_GIB:
        done.append(f"{gib(cleaned)} GiB cleaned")
    if host.get("grown_gib"):
        done.append(f"volume grown by {gib(host['grown_gib'])} GiB")
    if host.get("repaired"):
        done.append("repaired " + " and ".join(words(repair) for repair in host["repaired"]))
    return done
