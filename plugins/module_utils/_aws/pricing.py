# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWS's price list: what an hour of an instance with Windows costs.

Sources: Price List API reference (GetProducts); Billing user guide, "Finding services and products" (fields of EC2's products).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from .api import Aws, Service, pages

PRICING: Service[Any] = Service("pricing")
PRICING_REGION = "us-east-1"
"""The Price List has an endpoint in a few regions only, and each has the prices of all."""


def windows_hourly_usd(aws: Aws, region: str, instance_type: str) -> float | None:
    """The highest on-demand price of an hour with the licence of Windows, without SQL Server; None where the list has none."""
    filters = {
        "regionCode": region,
        "instanceType": instance_type,
        "operatingSystem": "Windows",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "licenseModel": "No License required",
    }
    return max(usd_prices(aws, filters), default=None)


def usd_prices(aws: Aws, filters: Mapping[str, str]) -> list[float]:
    """The on-demand prices in USD of EC2's products that pass the filters, each for the unit that the product is sold by."""
    rows = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in filters.items()]
    operation = partial(aws.in_region(PRICING_REGION).read(PRICING).get_products, ServiceCode="AmazonEC2", Filters=rows)
    products = [json.loads(text) for page in pages(operation) for text in page.get("PriceList", [])]
    return [
        float(dimension["pricePerUnit"]["USD"])
        for product in products
        for term in product["terms"].get("OnDemand", {}).values()
        for dimension in term["priceDimensions"].values()
        if "USD" in dimension["pricePerUnit"]
    ]
