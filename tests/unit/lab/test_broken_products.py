# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every condition that is held in each scenario, with a product that breaks it against the lab itself, and is caught."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from botocore_fields import NEEDS_SKIPPED_SHUTDOWN
from broken_product import HOSTS, SECRET, Act, Product, judged, tried
from conftest import MakeLab
from lab.fields import OUTCOMES
from virtual_lab import script


def nothing(_product: Product, _name: str) -> None:
    """Not done."""


def says(**fields: object) -> Act:
    """A report that has these fields of the host instead."""

    def set_outcome(product: Product, name: str) -> None:
        Product.set_outcome(product, name)
        product.reported[name].update(fields)

    return set_outcome


def report_twice(product: Product, name: str) -> None:
    Product.set_outcome(product, name)
    product.reported["again"] = {**product.reported[name], "outcome": "compliant"}


def start_before_the_record(product: Product, name: str) -> None:
    product.lab.start(name)
    Product.record(product, name)
    product.records[-1]["original_state"] = "stopped"


def record_once_it_is_on(product: Product, name: str) -> None:
    Product.start(product, name)
    Product.record(product, name)


def lose_a_record(product: Product, _all: str) -> None:
    product.records.pop(0)


def start_late(product: Product, name: str) -> None:
    product.lab.run_for(601)
    Product.start(product, name)


def stop_while_it_installs(product: Product, name: str) -> None:
    product.lab.start_patch(name)
    product.lab.run_for(120)
    stop_with()(product, name)
    Product.start(product, name)
    Product.install(product, name)


def stop_with(**options: bool) -> Act:
    """Stop it whatever it was, after a look."""

    def stop(product: Product, name: str) -> None:
        product.lab.describe(name)
        tried(product.lab.ec2.stop_instances, InstanceIds=[product.lab.id(name)], **options)
        product.lab.run_for(120)

    return stop


def stop_blindly(product: Product, name: str) -> None:
    product.lab.stop(name)
    product.lab.run_for(120)


def stop_later(product: Product, name: str) -> None:
    product.lab.run_for(900)
    stop_with()(product, name)


def change_more_than_the_size(product: Product, name: str) -> None:
    volume = product.lab.describe(name)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    tried(product.lab.ec2.modify_volume, VolumeId=volume, Size=80, VolumeType="io2")
    Product.install(product, name)


def call_what_the_lab_does_not_know(product: Product, name: str) -> None:
    tried(product.lab.ec2.describe_vpn_gateways)
    Product.install(product, name)


def leave_a_secret(product: Product, name: str) -> None:
    product.files["notes.txt"] = f"password={SECRET}"
    Product.set_outcome(product, name)


def splice_a_tag(product: Product, name: str) -> None:
    product.lab.send(name, parameters={"commands": [*script("probe"), "Write-Output $(id)"]})
    Product.install(product, name)


def install_again(product: Product, name: str) -> None:
    Product.verify(product, name)
    Product.install(product, name)


def count_one_more(product: Product, _all: str) -> None:
    product.totals["patched"] = 3


def find_no_one(product: Product, _all: str) -> None:
    product.reported.clear()


NOT_DONE = "expected nothing done to a host that is"
TOO_OLD = "invariants[6].on: expected a scan after the last installation and reboot, got a verdict of 2026-11-14T"
LEFT = {"reason": "Not now.", "reason_code": "no_time"}


def changed(name: str, outcome: str) -> list[str]:
    """What the judge says of a host that was patched and is reported as left alone."""
    fields = (("reboots", "0", "1"), ("installed", "[]", "['KB5031361']"))
    return [
        f"invariants[5].{name}: expected the {field} of a host that is {outcome} as before ({was}), got {now}"
        for field, was, now in fields
    ]


