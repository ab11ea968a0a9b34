# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as the runner uses it: started, asked, stopped; in real time, but nothing here waits for much of it."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.exceptions import ClientError

from lab.guests import GUESTS, ModelGuests
from lab.scenario import Scenario, load
from lab.server import Lab, LabError


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    file = tmp_path / "scenario.yml"
    hosts = "[{name: a, state: stopped}, {name: b, kind: hybrid}, {name: c, kind: winrm}]"
    file.write_text(f"name: A test\nwhy: A test\nscale: 1000\nhosts: {hosts}\nexpect: {{}}\n", encoding="utf-8")
    return load(file)


def test_the_time_of_a_lab_begins_when_its_hosts_can_run_scripts(
    scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A PowerShell that is slow to start took minutes of the lab's time, in which every host stood still."""

    class SlowToStart(ModelGuests):
        def start(self) -> None:
            lab.clock.move_on(100_000)

    monkeypatch.setitem(GUESTS, "model", SlowToStart)
    lab = Lab(scenario, tmp_path)
    lab.start()
    assert lab.truth()["lab_seconds"] < 100_000
    lab.stop()


@pytest.mark.parametrize(("guests", "scale"), [("model", 1000), ("powershell", 30)])
def test_a_real_powershell_behind_winrm_has_real_seconds_for_an_answer(
    scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guests: str, scale: float
) -> None:
    monkeypatch.setitem(GUESTS, "powershell", ModelGuests)
    lab = Lab(scenario, tmp_path, guests=guests)
    assert lab.clock.scale == scale
    lab.stop()


def test_a_lab_from_start_to_stop(scenario: Scenario, tmp_path: Path) -> None:
    lab = Lab(scenario, tmp_path)
    lab.start()
    credentials = lab.new_credentials()
    identifier = lab.instance_id("a")
    assert identifier
    assert (lab.instance_id("b") or "").startswith("mi-")
    assert lab.instance_id("c") is None
    assert credentials.secret_key not in repr(credentials)
    ec2 = boto3.client(
        "ec2",
        region_name="eu-central-1",
        endpoint_url=lab.url,
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        aws_session_token=credentials.session_token,
    )
    _record(tmp_path / "ledger.sqlite", "i-another")
    for ledger in (None, tmp_path / "none.sqlite", tmp_path / "scenario.yml", tmp_path / "ledger.sqlite"):
        lab.ledger = ledger
        ec2.start_instances(InstanceIds=[identifier])
    assert lab.truth()["hosts"]["a"]["unrecorded_starts"] == 4
    _record(tmp_path / "ledger.sqlite", identifier)
    ec2.start_instances(InstanceIds=[identifier])
    lab.move_on(25)
    assert ec2.describe_instances()["Reservations"][0]["Instances"][0]["State"]["Name"] == "running"
    truth = lab.truth()
    assert truth["hosts"]["a"]["unrecorded_starts"] == 4
    assert truth["lab_seconds"] > 25
    lab.stop()
    trace = (tmp_path / "trace.jsonl").read_text(encoding="utf-8")
    assert trace.count("StartInstances") == 5
    assert credentials.secret_key not in trace


def _record(file: Path, identifier: str) -> None:
    """An open record of an original state, as the product's ledger has it."""
    with closing(sqlite3.connect(file)) as ledger:
        ledger.execute("CREATE TABLE IF NOT EXISTS power_record (instance_id, original_state, closed_at)")
        ledger.execute("INSERT INTO power_record VALUES (?, 'stopped', NULL)", (identifier,))
        ledger.commit()


def test_a_lab_that_never_started_can_be_stopped(scenario: Scenario, tmp_path: Path) -> None:
    Lab(scenario, tmp_path).stop()


def test_a_lab_that_broke_says_so(scenario: Scenario, tmp_path: Path) -> None:
    lab = Lab(scenario, tmp_path)
    lab.start()
    credentials = lab.new_credentials(administrator=True)
    client = boto3.client(
        "ec2",
        region_name="eu-central-1",
        endpoint_url=lab.url,
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        config=boto3.session.Config(parameter_validation=False),
    )
    with pytest.raises(ClientError, match="NotImplemented"):
        client.start_instances()
    with pytest.raises(LabError):
        lab.stop()


def test_other_guests_are_refused(scenario: Scenario, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="model"):
        Lab(scenario, tmp_path, guests="docker")


def test_a_start_is_recorded_in_a_table_too(scenario: Scenario, tmp_path: Path) -> None:
    lab = Lab(scenario, tmp_path)
    lab.start()
    identifier = str(lab.instance_id("a"))
    credentials = lab.new_credentials()

    def client(service: str) -> Any:
        return boto3.client(
            service,
            region_name="eu-central-1",
            endpoint_url=lab.url,
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            aws_session_token=credentials.session_token,
        )

    assert lab.records_in_tables() is None
    power = {"instance_id": {"S": identifier}, "original_state": {"S": "stopped"}, "recorded_at": {"N": "1"}}
    item = {"pk": {"S": "HOST#1#eu-central-1#a"}, "sk": {"S": "HOST"}, "power": {"M": power}}
    with pytest.raises(ClientError, match="AccessDenied"):
        client("dynamodb").transact_write_items(TransactItems=[{"Put": {"TableName": "another", "Item": item}}])
    client("dynamodb").transact_write_items(TransactItems=[{"Put": {"TableName": "PatchFleet-ledger", "Item": item}}])
    client("ec2").start_instances(InstanceIds=[identifier])
    assert lab.truth()["hosts"]["a"]["unrecorded_starts"] == 0
    assert lab.records_in_tables() == [{"instance_id": identifier, "original_state": "stopped", "closed": False}]
    lab.stop()


def test_what_falls_due_while_the_clock_moves_on_happens_in_its_order(tmp_path: Path) -> None:
    """And what comes soon after that is not waited for as long as it seemed before."""
    document = {
        "name": "n",
        "why": "w",
        "hosts": [{"name": "a"}],
        "events": [
            {"at_seconds": 50_000, "host": "a", "do": "stop"},
            {"at_seconds": 60_000, "host": "a", "do": "start"},
            {"at_seconds": 100_030, "do": "kill_controller"},
        ],
        "expect": {},
    }
    (tmp_path / "scenario.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    killed = threading.Event()
    lab = Lab(load(tmp_path / "scenario.yml"), tmp_path, on_controller=lambda _act: killed.set())
    lab.start()
    try:
        lab.move_on(100_000)
        history = lab.truth()["hosts"]["a"]["history"]
        assert [(entry["t"], entry["state"]) for entry in history[1:] if "state" in entry] == [
            (50_000, "stopping"),
            (50_060, "stopped"),
            (60_000, "pending"),
            (60_020, "running"),
        ]
        assert killed.wait(60)
    finally:
        lab.stop()
