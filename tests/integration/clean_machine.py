# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine on which nothing of this checkout is installed: what a page of docs/start has its reader install, and that alone.

Python packages come from PyPI, as the page says. Galaxy is played by a folder with what `ansible-galaxy collection download` would
bring: this collection as it is built now, and those that it depends on, from the test environment's copies.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from lab.workplace import is_callers_own

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".cache" / "start-pages"
"""Where environments stay until their commands change, since it takes a minute to make one."""
DEPENDENCIES = Path(sys.prefix) / "collections" / "ansible_collections"
PATH = os.pathsep.join([str(Path(sys.base_prefix) / "bin"), "/usr/bin", "/bin"])


def environment(home: Path) -> dict[str, str | None]:
    """What differs from the environment of a lab's command: programs of the system alone, and no setting of Ansible."""
    ours = ("CONFIG", "HOME", "COLLECTIONS_PATH", "INVENTORY", "CALLBACK_PLUGINS", "CALLBACKS_ENABLED")
    without: dict[str, str | None] = {f"ANSIBLE_{name}": None for name in ours}
    return {**without, "HOME": str(home), "PATH": PATH, "VIRTUAL_ENV": None, "PIP_CACHE_DIR": str(KEPT / "pip")}


def type_in(folder: Path, home: Path, text: str) -> str:
    """Type commands outside of any lab; what they printed."""
    kept = {key: value for key, value in os.environ.items() if not is_callers_own(key)}
    settings = {key: value for key, value in {**kept, **environment(home), "LC_ALL": "C.UTF-8"}.items() if value}
    ended = subprocess.run(
        ["bash", "-euc", text],
        cwd=folder,
        env=settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{text}\n{ended.stdout}"
    return ended.stdout


def python_environment(page: str, blocks: Sequence[str]) -> Path:
    """The folder in which the blocks of a page that make a virtual environment and install packages were typed."""
    folder, text = KEPT / page, "".join(blocks)
    wanted = f"{sys.version}\n{text}"
    KEPT.mkdir(parents=True, exist_ok=True)
    with locked(KEPT / f"{page}.lock"):
        typed = folder / "typed.txt"
        if not typed.exists() or typed.read_text(encoding="utf-8") != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            type_in(folder, folder, text)
            typed.write_text(wanted, encoding="utf-8")
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Other processes of the tests wait."""
    with path.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def download(folder: Path) -> None:
    """Write what `ansible-galaxy collection download patchfleet.windows -p FOLDER` does."""
    folder.mkdir()
    subprocess.run(
        [Path(sys.prefix) / "bin/ansible-galaxy", "collection", "build", ROOT, "--output-path", folder],
        env={"HOME": str(folder.parent)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    for name in ("amazon/aws", "ansible/windows"):
        pack(DEPENDENCIES / name, folder)
    found = [{"name": file.name, "version": version_of(file)} for file in sorted(folder.glob("*.tar.gz"))]
    (folder / "requirements.yml").write_text(yaml.safe_dump({"collections": found}), encoding="utf-8")


def version_of(artefact: Path) -> str:
    """1.2.3 of a-b-1.2.3.tar.gz."""
    return artefact.name.removesuffix(".tar.gz").rpartition("-")[2]


def pack(installed: Path, folder: Path) -> None:
    """An artefact out of an installed collection. Its tests and tools were left out there, so its list of files is shortened."""
    manifest = json.loads((installed / "MANIFEST.json").read_text(encoding="utf-8"))
    listed = json.loads((installed / "FILES.json").read_text(encoding="utf-8"))
    listed["files"] = [entry for entry in listed["files"] if (installed / entry["name"]).exists()]
    files = json.dumps(listed).encode()
    manifest["file_manifest_file"]["chksum_sha256"] = hashlib.sha256(files).hexdigest()
    about = manifest["collection_info"]
    with tarfile.open(folder / f"{about['namespace']}-{about['name']}-{about['version']}.tar.gz", "w:gz") as archive:
        for name, content in (("MANIFEST.json", json.dumps(manifest).encode()), ("FILES.json", files)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for entry in listed["files"]:
            if entry["name"] != ".":
                archive.add(installed / entry["name"], entry["name"], recursive=False)
