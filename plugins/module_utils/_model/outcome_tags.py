# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys of the tags that patch_outcome_tags sets."""

from __future__ import annotations

OUTCOME_TAG = "patchfleet:outcome"
PROVEN_AT_TAG = "patchfleet:proven-at"
RUN_TAG = "patchfleet:run"
OUTCOME_TAGS = frozenset({OUTCOME_TAG, PROVEN_AT_TAG, RUN_TAG})
