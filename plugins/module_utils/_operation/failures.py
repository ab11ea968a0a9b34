# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""A failure: where it is caught, written into the run, once, and becomes the result of its task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from .._base.errors import Failed, LeaseLost, PatchFleetError
from .._base.text import join_sentences
from .._ledger import lenient
from .._ledger.records import Host, Verdict, verdict_from
from .._ledger.repeated import with_repetition
from .._model.fact_values import StoredVerdict
from .._model.outcomes import Outcome
from .._model.phases import Phase
from .._model.reasons import Reason, reason_of
from .._model.text_enum import plain
from .context import OperationContext
from .denials import explain_denial
from .operation import Operation, begin


@dataclass
class Attempt:
    """One call of an operation.

    Attributes:
        operation: what is performed.
        result: of its task; of one that failed, see failure_result.
        error: why it failed.
        phase: in which it began, of one that belongs to a host of a run.
    """

    operation: Operation
    result: Mapping[str, object] = field(default_factory=dict)
    error: PatchFleetError | None = None
    phase: Phase | None = None
    _context: OperationContext | None = None
    _left: bool = False

    def begin(self, context: OperationContext) -> None:
        """See operation.begin. From now on a failure belongs to the host of the context."""
        self.phase = self.operation.phase_of(context.params) if context.tracked_host else None
        self._context = context
        begin(self.operation, context)

    @property
    def _host_context(self) -> OperationContext | None:
        """The context of an operation that belongs to a host of a run."""
        return self._context if self.phase else None

    def fail(self, raised: PatchFleetError) -> None:
        """Write a failure into the run, and make the result of it. One that cannot be written is the result all the same."""
        context, self.error = self._host_context, raised
        if self._context:
            _name_command(self._context, raised)
        if context:
            with suppress(PatchFleetError):  # the operation's own error says more than a lease that is gone
                context.clock.check()
            with suppress(PatchFleetError):
                self.error = explain_denial(context, raised)
            with suppress(PatchFleetError):
                record_failure(context, self.error, context.phase or self.phase)
        self.result = {"failed": True, **failure_result(self.error)}

    def succeed(self) -> None:
        """The end of an operation that has its result.

        Raises:
            PatchFleetError: the controller stood still, and another run has the host now; or the ledger cannot be written.
        """
        if self._host_context:
            self._host_context.clock.check()
        self.leave(ok=True)

    def leave(self, ok: bool) -> None:
        """Leave the phase, and release what is leased for the operation alone; does nothing the second time."""
        context = self._host_context
        if context and not self._left:
            self._left = True
            context.leave(ok)
            context.lease.release()


@contextmanager
def attempt(operation: Operation) -> Iterator[Attempt]:
    """Around one call of an operation, with the making of its context: no error leaves the block, and its callers return the result
    as it is. What fails before Attempt.begin belongs to no phase of a host and is written by host_result.
    """
    attempted = Attempt(operation)
    try:
        yield attempted
        attempted.succeed()
    except PatchFleetError as error:
        attempted.fail(error)
    finally:
        with suppress(PatchFleetError):  # what ended the operation says more
            attempted.leave(ok=False)


def _name_command(context: OperationContext, error: PatchFleetError) -> None:
    """With new credentials people put back what is on because of a run: by which command, no lower layer knows.

    A failure that was named before keeps its words: an operation may write it itself, and its task fails with it.
    """
    if error.code != Reason.CREDENTIALS_EXPIRED or "ledger" not in context.params:
        return
    words = f"Then {context.command('restore')} puts back what is still on because of a run, and the same run can be started again."
    if words not in error.reason:
        error.reason = join_sentences(error.reason, words)


def record_failure(context: OperationContext, error: PatchFleetError, phase: Phase | None) -> None:
    """Give the host of the context the outcome of a failure. The error says afterwards that this was done (``outcome``).

    The first failure of a host gives it outcome, phase and reason code; a later one adds its sentence. One that needs a person
    comes before what there was. A run that lost the host does not know how it ended, so it only says so where nothing else is
    known.
    """
    _name_command(context, error)
    if not context.tracked_host:
        return
    run_id, key = context.tracked_host
    with suppress(PatchFleetError):  # of a host that another run has
        context.write_noted()
    host = lenient.stored_host(context.ledger, run_id, key) or context.host
    if "denied_action" in error.facts:  # two hosts without a right may end the run
        context.ledger.update_facts(run_id, key, {"denied_action": error.facts["denied_action"]})
    verdict = _verdict(context, host, error, phase)
    if verdict:
        context.ledger.set_outcome(run_id, key, verdict, overwrite=host.outcome is not None)
    error.facts.update(step=phase, outcome=verdict.outcome if verdict else host.outcome)


def _verdict(context: OperationContext, host: Host, error: PatchFleetError, phase: Phase | None) -> Verdict | None:
    """What the host has after the error; None where that is what it has already."""
    if error.outcome == Outcome.HELD and not isinstance(error, LeaseLost):
        before = _verdict_before(context, host)
        return Verdict(error.outcome, phase, error.code, _joined(before.reason if before else None, error.reason))
    if host.outcome is not None:
        if isinstance(error, LeaseLost):
            return None
        return Verdict(host.outcome, host.phase, host.reason_code, _joined(host.reason, error.reason))
    if error.outcome == Outcome.DEFERRED and (
        host.facts.get("started_by_run") or host.facts.get("start_tasks") == "ok"
    ):
        # A host is deferred only where nothing on it was changed.
        reason = f"{error.reason} It had been started for this run already."
        return with_repetition(context.ledger, host, Verdict(Outcome.FAILED, phase, error.code, reason))
    return with_repetition(context.ledger, host, Verdict(error.outcome, phase, error.code, error.reason))


def _verdict_before(context: OperationContext, host: Host) -> Verdict | None:
    """How a host ended before its power state could not be restored: what a later restore gives back to it."""
    if host.outcome is not None and host.outcome != Outcome.HELD:
        stored: StoredVerdict = {
            "outcome": str(host.outcome),
            "phase": str(host.phase) if host.phase else None,
            "reason_code": str(host.reason_code) if host.reason_code else None,
            "reason": host.reason,
        }
        context.update_facts_in(host, {"verdict_before": stored})
        return verdict_from(stored)
    earlier = host.facts.get("verdict_before")
    return verdict_from(earlier) if earlier else None


def _joined(before: str | None, reason: str) -> str:
    return before if before and reason in before else " ".join(filter(None, [before, reason]))


def failure_result(error: PatchFleetError) -> dict[str, Any]:
    """The result of a task that failed with this error.

    Returns:
        msg, reason_code, and of an operation that belongs to a host of a run: step, outcome, and retry_later where the run takes
        the host once more; the facts of the error.
    """
    retry = {"retry_later": True} if error.code.retry_later else {}
    return {"msg": error.reason, "reason_code": str(error.code), **plain(error.facts), **retry}


def known_failure(result: dict[str, Any]) -> Failed:
    """The failure of a task that a result describes, be the task one of this collection or any other."""
    recorded = {name: result[name] for name in ("step", "outcome") if result.get(name)}
    reason = str(result.get("msg") or "A task failed without a message.")
    return Failed(reason, reason_of(str(result.get("reason_code") or Reason.TASK_FAILED)), recorded)


def is_recorded(error: PatchFleetError) -> bool:
    """Whether record_failure has had it."""
    return "outcome" in error.facts
