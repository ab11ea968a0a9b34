# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file system under a path, and whether SQLite can trust its locks.

Sources: proc_pid_mountinfo(5); sqlite.org, "How To Corrupt An SQLite Database File", section 2.1 (file systems with broken or
missing locks), and "Write-Ahead Logging" (all processes must be on one machine; WAL does not work over a network file system).
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import tempfile

from .._base.errors import InvalidOption

MOUNTINFO = "/proc/self/mountinfo"
SHARED = frozenset(
    {
        "9p",
        "afs",
        "acfs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "prl_fs",
        "smb3",
        "smbfs",
        "vboxsf",
        "virtiofs",
        "vmhgfs",
    }
)
"""Types of file systems that several machines share, or that a host shares with its virtual machine."""
LOCAL_FUSE = frozenset({"fuse.fuse-overlayfs"})
"""File systems in user space whose locks are the kernel's own; every other ``fuse.`` type may answer yes to every lock."""
OCTAL = re.compile(r"\\([0-7]{3})")


def file_system_of(path: str, mountinfo: str = MOUNTINFO) -> str | None:
    """The type of the file system on which a file is or would be, e.g. ``ext4``; None where it cannot be read."""
    try:
        with open(mountinfo, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.readlines()
    except OSError:
        return None
    real, best, found = os.path.realpath(path), "", None
    for line in lines:
        mount, separator, rest = line.partition(" - ")
        fields = mount.split()
        if not separator or len(fields) < 5:
            continue
        point = OCTAL.sub(lambda octal: chr(int(octal[1], 8)), fields[4])
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):  # of two mounts on one point the later one is seen
            best, found = point, rest.split()[0]
    return found


def refuse_shared(path: str, mountinfo: str = MOUNTINFO) -> None:
    """Refuse a ledger on a file system whose locks may say yes to two processes at once.

    Raises:
        InvalidOption: it is a network file system, a shared folder of a virtual machine or a file system in user space.
    """
    kind = file_system_of(path, mountinfo)
    if kind is None or (kind not in SHARED and (not kind.startswith("fuse.") or kind in LOCAL_FUSE)):
        return
    raise InvalidOption(
        "patch_ledger",
        path,
        f"It is on a file system of type {kind}, whose locks do not keep two processes or machines apart, so records would be "
        "lost without an error. Use a file on a local disk, or a table: patch_ledger=dynamodb://TABLE (docs/ledger.md).",
    )


def refuse_without_locks(path: str, folder: str) -> None:
    """Refuse a file system that grants no locks. SQLite would wait two minutes and then call the file busy.

    Raises:
        InvalidOption: it answers ENOLCK, as NFS does without its lock service.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            fcntl.lockf(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno != errno.ENOLCK:
            return  # a folder that cannot be written has a sentence of its own
        raise InvalidOption(
            "patch_ledger",
            path,
            "Its file system grants no locks (ENOLCK), as NFS does whose lock service does not run. Use a file on a local disk, or "
            "a table: patch_ledger=dynamodb://TABLE (docs/ledger.md).",
        ) from error
