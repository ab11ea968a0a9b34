# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets the tests import the collection by its own name, and so the very files of this checkout.

Spares them time that proves nothing: to wait for the disk at each commit, and to look for garbage among what was collected.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# Those beside the Python that runs the tests: `make matrix` has a virtual environment for each ansible-core.
COLLECTIONS = Path(sys.prefix) / "collections"

sys.path.insert(0, str(COLLECTIONS))

# How long an example takes says something of the machine, and nothing of the product.
hypothesis.settings.register_profile("patchfleet", deadline=None)
hypothesis.settings.load_profile("patchfleet")


@pytest.fixture(scope="session", autouse=True)
def synchronous() -> Iterator[str]:
    """The product's own setting. No test cuts the power, and what a killed process wrote is the kernel's either way."""
    from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import sqlite_file  # noqa: PLC0415

    with pytest.MonkeyPatch.context() as patch:
        own = sqlite_file.SYNCHRONOUS
        patch.setattr(sqlite_file, "SYNCHRONOUS", "OFF")
        yield own


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The scenarios come last. They are many and none is long, so that all workers end at about the same time."""
    items.sort(key=lambda item: item.path.name == "test_scenarios.py")


def pytest_collection_finish() -> None:
    """Modules and test items stay until the end: no garbage collection has to go through them again."""
    gc.collect()
    gc.freeze()
