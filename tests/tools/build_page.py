# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Put the report page's JavaScript and CSS of web/ into plugins/module_utils/_report/_assets.py.

Ansible packs only Python of module_utils, so the page's sources lie outside and this file carries their text.
With --check nothing is written; the exit code is 1 where the file is not up to date.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "plugins" / "module_utils" / "_report" / "_assets.py"
SOURCES = {
    "EARLY_SCRIPT": "early.js",
    "SCRIPT": "page.js",
    "STYLE": "page.css",
    "HISTORY_SCRIPT": "history.js",
    "HISTORY_STYLE": "history.css",
}
HEADER = '''# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report page's JavaScript and CSS. Generated from web/ by `make generate`; do not edit."""

from __future__ import annotations
'''


def assets() -> str:
    """The text of _assets.py as the sources make it.

    Raises:
        ValueError: a source holds what would end the Python string or the page's element.
    """
    parts = [HEADER]
    for name, file in SOURCES.items():
        text = (ROOT / "web" / file).read_text(encoding="utf-8")
        if '"""' in text or re.search(r"</(script|style)", text, re.IGNORECASE):
            raise ValueError(f"web/{file} must hold neither three quotation marks nor a closing script or style tag.")
        parts.append(f'{name} = r"""\n{text}"""\n')
    return "\n".join(parts)


def main() -> int:
    """Write the file, or with --check compare it."""
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(assets(), encoding="utf-8")
        return 0
    if TARGET.read_text(encoding="utf-8") == assets():
        return 0
    print("plugins/module_utils/_report/_assets.py is not what web/ makes. Run: make generate", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
