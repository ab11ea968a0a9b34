# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages of WS-Management for shells: what a request asks for, answers and faults ([MS-WSMV] 3.1.4).

The text of faults is that of Windows in English, because clients put it before their users.
"""

from __future__ import annotations

import re
import uuid
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

SOAP = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
CMD_SHELL = f"{SHELL}/cmd"

CREATE, DELETE = f"{TRANSFER}/Create", f"{TRANSFER}/Delete"
COMMAND, SEND, RECEIVE, SIGNAL = (f"{SHELL}/{name}" for name in ("Command", "Send", "Receive", "Signal"))

# Where a request does not say how long it may take: MaxTimeoutms of a service as it is installed.
DEFAULT_TIMEOUT_SECONDS = 60.0

_NAMES = {"s": SOAP, "a": ADDRESSING, "w": WSMAN, "rsp": SHELL}
_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?")


class Fault(Exception):
    """What the service answers instead of a result. ``subcode`` is WS-Management's word, ``code`` Windows' number."""

    def __init__(self, code: int, subcode: str, reason: str, *, sender: bool = True) -> None:
        super().__init__(reason)
        self.code = code
        self.subcode = subcode
        self.reason = reason
        self.role = "s:Sender" if sender else "s:Receiver"


def timed_out() -> Fault:
    """ERROR_WSMAN_OPERATION_TIMEDOUT; who waits for output asks again."""
    text = "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.  "
    return Fault(2150858793, "w:TimedOut", text, sender=False)


def no_shell(shell_id: str) -> Fault:
    """ERROR_WSMAN_UNEXPECTED_SELECTORS: a reboot has taken the shell away, or it never was."""
    text = (
        f"The request for the Windows Remote Shell with ShellId {shell_id} failed because the shell was not found on the "
        "server. Possible causes are: the specified ShellId is incorrect or the shell no longer exists on the server. "
        "Provide the correct ShellId or create a new shell and retry the operation.  "
    )
    return Fault(2150858843, "w:InvalidSelectors", text)


def no_command() -> Fault:
    """The same number: the client, or a reboot, has ended the command."""
    text = (
        "The Windows Remote Shell received a request to perform an operation on a command identifier that does not exist. "
        "Either the command has completed execution or the client specified an invalid command identifier. "
    )
    return Fault(2150858843, "w:InvalidSelectors", text)


def not_supported(action: str) -> Fault:
    """An operation, or a kind of shell, that this service does not have."""
    return Fault(
        2150858817, "a:ActionNotSupported", f"The WS-Management service does not support the action {action}. "
    )


def broken_message(reason: str) -> Fault:
    return Fault(
        2150858752, "w:SchemaValidationError", f"The WS-Management service cannot process the request: {reason}."
    )


@dataclass(frozen=True)
class Request:
    """One request; ``timeout_seconds`` are real ones, in which the client wants an answer."""

    action: str
    resource: str
    message_id: str
    shell_id: str
    timeout_seconds: float
    options: dict[str, str]
    body: ET.Element

    def find(self, path: str) -> ET.Element:
        """The element of the body at ``path``, as in ``rsp:CommandLine``; Fault when it is not there."""
        element = self.body.find(path, _NAMES)
        if element is None:
            raise broken_message(f"it has no {path}")
        return element

    def text(self, path: str, default: str = "") -> str:
        return self.body.findtext(path, default, _NAMES)


def parse(message: bytes) -> Request:
    """Fault when that is no request."""
    try:
        envelope = ET.fromstring(message)  # noqa: S314 - it comes from a test's own client
    except ET.ParseError as error:
        raise broken_message(f"it is not XML ({error})") from error
    header, body = envelope.find("s:Header", _NAMES), envelope.find("s:Body", _NAMES)
    if header is None or body is None:
        raise broken_message("it has no header or no body")
    return Request(
        action=header.findtext("a:Action", "", _NAMES),
        resource=header.findtext("w:ResourceURI", "", _NAMES),
        message_id=header.findtext("a:MessageID", "", _NAMES),
        shell_id=header.findtext("w:SelectorSet/w:Selector[@Name='ShellId']", "", _NAMES),
        timeout_seconds=_seconds(header.findtext("w:OperationTimeout", "", _NAMES)),
        options={
            option.get("Name", ""): option.text or "" for option in header.iterfind("w:OptionSet/w:Option", _NAMES)
        },
        body=body,
    )


def _seconds(duration: str) -> float:
    match = _DURATION.fullmatch(duration)
    if not match or not any(match.groups()):
        return DEFAULT_TIMEOUT_SECONDS
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def answer(request: Request, body: str) -> bytes:
    """The envelope of an answer; ``body`` is XML with the prefixes that the envelope declares."""
    return _envelope(f"{request.action}Response", request.message_id, body)


def fault(request: Request | None, fault: Fault) -> bytes:
    """The envelope of a fault."""
    reason = escape(fault.reason)
    body = (
        f"<s:Fault><s:Code><s:Value>{fault.role}</s:Value><s:Subcode><s:Value>{fault.subcode}</s:Value></s:Subcode>"
        f'</s:Code><s:Reason><s:Text xml:lang="en-US">{reason}</s:Text></s:Reason><s:Detail>'
        f'<f:WSManFault xmlns:f="{FAULT}" Code="{fault.code}" Machine="127.0.0.1"><f:Message>{reason}</f:Message>'
        "</f:WSManFault></s:Detail></s:Fault>"
    )
    return _envelope(f"{WSMAN.rpartition('.')[0]}/fault", request.message_id if request else "", body)


def _envelope(action: str, relates_to: str, body: str) -> bytes:
    return (
        f'<s:Envelope xml:lang="en-US" xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}" xmlns:x="{TRANSFER}" xmlns:w="{WSMAN}" '
        f'xmlns:rsp="{SHELL}"><s:Header><a:Action>{escape(action)}</a:Action>'
        f"<a:MessageID>uuid:{str(uuid.uuid4()).upper()}</a:MessageID>"
        f"<a:To>{ADDRESSING}/role/anonymous</a:To><a:RelatesTo>{escape(relates_to)}</a:RelatesTo></s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def created(shell_id: str, resource: str = CMD_SHELL) -> str:
    """The body that answers a Create."""
    return (
        f"<x:ResourceCreated><a:Address>{ADDRESSING}/role/anonymous</a:Address><a:ReferenceParameters>"
        f'<w:ResourceURI>{resource}</w:ResourceURI><w:SelectorSet><w:Selector Name="ShellId">{shell_id}</w:Selector>'
        "</w:SelectorSet></a:ReferenceParameters></x:ResourceCreated>"
        f"<rsp:Shell><rsp:ShellId>{shell_id}</rsp:ShellId></rsp:Shell>"
    )


def command_created(command_id: str) -> str:
    """The body that answers a Command."""
    return f"<rsp:CommandResponse><rsp:CommandId>{command_id}</rsp:CommandId></rsp:CommandResponse>"


def received(command_id: str, streams: list[tuple[str, str]], exit_code: int | None) -> str:
    """The body that answers a Receive; streams as (name, base64), the exit code is None while the command runs.

    A runspace pool has a stream of its own, which is that of no command.
    """
    which = f"CommandId={quoteattr(command_id)}" if command_id else ""
    parts = [f'<rsp:Stream Name="{name}" {which}>{text}</rsp:Stream>' for name, text in streams]
    if exit_code is None:
        parts.append(f'<rsp:CommandState {which} State="{SHELL}/CommandState/Running"/>')
    else:
        parts += [f'<rsp:Stream Name="{name}" {which} End="true"/>' for name in ("stdout", "stderr")]
        parts.append(
            f'<rsp:CommandState {which} State="{SHELL}/CommandState/Done"><rsp:ExitCode>{exit_code}</rsp:ExitCode>'
            "</rsp:CommandState>"
        )
    return f"<rsp:ReceiveResponse>{''.join(parts)}</rsp:ReceiveResponse>"
