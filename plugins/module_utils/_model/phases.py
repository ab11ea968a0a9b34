# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The phases of a host's run, in their order."""

from __future__ import annotations

from .text_enum import TextEnum


class Phase(TextEnum):
    """A phase of a host's run; the report and the options of modules call it ``step``."""

    PLAN = "plan"
    """Before the run is opened: the host is found, and may be left out."""
    ADMIT = "admit"
    """It waits for its turn, and is checked again."""
    START = "start"
    READY = "ready"
    """It is waited for until it takes commands; then patch_pre_tasks run."""
    DISK = "disk"
    REPAIR = "repair"
    PATCH = "patch"
    VERIFY = "verify"
    RESTORE = "restore"
    """Its power state is put back, after patch_post_tasks."""


AFTER_UPDATES = frozenset({Phase.PATCH, Phase.VERIFY})
"""A host that answers no more has rebooted with its updates, or was about to."""
WITHOUT_TIMEOUT = frozenset({Phase.ADMIT, Phase.RESTORE})
"""The time of the host (patch_host_timeout_seconds) does not end them: it begins after the one and must not cut off the other."""
