# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sums of a report by account and region, and the section of the page that has them as filters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.patchfleet.windows.plugins.module_utils._report import _format as f
from ansible_collections.patchfleet.windows.plugins.module_utils._report._markup import icon, text


def account_of(host: f.Host) -> str:
    """The id of its account, ``NOTHING`` without one."""
    return f.plain(host.get("account"))


def region_of(host: f.Host) -> str:
    """Its region, ``NOTHING`` without one."""
    return f.plain(host.get("region"))


def has_several_accounts(hosts: Iterable[f.Host]) -> bool:
    """Whether the hosts are in more than one account; hosts without AWS have none."""
    return len({host["account"] for host in hosts if host.get("account")}) > 1


def by_location(hosts: Iterable[f.Host]) -> dict[tuple[str, str], list[f.Host]]:
    """The hosts by account and region, in this order; hosts without AWS come last."""
    found: dict[tuple[str, str], list[f.Host]] = {}
    for host in hosts:
        found.setdefault((account_of(host), region_of(host)), []).append(host)
    return dict(sorted(found.items(), key=lambda item: (item[0][0] == f.NOTHING, item[0])))


def sums(hosts: Sequence[f.Host]) -> str:
    """The section with the sums, where there is more than one account or region. The script makes its names filters."""
    found = by_location(hosts)
    if len(found) < 2:
        return ""
    shown = [outcome for outcome, number in f.totals(hosts).items() if number]
    is_priced = any(host.get("on_usd") is not None for host in hosts)
    sums_of = [
        "Hosts",
        *(f"{icon(outcome)}{outcome}" for outcome in shown),
        "On time",
        *(["Cost, USD"] if is_priced else []),
    ]
    heads = "".join(f"<th scope=col class=number>{title}" for title in sums_of)
    rows = "\n".join(
        f"<tr><th scope=row>{_button('a', account)}<td>{_button('r', region)}{_numbers(theirs, shown, is_priced)}"
        for (account, region), theirs in found.items()
    )
    return f"""<section class=sums>
<h2 id=sums-title>Accounts and regions</h2>
<div class=stacked tabindex=0 role=region aria-labelledby=sums-title>
<table aria-labelledby=sums-title>
<thead><tr><th scope=col>Account<th scope=col>Region{heads}</tr></thead>
<tbody>{rows}</tbody>
<tfoot><tr><th scope=row>All<td>{_numbers(hosts, shown, is_priced)}</tfoot>
</table>
</div>
</section>"""


def _button(kind: str, value: str) -> str:
    return f'<button class=where disabled data-{kind}="{text(value)}">{text(value)}</button>'


def _numbers(hosts: Sequence[f.Host], shown: Sequence[str], is_priced: bool) -> str:
    """The cells with sums. Each names its column, for windows in which the table has no head."""
    found = f.totals(hosts)
    on = [host["on_seconds"] for host in hosts if host.get("on_seconds") is not None]
    cells = {"Hosts": str(len(hosts))} | {outcome: str(found.get(outcome, 0)) for outcome in shown}
    cells["On time"] = f.duration(sum(on)) if on else f.NOTHING
    if is_priced:
        priced = [host["on_usd"] for host in hosts if host.get("on_usd") is not None]
        cells["Cost, USD"] = f"{sum(priced):.2f}" if priced else f.NOTHING
    return "".join(
        f'<td class="number{" zero" if cell == "0" else ""}" data-label="{label}">{cell}'
        for label, cell in cells.items()
    )
