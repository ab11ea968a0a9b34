# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``make matrix``: the unit tests and the first scenario on each ansible-core that we support, with the Pythons that are here.

Arguments choose some of them: ``tests/matrix/run.py 2.17 2.21``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENVS = ROOT / ".venv-matrix"
# ansible-core → the `ansible` package that brings it and its collections, and the Pythons on which a controller may run.
CORES = {
    "2.17": ("ansible>=10,<11", ("3.11", "3.12")),
    "2.18": ("ansible>=11,<12", ("3.11", "3.13")),
    "2.19": ("ansible>=12,<13", ("3.11", "3.13")),
    "2.20": ("ansible>=13,<14", ("3.12", "3.14")),
    "2.21": ("ansible>=14,<15", ("3.12", "3.14")),
}
SCENARIO = "tests/scenarios/01-seed-fleet.yml"


def main(wanted: list[str]) -> int:
    """Print a table; 1 when something that could be run failed."""
    rows = []
    for core, (package, (oldest, newest)) in CORES.items():
        if wanted and core not in wanted:
            continue
        for version in ("3.11", "3.12", "3.13", "3.14"):
            if minor(oldest) <= minor(version) <= minor(newest):
                rows.append((core, version, *tried(core, package, version)))
                print(f"ansible-core {core}, Python {version}: {rows[-1][2]}, {rows[-1][3]}", flush=True)
    print(f"\n{'ansible-core':<14}{'Python':<9}{'unit tests':<52}scenario 01")
    for core, version, unit, scenario in rows:
        print(f"{core:<14}{version:<9}{unit:<52}{scenario}")
    return any("failed" in cell for row in rows for cell in row)


def minor(version: str) -> int:
    """3.11 → 11."""
    return int(version.partition(".")[2])


def tried(core: str, package: str, version: str) -> tuple[str, str]:
    """What the unit tests and the scenario said."""
    python = find(version)
    if python is None:
        return "no such Python here", "–"
    venv = VENVS / f"core-{core}-python-{version}"
    if not installed(venv, python, package):
        return "failed to install", "–"
    environment = {**os.environ, "PATCHFLEET_VENV": str(venv), "PATH": f"{venv}/bin{os.pathsep}{os.environ['PATH']}"}
    unit = quiet([venv / "bin/python", "-m", "pytest", "-q", "-n", "2", "tests/unit"], environment)
    last = unit.stdout.strip().splitlines()[-1] if unit.stdout.strip() else "failed to start"
    scenario = quiet(["tests/lab/run", SCENARIO], environment)
    if unit.returncode or scenario.returncode:
        (venv / "output.txt").write_text(unit.stdout + scenario.stdout, encoding="utf-8")
    return last if unit.returncode == 0 else f"failed: {last}", "holds" if scenario.returncode == 0 else "failed"


def find(version: str) -> str | None:
    """A Python of that version that runs: from the PATH, or from pyenv's own folder, since its shims may lead nowhere."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(f"python{version}"), *map(str, sorted(pyenv.glob(f"{version}.*/bin/python")))]
    for candidate in filter(None, candidates):
        said = quiet(
            [candidate, "-c", "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"], dict(os.environ)
        )
        if said.stdout.strip() == version:
            return candidate
    return None


def installed(venv: Path, python: str, package: str) -> bool:
    """Make the environment, once, from the project's own ranges; only the `ansible` package is another one."""
    stamp = venv / ".installed"
    if stamp.exists():
        return True
    shutil.rmtree(venv, ignore_errors=True)
    VENVS.mkdir(exist_ok=True)
    files = [ROOT / "requirements" / name for name in ("controller.txt", "lab.txt", "test.txt")]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    ranges = [line for line in lines if line and not line.startswith(("#", "-r", "ansible ", "molecule"))]
    wanted = VENVS / f"{venv.name}.txt"
    wanted.write_text("\n".join([package, *ranges]) + "\n", encoding="utf-8")
    steps: list[list[str | Path]] = [
        [python, "-m", "venv", venv],
        [venv / "bin/python", "-m", "pip", "install", "-qq", "--disable-pip-version-check", "-r", wanted],
        [venv / "bin/python", "tests/tools/link_collections.py"],
    ]
    for step in steps:
        ended = quiet(step, dict(os.environ))
        if ended.returncode:
            print(ended.stdout, file=sys.stderr)
            return False
    stamp.touch()
    return True


def quiet(command: list[str | Path], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run in the checkout; both outputs are in stdout."""
    return subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
