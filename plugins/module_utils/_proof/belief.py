# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A belief of this project about AWS or Windows, and what an account answers to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .._base.errors import Failed
from .._model.reasons import Reason
from .._model.text_enum import TextEnum

if TYPE_CHECKING:
    from .prover import Prover


class Status(TextEnum):
    """What became of a belief. Only the first is green."""

    AS_EXPECTED = "as_expected"
    DIFFERS = "differs"
    NOT_ANSWERED = "not_answered"


@dataclass(frozen=True)
class Observation:
    """What was seen: whether it is as the emulated account has it, a sentence, and numbers or names that others can compare."""

    as_expected: bool
    text: str
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Belief:
    """One row of the table.

    Attributes:
        id: a name that stays.
        sentence: what is believed.
        asked: how it is asked.
        expected: what the emulated account answers.
        ask: asks it; raises PatchFleetError where there is no answer.
    """

    id: str
    sentence: str
    asked: str
    expected: str
    ask: Callable[[Prover], Observation]


@dataclass(frozen=True)
class Answer:
    """A belief with its answer. ``reason`` says why there is none; ``seconds`` is how long it took."""

    belief: Belief
    status: Status
    observed: str | None
    reason: str | None
    values: Mapping[str, object]
    seconds: float


class NotAnswered(Failed):
    """The account cannot answer the belief; the sentence says what it would take."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, Reason.NOT_PROVEN)
