# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nights at random: ``python -m chaos --runs 2000 --seed 1``, or one again: ``python -m chaos --again 1/17``."""

from __future__ import annotations

import argparse
import multiprocessing
import secrets
import sys
import time
from collections import Counter

from chaos.play import play
from chaos.watch import KINDS


def main() -> int:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", default=None, help="of all nights; drawn where it is not given")
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--again", help="one night, by the seed that was printed")
    given = parser.parse_args()
    seed = given.again or given.seed or secrets.token_hex(4)
    seeds = [given.again] if given.again else [f"{seed}/{number}" for number in range(given.runs)]
    started_at, counts, bad = time.monotonic(), Counter[str](), 0
    with multiprocessing.get_context("spawn").Pool(min(given.jobs, len(seeds))) as pool:
        for ended in pool.imap_unordered(play, seeds, chunksize=1):
            counts.update(ended.counts)
            bad += bool(ended.problems)
            for problem in ended.problems:
                counts[problem.kind] += 1
                print(f"{ended.seed}  {problem.kind}: {problem.text}", flush=True)
    _print_table(seed, len(seeds), bad, counts, time.monotonic() - started_at)
    return 1 if bad else 0


def _print_table(seed: str, nights: int, bad: int, counts: Counter[str], seconds: float) -> None:
    print(f"\nseed {seed}: {nights} nights in {seconds:.0f} s, {bad} with a violation")
    for name in (*KINDS, *sorted(counts.keys() - set(KINDS))):
        print(f"  {name:48} {counts[name]:>8}")


if __name__ == "__main__":
    sys.exit(main())
