# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The updates of a run, before and after: on how many hosts each was missing, was installed, is missing and failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from ansible_collections.patchfleet.windows.plugins.module_utils._report import _format as f
from ansible_collections.patchfleet.windows.plugins.module_utils._report._markup import text

from .._base.text import counted

MOST_SHOWN = 15
_TITLES = ("Update", "Missing before", "Installed", "Still missing", "Failed with")


@dataclass
class UpdateCounts:
    """How many hosts an update concerns; ``failed`` is how many it failed on, by error code."""

    kb: str
    installed: int = 0
    missing: int = 0
    failed: Counter[str] = field(default_factory=Counter)

    @property
    def before(self) -> int:
        """On how many hosts it was missing before the run."""
        return self.installed + self.missing


def count_updates(hosts: Iterable[f.Host]) -> list[UpdateCounts]:
    """The updates of these hosts, those that are still missing on most hosts first."""
    found: dict[str, UpdateCounts] = {}
    for host in hosts:
        for kb in set(host.get("installed") or ()) - set(host.get("missing") or ()):
            found.setdefault(kb, UpdateCounts(kb)).installed += 1
        for kb in set(host.get("missing") or ()):
            found.setdefault(kb, UpdateCounts(kb)).missing += 1
        for failed in host.get("failed_updates") or ():
            found.setdefault(failed["kb"], UpdateCounts(failed["kb"])).failed[str(failed["hresult"])] += 1
    return sorted(found.values(), key=lambda one: (-one.missing, -one.before, f.natural_key(one.kb)))


def update_section(hosts: Iterable[f.Host]) -> str:
    """The section of the page with these numbers, where there are any."""
    updates = count_updates(hosts)
    if not updates:
        return ""
    rows = "\n".join(
        f'<tr><th scope=row>{text(one.kb)}{_numbers(one)}<td class=codes data-label="{_TITLES[-1]}">{_codes(one)}'
        for one in updates[:MOST_SHOWN]
    )
    marks = ("", *(" class=number" for _count in _TITLES[1:-1]), " class=codes")
    heads = "".join(f"<th scope=col{mark}>{title}" for mark, title in zip(marks, _TITLES, strict=True))
    more = len(updates) - MOST_SHOWN
    rest = f"<p class=note>{counted(more, 'more update')} in report.csv.</p>" if more > 0 else ""
    return f"""<section class="sums updates">
<h2 id=updates-title>Updates, by hosts</h2>
<div class=stacked tabindex=0 role=region aria-labelledby=updates-title>
<table aria-labelledby=updates-title>
<thead><tr>{heads}</tr></thead>
<tbody>{rows}</tbody>
</table>
</div>
{rest}
</section>"""


def _numbers(one: UpdateCounts) -> str:
    """The cells between. Each names its column, for windows in which the table has no head."""
    labelled = zip(_TITLES[1:-1], (one.before, one.installed, one.missing), strict=True)
    return "".join(f'<td class=number data-label="{title}">{number}' for title, number in labelled)


def _codes(one: UpdateCounts) -> str:
    return (
        text(", ".join(f"{code} ({number})" for code, number in one.failed.most_common())) if one.failed else f.NOTHING
    )
