# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a WinRM endpoint of the lab is like, beyond what a scenario can say: how it is reached, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scheme = Literal["http", "https"]
Transport = Literal["basic", "ntlm"]


@dataclass(frozen=True)
class Options:
    """The defaults are those of the hosts of a scenario.

    Attributes:
        scheme: over HTTP, NTLM has to encrypt the messages; basic authentication does not, and is taken all the same.
        transport: what the inventory says; an endpoint takes both, where it takes passwords in the clear.
        certificate: ``expired``, ``not_yet_valid`` (as a client's clock that is late sees it), ``other_name`` (for
            another address), or ``untrusted`` (by an authority that nobody knows).
    """

    scheme: Scheme = "https"
    transport: Transport = "ntlm"
    certificate: Literal["valid", "expired", "not_yet_valid", "other_name", "untrusted"] = "valid"

    @property
    def takes_basic(self) -> bool:
        """As Windows does with AllowUnencrypted off; ``basic`` over HTTP turns it on."""
        return self.scheme == "https" or self.transport == "basic"
