# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run `ansible-test sanity` without containers and without anything from outside but Python packages.

ansible-test wants its collection at `ansible_collections/NAMESPACE/NAME`, counts a symbolic link there as a fault and
asks Git for the files, so it gets a copy outside of this checkout. Its virtual environments stay in `.cache/sanity`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = Path(sys.prefix) / "collections" / "ansible_collections"
HOME = ROOT / ".cache" / "sanity"

# Each test that is left out, and why.
SKIPPED = {
    "pslint": "needs PowerShell with PSScriptAnalyzer; a job of .github/workflows/ci.yml has both",
    "empty-init": "only that of ansible-core 2.17 wants packages of module_utils without a docstring",
}
# The artefact holds these files only, so Galaxy and Automation Hub see no others; ruff and mypy hold the rest.
ONLY = {"pylint": "plugins/"}
# The rest of what a run prints is how the tests' environments were made; that is shown when it did not come to a verdict.
TELLING = re.compile(r"Running sanity test|ERROR|WARNING: (?!Using locale|Reviewing)|See documentation")
VERDICT = re.compile(r"FATAL: The \d+ sanity test")


def main() -> int:
    """Copy, test, and say what was found; the exit code is that of the first run of ansible-test that failed."""
    wanted = sys.argv[1:]
    calls = [wanted] if wanted else [[], *(["--test", test, folder] for test, folder in ONLY.items())]
    with tempfile.TemporaryDirectory(prefix="patchfleet-sanity-") as folder:
        location = copy_to(Path(folder))
        codes = [tested(location, arguments) for arguments in calls]
    return next((code for code in codes if code), 0)


def tested(location: Path, arguments: list[str]) -> int:
    """Run ansible-test in the copy, and print its verdicts."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    skipped = [f"--skip-test={test}" for test in (*SKIPPED, *ONLY) if test not in arguments]
    command = ["ansible-test", "sanity", "--local", "--python", version, "--color", "no", *skipped, *arguments]
    ended = subprocess.run(command, cwd=location, env=environment(version), text=True, capture_output=True, check=False)
    printed = (ended.stdout + ended.stderr).splitlines()
    judged = ended.returncode == 0 or any(VERDICT.match(line) for line in printed)
    print("\n".join(line for line in printed if TELLING.match(line) or not judged))
    return ended.returncode


def copy_to(folder: Path) -> Path:
    """A copy of what Git would commit, beside links to the collections that it stands on."""
    collections = folder / "ansible_collections"
    location = collections / "patchfleet" / "windows"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        source = ROOT / name
        if name and source.is_file():  # Git still names a file that is about to be removed
            (location / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, location / name)
    for namespace in ("amazon", "ansible"):
        (collections / namespace).symlink_to(COLLECTIONS / namespace)
    return location


def environment(version: str) -> dict[str, str]:
    """A home with what ansible-test would download, and a PATH on which ``pythonX.Y`` is no pyenv shim."""
    tools = HOME / "bin"
    tools.mkdir(parents=True, exist_ok=True)
    python = tools / f"python{version}"
    python.unlink(missing_ok=True)
    python.symlink_to(Path(sys.base_prefix) / "bin" / f"python{version}")
    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for pip in pips():
        bootstrap = cache / f"get_pip_{pip.replace('.', '_')}.py"
        bootstrap.write_text("import ensurepip\n\nensurepip.bootstrap()\n", encoding="utf-8")
    path = [str(tools), str(Path(sys.prefix) / "bin"), os.environ["PATH"]]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    return {**kept, "HOME": str(HOME), "PATH": os.pathsep.join(path), "LC_ALL": "C.UTF-8"}


def pips() -> list[str]:
    """The versions of pip for which ansible-test would fetch an installer; any that Python brings does as well."""
    spec = find_spec("ansible_test")
    assert spec, "ansible-core brings ansible_test"
    source = Path(str(spec.origin)).parent / "_internal" / "python_requirements.py"
    return re.findall(r"pip='([\d.]+)'", source.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
