# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the user started this run: with a command, or with a job template of AWX."""

from __future__ import annotations

import os

JOB_FOLDER = "AWX_PRIVATE_DATA_DIR"
"""AWX and the automation controller set it in the environment of every job (awx/main/tasks/jobs.py, build_env)."""


def in_job() -> bool:
    """Whether this is a job of AWX, whose user knows the fields of a template and no options of a command."""
    return bool(os.environ.get(JOB_FOLDER))


def name_of_limit(limit: str) -> str:
    """The limit as its user gave it: ``--limit web``, or the field of the job."""
    return f"The limit {limit} of this job" if in_job() else f"--limit {limit}"
