# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call of the account: who calls what, where, with which parameters."""

from __future__ import annotations

import base64
import binascii
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from lab.aws.arns import Arns
from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from lab.aws.account import Account
    from lab.sim import Simulation
    from lab.world import Fleet

OTHER = "other"

Item = TypeVar("Item")
Result = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """``params`` as a client passes them to boto3; ``caller`` is an access key, or ``other`` for what events do."""

    account: Account
    service: str
    operation: str
    params: dict[str, Any]
    region: str
    caller: str

    @property
    def role(self) -> str | None:
        """The role that the caller has assumed, None for an administrator."""
        return self.account.gate.role_of(self.caller)

    @property
    def by_us(self) -> bool:
        return self.caller != OTHER

    @property
    def dry_run(self) -> bool:
        return bool(self.params.get("DryRun"))

    @property
    def action(self) -> str:
        """The action in IAM's terms."""
        return f"{'servicequotas' if self.service == 'service-quotas' else self.service}:{self.operation}"

    @functools.cached_property
    def as_of(self) -> float:
        """The lab second of which this call sees the account: for a read, it may be past."""
        return self.account.replicas.as_of(self)

    @property
    def arns(self) -> Arns:
        return self.account.arns

    @property
    def world(self) -> Fleet:
        return self.account.world

    @property
    def sim(self) -> Simulation:
        return self.account.world.sim


Operation = Callable[[Request], Result]


def page(
    request: Request, items: Sequence[Item], most: int, default: int | None = None
) -> tuple[list[Item], dict[str, str]]:
    """The part of ``items`` that the request asks for, and the NextToken member if there is more.

    The token is opaque to clients, as AWS's are; one that AWS did not give out is an error.
    """
    size = request.params.get("MaxResults") or default or most
    start = _offset(request.params.get("NextToken"))
    end = start + min(size, most)
    token = base64.b64encode(f"lab:{end}".encode()).decode()
    return list(items[start:end]), {"NextToken": token} if end < len(items) else {}


def _offset(token: str | None) -> int:
    if not token:
        return 0
    try:
        kind, _, offset = base64.b64decode(token, validate=True).decode().partition(":")
        if kind == "lab":
            return int(offset)
    except (binascii.Error, ValueError):
        pass
    raise AwsError("InvalidNextToken", "The specified token is not valid.")
