# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""patch_prices: what cannot be right is refused by name, and the report multiplies by it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import botocore.exceptions
import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.prices import hourly_price, prices_of
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import read
from ansible_collections.patchfleet.windows.plugins.module_utils._report.html import to_html
from report_sample import host, report

from .fakes import client_error
from .stage import Stage
from .test_run_open import a_target, all_rights, run

__all__ = ["all_rights"]


def test_a_table_is_read() -> None:
    given = {"m5.large": 0.188, "u-6tb1.metal": "54.6", "t3.nano": 0}
    assert read({"patch_prices": given})["prices"] == {"m5.large": 0.188, "u-6tb1.metal": 54.6, "t3.nano": 0.0}


@pytest.mark.parametrize("given", ["aws", " AWS "])
def test_the_price_list_of_aws_can_be_asked_for(given: str) -> None:
    assert read({"patch_prices": given})["prices"] == "aws"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (["m5.large"], r"patch_prices: .+mapping of instance types"),
        ("azure", r"patch_prices: 'azure' .+or \"aws\""),
        ({"large": 1}, r"patch_prices: 'large' .+no instance type"),
        ({"m5.large": -1}, r"patch_prices\.m5\.large: .+price in USD an hour"),
        ({"m5.large": "cheap"}, r"patch_prices\.m5\.large: 'cheap'"),
        ({"m5.large": True}, r"patch_prices\.m5\.large"),
        ({"m5.large": float("nan")}, r"patch_prices\.m5\.large"),
    ],
)
def test_what_cannot_be_right_is_refused_by_name(given: Any, named: str) -> None:
    with pytest.raises(InvalidOption, match=named):
        read({"patch_prices": given})


def plan_of(*hosts: tuple[str, str, str | None]) -> Any:
    """A plan that takes hosts of this kind, region and type."""
    return SimpleNamespace(
        included=[
            SimpleNamespace(host=SimpleNamespace(kind=kind, region=region, type=type_)) for kind, region, type_ in hosts
        ]
    )


def product(*prices: dict[str, str]) -> str:
    """As the Price List API has it; each price is a dimension of the on-demand term (Billing user guide)."""
    dimensions = {f"SKU.TERM.{n}": {"unit": "Hrs", "pricePerUnit": price} for n, price in enumerate(prices)}
    terms = {"OnDemand": {"SKU.TERM": {"offerTermCode": "TERM", "priceDimensions": dimensions}}}
    return json.dumps({"product": {"sku": "SKU"}, "serviceCode": "AmazonEC2", "terms": terms})


def asked(stage: Stage, given: Any, *hosts: tuple[str, str, str | None]) -> dict[str, float] | None:
    return prices_of(stage.context(OPERATION), plan_of(*hosts), cast("Any", {"prices": given}))


def test_each_region_and_type_is_asked_for_once(stage: Stage) -> None:
    def answer(**params: Any) -> dict[str, Any]:
        fields = {row["Field"]: row["Value"] for row in params["Filters"]}
        usd = {"eu-central-1": "0.5000000000", "eu-west-1": "0.4000000000"}[fields["regionCode"]]
        found = [] if fields["instanceType"] == "u-1.metal" else [product({"USD": usd}), product({"CNY": "9"})]
        return {"FormatVersion": "aws_v1", "PriceList": found}

    stage.account.on("get_products", answer)
    large, metal = "m5.large", "u-1.metal"
    hosts = [("ec2", "eu-central-1", large), ("ec2", "eu-central-1", large), ("ec2", "eu-west-1", large)]
    found = asked(stage, "aws", *hosts, ("ec2", "eu-west-1", metal), ("hybrid", "eu-west-1", None))
    assert found == {"eu-central-1/m5.large": 0.5, "eu-west-1/m5.large": 0.4}
    calls = stage.account.of("get_products")
    assert [call.region for call in calls] == ["us-east-1"] * 3
    first = calls[0]
    assert {row["Field"]: row["Value"] for row in first.params["Filters"]} == {
        "regionCode": "eu-central-1",
        "instanceType": large,
        "operatingSystem": "Windows",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "licenseModel": "No License required",
    }


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (client_error("AccessDeniedException"), "lack the right pricing:"),
        (botocore.exceptions.EndpointConnectionError(endpoint_url="https://api.pricing"), "cannot be reached"),
    ],
    ids=["denied", "not reached"],
)
def test_without_the_price_list_there_are_hours_only_and_that_is_said_once(
    stage: Stage, failure: Exception, words: str
) -> None:
    stage.account.on("get_products", failure)
    assert asked(stage, "aws", ("ec2", "eu-central-1", "m5.large"), ("ec2", "eu-central-1", "t3.large")) is None
    (message,) = stage.message
    assert message.startswith("The price list of AWS was not read, so the report has hours only.")
    assert words in message


@pytest.mark.parametrize("state", ["planned", "opened"])
def test_the_plan_names_the_right_that_the_price_list_needs(stage: Stage, state: str) -> None:
    """Before the night: a run only says afterwards that its report has no prices."""
    host = a_target("i-0123456789abcdef0", "dev-01", type="m5.large")
    stage.account.on("get_products", client_error("AccessDeniedException", operation="GetProducts"))
    text = " ".join([*run(stage, state, host, patch_prices="aws")["lines"], *stage.message])
    assert text.count("lack the right pricing:GetProducts") == 1
    assert f"The price list of AWS {'cannot be' if state == 'planned' else 'was not'} read" in text
    stage.account.on("get_products", {"FormatVersion": "aws_v1", "PriceList": []})
    assert not any("price list" in line for line in run(stage, "planned", host, patch_prices="aws")["lines"])
    asked_before = len(stage.account.of("get_products"))
    run(stage, "planned", host, patch_prices={"m5.large": 0.1})
    assert len(stage.account.of("get_products")) == asked_before


def test_a_table_of_the_users_asks_aws_for_nothing(stage: Stage) -> None:
    assert asked(stage, {"m5.large": 0.1}, ("ec2", "eu-central-1", "m5.large")) == {"m5.large": 0.1}
    assert asked(stage, None, ("ec2", "eu-central-1", "m5.large")) is None
    assert stage.account.calls == []


@pytest.mark.parametrize("prices", [{"m5.large": 0.5}, {"eu-central-1/m5.large": 0.5, "eu-west-1/m5.large": 0.9}])
def test_a_host_has_the_price_of_its_type_in_its_region(prices: dict[str, float]) -> None:
    assert hourly_price(prices, "eu-central-1", "m5.large") == 0.5
    assert hourly_price(prices, "eu-central-1", "m5.xlarge") is None
    assert hourly_price(prices, None, None) is None


def test_the_page_has_the_sum_and_how_many_have_no_price() -> None:
    hosts = [
        host(1, on_seconds=3600.0, on_usd=1.5),
        host(2, on_seconds=1800.0, on_usd=0.75),
        host(3, on_seconds=60.0, on_usd=None),
    ]
    assert "2.25 USD, 1 host without a price" in to_html(report(hosts))
