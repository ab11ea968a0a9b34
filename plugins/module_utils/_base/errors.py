# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The exceptions below a module's main and an action's run."""

from __future__ import annotations

from typing import Any, ClassVar

from .._model.outcomes import Outcome
from .._model.reasons import Reason, ReasonCode
from .text import clean_text


class PatchFleetError(Exception):
    """Something that ends an operation; what is raised is one of its subclasses, which give the host its outcome.

    Attributes:
        reason: a sentence for a person.
        code: the reason code (the report's ``reason_code``).
        outcome: what the host becomes if nothing else is decided: failed, deferred, excluded or held.
        facts: what was learned before it and belongs into the operation's result.
    """

    outcome: ClassVar[Outcome]

    def __init__(self, reason: str, code: ReasonCode, facts: dict[str, Any] | None = None) -> None:
        super().__init__(clean_text(reason))
        self.reason = clean_text(reason)  # it may hold words of hosts, tags and other programs
        self.code = code
        self.facts = facts or {}


class Failed(PatchFleetError):
    """The operation could not do its work: the host has failed, or the run cannot begin."""

    outcome = Outcome.FAILED


class Deferred(PatchFleetError):
    """The host was checked, but nothing on it was changed; a later run may take it."""

    outcome = Outcome.DEFERRED


class Excluded(PatchFleetError):
    """The host may not be touched."""

    outcome = Outcome.EXCLUDED


class NeedsAttention(PatchFleetError):
    """The host's power state could not or must not be put back; a person has to check it."""

    outcome = Outcome.HELD


class LeaseLost(NeedsAttention):
    """Another run, or another process for this one, took the host over: nothing more is done to it here."""

    def __init__(self, key: str) -> None:
        super().__init__(f"Another run has taken {key} over; this one does not touch it any more.", Reason.LEASE_LOST)


class Unreachable(Failed):
    """The host takes no connection and no command."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, Reason.UNREACHABLE)


class LoginRefused(Failed):
    """Hosts refused the log-on of an account so often that one more could lock it; nothing more is tried with it."""

    def __init__(self, account: str, words: str) -> None:
        super().__init__(
            f"The log-on of {account or 'the account'} was refused twice in this run, so nothing more is tried with it: {words} "
            "Check its password, and whether the account is locked.",
            Reason.LOGIN_REFUSED,
        )


class ConnectionSettings(Failed):
    """Ansible refuses the settings of a host's connection before anything is sent."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, Reason.CONNECTION_SETTINGS)


class CommandTimeout(Failed):
    """A command was accepted and did not end in time. Nothing is cancelled: it may go on in the host.

    Attributes:
        command_id: of Run Command, where the command was sent by it and is known to go on.
    """

    def __init__(self, reason: str, command_id: str | None = None) -> None:
        super().__init__(reason, Reason.COMMAND_TIMEOUT, {"command_id": command_id} if command_id else None)
        self.command_id = command_id


class NoAnswer(Failed):
    """A script gave no answer that can be read; whether it has ended is unknown."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, Reason.SCRIPT_FAILED)


class InstanceGone(Failed):
    """EC2 knows the instance no more, or shows it as terminated."""

    def __init__(self) -> None:
        super().__init__("The instance does not exist any more.", Reason.INSTANCE_GONE)


class NoRun(Failed):
    """There is no ledger, or it holds no run: it cannot say what is on because of a run."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, Reason.NO_RUN)


class UnknownRun(Failed):
    """The ledger has no run with this id.

    Args:
        ledger: its path or URL.
        run_id: of the run that was asked for.
    """

    def __init__(self, ledger: object, run_id: str) -> None:
        super().__init__(f"The ledger {ledger} knows no run {run_id!r}.", Reason.UNKNOWN_RUN)


class NotRecorded(Failed):
    """The ledger holds no such host, or no open power record of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, Reason.NOT_RECORDED)


class InvalidOption(Failed):
    """A value that a user set cannot be right: names the option, the value and what would be right."""

    def __init__(self, option: str, value: object, right: str) -> None:
        super().__init__(f"{option}: {value!r} is not valid. {right}", Reason.INVALID_OPTION)
        self.option = option
