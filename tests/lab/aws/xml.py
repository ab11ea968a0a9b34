# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2's XML, written from botocore's shapes. moto's own serializer takes seconds for a thousand instances."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

from botocore.model import ListShape, Shape, StructureShape

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
Writer = Callable[[Any, list[str]], None]
_writers: dict[str, Writer] = {}
_making = threading.Lock()


def ec2_body(operation: str, shape: Shape | None, result: dict[str, Any], request_id: str) -> str:
    """The body of a successful answer."""
    parts = [f'<?xml version="1.0" encoding="UTF-8"?>\n<{operation}Response xmlns="{NAMESPACE}">']
    parts.append(f"<requestId>{request_id}</requestId>")
    if shape is not None:
        with _making:  # another thread must not meet a writer that is only half made
            writer = _writer(shape)
        writer(result, parts)
    else:
        parts.append("<return>true</return>")
    parts.append(f"</{operation}Response>")
    return "".join(parts)


def _writer(shape: Shape) -> Writer:
    """The writer of a shape's content, made once a shape; a shape may contain itself."""
    if shape.name not in _writers:

        def later(value: Any, parts: list[str]) -> None:
            _writers[shape.name](value, parts)

        _writers[shape.name] = later
        if isinstance(shape, StructureShape):
            _writers[shape.name] = _structure(shape)
        elif isinstance(shape, ListShape):
            _writers[shape.name] = _list(shape)
        else:
            _writers[shape.name] = _scalar
    return _writers[shape.name]


def _structure(shape: StructureShape) -> Writer:
    members = {
        name: (member.serialization.get("name", name), _writer(member)) for name, member in shape.members.items()
    }

    def write(value: dict[str, Any], parts: list[str]) -> None:
        for name, content in value.items():
            if content is None:
                continue
            tag, writer = members[name]
            parts.append(f"<{tag}>")
            writer(content, parts)
            parts.append(f"</{tag}>")

    return write


def _list(shape: ListShape) -> Writer:
    tag = shape.member.serialization.get("name", "item")
    writer = _writer(shape.member)

    def write(value: list[Any], parts: list[str]) -> None:
        for item in value:
            parts.append(f"<{tag}>")
            writer(item, parts)
            parts.append(f"</{tag}>")

    return write


def _scalar(value: Any, parts: list[str]) -> None:
    if isinstance(value, bool):
        parts.append("true" if value else "false")
    elif isinstance(value, datetime):
        parts.append(value.strftime("%Y-%m-%dT%H:%M:%S.000Z"))
    else:
        parts.append(escape(str(value)))
