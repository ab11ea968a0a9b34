# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``make matrix``: unit tests, `ansible-test sanity` and three scenarios on each ansible-core, at both ends of what we allow.

Each ansible-core is tried on the oldest Python with the oldest of all other dependencies, and on the newest Python with the
newest. Where that Python is not here, the newest one that is here stands in for it. ``tests/matrix/run.py 2.17 2.21`` tries
some; options choose a part. The table at the end has the columns of docs/tested-versions.md.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENVS = ROOT / ".venv-matrix"
# ansible-core → the oldest and the newest Python on which it and this collection run on a controller.
CORES = {
    "2.17": ("3.11", "3.12"),
    "2.18": ("3.11", "3.13"),
    "2.19": ("3.11", "3.13"),
    "2.20": ("3.12", "3.14"),
    "2.21": ("3.12", "3.14"),
}
# How long the tests took says something of the machine alone.
PASSED = re.compile(r"passed.*")
# Prints the versions of ansible-core, Python, amazon.aws, ansible.windows and boto3.
VERSIONS = """
import json, pathlib, platform, sys
from importlib.metadata import version
collections = pathlib.Path(sys.prefix, "collections", "ansible_collections")
manifests = [json.loads((collections / name / "MANIFEST.json").read_text()) for name in ("amazon/aws", "ansible/windows")]
found = [each["collection_info"]["version"] for each in manifests]
print(version("ansible-core"), platform.python_version(), *found, version("boto3"))
"""
SCENARIOS = ("01-seed-fleet", "30-mixed-fleet", "46-killed-then-restored")


@dataclass(frozen=True)
class End:
    """One end of the ranges of dependencies.

    Attributes:
        collections: the `ansible` package whose collections are taken.
        oldest: whether each package that a controller or the lab needs has the lowest version of its range.
        collections_for: another package for an ansible-core that `requires_ansible` of those collections refuses.
    """

    name: str
    collections: str
    oldest: bool
    collections_for: dict[str, str] = field(default_factory=dict)

    def package(self, core: str) -> str:
        """The `ansible` package for an ansible-core."""
        return self.collections_for.get(core, self.collections)


ENDS = (
    # amazon.aws 10.1.2, ansible.windows 3.3.0
    End("oldest", "ansible==12.3.0", oldest=True),
    # amazon.aws 12, which needs ansible-core 2.18; for 2.17 the newest amazon.aws 11
    End("newest", "ansible>=15.0.0a3,<16", oldest=False, collections_for={"2.17": "ansible>=14,<15"}),
)
HEAD = ("date", "ansible-core", "Python", "amazon.aws", "ansible.windows", "boto3", "unit tests", "sanity", "scenarios")


