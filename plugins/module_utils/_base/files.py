# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that a reader may open at any moment, and files of a process and its workers."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from typing import BinaryIO


@contextlib.contextmanager
def replaced(path: str) -> Iterator[BinaryIO]:
    """A temporary file that takes the name at the end, so that no reader gets half of it. After an error nothing has changed."""
    handle, beside = tempfile.mkstemp(dir=os.path.dirname(path) or ".", prefix=".patchfleet-")
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
        os.chmod(beside, 0o644)
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def replace_file(path: str, text: str) -> str:
    """Write the text as the whole file; returns the path."""
    with replaced(path) as file:
        file.write(text.encode())
    return path


def nameless_file() -> int:
    """The descriptor of a file without a name, open as long as the process and the workers that it forks live."""
    descriptor, path = tempfile.mkstemp(prefix="patchfleet-")
    os.unlink(path)
    return descriptor
