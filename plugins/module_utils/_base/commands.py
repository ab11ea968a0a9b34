# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands that messages print, quoted for a shell. Those about a run name its ledger: see _operation/commands.py."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping

COLLECTION_PREFIX = "patchfleet.windows"


def plain_command(playbook: str, variables: Mapping[str, object]) -> str:
    """A command that runs a playbook of the collection, with extra variables in their order."""
    options = (f"-e {extra_variable(name, value)}" for name, value in variables.items())
    return " ".join([f"ansible-playbook {COLLECTION_PREFIX}.{playbook}", *options])


def extra_variable(name: str, value: object) -> str:
    """An extra variable for a shell; Ansible splits name=value at blanks, and JSON it does not.

    A list of words is one text with commas, as people type it.
    """
    if isinstance(value, (list, tuple)):
        plain = all(isinstance(word, str) and "," not in word for word in value)
        value = ",".join(value) if plain else list(value)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if not isinstance(value, (Mapping, list)) and re.fullmatch(r"[\w./:,-]+", text):
        return f"{name}={text}"
    return shlex.quote(json.dumps({name: value}, allow_nan=False))


def is_command(text: str) -> bool:
    """Whether a text is one of these commands and nothing else."""
    return text.startswith(f"ansible-playbook {COLLECTION_PREFIX}.")


def in_text(command: str) -> str:
    """A command within a sentence: what stands between the backticks can be copied into a shell."""
    return f"`{command}`"
