# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Slices of a job: several controllers plan the same hosts in the same order, and each works on its share of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

from .._base.errors import InvalidOption
from .._model.settings import Settings

SLICE = re.compile(r"(\d{1,4})/(\d{1,4})")
JOB = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")
"""The report's folder has this name."""

T = TypeVar("T")


def read_slice(name: str, given: object) -> str:
    """A slice such as ``2/5``.

    Raises:
        InvalidOption: it is no slice, or no slice of that number.
    """
    text = str(given).replace(" ", "")
    found = SLICE.fullmatch(text)
    if found is None:
        raise InvalidOption(name, given, "It must be a number of a number of slices: 2/5.")
    number, count = numbers_of(text)
    if not 1 <= number <= count:
        raise InvalidOption(name, given, f"Of {count} slices it must be one from 1/{count} to {count}/{count}.")
    return f"{number}/{count}"


def numbers_of(text: str) -> tuple[int, int]:
    """Which slice, and of how many."""
    number, _slash, count = text.partition("/")
    return int(number), int(count)


def check_slice(settings: Settings) -> None:
    """Raises InvalidOption: a slice of a job without a name, or with one that no folder can have."""
    if not settings["slice"]:
        return
    job = settings["run_id"]
    if not job:
        raise InvalidOption("patch_run_id", job, "patch_slice needs it: the name that all slices of the job share.")
    if not JOB.fullmatch(job):
        right = (
            "With patch_slice it must be of letters, digits and . _ -, at most 50, and begin with a letter or digit."
        )
        raise InvalidOption("patch_run_id", job, right)


def share_of(items: Sequence[T], settings: Settings) -> list[T]:
    """What the slice of these settings works on. They are dealt in turn, so that each slice has long and short workflows."""
    if not settings["slice"]:
        return list(items)
    number, count = numbers_of(settings["slice"])
    return list(items[number - 1 :: count])
