# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One night, from its seed to its judgement."""

from __future__ import annotations

import contextlib
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from chaos.controller import AtWork, Controller, is_past, one_after_the_other
from chaos.draw import draw
from chaos.drawn import Drawn, WrongClock
from chaos.judge import left_on, named_on, problems
from chaos.night import Night
from chaos.outside import Killed
from chaos.own_clock import OwnClock
from chaos.turns import Turns
from chaos.watch import LEFT_ON, RAISED, Problem
from lab.aws.setup import PREFIX

OF_HOSTS = ("restore_point", "clusters")
"""Variables that tasks of a host take as options."""
MEMORY = Path("/dev/shm")  # noqa: S108 - each night makes a folder of its own below


@dataclass
class Ended:
    """A night that is over; ``counts`` go into the table."""

    seed: str
    problems: list[Problem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def play(seed: str) -> Ended:
    """The night of this seed to its end."""
    return play_drawn(draw(seed), seed)


def play_drawn(drawn: Drawn, seed: str = "") -> Ended:
    """One night to its end."""
    ended = Ended(seed)
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        try:
            with Night(Path(folder), drawn.backend, drawn.remotes, **drawn.keys) as night:
                if drawn.window:
                    night.add_window(drawn.window)
                if drawn.watchdog:
                    night.deliver_schedules(drawn.watchdog)
                _play(night, drawn, ended)
        except Exception as error:  # noqa: BLE001 - whatever the product raises here is a finding
            ended.problems.append(Problem(RAISED, f"{type(error).__name__}: {error}"))
    ended.counts[f"nights with {drawn.backend}"] += 1
    for name in ("watchdog", "window", "clock", "stop"):
        ended.counts[f"nights with a drawn {name}"] += getattr(drawn, name) is not None
    for variable in ("restore_point", "stop_alarms", "at_most", "clusters"):
        ended.counts[f"nights with patch_{variable}"] += f"patch_{variable}" in drawn.variables
    ended.counts["nights with a roll-back"] += any(one.playbook == "roll_back" for one in drawn.recoveries)
    ended.counts["nights with a poller"] += drawn.poller_answers is not None
    ended.counts["nights with WinRM hosts"] += any(host.get("kind") == "winrm" for host in drawn.keys["hosts"])
    ended.counts["nights with several hosts at work"] += drawn.at_once > 1
    return ended


def _play(night: Night, drawn: Drawn, ended: Ended) -> None:
    controllers = _begin(night, drawn, ended)
    for number, recovery in enumerate(drawn.recoveries, 1):
        night.sleep(recovery.after_seconds)
        turns = Turns(night)
        name = f"recovery {number}"
        later = Controller(night, name, dies_after=recovery.dies_after, sleep=turns.sleep, hosts=_at_work(drawn, turns))
        controllers.append(later)
        turns.run((0.0, partial(_work, later, recovery.playbook, drawn, ended, recovery.host)))
    ended.problems += problems(night, controllers)
    on = {host.name for host in left_on(night)}
    if drawn.is_quiet:
        ended.problems += [Problem(LEFT_ON, f"{name}: though nothing was wrong") for name in sorted(on)]
    ended.counts.update(acts=sum(len(one.acts) for one in controllers), hosts=len(night.scenario.hosts))
    ended.counts["hosts left on, named"] += len(named_on(night))
    ended.counts["starts that nothing distinguishes from ours"] += night.watch.undecidable
    for run in night.ledger.runs():
        ended.counts["runs"] += 1
        for outcome, count in night.ledger.outcome_counts(run.run_id).items():
            ended.counts[f"outcomes: {outcome or 'none yet, and named'}"] += count


def _begin(night: Night, drawn: Drawn, ended: Ended) -> list[Controller]:
    """The first controller, with its rival where there is one."""
    rival, turns = drawn.rival, Turns(night)
    hosts = _at_work(drawn, turns)
    clock = OwnClock(drawn.clock)
    if rival is None:
        first = Controller(night, dies_after=drawn.dies_after, clock=clock, sleep=turns.sleep, hosts=hosts)
        turns.run((0.0, partial(_work, first, "patch", drawn, ended)), *_stops(night, drawn, turns, ended))
        return [first]
    chance = random.Random(rival.seed)

    frozen: list[str] = []

    def pauses(acts: list[str]) -> float:
        if not frozen and is_past(acts, rival.freezes_after):
            frozen.append(acts[-1])
            return rival.freezes_seconds
        return chance.choice((0.0, 0.2, 1.0))

    first = Controller(night, dies_after=drawn.dies_after, clock=clock, sleep=turns.sleep, pauses=pauses, hosts=hosts)
    second = Controller(
        night,
        "rival",
        dies_after=rival.dies_after,
        clock=OwnClock(WrongClock(rival.skew_seconds)),
        sleep=turns.sleep,
        pauses=lambda _acts: chance.choice((0.0, 0.2, 1.0)),
        hosts=hosts,
    )
    turns.run(
        (0.0, partial(_work, first, "patch", drawn, ended)),
        (rival.begins_seconds, partial(_work, second, rival.playbook, drawn, ended)),
        *_stops(night, drawn, turns, ended),
    )
    ended.counts["nights with two living controllers"] += 1
    return [first, second]


def _at_work(drawn: Drawn, turns: Turns) -> AtWork:
    """How all controllers of a night work on hosts."""
    watchdog = {"dead_man_switch": True, "dead_man_switch_margin_seconds": 600, "setup_prefix": PREFIX}
    options = watchdog if drawn.watchdog else {}
    options |= {name: drawn.variables[f"patch_{name}"] for name in OF_HOSTS if f"patch_{name}" in drawn.variables}
    gather = turns.gather if drawn.at_once > 1 else one_after_the_other
    return AtWork(drawn.at_once, gather, options, drawn.poller_answers)


def _stops(night: Night, drawn: Drawn, turns: Turns, ended: Ended) -> Iterator[tuple[float, Callable[[], None]]]:
    """A person on another machine stops the run, and lets it continue, each at its time."""
    if drawn.stop is None:
        return
    person = Controller(night, "on call", sleep=turns.sleep)
    yield drawn.stop.at_seconds, partial(_brake, person.stop, ended)
    if drawn.stop.resumes_after_seconds is not None:
        yield drawn.stop.at_seconds + drawn.stop.resumes_after_seconds, partial(_brake, person.resume, ended)


def _brake(brake: Callable[[str], list[str]], ended: Ended) -> None:
    """For all runs that live, if there is one."""
    with contextlib.suppress(PatchFleetError):
        ended.counts[f"runs that people told to {brake.__name__}"] += len(brake("all"))


def _work(controller: Controller, playbook: str, drawn: Drawn, ended: Ended, host: str | None = None) -> None:
    try:
        if playbook == "patch":
            controller.patch(**drawn.variables)
        elif playbook == "roll_back" and host:
            controller.roll_back(host)
        else:
            controller.restore()
    except Killed:
        ended.counts["controllers killed"] += 1
    except PatchFleetError as error:
        ended.counts[f"{playbook} ended with {error.code}"] += 1
    finally:
        controller.at_work = False
