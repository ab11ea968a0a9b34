# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``make release VERSION=1.1.0``: write the version into every file that names it, and the changelog out of the fragments.

It commits nothing: the tag 1.1.0 on the commit starts .github/workflows/release.yml.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NUMBER = r"\d+\.\d+\.\d+"
NAMED_IN = {
    "galaxy.yml": r"(?m)^(version: )" + NUMBER,
    "execution-environment.yml": r"(patchfleet-windows-)" + NUMBER,
    "plugins/module_utils/_model/versions.py": r'(?m)^(COLLECTION = ")' + NUMBER,
    "docs/start/README.md": r"(?m)^(patchfleet\.windows )" + NUMBER,
    "docs/start/air-gapped.md": r"(?m)^(patchfleet\.windows )" + NUMBER,
    "docs/awx.md": r"(patchfleet-ee:)" + NUMBER,
    "roles/awx_job_templates/README.md": r"(patchfleet-ee:)" + NUMBER,
}
"""Each file that names the version of the collection, and what stands before it."""


def main(arguments: list[str]) -> int:
    """Write the version and the changelog; 2 when it is no version."""
    if len(arguments) != 1 or not re.fullmatch(NUMBER, arguments[0]):
        print("Name the version: make release VERSION=1.1.0", file=sys.stderr)
        return 2
    for name, pattern in NAMED_IN.items():
        file = ROOT / name
        text = file.read_text(encoding="utf-8")
        file.write_text(re.sub(pattern, rf"\g<1>{arguments[0]}", text), encoding="utf-8")
    tools = Path(sys.prefix) / "bin"
    path = os.pathsep.join([str(tools), os.environ["PATH"]])  # it asks ansible-doc for the new modules
    ended = subprocess.run(
        [tools / "antsibull-changelog", "release"], cwd=ROOT, env={**os.environ, "PATH": path}, check=False
    )
    return ended.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
