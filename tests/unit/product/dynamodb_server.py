# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DynamoDB in this process, and at a port of this machine for tests with clients in processes of their own.

moto's own server lets two requests into one table at once, which DynamoDB never does; here they come one after the other.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Iterable
from typing import Any

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

import in_process
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.api import Aws
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.connect import OptionsConnection
from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import system_clock
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.dynamodb import DynamoDbLedger
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.dynamodb_table import Table, parse_url

REGION = "eu-central-1"
ACCOUNT = "123456789012"
_tables = itertools.count(1)


class _OneAtATime:
    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with self._lock:
            return list(self._moto(environ, start_response))


class _Quiet(WSGIRequestHandler):
    def log(self, *_args: object) -> None:
        """Nothing."""


@functools.cache
def _dynamodb() -> _OneAtATime:
    return _OneAtATime()


@functools.cache
def url() -> str:
    """Where clients in this process find it."""
    return in_process.serve(_dynamodb())


@functools.cache
def server_url() -> str:
    """Where other processes find it; started when it is first asked for, and ended with the process."""
    server = make_server("127.0.0.1", 0, _dynamodb(), threaded=True, request_handler=_Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def options(endpoint_url: str | None = None) -> dict[str, Any]:
    """Connection options as amazon.aws names them."""
    return {"endpoint_url": endpoint_url or url(), "access_key": "AKIATEST", "secret_key": "test", "region": REGION}


def client() -> Any:
    """boto3's own."""
    return boto3.client(
        "dynamodb",
        region_name=REGION,
        endpoint_url=url(),
        aws_access_key_id="AKIATEST",
        aws_secret_access_key="test",  # noqa: S106 - of no account
    )


def new_table(**changed: Any) -> str:
    """The name of a table as docs/ledger.md makes it."""
    name = f"patchfleet-{next(_tables)}"
    client().create_table(
        **{
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            **changed,
        }
    )
    return name


def ledger(table: str, endpoint_url: str | None = None) -> DynamoDbLedger:
    """The ledger in a table, as another process would open it."""
    where = parse_url(f"dynamodb://{table}?region={REGION}")
    clock = system_clock()
    return DynamoDbLedger(Table(where, Aws(OptionsConnection(options(endpoint_url)), clock, REGION), clock))
