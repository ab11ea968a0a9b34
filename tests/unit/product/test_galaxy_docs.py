# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Galaxy and Automation Hub get: the files of the artefact, the links of its pages, and the sections of the README."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
GALAXY = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
REPOSITORY = "https://github.com/patchfleet/patchfleet.windows"
FILES = f"{REPOSITORY}/blob/main/"
IMAGES = "https://raw.githubusercontent.com/patchfleet/patchfleet.windows/main/"
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINK = re.compile(r"\]\(([^()\s]+)\)")
TOP = {
    "CHANGELOG.md",
    "FILES.json",
    "LICENSE",
    "MANIFEST.json",
    "README.md",
    "changelogs",
    "docs",
    "meta",
    "playbooks",
    "plugins",
    "requirements",
    "roles",
}
REQUIREMENTS = {"requirements/bindep.txt", "requirements/controller.txt", "requirements/execution-environment.txt"}
FOR_CONTRIBUTORS = {"docs/architecture.md", "docs/lab.md", "docs/style.md"}
PLUGINS = {"action", "callback", "doc_fragments", "filter", "module_utils", "modules", "plugin_utils"}
PARTS_OF_A_ROLE = {"README.md", "defaults", "files", "handlers", "meta", "tasks", "templates", "vars"}
SECTIONS = [
    "Description",
    "Requirements",
    "Installation",
    "Use Cases",
    "Testing",
    "Support",
    "Release notes",
    "Related information",
    "License",
]
"""As the template for a README on Automation Hub orders them (access.redhat.com/articles/7068606)."""


@pytest.fixture(scope="module")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection as it is built, unpacked."""
    folder = tmp_path_factory.mktemp("artefact")
    built = subprocess.run(
        [Path(sys.prefix) / "bin/ansible-galaxy", "collection", "build", ROOT, "--output-path", folder],
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": str(folder)},
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (packed,) = folder.glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    return folder / "unpacked"


def names_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


# The files


def test_the_artefact_has_what_users_need_and_nothing_else(artefact: Path) -> None:
    names = names_of(artefact)
    assert {path.name for path in artefact.iterdir()} == TOP
    assert {name for name in names if name.startswith("requirements/")} == REQUIREMENTS
    assert {path.name for path in (artefact / "plugins").iterdir()} == PLUGINS
    assert {path.name for path in artefact.glob("roles/*/*")} <= PARTS_OF_A_ROLE
    assert {name for name in names if name.startswith("changelogs/")} <= {"changelogs/changelog.yaml"}
    assert names & FOR_CONTRIBUTORS == set()
    assert [name for name in names if Path(name).name.startswith((".", "test_")) or name.endswith(".pyc")] == []


def test_every_file_of_the_plugins_roles_and_playbooks_is_in_the_artefact(artefact: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "plugins", "roles", "playbooks", "meta"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()} <= names_of(artefact)


# The links


def test_links_of_pages_that_galaxy_shows_elsewhere_are_absolute() -> None:
    relative = {
        str(page.relative_to(ROOT)): [
            link for link in LINK.findall(page.read_text(encoding="utf-8")) if is_relative(link)
        ]
        for page in (ROOT / "README.md", *ROOT.glob("roles/*/README.md"))
    }
    assert {page: links for page, links in relative.items() if links} == {}


def test_a_relative_link_leads_to_a_file_of_the_artefact(artefact: Path) -> None:
    dead = [
        (str(page.relative_to(artefact)), link)
        for page in artefact.rglob("*.md")
        for link in LINK.findall(page.read_text(encoding="utf-8"))
        if is_relative(link) and not (page.parent / link.partition("#")[0]).exists()
    ]
    assert dead == [], f"pages of contributors are not in the artefact: link to {FILES}PAGE"


def test_an_absolute_link_into_the_repository_leads_to_a_file_and_a_heading(artefact: Path) -> None:
    links = {link for page in artefact.rglob("*.md") for link in LINK.findall(page.read_text(encoding="utf-8"))}
    ours = {link.removeprefix(base) for base in (FILES, IMAGES) for link in links if link.startswith(base)}
    assert len(ours) > 10
    assert sorted(link for link in ours if not leads_somewhere(link)) == []


def is_relative(link: str) -> bool:
    return not link.startswith(("https://", "http://", "#"))


def leads_somewhere(link: str) -> bool:
    path, _, heading = link.partition("#")
    file = ROOT / path
    return file.is_file() and (not heading or heading in anchors(file.read_text(encoding="utf-8")))


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# The README and galaxy.yml


def test_the_readme_has_the_sections_that_automation_hub_asks_for() -> None:
    assert re.findall(r"^## (.*)$", README, re.MULTILINE) == SECTIONS
    assert len(README.splitlines()) <= 150


@pytest.mark.parametrize("kind", ["playbooks/*.yml", "roles/*"])
def test_the_readme_lists_the_content_that_galaxy_has_no_page_for(kind: str) -> None:
    names = [path.stem for path in ROOT.glob(kind)]
    assert len(names) > 5
    assert [name for name in names if not re.search(rf"(`patchfleet\.windows\.{name}`|\[{name}\]\()", README)] == []


def test_galaxy_yml_says_where_people_find_code_documentation_and_help() -> None:
    links = {key: GALAXY[key] for key in ("repository", "documentation", "homepage", "issues")}
    assert all(link.startswith(REPOSITORY) for link in links.values())
    assert (ROOT / links["documentation"].removeprefix(f"{REPOSITORY}/tree/main/")).is_dir()
    assert links["issues"] == f"{REPOSITORY}/issues"
