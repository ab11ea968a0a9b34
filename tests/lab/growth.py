# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes grow within the caps that the user has set, and only those that hold Windows."""

from __future__ import annotations

from collections.abc import Iterator

from lab.records import Run, StepRun

GROW_GIB, VOLUME_MAX_GIB = 20, 200


def growth_problems(run: Run) -> Iterator[str]:
    """One line for each volume that grew too far, or should not have grown at all."""
    for step in run.step_runs:
        for name, after in step.after.items():
            before = step.before.get(name, {})
            if before.get("data_volumes_gib") != after.get("data_volumes_gib"):
                was, now = before.get("data_volumes_gib"), after.get("data_volumes_gib")
                yield f"growth.data_volumes.{name}: expected {was} GiB as before, got {now}"
            if before.get("volume_gib") is not None and after.get("volume_gib") is not None:
                yield from _root_volume(run, step, name, (before["volume_gib"], after["volume_gib"]))


def _root_volume(run: Run, step: StepRun, name: str, sizes: tuple[float, float]) -> Iterator[str]:
    before, after = sizes
    if after == before:
        return
    if not step.patches:
        yield f"growth.{name}: expected no volume to grow in {step.step.playbook}, got {after} GiB after {before}"
        return
    variables = run.vars_of(step)
    by, to = variables.get("patch_grow_gib", GROW_GIB), variables.get("patch_volume_max_gib", VOLUME_MAX_GIB)
    if isinstance(by, int | float) and after - before > by:
        yield f"growth.{name}: expected at most {by} GiB more, got {after} GiB after {before}"
    if isinstance(to, int | float) and after > to:
        yield f"growth.{name}: expected at most {to} GiB, got {after}"
