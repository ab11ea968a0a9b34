# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module account_proof."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence

from .._base.errors import InvalidOption
from .._ledger import state_folder
from .._operation.context import OperationContext
from .._operation.operation import Operation
from .._operation.results import Result
from .._proof.asking import ask_all
from .._proof.belief import Answer, Belief, Status
from .._proof.document import BeliefRow, ProofDocument, document, lines, write
from .._proof.preflight import NOTHING_MADE, check
from .._proof.prover import Prover
from .._proof.resources import find, make, take_away
from .._proof.settings import ProofSettings
from .._proof.table import BELIEFS


class PlannedProof(Result):
    """What would be done, or was taken away, in lines for a person."""

    lines: list[str]


class StartedProof(Result, total=False):
    """In check mode nothing is started."""

    instance_id: str


class AskedProof(Result, total=False):
    """``proven`` is whether all answers are as expected; in check mode nothing is asked."""

    proven: bool
    totals: dict[str, int]
    beliefs: list[BeliefRow]
    lines: list[str]
    files: dict[str, str]


def _plan(context: OperationContext) -> PlannedProof:
    _selected(context)
    _refuse_unwritable(context)
    return {"changed": False, "lines": check(context).lines(ProofSettings.of(context.params))}


def _start(context: OperationContext) -> StartedProof:
    preflight = check(context)
    if context.check_mode:
        return {"changed": True}
    return {"changed": True, "instance_id": make(context, preflight)}


def _ask(context: OperationContext) -> AskedProof:
    if context.check_mode:
        return {"changed": False}
    folder, started_at, beliefs = _folder(context), context.clock.now(), _selected(context)
    prover = Prover(context, find(context))

    def content(answers: Sequence[Answer]) -> ProofDocument:
        return document(prover, answers, started_at, number=len(BELIEFS))

    answers = ask_all(prover, beliefs, lambda answers: write(folder, content(answers)))
    result = content(answers)
    return {
        "changed": True,
        "proven": all(answer.status == Status.AS_EXPECTED for answer in answers),
        "totals": result["totals"],
        "beliefs": result["beliefs"],
        "lines": lines(result),
        "files": write(folder, result),
    }


def _take_away(context: OperationContext) -> PlannedProof:
    gone = take_away(context)
    return {"changed": gone.changed, "lines": gone.lines}


def _selected(context: OperationContext) -> list[Belief]:
    """Those that are asked, in the order of the table; all where none is named."""
    wanted = [str(name) for name in context.params["beliefs"]]
    known = [belief.id for belief in BELIEFS]
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            raise InvalidOption("prove_beliefs", name, f"There is no such belief; did you mean {near}? {NOTHING_MADE}")
    return [belief for belief in BELIEFS if not wanted or belief.id in wanted]


def _folder(context: OperationContext) -> str:
    return os.path.expanduser(context.params["report_dir"] or os.path.join(state_folder(), "proof"))


def _refuse_unwritable(context: OperationContext) -> None:
    """What is asked for an hour must not be lost for a folder."""
    folder = _folder(context)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise InvalidOption("prove_report_dir", folder, f"It cannot be made: {error}. {NOTHING_MADE}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InvalidOption("prove_report_dir", folder, f"It may not be written. {NOTHING_MADE}")


OPERATION = Operation(
    name="account_proof",
    arguments={
        "state": {"type": "str", "choices": ["planned", "started", "asked", "absent"], "required": True},
        "confirmed": {"type": "bool", "default": False},
        "subnet_id": {"type": "str"},
        "instance_type": {"type": "str", "default": "m5.large"},
        "image_parameter": {
            "type": "str",
            "default": "/aws/service/ami-windows-latest/Windows_Server-2022-English-Full-Base",
        },
        "security_group_ids": {"type": "list", "elements": "str", "default": []},
        "instance_profile": {"type": "str"},
        "hours": {"type": "int", "default": 4},
        "hourly_usd": {"type": "float"},
        "setup_prefix": {"type": "str", "default": "PatchFleet"},
        "tag_key": {"type": "str", "default": "PatchGroup", "no_log": False},
        "tag_value": {"type": "str", "default": "Windows"},
        "external_id": {"type": "str"},
        "beliefs": {"type": "list", "elements": "str", "default": []},
        "report_dir": {"type": "str"},
        "scripts": {"type": "dict", "default": {}},
    },
    work={"planned": _plan, "started": _start, "asked": _ask, "absent": _take_away},
)
