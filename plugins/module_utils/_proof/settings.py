# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a proof is asked to do, and the names and tags of everything that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .._base.clock import iso, parse_iso
from .._operation.options import Options

PROOF_TAG = "patchfleet:proof"
"""On everything that a proof makes; its value is the proof's id."""
EXPIRES_TAG = "patchfleet:expires"
"""The time, in UTC, after which the proof needs it no longer."""
NAME_PREFIX = "patchfleet-proof-"
"""Of maintenance windows and schedules: schedules have no tags."""
LONGEST_HOURS = 12


@dataclass(frozen=True)
class ProofSettings:
    """The options of a proof.

    Attributes:
        confirmed: the user has agreed to what the plan says.
        hours: the longest time that the proof may take.
        hourly_usd: the price of the instance type, where the Price List is not asked.
        setup_prefix: the Prefix of the account's stack.
        tag_key, tag_value: the target tag of that stack, which its policies ask for.
        external_id: ControllerExternalId of that stack.
    """

    subnet_id: str
    confirmed: bool
    instance_type: str
    image_parameter: str
    security_group_ids: tuple[str, ...]
    instance_profile: str | None
    hours: int
    hourly_usd: float | None
    setup_prefix: str
    tag_key: str
    tag_value: str
    external_id: str | None

    @classmethod
    def of(cls, params: Options) -> ProofSettings:
        """From the options of the module."""
        return cls(
            subnet_id=params["subnet_id"] or "",
            confirmed=params["confirmed"],
            instance_type=params["instance_type"],
            image_parameter=params["image_parameter"],
            security_group_ids=tuple(params["security_group_ids"]),
            instance_profile=params["instance_profile"] or None,
            hours=params["hours"],
            hourly_usd=params["hourly_usd"],
            setup_prefix=params["setup_prefix"],
            tag_key=params["tag_key"] or "",
            tag_value=params["tag_value"] or "",
            external_id=params["external_id"] or None,
        )

    def profile_in(self, region: str) -> str:
        """The instance profile that is asked for, or the one that the account's stack makes."""
        return self.instance_profile or f"{self.setup_prefix}-host-{region}"

    def tags(self, proof_id: str, expires_at: float) -> dict[str, str]:
        """Of everything that the proof makes and that has tags, but for the target tag."""
        return {PROOF_TAG: proof_id, EXPIRES_TAG: str(iso(expires_at)), "Name": f"{NAME_PREFIX}{proof_id}"}


def expiry_of(tags: Mapping[str, str]) -> float | None:
    """When a proof is over, in seconds since 1970; None where its tag says nothing that can be read."""
    try:
        return parse_iso(tags.get(EXPIRES_TAG, ""))
    except ValueError:
        return None
