# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An operation on a host: one plain function, and what must hold before it is called.

Three callers perform it, each in a block of failures.attempt: its module (module_main.py), its action plugin
(plugin_utils/_controller_operation.py) and tests with a clock of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from .._aws.options import aws_argument_spec
from .._base.errors import Failed
from .._model.phases import WITHOUT_TIMEOUT, Phase
from .._model.reasons import Reason
from .arguments import Arguments
from .channel import HostChannel, HostConnection
from .context import OperationContext
from .options import Options
from .results import Result
from .standstill import refuse_after_standstill

Work: TypeAlias = Callable[[OperationContext], Mapping[str, object]]


@dataclass(frozen=True)
class Operation:
    """An operation as its module and its action plugin need it.

    Attributes:
        name: of the module.
        arguments: argument spec of its own options.
        work: does it; returns the result, raises PatchFleetError. Or one function for each value of the option C(state).
        in_check_mode: what is done instead in check mode, for values of C(state); functions that are not here know it themselves.
        phase: to which it belongs (start, ready, …; the report calls it ``step``), or one for each value of the option C(state);
            None takes the option C(step), if there is one.
        uses_aws: whether it has amazon.aws's connection options.
        open_channel: chooses how Windows in the host is reached; None for what never reaches it.
        lines: what the action plugin prints of a result, line by line.
        rules: further keywords of AnsibleModule such as required_if.
    """

    name: str
    arguments: Arguments
    work: Work | Mapping[str, Work]
    in_check_mode: Mapping[str, Work] = field(default_factory=dict)
    phase: Phase | dict[str, Phase] | None = None
    uses_aws: bool = True
    open_channel: Callable[[OperationContext, HostConnection | None], HostChannel] | None = None
    lines: Callable[[Any], Iterable[str]] = lambda result: ()
    rules: dict[str, Any] = field(default_factory=dict)

    def function(self, context: OperationContext) -> Work:
        """What a call with the options of this context does."""
        if not isinstance(self.work, Mapping):
            return self.work
        states = {**self.work, **self.in_check_mode} if context.check_mode else self.work
        return states[context.params["state"]]

    def phase_of(self, params: Options) -> Phase | None:
        """The phase to which a call with these options belongs."""
        if isinstance(self.phase, dict):
            return self.phase.get(params["state"])
        step = params.get("step")
        return self.phase or (Phase(step) if step else None)

    @property
    def is_about_a_host(self) -> bool:
        """Whether it belongs to one host of a run, and not to a run as a whole."""
        return "host" in self.arguments

    def argument_spec(self) -> dict[str, Any]:
        """All options, AWS's included."""
        return {**(aws_argument_spec() if self.uses_aws else {}), **self.arguments}


def indented_lines(result: Mapping[str, Any]) -> Iterable[str]:
    """For Operation.lines: the key ``lines`` of a result, where it has one."""
    return (f"  {line}" for line in result.get("lines", ()))


def would_change(context: OperationContext) -> Result:
    """Of states that are not simulated: nothing is done, and the task is shown as changed."""
    return {"changed": True}


def would_not_change(context: OperationContext) -> Result:
    """Of states that have nothing to do in check mode."""
    return {"changed": False}


def make_context(
    operation: Operation,
    params: Mapping[str, Any],
    *,
    connect: Callable[[OperationContext], HostConnection] | None = None,
    **parts: Any,
) -> OperationContext:
    """The context of an operation, with the channel to its host.

    Args:
        operation: what is to be performed.
        params: its options, checked and converted by its argument spec.
        connect: opens the host's own Ansible connection, for hosts that are reached by it.
        parts: further keywords of OperationContext.
    """
    context = OperationContext(cast("Options", params), **parts)
    if operation.open_channel:
        context.channel = operation.open_channel(context, connect(context) if connect else None)
    return context


def begin(operation: Operation, context: OperationContext) -> None:
    """The beginning of an operation on a host of a run: its phase starts, and the lease is renewed.

    Raises:
        PatchFleetError: the operation must not be performed.
    """
    phase = operation.phase_of(context.params)
    if not context.tracked_host or phase is None:
        return
    context.enter(phase)
    refuse_after_standstill(context)
    if phase != Phase.ADMIT or context.host.outcome is None:  # the admission says why a host was never leased
        context.lease.renew()
    _refuse_after_deadline(context)


def _refuse_after_deadline(context: OperationContext) -> None:
    """The time starts at the admission, and again with a capacity retry."""
    ends_at = context.facts.get("deadline_at")
    if context.phase not in WITHOUT_TIMEOUT and ends_at is not None and context.clock.now() >= ends_at:
        raise Failed("The workflow of the host took longer than patch_host_timeout_seconds.", Reason.HOST_TIMEOUT)
