# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a WinRM endpoint of the lab is like, beyond what a scenario can say: how it is reached, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Scheme = Literal["http", "https"]
Transport = Literal["basic", "ntlm"]
ConnectionPlugin = Literal["winrm", "psrp", "ssh"]


@dataclass(frozen=True)
class Options:
    """The defaults are those of the hosts of a scenario.

    Attributes:
        scheme: over HTTP, NTLM has to encrypt the messages; basic authentication does not, and is taken all the same.
        connection: Ansible's connection plugin that the inventory names. With ``psrp`` the endpoint has
            runspace pools as well as shells, with ``ssh`` it is a real sshd, whose keys are the lab's.
        transport: what the inventory says; an endpoint takes both, where it takes passwords in the clear.
        certificate: ``expired``, ``not_yet_valid`` (as a client's clock that is late sees it), ``other_name`` (for
            another address), or ``untrusted`` (by an unknown authority).
        clock_skew_seconds: by so much the host's own clock is fast, or slow.
        search_error: the HRESULT with which Windows Update fails, beyond those of a scenario: ``0x80070005`` where a
            second hop is refused, ``0x80072EE2`` where the WSUS is gone.
        cut_when: for how many lab seconds the endpoint is gone once the host gets to a state that events know
            (``{"installing": 60}``); 0 breaks the connections that are there, and infinity is for good.
        answers: what becomes of the answers of scripts, instead of what the scenario says: ``noisy``, something else is
            printed before; ``truncated``, the end is missing; ``garbage``, there is none; ``hostile``, they are lies.
        may_become_system: whether the account may have a token of SYSTEM's, as ``become_user: SYSTEM`` wants it.
        refuse_when: from this state of the host on (``installing``) every log-on is refused, as after a change of the
            password; a connection that is there stays, so ``cut_when`` has to break it.
        shell: ``32-bit`` PowerShell on a 64-bit Windows, or one in ``constrained`` language mode.
    """

    scheme: Scheme = "https"
    transport: Transport = "ntlm"
    certificate: Literal["valid", "expired", "not_yet_valid", "other_name", "untrusted"] = "valid"
    clock_skew_seconds: float = 0.0
    search_error: str | None = None
    cut_when: Mapping[str, float] = field(default_factory=dict)
    answers: Literal["noisy", "truncated", "garbage", "hostile"] | None = None
    may_become_system: bool = True
    shell: Literal["full", "32-bit", "constrained"] = "full"
    connection: ConnectionPlugin = "winrm"
    refuse_when: str | None = None

    @property
    def takes_basic(self) -> bool:
        """As Windows does with AllowUnencrypted off; ``basic`` over HTTP turns it on."""
        return self.scheme == "https" or self.transport == "basic"