def main(arguments: list[str]) -> int:
    """Print a table; 1 when something that could be run failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cores", nargs="*", metavar="CORE", help="only these, such as 2.17")
    parser.add_argument(
        "--end", choices=("oldest", "newest", "both"), default="both", help="only this end of the ranges"
    )
    parser.add_argument("--tests", nargs="*", default=["tests/unit"], help="a part of the unit tests, or none")
    parser.add_argument("--scenarios", nargs="*", default=SCENARIOS, help="other scenarios of tests/scenarios")
    parser.add_argument("--no-sanity", action="store_true", help="leave out ansible-test sanity")
    options = parser.parse_args(arguments)
    rows = []
    for core, (oldest, newest) in CORES.items():
        for version, end in zip((oldest, newest_here(oldest, newest)), ENDS, strict=True):
            if (not options.cores or core in options.cores) and options.end in ("both", end.name):
                rows.append(tried(core, version, end, options))
                print(" | ".join(rows[-1]), flush=True)
    print(f"\n| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    print("\n".join(f"| {' | '.join(row)} |" for row in rows))
    return any("failed" in cell for row in rows for cell in row)


def tried(core: str, version: str, end: End, options: argparse.Namespace) -> tuple[str, ...]:
    """A row of the table: what was there, and what the unit tests, the sanity tests and the scenarios said."""
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    python = find(version)
    if python is None:
        return today, core, version, "–", "–", "–", "no such Python here", "–", "–"
    venv = VENVS / f"core-{core}-python-{version}-{end.name}"
    if not installed(venv, python, core, end):
        return today, core, version, "–", "–", "–", "failed to install", "–", "–"
    environment = {
        **os.environ,
        "PATCHFLEET_VENV": str(venv),
        "PATH": f"{venv}/bin{os.pathsep}{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": str(venv / "collections"),
    }
    outputs: list[str] = []

    def run(command: list[str | Path]) -> tuple[bool, str]:
        ended = quiet(command, environment)
        outputs.append(ended.stdout)
        return ended.returncode == 0, (ended.stdout.strip().splitlines() or ["failed to start"])[-1]

    unit = sanity = "not run"
    if options.tests:
        passed, last = run(
            [venv / "bin/python", "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", *options.tests]
        )
        unit = PASSED.sub("passed", last.strip("= ")) if passed else f"failed: {last}"
    if not options.no_sanity:
        sanity = "passed" if run([venv / "bin/python", "tests/tools/sanity.py"])[0] else "failed"
    broken = [name for name in options.scenarios if not run(["tests/lab/run", f"tests/scenarios/{name}.yml"])[0]]
    scenarios = f"failed: {', '.join(broken)}" if broken else f"{len(options.scenarios)} passed"
    (venv / "output.txt").write_text("\n".join(outputs), encoding="utf-8")
    return today, *versions(venv), unit, sanity, scenarios


def versions(venv: Path) -> tuple[str, ...]:
    """What the environment really has, in the order of the table's columns."""
    ended = quiet([venv / "bin/python", "-c", VERSIONS], {**os.environ, "PYTHONPATH": ""})
    return tuple(ended.stdout.split())


def minor(version: str) -> int:
    """3.11 → 11."""
    return int(version.partition(".")[2])


def newest_here(oldest: str, newest: str) -> str:
    """The newest Python of the range that this machine has, or ``newest`` when it has none."""
    versions = [f"3.{number}" for number in range(minor(newest), minor(oldest) - 1, -1)]
    return next((version for version in versions if find(version)), newest)


def find(version: str) -> str | None:
    """A Python of that version that runs: from the PATH, or from pyenv's own folder, since its shims may lead nowhere."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(f"python{version}"), *map(str, sorted(pyenv.glob(f"{version}.*/bin/python")))]
    for candidate in filter(None, candidates):
        answer = quiet(
            [candidate, "-c", "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"], dict(os.environ)
        )
        if answer.stdout.strip() == version:
            return candidate
    return None


def installed(venv: Path, python: str, core: str, end: End) -> bool:
    """Make the environment, once, from the project's own ranges."""
    stamp = venv / ".installed"
    if stamp.exists():
        return True
    shutil.rmtree(venv, ignore_errors=True)
    VENVS.mkdir(exist_ok=True)
    wanted = VENVS / f"{venv.name}.txt"
    wanted.write_text("\n".join([f"ansible-core=={core}.*", *ranges(end)]) + "\n", encoding="utf-8")
    pip = [venv / "bin/python", "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    steps: list[list[str | Path]] = [
        [python, "-m", "venv", venv],
        [*pip, "-r", wanted],
        # Its collections alone: they allow this ansible-core, which the package itself may not.
        [*pip, "--no-deps", "--ignore-requires-python", end.package(core)],
        [venv / "bin/python", "tests/tools/link_collections.py"],
    ]
    for step in steps:
        ended = quiet(step, dict(os.environ))
        if ended.returncode:
            print(ended.stdout, file=sys.stderr)
            return False
    stamp.touch()
    return True


def ranges(end: End) -> list[str]:
    """The project's requirements, those of a controller and the lab at the low end if that is tried."""
    lines: list[str] = []
    for name in ("controller.txt", "lab.txt", "test.txt"):
        text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
        found = [
            line for line in text.splitlines() if line and not line.startswith(("#", "-r", "ansible ", "molecule"))
        ]
        if end.oldest and name != "test.txt":
            found = [re.sub(r" >=([\d.]+).*", r"==\1", line) for line in found]
        lines += found
    return lines


def quiet(command: list[str | Path], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run in the checkout; both outputs are in stdout."""
    return subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
