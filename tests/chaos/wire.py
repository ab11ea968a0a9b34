# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""boto3 clients whose requests reach the lab's account in the same thread, without a socket.

botocore asks the handlers of ``before-send`` first, and sends nothing where one answers. The account does not check
signatures, so requests have the scope of one, and no more: to sign took a sixth of a night, to parse times by dateutil another.
"""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.session import Session
from botocore.utils import parse_timestamp

from in_process import answer
from lab.aws.http import Gateway

ACCESS_KEY = "ASIACHAOS"
URL = "http://lab.invalid"


class Wire:
    """Between the clients, which are made once in a process, and the account of the night that is being played."""

    def __init__(self) -> None:
        self.gateway: Gateway | None = None

    @functools.cached_property
    def _session(self) -> boto3.Session:
        core = Session()
        core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_moment)
        return boto3.Session(botocore_session=core)

    @functools.cache  # noqa: B019 - there is one wire in a process
    def client(self, service: str, region: str) -> Any:
        """A boto3 client that makes one attempt a call."""
        client = self._session.client(
            service,  # type: ignore[call-overload]
            region_name=region,
            endpoint_url=URL,
            config=Config(retries={"total_max_attempts": 1}, signature_version=UNSIGNED),
        )
        scope = f"{ACCESS_KEY}/20261114/{region}/{client.meta.service_model.signing_name}/aws4_request"
        client.meta.events.register(
            "before-send", functools.partial(self._send, f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host")
        )
        return client

    def _send(self, authorization: str, request: AWSPreparedRequest, **_more: Any) -> AWSResponse:
        assert self.gateway is not None, "a call while no night is played"
        return answer(self.gateway, request, Authorization=authorization)


def _moment(value: Any) -> datetime:
    """A moment as the account writes it: in ISO 8601, or in seconds since 1970."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return parse_timestamp(value)


WIRE = Wire()
