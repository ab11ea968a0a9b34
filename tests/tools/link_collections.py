# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make `collections/` in the virtual environment that runs this: the checkout, and what it stands on, side by side.

Tools want a collection at `ansible_collections/NAMESPACE/NAME`, and Galaxy cannot be asked everywhere, so the
collections that galaxy.yml names are those that the `ansible` package brings.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMESPACES = ("amazon", "ansible")


def main() -> int:
    """Make the links again; what is missing in the `ansible` package is an error."""
    site = Path(sysconfig.get_path("purelib")) / "ansible_collections"
    collections = Path(sys.prefix) / "collections" / "ansible_collections"
    own = collections / "patchfleet"
    own.mkdir(parents=True, exist_ok=True)
    lead(own / "windows", ROOT)
    for namespace in NAMESPACES:
        if not (site / namespace).is_dir():
            print(f"no collections {namespace}.* in {site}: is the package `ansible` installed?", file=sys.stderr)
            return 1
        lead(collections / namespace, site / namespace)
    return 0


def lead(link: Path, target: Path) -> None:
    """Make ``link`` lead to ``target``, whatever it led to before."""
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(target, link.parent))


if __name__ == "__main__":
    sys.exit(main())
