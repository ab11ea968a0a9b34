# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Do the same for several things at once, in threads: for questions that mostly wait for an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

MOST_THREADS = 16

T = TypeVar("T")
R = TypeVar("R")


def side_by_side(do: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """The results in the order of the items, whichever comes first.

    Raises:
        Exception: what ``do`` raises for the first of the items for which it does.
    """
    listed = list(items)
    if len(listed) < 2:
        return [do(item) for item in listed]
    with ThreadPoolExecutor(min(len(listed), MOST_THREADS)) as pool:
        return list(pool.map(do, listed))
