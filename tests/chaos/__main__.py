# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nights at random: ``python -m chaos --runs 2000 --seed 1``, or one again, reduced: ``python -m chaos --again 1/17``."""

from __future__ import annotations

import argparse
import multiprocessing
import secrets
import sys
import time
from collections import Counter

import yaml

from chaos.draw import draw
from chaos.drawn import from_data
from chaos.play import Ended, play, play_drawn
from chaos.shrink import Data, shrink
from chaos.watch import KINDS

AGAIN = "make chaos AGAIN="


def main() -> int:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", default=None, help="of all nights; drawn where it is not given")
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--again", help="one night, by the seed that was printed; a bad one is reduced to what matters")
    given = parser.parse_args()
    if given.again:
        return _play_again(given.again)
    seed = given.seed or secrets.token_hex(4)
    print(f"seed {seed}: {given.runs} nights", flush=True)
    started_at, bad = time.monotonic(), list[Ended]()
    counts = Counter[str]()
    with multiprocessing.get_context("spawn").Pool(min(given.jobs, given.runs)) as pool:
        seeds = [f"{seed}/{number}" for number in range(given.runs)]
        for ended in pool.imap_unordered(play, seeds, chunksize=1):
            counts.update(ended.counts)
            _print_problems(ended, counts)
            if ended.problems:
                bad.append(ended)
    _print_table(f"seed {seed}: {given.runs} nights in {time.monotonic() - started_at:.0f} s, {len(bad)} bad", counts)
    for ended in bad:
        print(f"{AGAIN}{ended.seed} plays one of them again, and reduces it")
    return 1 if bad else 0


def _play_again(seed: str) -> int:
    """The night of this seed; if it is bad, the smallest one with a problem of the same kind is printed as data."""
    ended, counts = play(seed), Counter[str]()
    counts.update(ended.counts)
    _print_problems(ended, counts)
    _print_table(f"night {seed}: {len(ended.problems)} problems", counts)
    if not ended.problems:
        return 0
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
