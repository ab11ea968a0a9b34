# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the script check_host answers: whether the user's checks pass, and what runs in the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .._model.checks import KINDS
from .fields import Fields

LONGEST_DETAIL, LONGEST_ITEM = 300, 500


@dataclass(frozen=True)
class CheckAnswer:
    """Whether a check passed, and what was wrong where it did not."""

    ok: bool
    detail: str | None


@dataclass(frozen=True)
class EvidenceAnswer:
    """One kind of evidence.

    Attributes:
        items: in the order of their code points.
        is_cut: there are more items, which come after these.
        trouble: why it could not be taken.
    """

    kind: str
    items: tuple[str, ...]
    is_cut: bool
    trouble: str | None


@dataclass(frozen=True)
class HostChecks:
    """check_host.

    Attributes:
        checks: in the order in which they were asked for.
    """

    SCRIPT: ClassVar[str] = "check_host"
    time: float
    boot_time: float
    checks: tuple[CheckAnswer, ...]
    evidence: tuple[EvidenceAnswer, ...]

    @classmethod
    def read(cls, fields: Fields) -> HostChecks:
        return cls(
            time=fields.moment("time"),
            boot_time=fields.moment("boot_time"),
            checks=tuple(
                CheckAnswer(row.flag("ok"), row.optional(row.text, "detail", LONGEST_DETAIL))
                for row in fields.rows("checks")
            ),
            evidence=tuple(
                EvidenceAnswer(
                    kind=row.choice("kind", KINDS),
                    items=row.texts("items", LONGEST_ITEM),
                    is_cut=row.flag("cut"),
                    trouble=row.optional(row.text, "trouble", LONGEST_DETAIL),
                )
                for row in fields.rows("evidence")
            ),
        )
