# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variable patch_prices: what an hour of each instance type costs, for the hours that hosts are on because of a run.

It is a table of the user's, or AWS's price list. That is read when a run is opened, so that the report of a run stays as it was.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._aws.pricing import windows_hourly_usd
from .._base.errors import InvalidOption, PatchFleetError

if TYPE_CHECKING:
    from .._model.settings import Settings
    from .._operation.context import OperationContext
    from .order import Plan

EXAMPLE = (
    'It must be a mapping of instance types to USD an hour, e.g. {"m5.large": 0.188, "t3.medium": 0.06}, or "aws" for the price '
    "list of AWS."
)
FROM_AWS = "aws"
TYPE = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9-]+")


def read_prices(name: str, given: Any) -> dict[str, float] | str:
    """USD an hour by instance type, or FROM_AWS.

    Raises:
        InvalidOption: what cannot be an instance type, or a price.
    """
    if isinstance(given, str) and given.strip().lower() == FROM_AWS:
        return FROM_AWS
    if not isinstance(given, dict):
        raise InvalidOption(name, given, EXAMPLE)
    for key in given:
        if not TYPE.fullmatch(str(key)):
            raise InvalidOption(name, key, f"It is no instance type. {EXAMPLE}")
    return {str(key): _price(f"{name}.{key}", value) for key, value in given.items()}


def prices_of(context: OperationContext, plan: Plan, settings: Settings) -> dict[str, float] | None:
    """The prices for the report of a run: the user's by type, or those of AWS by region and type (see price_key).

    Without the right, or without a connection to the price list, the report has hours only; that is said once.
    """
    given = settings["prices"]
    if not isinstance(given, str):
        return given
    try:
        found = {pair: windows_hourly_usd(context.aws.without_retries(), *pair) for pair in _types(plan)}
    except PatchFleetError as error:
        context.report_progress(f"The price list of AWS was not read, so the report has hours only. {error.reason}")
        return None
    return {price_key(*pair): price for pair, price in found.items() if price is not None}


def missing_prices(context: OperationContext, plan: Plan, settings: Settings) -> list[str]:
    """A sentence for a plan where a run could not read the price list of AWS: asking for one type shows the right."""
    types = _types(plan)
    if settings["prices"] != FROM_AWS or not types:
        return []
    try:
        windows_hourly_usd(context.aws.without_retries(), *types[0])
    except PatchFleetError as error:
        return [
            f"The price list of AWS cannot be read (patch_prices), so the report will have hours only. {error.reason}"
        ]
    return []


def _types(plan: Plan) -> list[tuple[str, str]]:
    """The regions and types of the instances that are patched."""
    hosts = (planned.host for planned in plan.included)
    return sorted({(str(host.region), host.type) for host in hosts if host.kind == "ec2" and host.type})


def price_key(region: str | None, instance_type: str) -> str:
    """How the prices of AWS are named: they differ by region."""
    return f"{region}/{instance_type}"


def hourly_price(prices: Mapping[str, float], region: str | None, instance_type: str | None) -> float | None:
    """USD an hour of a host, by either kind of prices; None where its type has none."""
    if instance_type is None:
        return None
    return prices.get(price_key(region, instance_type), prices.get(instance_type))


def _price(option: str, given: Any) -> float:
    try:
        price = math.nan if isinstance(given, bool) else float(given)
    except (TypeError, ValueError):
        price = math.nan
    if not 0 <= price < math.inf:
        raise InvalidOption(option, given, "It must be a price in USD an hour, 0 or more.")
    return price
