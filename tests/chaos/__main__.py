# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nights at random: ``python -m chaos --runs 2000 --seed 1``, or one again, reduced: ``python -m chaos --again 1/17``."""

from __future__ import annotations

import argparse
import multiprocessing
import secrets
import signal
import sys
import time
from collections import Counter

import yaml

from chaos.crowd import MARK, crowds_of, play_any
from chaos.draw import draw
from chaos.drawn import from_data
from chaos.play import Ended, play_drawn
from chaos.shrink import Data, shrink
from chaos.watch import KINDS

AGAIN = "make chaos AGAIN="
PROGRESS_NIGHTS = 100


def main() -> int:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", default=None, help="of all nights; drawn where it is not given")
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--again", help="one night, by the seed that was printed; a bad one is reduced to what matters")
    given = parser.parse_args()
    if given.again:
        return _play_again(given.again)
    return _play_nights(given.seed or secrets.token_hex(4), given.runs, given.jobs)


def _play_nights(seed: str, runs: int, jobs: int) -> int:
    """All nights of a seed, or those until the run is ended by a signal: its table says how many were played."""
    print(f"seed {seed}: {runs} nights", flush=True)
    started_at, bad, played = time.monotonic(), list[Ended](), 0
    counts = Counter[str]()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # The processes that play leave signals to this one.
        ignore = {"initializer": signal.signal, "initargs": (signal.SIGINT, signal.SIG_IGN)}
        with multiprocessing.get_context("spawn").Pool(min(jobs, runs), **ignore) as pool:
            seeds = [*crowds_of(seed, runs), *(f"{seed}/{number}" for number in range(runs))]
            for ended in pool.imap(play_any, seeds, chunksize=1):
                played += MARK not in ended.seed
                counts.update(ended.counts)
                _print_problems(ended, counts)
                if ended.problems:
                    bad.append(ended)
                if played and played % PROGRESS_NIGHTS == 0:
                    print(f"{played} nights played, {len(bad)} bad", flush=True)
    except KeyboardInterrupt:
        print("ended by a signal", flush=True)
    _print_table(f"seed {seed}: {played} nights in {time.monotonic() - started_at:.0f} s, {len(bad)} bad", counts)
    for ended in bad:
        print(f"{AGAIN}{ended.seed} plays one of them again, and reduces it")
    return 1 if bad or played < runs else 0


def _play_again(seed: str) -> int:
    """The night of this seed; if it is bad, the smallest one with a problem of the same kind is printed as data."""
    ended, counts = play_any(seed), Counter[str]()
    counts.update(ended.counts)
    _print_problems(ended, counts)
    _print_table(f"night {seed}: {len(ended.problems)} problems", counts)
    if not ended.problems:
        return 0
    if MARK in seed:
        return 1  # a crowd is not reduced
    kind = ended.problems[0].kind

    def is_bad(night: Data) -> bool:
        return any(problem.kind == kind for problem in play_drawn(from_data(night)).problems)

    smallest = shrink(draw(seed).to_data(), is_bad)
    kept = [{"why": f"{problem.text} (to be explained)", "kind": kind} for problem in ended.problems[:1]]
    print("\nReduced, for tests/unit/chaos/nights.yml:\n")
    print(yaml.safe_dump([{**kept[0], "night": smallest}], sort_keys=False, default_flow_style=None, width=140))
    return 1


def _print_problems(ended: Ended, counts: Counter[str]) -> None:
    for problem in ended.problems:
        counts[problem.kind] += 1
        print(f"{ended.seed}  {problem.kind}: {problem.text}", flush=True)


def _print_table(title: str, counts: Counter[str]) -> None:
    print(f"\n{title}")
    for name in (*KINDS, *sorted(counts.keys() - set(KINDS))):
        print(f"  {name:48} {counts[name]:>8}")


if __name__ == "__main__":
    sys.exit(main())
