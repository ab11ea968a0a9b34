# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The messages of this package that are made of several facts. Each function makes whole sentences of codes and data."""

from __future__ import annotations

from .._base.text import join_sentences

NEW_CREDENTIALS = "Get new ones."
REGION_NOT_ENABLED = (
    "AWS says the same in a region that the account has not enabled, "
    "and of tokens of the global STS endpoint in such a region."
)


def credentials_refused(action: str, aws_code: str, *, key_is_unknown: bool) -> str:
    """Of credentials that AWS does not take (any more).

    Args:
        action: the IAM action of the call.
        aws_code: what AWS answered.
        key_is_unknown: whether AWS says that it does not know the key.
    """
    return join_sentences(
        f"The AWS credentials have expired or are not valid ({action} answered {aws_code}).",
        REGION_NOT_ENABLED if key_is_unknown else None,
        NEW_CREDENTIALS,
    )


def credentials_not_renewed(error: str) -> str:
    """Of credentials that botocore could not renew; ``error`` is what it says."""
    return join_sentences(
        f"The AWS credentials have expired or are not valid. They could not be renewed: {error.rstrip('.')}.",
        NEW_CREDENTIALS,
    )


def not_reached(error: str, unknown_region: str | None) -> str:
    """Of a call that did not reach AWS; ``unknown_region`` is a sentence about a region that botocore does not know."""
    return join_sentences(f"AWS cannot be reached: {error.rstrip('.')}.", unknown_region)


def unanswered(action: str, resource: str | None, error: str) -> str:
    """Of a change that was sent and got no answer; ``error`` is what was seen instead."""
    call = f"{action} on {resource}" if resource else action
    return f"{call} was sent, but AWS gave no answer: {error.rstrip('.')}."
