# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files in the temporary folders of a Windows host: how old they are, who uses them, and what deleting them wins."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

SYSTEM_TEMP = "C:\\Windows\\Temp"
USERS = "C:\\Users"
USER_TEMP = "AppData\\Local\\Temp"
JUST_NOW = timedelta(seconds=60)

# Of programs that run: path, days since it was written (None: all the time) and since it was made.
LIVE = (
    (f"{SYSTEM_TEMP}\\tomcat.8080.5731\\work\\upload_00000017.tmp", None, 45.0),
    (f"{SYSTEM_TEMP}\\tomcat.8080.5731\\lib\\servlet.jar", 45.0, 45.0),
    (f"{SYSTEM_TEMP}\\setup-cache.bin", 50.0, 2.0),
    (f"{USERS}\\svc-java\\{USER_TEMP}\\_MEI51242\\base_library.zip", 400.0, 8.0),
    (f"{USERS}\\svc-java\\{USER_TEMP}\\licence.dat", 400.0, 200.0),
    (f"{USERS}\\anna\\{USER_TEMP}\\3\\draft.tmp", 20.0, 20.0),
    (f"{USERS}\\anna\\{USER_TEMP}\\hsperfdata\\1204", None, 30.0),
)
DEAD = ((f"{SYSTEM_TEMP}\\old\\setup.cab", 90.0, 90.0),)


@dataclass
class TempFile:
    """A file with its size. ``written`` is None for one that is written all the time."""

    path: str
    gib: float
    written: datetime | None
    created: datetime
    in_use: bool


@dataclass
class TempFiles:
    """All of a host; ``deleted_in_use`` counts those that a running program used."""

    files: list[TempFile] = field(default_factory=list)
    deleted_in_use: int = 0

    @classmethod
    def make(cls, gib: float, live: bool, now: datetime) -> TempFiles:
        """Files of ``gib`` together, as old at ``now`` as their kind is."""
        kinds = (LIVE if live else DEAD) if gib else ()
        return cls(
            [
                TempFile(
                    path,
                    gib / len(kinds),
                    now - timedelta(days=written) if written is not None else None,
                    now - timedelta(days=created),
                    live,
                )
                for path, written, created in kinds
            ]
        )

    @property
    def gib(self) -> float:
        return sum(file.gib for file in self.files)

    def written(self, file: TempFile, now: datetime) -> datetime:
        return file.written or now - JUST_NOW

    def children(self, folder: str) -> list[str]:
        """Paths of what lies directly in a folder."""
        inside = [file.path[len(folder) + 1 :] for file in self.files if file.path.startswith(folder + "\\")]
        return list(dict.fromkeys(f"{folder}\\{path.partition(chr(92))[0]}" for path in inside))

    def find(self, path: str) -> TempFile | None:
        return next((file for file in self.files if file.path == path), None)

    def loaded_profiles(self) -> set[str]:
        """Profiles of those who are logged on, and of services that run."""
        return {
            "\\".join(file.path.split("\\")[:3])
            for file in self.files
            if file.in_use and file.path.startswith(USERS + "\\")
        }

    def is_folder(self, path: str) -> bool:
        return any(file.path.startswith(path + "\\") for file in self.files)

    def below(self, path: str) -> list[TempFile]:
        """The file at a path, or all files in the folder at it."""
        return [file for file in self.files if file.path == path or file.path.startswith(path + "\\")]

    def delete(self, path: str) -> float:
        """A file, or a folder with all that is in it; returns the GiB that were won."""
        gone = self.below(path)
        self.files = [file for file in self.files if file not in gone]
        self.deleted_in_use += sum(file.in_use for file in gone)
        return sum(file.gib for file in gone)

    def delete_old(self, folder: str, before: datetime, now: datetime) -> float:
        """As the script clean_disk does: old files of what has nothing younger in it, and of no session's own folder."""
        won = 0.0
        for top in self.children(folder):
            files = self.below(top)
            if self.is_folder(top) and top.rpartition("\\")[2].isdigit():
                continue
            if all(max(self.written(file, now), file.created) < before for file in files):
                won += self.delete(top)
        return won
