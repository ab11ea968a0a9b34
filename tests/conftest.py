# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets the tests import the collection by its own name, and so the very files of this checkout."""

from __future__ import annotations

import sys
from pathlib import Path

import hypothesis

# Those beside the Python that runs the tests: `make matrix` has a virtual environment for each ansible-core.
COLLECTIONS = Path(sys.prefix) / "collections"

sys.path.insert(0, str(COLLECTIONS))

# How long an example takes says something of the machine, and nothing of the product.
hypothesis.settings.register_profile("patchfleet", deadline=None)
hypothesis.settings.load_profile("patchfleet")
