# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Price List: invented prices of instances with Windows and of gp3 volumes, in the form in which AWS answers them.

Source: Price List API reference (GetProducts); user guide, "Reading the price list".
"""

from __future__ import annotations

import json

from lab.aws.errors import AwsError
from lab.aws.instance_types import size_of
from lab.aws.request import Operation, Request, Result

USD_PER_VCPU_HOUR = 0.07
USD_PER_GIB_MONTH = 0.1


def get_products(request: Request) -> Result:
    """One product, whatever else the filters ask for; none for a type that AWS does not have."""
    filters = {entry["Field"]: entry["Value"] for entry in request.params.get("Filters", ())}
    if "volumeApiName" in filters:
        return {"FormatVersion": "aws_v1", "PriceList": [_product(USD_PER_GIB_MONTH, "GB-Mo")]}
    try:
        vcpus, _mib = size_of(filters["instanceType"])
    except AwsError:
        return {"FormatVersion": "aws_v1", "PriceList": []}
    return {"FormatVersion": "aws_v1", "PriceList": [_product(vcpus * USD_PER_VCPU_HOUR, "Hrs")]}


def _product(usd: float, unit: str) -> str:
    dimension = {"unit": unit, "beginRange": "0", "endRange": "Inf", "pricePerUnit": {"USD": f"{usd:.10f}"}}
    term = {"offerTermCode": "JRTCKXETXF", "priceDimensions": {"SKU.JRTCKXETXF.6YS6EN2CT7": dimension}}
    return json.dumps({"product": {"sku": "SKU"}, "serviceCode": "AmazonEC2", "terms": {"OnDemand": {"SKU.1": term}}})


OPERATIONS: dict[str, Operation] = {"GetProducts": get_products}
