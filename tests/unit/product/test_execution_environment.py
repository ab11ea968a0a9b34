# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The execution environment: what ansible-builder makes of its definition, and finds in the collection as it is packed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[3]
TOOLS = Path(sys.prefix) / "bin"
GALAXY = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
DEFINITION = yaml.safe_load((ROOT / "execution-environment.yml").read_text(encoding="utf-8"))
PACKED = f"{GALAXY['namespace']}-{GALAXY['name']}-{GALAXY['version']}.tar.gz"


def run(tool: str, *arguments: str | Path, cwd: Path) -> str:
    ended = subprocess.run(
        [TOOLS / tool, *arguments], cwd=cwd, capture_output=True, text=True, check=False, env={"HOME": str(cwd)}
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What docs/awx.md has one do: the collection packed beside the definition, and the context made from both."""
    folder = tmp_path_factory.mktemp("image")
    run("ansible-galaxy", "collection", "build", ROOT, "--output-path", folder, cwd=folder)
    shutil.copy(ROOT / "execution-environment.yml", folder)
    run("ansible-builder", "create", cwd=folder)
    return folder


def test_the_image_gets_the_collection_as_it_is_packed_here(folder: Path) -> None:
    build = folder / "context" / "_build"
    assert (build / PACKED).read_bytes() == (folder / PACKED).read_bytes()
    wanted = yaml.safe_load((build / "requirements.yml").read_text(encoding="utf-8"))["collections"]
    assert wanted[0] == {"name": PACKED, "type": "file"}
    containerfile = next(folder.glob("context/*file")).read_text(encoding="utf-8")
    assert 'ARG ANSIBLE_INSTALL_REFS="ansible-core>=2.17.0,<2.19 ansible-runner>=2.4.0,<3' in containerfile


def test_the_packed_collection_has_nothing_of_the_workshop(folder: Path) -> None:
    with tarfile.open(folder / PACKED) as archive:
        names = {name.split("/")[0] for name in archive.getnames()}
    assert names.isdisjoint({"tests", "execution-environment.yml", "Makefile", ".ci", ".venv"})
    assert "context" in GALAXY["build_ignore"]  # ansible-builder leaves one here, with the last package in it


def test_ansible_builder_finds_the_packages_in_the_installed_collection(folder: Path) -> None:
    install = ["collection", "install", "--offline", "--no-deps", "--collections-path", folder, PACKED]
    run("ansible-galaxy", *install, cwd=folder)
    bindep = folder / "context" / "_build" / "bindep.txt"
    found = yaml.safe_load(run("ansible-builder", "introspect", folder, "--user-bindep", bindep, cwd=folder))
    python = [Requirement(line.partition("#")[0].strip()) for line in found["python"]]
    assert {wanted.name for wanted in python} == {"boto3", "botocore", "pypsrp", "pywinrm"}
    assert {wanted.name for wanted in python if "kerberos" in wanted.extras} == {"pypsrp", "pywinrm"}
    assert all(is_bounded(wanted.specifier) for wanted in python)
    system = {line.split(" ")[0] for line in found["system"] if "platform:rpm" in line}
    assert system == {"gcc", "krb5-devel", "krb5-libs", "krb5-workstation", "python3.11-devel"}


def test_what_the_definition_takes_is_bounded_and_what_galaxy_yml_allows() -> None:
    dependencies = DEFINITION["dependencies"]
    for part in ("ansible_core", "ansible_runner"):
        assert is_bounded(Requirement(dependencies[part]["package_pip"]).specifier)
    taken = {entry["name"]: SpecifierSet(entry["version"]) for entry in dependencies["galaxy"]["collections"][1:]}
    allowed = {name: SpecifierSet(versions) for name, versions in GALAXY["dependencies"].items()}
    assert {name: minimum(versions) for name, versions in taken.items()} == {
        name: minimum(versions) for name, versions in allowed.items()
    }
    assert all(is_bounded(versions) for versions in taken.values())


@pytest.mark.parametrize(
    ("version", "taken"), [("2.16.9", False), ("2.17.0", True), ("2.18.19", True), ("2.19.0", False)]
)
def test_the_ansible_core_is_one_that_awx_24_works_with(version: str, taken: bool) -> None:
    core = Requirement(DEFINITION["dependencies"]["ansible_core"]["package_pip"]).specifier
    assert core.contains(version) is taken


def test_the_interpreter_has_its_headers() -> None:
    dependencies = DEFINITION["dependencies"]
    package: str = dependencies["python_interpreter"]["package_system"]
    assert dependencies["python_interpreter"]["python_path"] == f"/usr/bin/{package}"
    assert dependencies["system"] == [f"{package}-devel [platform:rpm compile]"]


def is_bounded(versions: SpecifierSet) -> bool:
    """Whether it says from which version on and up to which."""
    return {part.operator for part in versions} >= {">=", "<"}


def minimum(versions: SpecifierSet) -> list[str]:
    return [part.version for part in versions if part.operator == ">="]
