# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a fleet's patching as a child and leaves what it cost in DIR/figures.json. Arguments: what, DIR, batch."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import system_clock

SAMPLE_SECONDS = 0.5


def main(command: str, out: Path, batch: int) -> int:
    """Exit code 0, or that of the child."""
    started_at = system_clock().now()
    with (out / "log.txt").open("wb") as log:
        child = subprocess.Popen(arguments(command, out, batch), stdout=log, stderr=log, env=environment(command))
        peak, worker = watch(child)
    cpu = os.times()
    figures = {
        "cpu_seconds": cpu.children_user + cpu.children_system,
        "peak_mb": peak,
        "worker_mb": worker,
        "lab_seconds": system_clock().now() - started_at,
    }
    (out / "figures.json").write_text(json.dumps(figures), encoding="utf-8")
    return child.returncode


def arguments(command: str, out: Path, batch: int) -> list[str]:
    """The child: the playbook with tasks or threads (patch_runner), or the steps alone (``workflow``)."""
    values = {"patch_batch_size": batch, "patch_ledger": str(out / "ledger.sqlite"), "patch_report_dir": str(out)}
    if command == "workflow":
        return [sys.executable, "-m", "bench.workflow", json.dumps(values)]
    values["patch_runner"] = command
    return ["ansible-playbook", "patchfleet.windows.patch", "--forks", str(batch), "-e", json.dumps(values)]


def environment(command: str) -> dict[str, str]:
    """Ansible finds collections by itself, and must not find them twice."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH" or command == "workflow"}


def watch(child: subprocess.Popen[bytes]) -> tuple[float, float]:
    """MB: the largest sum of the tree's proportional set sizes, and the largest private size of one of its workers."""
    peak = worker = 0.0
    while child.poll() is None:
        sizes = [(pid, *memory(pid)) for pid in tree(child.pid)]
        peak = max(peak, sum(pss for _pid, pss, _own in sizes))
        worker = max([worker, *(own for pid, _pss, own in sizes if pid != child.pid)])
        time.sleep(SAMPLE_SECONDS)
    return peak, worker


def tree(pid: int) -> list[int]:
    """A process and its descendants, as far as they still live."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return []
    return [pid, *(descendant for child in children for descendant in tree(int(child)))]


def memory(pid: int) -> tuple[float, float]:
    """(PSS, private) of a process in MB; zeros once it has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0.0, 0.0
    sizes = {key: int(value) / 1024 for key, value in re.findall(r"^(\w+): +(\d+) kB", text, re.MULTILINE)}
    return sizes.get("Pss", 0.0), sizes.get("Private_Clean", 0.0) + sizes.get("Private_Dirty", 0.0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
