# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bodies of AWS's JSON 1.1 protocol, written from botocore's shapes. moto's own serializer takes half of a call's time.

Source: Smithy 2.0, "AWS JSON 1.1 protocol": a timestamp is a number of seconds since 1970 with at most
milliseconds, a blob is Base64, and a member without a value is left out.
"""

from __future__ import annotations

import base64
import calendar
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

Writer = Callable[[Any], Any]
_writers: dict[tuple[str, str], Writer] = {}
"""By service and shape: the names of shapes are unique in a service."""


def json_body(service: str, shape: Shape | None, result: dict[str, Any]) -> str:
    """The body of a successful answer. Members that the service's model does not have are left out."""
    return json.dumps(_writer(service, shape)(result) if shape else {})


def _seconds(value: datetime | float) -> float:
    if not isinstance(value, datetime):
        return value
    whole = calendar.timegm(value.utctimetuple())
    return whole + value.microsecond // 1000 / 1000 if value.microsecond else whole


def _base64(value: str | bytes) -> str:
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()


_BY_TYPE: dict[str, Writer] = {
    "blob": _base64,
    "boolean": bool,
    "double": float,
    "float": float,
    "integer": int,
    "long": int,
    "string": str,
    "timestamp": _seconds,
}


def _writer(service: str, shape: Shape) -> Writer:
    """The writer of a shape's content, made once a shape; a shape may contain itself."""
    key = (service, shape.name)
    if key not in _writers:
        # A writer looks for those of its members when it first needs them, so another thread never finds half a writer.
        if isinstance(shape, StructureShape):
            _writers[key] = _structure(service, shape)
        elif isinstance(shape, ListShape):
            _writers[key] = _list(service, shape)
        elif isinstance(shape, MapShape):
            _writers[key] = _map(service, shape)
        else:
            _writers[key] = _BY_TYPE[shape.type_name]
    return _writers[key]


def _structure(service: str, shape: StructureShape) -> Writer:
    names = {name: (member.serialization.get("name", name), member) for name, member in shape.members.items()}

    def write(value: dict[str, Any]) -> dict[str, Any]:
        return {
            names[name][0]: _writer(service, names[name][1])(content)
            for name, content in value.items()
            if content is not None and name in names
        }

    return write


def _list(service: str, shape: ListShape) -> Writer:
    return lambda value: [_writer(service, shape.member)(item) for item in value]


def _map(service: str, shape: MapShape) -> Writer:
    return lambda value: {key: _writer(service, shape.value)(content) for key, content in value.items()}
