# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a host answers over its own connection: it does when the connection carries a script."""

from __future__ import annotations

from .._base.errors import CommandTimeout, ConnectionSettings, Deferred, LoginRefused, Unreachable
from .._model.reasons import Reason
from .._operation.channel import HostConnection
from .._operation.context import OperationContext
from .powershell import refuse_unusable
from .scripts import PROBE, PROBE_SECONDS


def answers(connection: HostConnection) -> bool:
    """Whether something at the host's address takes connections; a script that is cut off shows that, too."""
    return not isinstance(_probe(connection), Unreachable)


def wait_until_ready(
    context: OperationContext, connection: HostConnection, timeout_seconds: float, *, may_boot: bool
) -> None:
    """Wait until the connection carries a script. A host that was started has time to boot, and a slow one to answer.

    Raises:
        Deferred: ``unreachable``, ``login_refused`` or ``connection_settings``, where the host was not started for this run:
            nothing was started.
        PatchFleetError: ``unreachable``, where it was; its PowerShell cannot run the scripts (see powershell.refuse_unusable).
    """
    context.report_progress("trying its connection")
    probes: list[Unreachable | CommandTimeout | str] = []

    def is_decided() -> bool:
        try:
            answer = _probe(connection)
        except (LoginRefused, ConnectionSettings) as error:
            if may_boot:
                raise
            raise Deferred(f"Nothing was started: {error.reason}", error.code) from error
        probes.append(answer)
        return isinstance(answer, str) or (isinstance(answer, Unreachable) and not may_boot)

    context.wait_until(is_decided, context.deadline(timeout_seconds), longest=15.0)
    answer = probes[-1]
    if isinstance(answer, str):
        refuse_unusable(answer)
        return
    if may_boot:
        raise Unreachable(f"It did not answer in time. {answer.reason}")
    raise Deferred(f"Nothing was started: {answer.reason}", Reason.UNREACHABLE)


def _probe(connection: HostConnection) -> Unreachable | CommandTimeout | str:
    """What the host answered, or why it did not."""
    try:
        return connection.run_script("\n".join(PROBE), PROBE_SECONDS)
    except (Unreachable, CommandTimeout) as error:
        return error
