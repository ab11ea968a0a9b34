# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One night, from its seed to its judgement."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.patchfleet.windows.plugins.module_utils._errors import PatchFleetError
from chaos.controller import Controller, Killed
from chaos.draw import Drawn, draw
from chaos.judge import left_on, problems
from chaos.night import Night

MEMORY = Path("/dev/shm")  # noqa: S108 - each night makes a folder of its own below


@dataclass
class Ended:
    """A night that is over; ``counts`` go into the table."""

    seed: str
    problems: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def play(seed: str) -> Ended:
    """One night to its end."""
    drawn, ended = draw(seed), Ended(seed)
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        try:
            with Night(Path(folder), **drawn.keys) as night:
                _play(night, drawn, ended)
        except Exception as error:  # noqa: BLE001 - whatever the product raises here is a finding
            ended.problems.append(f"{type(error).__name__}: {error}")
    return ended


def _play(night: Night, drawn: Drawn, ended: Ended) -> None:
    deaths = [*drawn.deaths, *(None for _ in drawn.recoveries)]
    controllers = [Controller(night, deaths[0])]
    _work(controllers[-1], "patch", ended)
    for death, (pause, playbook) in zip(deaths[1:], drawn.recoveries, strict=False):
        night.pass_time(pause)
        controllers.append(Controller(night, death))
        _work(controllers[-1], playbook, ended)
    on = left_on(night)
    ended.problems += problems(night, controllers)
    if drawn.is_quiet:
        ended.problems += [f"{name}: still on, though nothing was wrong" for name in on]
    outcomes = night.ledger.outcome_counts(night.ledger.runs()[-1].run_id) if night.ledger.runs() else {}
    ended.counts.update({f"hosts {outcome or 'without an outcome'}": count for outcome, count in outcomes.items()})
    ended.counts.update(acts=sum(len(one.acts) for one in controllers), hosts=len(night.scenario.hosts))
    ended.counts["hosts on and named"] += len(on)


def _work(controller: Controller, playbook: str, ended: Ended) -> None:
    try:
        controller.patch() if playbook == "patch" else controller.restore()
    except Killed:
        ended.counts["controllers killed"] += 1
    except PatchFleetError as error:
        ended.counts[f"playbooks refused ({error.code})"] += 1
