# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One view of a host, whatever EC2, SSM and the inventory say of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, cast

from .._model.account import Account, account_from
from .._model.fleet_row import FleetRow, ListedNode
from .._model.reasons import Reason

OFF_STATES = frozenset({"stopped", "stopping"})


@dataclass(frozen=True)
class Location:
    """A region of an account, which has quotas, documents and schedules of its own. No account: it is not known which."""

    account: Account | None
    region: str

    @property
    def described(self) -> str:
        """Region and account, as far as it is known."""
        return f"{self.region} of account {self.account}" if self.account else self.region

    def __str__(self) -> str:
        return f"{self.region} of account {self.account}" if self.account and self.account.role_arn else self.region


@dataclass(frozen=True)
class FleetHost:
    """A target.

    Attributes:
        key: the instance or node id, else the inventory name; the ledger's name for it.
        name: for people: the inventory's name, the tag Name where that is an id or an address of AWS, else the id.
        kind: ec2, hybrid (a managed node mi-… without EC2) or winrm.
        state: EC2's state name; running for hosts without EC2; gone when EC2 does not know the id.
        power: running or stopped: what the host is meant to be (a stopping one is meant to be off).
        exclusion: None, or why it may not be touched: (code, sentence).
        profile_arn: of its instance profile.
        private_address: its address in its network; of a host without AWS, where the inventory says that it is.
        other_addresses: more addresses and DNS names that lead to it.
        port: of the inventory's connection, for a host without AWS.
        connection: winrm, psrp or ssh, for a host without AWS.
        account: the account in AWS, as far as it is known.
        transport: ssm or connection (the inventory's own): how operations reach it.
        node: what SSM says of the managed node, {} when it lists none: ping_status, last_ping_at, agent_version.
    """

    key: str
    name: str
    kind: str
    state: str = "running"
    instance_id: str | None = None
    region: str | None = None
    az: str | None = None
    type: str | None = None
    inventory_name: str | None = None
    by_tag: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    exclusion: tuple[Reason, str] | None = None
    node: ListedNode = field(default_factory=ListedNode)
    profile_arn: str | None = None
    private_address: str | None = None
    public_address: str | None = None
    other_addresses: tuple[str, ...] = ()
    port: int | None = None
    connection: str | None = None
    vpc_id: str | None = None
    subnet_id: str | None = None
    root_volume_id: str | None = None
    transport: str = "ssm"
    account: Account | None = None

    @property
    def location(self) -> Location:
        """Where it is in AWS, for a host with a region."""
        return Location(self.account, str(self.region))

    @property
    def power(self) -> str:
        return "stopped" if self.state in OFF_STATES else "running"

    def as_result(self) -> FleetRow:
        """For a module's result; ``exclusion`` becomes exclusion_code and exclusion_reason."""
        values = asdict(self)
        code, reason = values.pop("exclusion") or (None, None)
        row = {**values, "power": self.power, "exclusion_code": code, "exclusion_reason": reason}
        return cast("FleetRow", row)


def from_result(result: FleetRow) -> FleetHost:
    """The host that as_result described."""
    values: dict[str, Any] = {key: value for key, value in result.items() if key in FleetHost.__dataclass_fields__}
    values["account"] = account_from(result.get("account"))
    code = result.get("exclusion_code")
    if code:
        values["exclusion"] = (Reason(code), str(result["exclusion_reason"]))
    return FleetHost(**values)


def by_location(hosts: Iterable[FleetHost]) -> dict[Location, list[FleetHost]]:
    """Hosts with a region by where they are, in the order of accounts and regions."""
    found: dict[Location, list[FleetHost]] = {}
    for host in sorted((host for host in hosts if host.region), key=_by_account_and_region):
        found.setdefault(host.location, []).append(host)
    return found


def _by_account_and_region(host: FleetHost) -> tuple[str, str]:
    """The account of the credentials comes first."""
    account = host.account.id if host.account and host.account.role_arn else ""
    return account, str(host.region)
