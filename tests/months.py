# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fill a ledger with the runs of months, run by run, for the tests of what reads them together."""

from __future__ import annotations

from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import iso
from ansible_collections.patchfleet.windows.plugins.module_utils._history.build import History, build_history
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Host, Ledger, Run, Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._model.outcomes import Outcome

START = 1_794_693_600.0
"""2026-11-14T22:00:00Z, in seconds since 1970."""
DAY = 86400.0
KEY = "i-0123"


class Months:
    """A ledger that is filled run by run, ``days`` apart from START."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def run(self, days: float, key: str = KEY, **host: Any) -> str:
        """A run with one host, which ends with this outcome; returns its id."""
        at = START + days * DAY
        run_id = f"run-{days:g}-{key}"
        facts = host.pop("facts", {})
        outcome, code = host.pop("outcome", "patched"), host.pop("code", None)
        if "missing" in facts:
            facts = {**facts, "verified_at": iso(at + 3600)}
        values = {"name": "web", "kind": "ec2", "instance_id": key, "region": "eu-central-1", **host}
        run = Run(run_id, at, "install", "snapshot", {}, {"host": "controller", "pid": 1, "user": "somebody"}, at)
        self.ledger.open_run(run, [Host(run_id=run_id, key=key, position=0, facts=facts, **values)], take_over=False)
        if outcome:
            self.ledger.set_outcome(run_id, key, Verdict(Outcome(outcome), None, code, "Because."))
        self.ledger.close_run(run_id, at + 7200)
        return run_id

    def history(self, days: float, limits: dict[str, float] | None = None) -> History:
        """What the ledger shows this number of days after START."""
        return build_history(self.ledger, self.ledger.runs(), 400, limits or {}, START + days * DAY)


def missing(*kbs: str, **more: Any) -> dict[str, Any]:
    """A failed visit whose scan misses these."""
    return {"outcome": "failed", "code": "still_missing", "facts": {"missing": list(kbs), **more}}
