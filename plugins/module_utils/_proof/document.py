# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a proof leaves: beliefs.json for programs, and a page for a person. Both can be sent to the project.

Account ids are taken out: they are the only thing in the answers that says whose account it is.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, cast

from .._base.clock import iso
from .._base.files import replace_file
from .._report.markdown import escape
from .belief import Answer, Status
from .prover import Prover

SCHEMA = 1
ACCOUNT = re.compile(r"(?<![0-9A-Za-z-])\d{12}(?![0-9A-Za-z-])")
WHERE_TO_SEND = "https://github.com/patchfleet/patchfleet.windows/issues"
HEADINGS = {
    Status.DIFFERS: "Different from the emulated account",
    Status.NOT_ANSWERED: "Not answered",
    Status.AS_EXPECTED: "As expected",
}


BeliefRow = TypedDict(  # noqa: UP013 - a field of the file has a name to avoid in code
    "BeliefRow",
    {
        "id": str,
        "sentence": str,
        "asked": str,
        "expected": str,
        "status": str,
        "seen": "str | None",
        "reason": "str | None",
        "values": Mapping[str, object],
        "seconds": float,
    },
)
"""A belief and its answer: null is ``seen`` where there is none, else ``reason``."""


class ProofDocument(TypedDict):
    """beliefs.json. Times are ISO 8601 in UTC."""

    schema: int
    complete: bool
    region: str
    started_at: str | None
    finished_at: str | None
    instance_type: str | None
    image_id: str | None
    windows: str | None
    agent_version: str | None
    totals: dict[str, int]
    beliefs: list[BeliefRow]


def document(prover: Prover, answers: Sequence[Answer], started_at: float, *, number: int) -> ProofDocument:
    """The content of beliefs.json; ``number`` is how many beliefs there are."""
    image = prover.instance_shown
    content: ProofDocument = {
        "schema": SCHEMA,
        "complete": len(answers) == number,
        "region": prover.aws.region,
        "started_at": iso(started_at),
        "finished_at": iso(prover.context.clock.now()),
        "instance_type": image.get("InstanceType"),
        "image_id": image.get("ImageId"),
        "windows": prover.node.get("platform_name"),
        "agent_version": prover.node.get("agent_version"),
        "totals": {str(status): sum(answer.status == status for answer in answers) for status in Status},
        "beliefs": [_row(answer) for answer in answers],
    }
    return cast("ProofDocument", _without_account(content))


def _row(answer: Answer) -> BeliefRow:
    return {
        "id": answer.belief.id,
        "sentence": answer.belief.sentence,
        "asked": answer.belief.asked,
        "expected": answer.belief.expected,
        "status": str(answer.status),
        "seen": answer.observed,
        "reason": answer.reason,
        "values": answer.values,
        "seconds": answer.seconds,
    }


def _without_account(value: Any) -> Any:
    if isinstance(value, str):
        return ACCOUNT.sub("ACCOUNT", value)
    if isinstance(value, (list, tuple)):
        return [_without_account(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_account(item) for key, item in value.items()}
    return value


def write(folder: str, content: ProofDocument) -> dict[str, str]:
    """The paths of the written files, by their names; OSError where they cannot be written."""
    os.makedirs(folder, exist_ok=True)
    texts = {
        "beliefs.json": json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        "beliefs.md": page(content),
    }
    return {name: replace_file(os.path.join(folder, name), text) for name, text in texts.items()}


def page(content: ProofDocument) -> str:
    """The page in GitHub-flavoured Markdown: differences first, each with what was expected and what was seen."""
    totals = content["totals"]
    summary = (
        f"**{totals[Status.DIFFERS]} different, {totals[Status.NOT_ANSWERED]} not answered, "
        f"{totals[Status.AS_EXPECTED]} as expected.**"
    )
    parts = [
        "# What an account answered",
        f"Send this page and `beliefs.json` to {WHERE_TO_SEND}. They hold no account id and no secret.",
        _facts(content),
        summary,
    ]
    if not content["complete"]:
        parts.append("**The proof did not come to its end: further beliefs were not asked.**")
    for status, heading in HEADINGS.items():
        rows = [row for row in content["beliefs"] if row["status"] == status]
        if rows:
            parts += [f"## {heading} ({len(rows)})", *(_belief(row) for row in rows)]
    return "\n\n".join(parts) + "\n"


def _facts(content: ProofDocument) -> str:
    facts = {
        "region": content["region"],
        "started at": content["started_at"],
        "finished at": content["finished_at"],
        "instance type": content["instance_type"],
        "image id": content["image_id"],
        "windows": content["windows"],
        "agent version": content["agent_version"],
    }
    return "\n".join(f"- {name}: {escape(fact or 'unknown')}" for name, fact in facts.items())


def _belief(row: BeliefRow) -> str:
    lines = [f"### {escape(row['id'])}", "", escape(row["sentence"]), ""]
    lines.append(f"- asked: {escape(row['asked'])}")
    lines.append(f"- expected: {escape(row['expected'])}")
    lines.append(
        f"- seen: {escape(row['seen'])}" if row["seen"] is not None else f"- not answered: {escape(row['reason'])}"
    )
    if row["values"]:
        lines.append(f"- values: {escape(json.dumps(row['values'], ensure_ascii=False, allow_nan=False))}")
    return "\n".join(lines)


def lines(content: ProofDocument) -> list[str]:
    """For the terminal: one line for each belief that is not as expected, then the totals."""
    named = [
        f"{row['id']}: {'differs' if row['status'] == Status.DIFFERS else 'not answered'}: "
        f"{row['seen'] if row['seen'] is not None else row['reason']} Expected: {row['expected']}"
        for row in content["beliefs"]
        if row["status"] != Status.AS_EXPECTED
    ]
    totals = content["totals"]
    summary = (
        f"{totals[Status.AS_EXPECTED]} beliefs as expected, {totals[Status.DIFFERS]} different, "
        f"{totals[Status.NOT_ANSWERED]} not answered."
    )
    return [*named, summary]
