# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan as lines of a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from .._base.clock import iso
from .._base.commands import is_command
from .._base.text import counted, join_names, join_sentences
from .._model.reasons import Reason
from .._model.settings import Settings
from .._operation.context import USUAL_COLUMNS
from .at_most import at_most_lines
from .order import Plan, Planned, hosts_of_share

NODES = {
    "drain": "A node of a failover cluster is drained before it is changed, one node of a cluster at a time (patch_clusters).",
    "defer": "Nodes of failover clusters are left alone (patch_clusters).",
}
NOT_ASKED = "not asked"
"""Whether a host without AWS is on is known only at its turn."""
NAMED = 10
"""Accounts whose budget the plan says."""
VERBS = {"install": "patched", "scan": "scanned", "reboot": "rebooted if they wait for it, and scanned"}
"""What an operation does to the hosts."""
SHORTEST_SHOWN_SECONDS = 360.0
"""A difference that is less is 0.0 h or 0.1 h, and no help."""
INDENT = 2
"""Columns in front of each line of a plan."""
COLUMNS = USUAL_COLUMNS - INDENT
TITLES = ("", "from", "host", "now", "type", "where", "id")
LONGEST = (8, 6, 24, 9, 12, 16, 22)
"""Of the columns of hosts."""
LEFT_OUT_FIRST = ("type", "where")
"""Columns that a narrow terminal does without."""
SHORTEST_NAME = 8


def plan_lines(
    plan: Plan, settings: Settings, now: float, leftovers: list[str], missing: list[str], columns: int = COLUMNS
) -> list[str]:
    """The hosts in their order, those that are left out and why, what hosts lack, and the estimate for a run that starts now."""
    included, rolling = plan.included, settings["rollout"] == "rolling"
    lines = _table([TITLES, *(_row(planned, rolling) for planned in included)], columns)
    out = [planned for planned in plan.hosts if planned.wave is None]
    message = _left_out(out)
    summary = _summary(plan, settings, len(included), len(out))
    return [
        *lines,
        *wrapped([*message, *missing], "          ", columns),
        "",
        *wrapped(
            [
                summary,
                *_duration(plan, now),
                *at_most_lines([planned.host for planned in plan.whole], settings["at_most"]),
                *([NODES[settings["clusters"]]] if settings["clusters"] in NODES else []),
                *_windows(settings),
                *leftovers,
            ],
            columns=columns,
        ),
    ]


def _left_out(out: Sequence[Planned]) -> list[str]:
    """The hosts that are left out. Those that one run holds share its sentence, which is long."""
    lines, held = list[str](), dict[str, list[str]]()
    for planned in out:
        code, reason = planned.host.exclusion or ("", "")
        if code == Reason.LEASED:
            held.setdefault(reason, []).append(planned.host.name)
        else:
            lines.append(f"left out  {planned.host.name}: {reason}")
    return [*lines, *(f"left out  {join_names(names, NAMED)}: {reason}" for reason, names in held.items())]


def _windows(settings: Settings) -> list[str]:
    """The window of the run, and those of accounts."""
    found = [settings["window"], *(limits["window"] for limits in settings["account_limits"].values())]
    return [sentence for sentence in found if sentence]


def _table(rows: Sequence[tuple[str, ...]], columns: int) -> list[str]:
    """The rows in lines of a terminal: without a column or two, and at last with shorter names, where it is narrower than usual."""
    widths = [min(max(len(row[at]) for row in rows), limit) for at, limit in enumerate(LONGEST)]
    shown = list(range(len(TITLES)))

    def too_much() -> int:
        return sum(widths[at] for at in shown) + 2 * (len(shown) - 1) - columns if columns < COLUMNS else 0

    for title in LEFT_OUT_FIRST:
        if too_much() > 0:
            shown.remove(TITLES.index(title))
    name = TITLES.index("host")
    if too_much() > 0:
        widths[name] = max(widths[name] - too_much(), SHORTEST_NAME)
    return ["  ".join(_fit(row[at], widths[at]) for at in shown).rstrip() for row in rows]


def wrapped(texts: list[str], indent: str = "", columns: int = COLUMNS) -> list[str]:
    """Sentences as lines of a terminal. A command stays one line, so that it can be copied."""
    return [
        line
        for text in texts
        for line in ([text] if is_command(text) else textwrap.wrap(text, columns, subsequent_indent=indent))
    ]


def _duration(plan: Plan, now: float) -> list[str]:
    """When a run that starts now ends, how much longer it may take, and what a sliding window would save."""
    if not plan.included:
        return []
    usual, longest = plan.estimate_seconds, plan.longest_seconds
    sentences = [f"About {_hours(usual)}: it would end at {iso(now + usual)}. Times are UTC."]
    if longest - usual >= SHORTEST_SHOWN_SECONDS:
        sentences.append(
            f"If each host takes as long as the slowest in ten of its workflows: {_hours(longest)}, until {iso(now + longest)}."
        )
    if plan.rolling_seconds is not None and usual - plan.rolling_seconds >= SHORTEST_SHOWN_SECONDS:
        saved = _hours(usual - plan.rolling_seconds)
        sentences.append(f"With patch_rollout=rolling: about {_hours(plan.rolling_seconds)}, {saved} less.")
    return [join_sentences(*sentences)]


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h"


def _row(planned: Planned, rolling: bool) -> tuple[str, str, str, str, str, str, str]:
    """In a sliding window the hosts have numbers; waves have others."""
    host, minutes = planned.host, round(planned.starts_after_seconds / 60)
    return (
        f"no. {planned.position + 1}" if rolling else f"wave {planned.wave}",
        f"+{minutes // 60}:{minutes % 60:02}",
        host.name,
        NOT_ASKED if host.kind == "winrm" else host.state,
        host.type or host.connection or host.kind,
        host.az or host.region or "-",
        host.key,
    )


def _fit(text: str, width: int) -> str:
    return (text if len(text) <= width else text[: width - 1] + "…").ljust(width)


def _summary(plan: Plan, settings: Settings, included: int, out: int) -> str:
    verb = VERBS[settings["operation"]]
    if not included:
        return f"0 hosts will be {verb}. Left out: {out}, for the reasons above. A run would end with an error."
    off = sum(planned.host.power == "stopped" for planned in plan.included)
    deadline_at, max_running = settings["deadline_at"], settings["max_running"]
    return join_sentences(
        f"{counted(included, 'host')} will be {verb}, {plan.batch_size} at a time.",
        f"The run starts {off} of them and stops {'it' if off == 1 else 'them'} again." if off else None,
        f"Left out: {out}.",
        None if deadline_at is None else f"No host starts that cannot be finished by {iso(deadline_at)}.",
        None
        if max_running is None
        else f"Runs have at most {counted(max_running, 'instance')} on at once (patch_max_running).",
        f"The run tolerates {counted(plan.failure_budget, 'failure')} (patch_failure_budget).",
        _account_budgets(plan, settings["account_failure_budget"]),
    )


def _account_budgets(plan: Plan, budget: int | str | None) -> str | None:
    """How many failures end only the part of their account."""
    if budget is None or not plan.by_account:
        return None
    budgets = {str(account): hosts_of_share(budget, number) for account, number in plan.by_account.items()}
    named = join_names([f"{name}: {number}" for name, number in sorted(budgets.items())], NAMED)
    return f"More failures than this in one account end only its part of the run: {named}."
