# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Import the built collection as Galaxy and Automation Hub do, and refuse content without documentation.

The importer has a virtual environment of its own, `.cache/importer`, where its result stays as `importer_result.json`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".cache" / "importer"
REQUIREMENTS = ROOT / "requirements" / "importer.txt"
# Its own linters are off: `make lint` runs ansible-lint and ansible-test itself, and ruff in place of flake8.
CONFIG = """[galaxy-importer]
run_ansible_lint = False
run_ansible_test = False
run_flake8 = False
check_required_tags = True
check_changelog = True
"""
DOCUMENTED = {"module": "doc_strings", "filter": "doc_strings", "role": "readme_html"}
"""What the result must hold of each kind of content. Galaxy shows a role by its README."""


def main() -> int:
    """Print what is wrong with the import; 1 when there is something."""
    tools = environment()
    with tempfile.TemporaryDirectory(prefix="patchfleet-importer-") as folder:
        printed = imported(tools, Path(folder))
        result = Path(folder) / "importer_result.json"
        if result.exists():
            (HOME / result.name).write_text(result.read_text(encoding="utf-8"), encoding="utf-8")
        problems = [line for line in printed.splitlines() if line.startswith("ERROR")]
        problems += undocumented(json.loads(result.read_text(encoding="utf-8"))) if result.exists() else [printed]
    print(*problems or [summary(json.loads((HOME / "importer_result.json").read_text(encoding="utf-8")))], sep="\n")
    return int(bool(problems))


def environment() -> Path:
    """The folder of programs of the importer's virtual environment, which is made where the requirements are newer."""
    stamp = HOME / ".installed"
    if not stamp.exists() or stamp.stat().st_mtime < REQUIREMENTS.stat().st_mtime:
        venv.create(HOME, clear=True, with_pip=True)
        install = [
            HOME / "bin/python",
            "-m",
            "pip",
            "install",
            "-qq",
            "--disable-pip-version-check",
            "-r",
            REQUIREMENTS,
        ]
        subprocess.run(install, check=True)
        stamp.touch()
    return HOME / "bin"


def imported(tools: Path, folder: Path) -> str:
    """Build the collection in ``folder`` and import it there; what the importer printed."""
    config = folder / "galaxy-importer.cfg"
    config.write_text(CONFIG, encoding="utf-8")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    variables = {
        **kept,
        "HOME": str(folder),
        "PATH": os.pathsep.join([str(tools), os.environ["PATH"]]),
        "GALAXY_IMPORTER_CONFIG": str(config),
        "LC_ALL": "C.UTF-8",
    }
    build = ["ansible-galaxy", "collection", "build", ROOT, "--output-path", folder]
    subprocess.run(build, cwd=folder, env=variables, stdout=subprocess.DEVNULL, check=True)
    (artefact,) = folder.glob("*.tar.gz")
    ended = subprocess.run(
        [tools / "python", "-m", "galaxy_importer.main", artefact.name],
        cwd=folder,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return ended.stdout


def summary(result: dict[str, Any]) -> str:
    """How much there is of each kind of content, and where the result lies."""
    kinds = Counter(each["content_type"] for each in result["docs_blob"]["contents"])
    counted = ", ".join(f"{kinds[kind]} {kind}s" for kind in DOCUMENTED)
    return f"Galaxy would show the documentation of {counted}: {HOME / 'importer_result.json'}"


def undocumented(result: dict[str, Any]) -> list[str]:
    """A line for each module, filter and role of which Galaxy would show nothing."""
    contents = result["docs_blob"]["contents"]
    found = {kind: [each for each in contents if each["content_type"] == kind] for kind in DOCUMENTED}
    return [
        *(f"The importer found no {kind}." for kind, members in found.items() if not members),
        *(
            f"Without documentation on Galaxy: {kind} {each['content_name']}"
            for kind, members in found.items()
            for each in members
            if not each.get(DOCUMENTED[kind])
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