# Which act, on which host, is done how instead, and what the judge has to say.
BROKEN: list[tuple[str, str, Act, list[str]]] = [
    ("record", "off", start_before_the_record, ["always.unrecorded_starts.off: expected 0, got 1"]),
    (
        "install",
        "off",
        stop_while_it_installs,
        [
            "always.cut_off.off: expected no installation cut off by us, got 1",
            "always.doubled_installs.off: expected one Install at a time, got 1 more",
        ],
    ),
    (
        "set_outcome",
        "on",
        says(outcome="skipped"),
        [f"always.outcome.on: expected one of {', '.join(OUTCOMES)}, got skipped"],
    ),
    ("set_outcome", "on", nothing, ["always.targets.on: expected one outcome, got none"]),
    ("set_outcome", "on", report_twice, ["always.targets.on: expected one outcome, got 2"]),
    ("finish", "all", count_one_more, ['always.totals: expected {"patched": 2} as the hosts say, got {"patched": 3}']),
    (
        "install",
        "on",
        nothing,
        ['always.missing.on: expected nothing missing on a patched host, got ["KB5031361"]'],
    ),
    (
        "stop",
        "off",
        nothing,
        ["always.left_on.off: expected the host that we started to be off again, got running"],
    ),
    ("stop", "off", stop_with(Force=True), ["always.stop: expected no Force, got it with off after 1800 s"]),
    pytest.param(
        "stop",
        "off",
        stop_with(SkipOsShutdown=True),
        ["always.stop: expected no SkipOsShutdown, got it with off after 1800 s"],
        marks=NEEDS_SKIPPED_SHUTDOWN,
    ),
    (
        "install",
        "on",
        change_more_than_the_size,
        ["always.modify_volume: expected a Size alone, got VolumeType with on after 2220 s"],
    ),
    (
        "install",
        "on",
        call_what_the_lab_does_not_know,
        [
            "always.unknown.ec2.DescribeVpnGateways: expected calls that the lab knows, got one with no host after 2220 s",
        ],
    ),
    ("set_outcome", "on", leave_a_secret, ["always.secrets: expected no secret in notes.txt, got one"]),
    (
        "finish",
        "all",
        lose_a_record,
        ["invariants[1].off: expected a record of what was started in the ledger, got none"],
    ),
    (
        "start",
        "off",
        record_once_it_is_on,
        [
            "always.left_on.off: expected the host that we started to be off again, got running",
            "invariants[2].off: expected the state before the first start (stopped), got running",
        ],
    ),
    (
        "set_outcome",
        "off",
        says(original_state="running"),
        ["invariants[2].off: expected the state before the first start (stopped), got running"],
    ),
    (
        "stop",
        "on",
        stop_with(),
        [
            "invariants[3].on: expected no stop of what we did not start, got one after 3720 s",
            "invariants[3].on: expected no stop of what was running, got one after 3720 s",
        ],
    ),
    (
        "stop",
        "off",
        stop_blindly,
        ["invariants[3].off: expected a look at LaunchTime before the stop after 1800 s, got none"],
    ),
    (
        "set_outcome",
        "on",
        says(outcome="deferred", **LEFT),
        [f"invariants[5].on: {NOT_DONE} deferred, got SendCommand", *changed("on", "deferred")],
    ),
    (
        "set_outcome",
        "off",
        says(outcome="excluded", **LEFT),
        [
            *(
                f"invariants[5].off: {NOT_DONE} excluded, got {call}"
                for call in ("StartInstances", "SendCommand", "StopInstances")
            ),
            *changed("off", "excluded"),
        ],
    ),
    ("verify", "on", nothing, [f"{TOO_OLD}22:57:00+00:00"]),
    ("verify", "on", install_again, [f"{TOO_OLD}23:22:00+00:00"]),
    ("set_outcome", "on", says(verified_at=None), ["invariants[6].on: expected a proving scan for patched, got null"]),
    (
        "set_outcome",
        "off",
        says(seconds={"patch": 20000}),
        ["invariants[7].off: expected at most 14400 s, got 20000 s"],
    ),
    ("install", "on", splice_a_tag, ["invariants[9].on: expected no tag's value in a command, got '$(id)'"]),
]

FOREIGN = (("off", "StartInstances"), ("off", "SendCommand"), ("off", "StopInstances"), ("on", "SendCommand"))

# Those for which the scenario matters: its keys, and the same as above.
IN_A_SCENARIO: list[tuple[dict[str, Any], str, str, Act, list[str]]] = [
    (
        {"events": [{"at_seconds": 1810, "host": "off", "do": "restart"}]},
        "stop",
        "off",
        stop_later,
        ["invariants[3].off: expected no stop of what we did not start, got one after 2700 s"],
    ),
    (
        {"vars": {"patch_deadline": "2026-11-14T22:10:00Z"}},
        "start",
        "off",
        start_late,
        [
            "invariants[5].off: expected no begin after 2026-11-14T22:10:00Z, got one 1 s late",
            "invariants[5].on: expected no begin after 2026-11-14T22:10:00Z, got one 2221 s late",
        ],
    ),
    (
        {"vars": {"patch_tag_value": "Nobody"}},
        "finish",
        "all",
        find_no_one,
        [
            *(
                f"always.foreign.{name}: expected nothing done to a host that is no target, got {call}"
                for name, call in FOREIGN
            ),
            "invariants[8]: expected a run without hosts to fail, got exit code 0 of step 1",
        ],
    ),
    (
        {"vars": {"patch_max_hosts": 1}},
        "finish",
        "all",
        nothing,
        ["invariants[8]: expected more than 1 hosts to be refused, got a report of 2"],
    ),
]


def named(value: object) -> str | None:
    """The id of a case: by what is done instead."""
    return value.__qualname__.partition(".")[0] if callable(value) else None


@pytest.mark.parametrize(("act", "name", "instead", "lines"), BROKEN, ids=named)
def test_a_broken_product_is_caught(
    make_lab: MakeLab, tmp_path: Path, act: str, name: str, instead: Act, lines: list[str]
) -> None:
    assert judged(make_lab(*HOSTS), tmp_path, act, name, instead, "always", "invariants") == lines


@pytest.mark.parametrize(("keys", "act", "name", "instead", "lines"), IN_A_SCENARIO, ids=named)
def test_a_product_that_does_not_do_as_the_scenario_says_is_caught(
    make_lab: MakeLab, tmp_path: Path, keys: dict[str, Any], act: str, name: str, instead: Act, lines: list[str]
) -> None:
    assert judged(make_lab(*HOSTS, **keys), tmp_path, act, name, instead, "always", "invariants") == lines


def test_a_sound_product_is_not_blamed(make_lab: MakeLab, tmp_path: Path) -> None:
    assert judged(make_lab(*HOSTS), tmp_path, "finish", "all", nothing) == []
