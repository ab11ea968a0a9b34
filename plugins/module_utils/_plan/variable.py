# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is to say about a variable of the playbooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PREFIX = "patch_"
OWN_PREFIX = "patch__"
"""Names that roles register results under; never a user's."""
RELEASE = "1.0.0"
"""The first release; a variable says in ``since`` when it came later."""

GROUPS = {
    "hosts": "Which hosts",
    "when": "When",
    "pace": "How many at a time",
    "work": "What happens on a host",
    "safety": "Safety",
    "disk": "Disk",
    "evidence": "Ledger and evidence",
}
"""The groups of the documentation page, in its order."""
EVERY_ROLE = (
    "discover",
    "expand_ebs",
    "patch",
    "repair_windows_update",
    "report",
    "restore_state",
    "start_hosts",
    "user_tasks",
)
"""All roles that work on hosts, or for them."""


@dataclass(frozen=True)
class Variable:
    """A variable of the playbooks. Argument specs, defaults, tables and options of modules are generated from it.

    Attributes:
        kind: str, line (one line of text for people), int, float, bool, list (of str), dict, count_or_percent (a number of
            hosts or a percentage of them), datetime (ISO 8601), accounts (of AWS, see _plan/accounts.py), organization (of AWS,
            see _plan/organization.py), at_most (see _plan/at_most.py), sla_days (days by severity, see _plan/sla.py), checks and
            evidence (see _plan/checks.py), slice (see _plan/slices.py), skip_when (see _update/skip_when.py), stack_set
            (see _plan/stack_set.py), kbs (a list of Microsoft's numbers of updates), prices (USD an hour by instance
            type, see _plan/prices.py), webhook (a URL, which is a secret).
        group: a key of GROUPS.
        description: in Ansible's markup, enough for a table.
        details: a second paragraph, for where there is room.
        roles: the roles that have it as an option.
        modules: the modules that have an option of the same name without the prefix.
        minimum: the smallest valid number; of count_or_percent the smallest number of hosts.
        maximum: the largest valid number.
        choices: the valid values; of a list those of its elements.
        unset: what holds where it has no value and no default.
        default_unless: the variable that, where it is set, takes away this one's default.
        per_host: may differ between the hosts of a run. All others count for the whole run.
        first: is among the few that most people set first.
    """

    name: str
    kind: str
    group: str
    description: str
    details: str = ""
    default: Any = None
    roles: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    unset: str = ""
    default_unless: str = ""
    per_host: bool = False
    first: bool = False
    since: str = RELEASE

    @property
    def short_name(self) -> str:
        """Without the prefix: its key in the settings, and the option's name in its modules."""
        return self.name.removeprefix(PREFIX)
