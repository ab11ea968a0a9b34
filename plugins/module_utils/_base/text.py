# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text from hosts, tags and other programs, made safe to print.

Terminals obey escape sequences, log readers take a forged line for a real one, and a change of the writing direction shows a
name as another one. So each such text is cleaned once, where it comes in or where it is printed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

JOINERS = "\u200c\u200d"
"""They belong into Indic and Persian names and into emoji; every other invisible character can only mislead."""
MISLEADING = frozenset({"Cc", "Cf", "Cs"})
"""Unicode categories: control characters, format characters (bidirectional controls among them), halves of pairs."""


def clean_text(value: object, limit: int | None = None) -> str:
    """A value as one line of visible text.

    Line ends, tabs and other white space become a blank; control and format characters become U+FFFD.

    Args:
        value: what to show.
        limit: the longest text that is kept, in characters; what is longer ends with an ellipsis.
    """
    text = str(value)
    if not (text.isascii() and text.isprintable()):
        text = "".join(map(_visible, text))
    return text if limit is None or len(text) <= limit else f"{text[: limit - 1]}\u2026"


def join_sentences(*sentences: str | None) -> str:
    """Whole sentences as one text; None and empty ones are left out."""
    return " ".join(filter(None, sentences))


def join_names(names: Sequence[str], at_most: int) -> str:
    """The first names of a list, and the number of the others: ``web-1, web-2 and 5 more``."""
    named, more = ", ".join(names[:at_most]), len(names) - at_most
    return f"{named} and {more} more" if more > 0 else named


def counted(number: int, noun: str) -> str:
    """A number of things: ``1 host``, ``0 hosts``. Nouns whose plural is another word than this do not occur."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    misleads = unicodedata.category(character) in MISLEADING and character not in JOINERS
    return "\ufffd" if misleads else character
