# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the documentation site into FOLDER: all Markdown pages in the places that they have, and what antsibull-docs writes.

A link that leads nowhere is a warning, and a warning is an error.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COLLECTION = "patchfleet.windows"
REPOSITORY = "https://github.com/patchfleet/patchfleet.windows"
FOLDERS = ("docs", "roles")
LINK = re.compile(r"(?<=\]\()(?!https?:|#|mailto:)(?P<path>[^)#\s]+)")
BINARIES = Path(sys.executable).parent
ENVIRONMENT = {**os.environ, "PATH": f"{BINARIES}{os.pathsep}{os.environ['PATH']}"}
"""antsibull-docs calls ansible by its name alone."""

FIRST_PAGE = (
    '<!DOCTYPE html><title>Patch Fleet</title><meta http-equiv="refresh" content="0; url=docs/docsite/index.html">\n'
)


def main(folder: Path) -> int:
    """The exit code of the first tool that fails."""
    shutil.rmtree(folder, ignore_errors=True)
    source = folder / "source"
    _copy_pages(source)
    described = source / "collection"
    described.mkdir(mode=0o755)  # antsibull-docs takes no folder that others may write
    describe = [
        BINARIES / "antsibull-docs",
        "collection",
        "--use-current",
        "--squash-hierarchy",
        "--fail-on-error",
        "--no-add-antsibull-docs-version",
        "--dest-dir",
        described,
        COLLECTION,
    ]
    ended = subprocess.run(describe, env=ENVIRONMENT, check=False)
    if ended.returncode:
        return ended.returncode
    build = [
        BINARIES / "sphinx-build",
        "-q",
        "-W",
        "--keep-going",
        "-c",
        ROOT / "docs" / "docsite",
        source,
        folder / "html",
    ]
    (folder / "html").mkdir()
    (folder / "html" / "index.html").write_text(FIRST_PAGE, encoding="utf-8")
    return subprocess.run(build, env=ENVIRONMENT, check=False).returncode


def _copy_pages(source: Path) -> None:
    """Every Markdown page and picture, where its links expect it."""
    pages = [*ROOT.glob("*.md"), ROOT / "tests" / "README.md"]
    pages += [page for name in FOLDERS for page in (ROOT / name).rglob("*") if page.suffix in {".md", ".png"}]
    for page in pages:
        target = source / page.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        if page.suffix == ".md":
            target.write_text(_with_links_to_files(page, set(pages)), encoding="utf-8")
        else:
            shutil.copyfile(page, target)


def _with_links_to_files(page: Path, pages: set[Path]) -> str:
    """The text of a page, whose links to files that are no pages lead to the repository."""

    def address(found: re.Match[str]) -> str:
        linked = (page.parent / found["path"]).resolve()
        if linked in pages or not linked.exists():  # what does not exist is for Sphinx to report
            return found["path"]
        return f"{REPOSITORY}/{'tree' if linked.is_dir() else 'blob'}/main/{linked.relative_to(ROOT)}"

    return LINK.sub(address, page.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
