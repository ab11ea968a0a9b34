# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a controller reaches the outside by: clients of AWS, the ledger and its poller. Their changes are acts of the controller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.api import READING, Aws
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.budget import Budget
from ansible_collections.patchfleet.windows.plugins.module_utils._model.account import Account
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.poller import (
    RETRY_BUDGET_SECONDS,
    Answer,
    PacedCaller,
    Poller,
    Question,
)
from chaos.names import WRITES
from chaos.watch import Change

if TYPE_CHECKING:
    from chaos.controller import Controller


class Killed(BaseException):
    """SIGKILL: no process can catch it, and nothing of the controller runs after it."""


class DyingPoller:
    """The poller of a controller, in its own process here: after this number of answers it is gone."""

    def __init__(self, controller: Controller, answers: int, budget: Budget | None) -> None:
        self._controller, self._left = controller, answers
        self._caller = PacedCaller(budget, controller) if budget else None
        table = controller.night.open_ledger(controller, controller) if controller.night.backend == "dynamodb" else None
        self._poller = Poller(self._aws_at, controller, budget, table)

    def _aws_at(self, account: Account | None, region: str) -> Aws:
        options: dict[str, Any] = {"caller": self._caller, "retry_budget_seconds": RETRY_BUDGET_SECONDS}
        return Aws(self._controller, self._controller, region, **options).at(account, region)  # type: ignore[arg-type]

    def ask(self, question: Question) -> Answer | None:
        self._left -= 1
        return self._poller.ask(question) if self._left >= 0 else None


class ActingClient:
    """A boto3 client whose changing calls are acts."""

    def __init__(self, controller: Controller, service: str, client: Any) -> None:
        self._controller, self._service, self._client = controller, service, client
        self.meta = client.meta

    def __getattr__(self, operation: str) -> Any:
        method = getattr(self._client, operation)

        def call(**params: Any) -> Any:
            if operation.startswith(READING) or params.get("DryRun"):
                self._controller.stand_still()
                return method(**params)
            watch, decided_at = self._controller.night.watch, self._controller.night.now()
            change = Change(self._controller, self._service, operation, params, decided_at)
            return self._controller.act(operation, lambda: watch.call(change, lambda: method(**params)))

        return call


class ActingLedger:
    """The controller's own way to the night's ledger. In SQLite each write is an act; in DynamoDB its calls are."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._ledger = controller.night.open_ledger(controller, controller)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ledger, name)

        def read(*args: Any, **kwargs: Any) -> Any:
            self._controller.stand_still()
            return method(*args, **kwargs)

        def write(*args: Any, **kwargs: Any) -> Any:
            controller = self._controller
            if controller.night.backend == "sqlite":
                done = controller.act(name, lambda: method(*args, **kwargs))
            else:
                try:
                    done = method(*args, **kwargs)
                except Killed:
                    controller.night.watch.cut_off(name, args)
                    raise
            controller.night.watch.wrote(controller, name, args, done)
            return done

        return write if name in WRITES else read
