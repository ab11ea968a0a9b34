# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users install: the built collection, in a folder that has nothing else but the collections that it depends on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from living_lab import TWO_MINUTES_WITH_A_REBOOT, LivingLab

pytestmark = pytest.mark.xdist_group("artefact")

ROOT = Path(__file__).parents[2]
GALAXY = Path(sys.prefix) / "bin/ansible-galaxy"
DEPENDENCIES = Path(sys.prefix) / "collections" / "ansible_collections"
HOSTS = [
    {"name": "web-1", "state": "stopped", "updates": [TWO_MINUTES_WITH_A_REBOOT]},
    {"name": "web-2", "updates": []},
]


def galaxy(home: Path, *arguments: str | Path) -> str:
    ended = subprocess.run(
        [GALAXY, "collection", *arguments],
        cwd=home,
        env={"HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of collections, with the artefact as `ansible-galaxy collection install FILE` unpacks it."""
    folder = tmp_path_factory.mktemp("installed")
    galaxy(folder, "build", ROOT, "--output-path", folder)
    (artefact,) = folder.glob("*.tar.gz")
    galaxy(folder, "install", "--offline", "--no-deps", "--collections-path", folder, artefact)
    for namespace in ("amazon", "ansible"):
        (folder / "ansible_collections" / namespace).symlink_to(DEPENDENCIES / namespace)
    return folder


def test_the_installed_collection_plans_and_patches(installed: Path, tmp_path: Path) -> None:
    environment = {"ANSIBLE_COLLECTIONS_PATH": str(installed)}
    with LivingLab(tmp_path, HOSTS) as lab:
        documented = lab.run(["ansible-doc", "--json", "patchfleet.windows.patch_run"], environment)
        assert f'"{installed}/ansible_collections/patchfleet/windows/plugins/modules/patch_run.py"' in documented.output
        planned = lab.playbook("plan", environment=environment)
        assert planned.code == 0, planned.output
        assert planned.touched == []
        patched = lab.playbook("patch", environment=environment)
        assert patched.code == 0, patched.output
        assert patched.outcomes == {"web-1": "patched", "web-2": "compliant"}
        assert lab.truth("web-1")["state"] == "stopped"
        restored = lab.playbook("restore", environment=environment)
        assert restored.code == 0, restored.output
        assert (patched.folder / "report.html").is_file()


def test_the_installed_files_are_those_of_the_artefact(installed: Path) -> None:
    galaxy(installed, "verify", "--offline", "--collections-path", installed, "patchfleet.windows")
