# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scripts for Windows hosts, as files on the controller."""

from __future__ import annotations

import functools
import pathlib
from typing import Any

PRELUDE = pathlib.Path(__file__).with_name("prelude.ps1")


def script_text(action: Any, name: str) -> str:
    """The text of a script, with the common prelude before it; ``name`` is a file of the role or play, or a path.

    Raises:
        AnsibleError: there is no such file.
    """
    return _text_of(pathlib.Path(action._find_needle("files", name)))  # noqa: SLF001 - how action plugins look up files


@functools.cache
def _text_of(path: pathlib.Path) -> str:
    """Read once by a worker: all hosts that are threads of it share the text."""
    return PRELUDE.read_text(encoding="utf-8") + "\n" + path.read_text(encoding="utf-8")
