# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The AWS options of operations are those of amazon.aws. Hosts without AWS need no amazon.aws: then only the names are known."""

from __future__ import annotations

from typing import Any

from .._base.errors import Failed
from .._model.reasons import Reason

NAMES: dict[str, list[str]] = {
    "access_key": ["aws_access_key_id", "aws_access_key"],
    "secret_key": ["aws_secret_access_key", "aws_secret_key"],
    "session_token": ["aws_session_token"],
    "profile": ["aws_profile"],
    "endpoint_url": ["aws_endpoint_url"],
    "validate_certs": [],
    "aws_ca_bundle": [],
    "aws_config": [],
    "debug_botocore_endpoint_logs": [],
    "region": ["aws_region"],
}
"""With their aliases."""
SECRET = frozenset({"secret_key", "session_token"})


def aws_argument_spec() -> dict[str, Any]:
    """For AnsibleModule. Without amazon.aws what users set for it is accepted, and nothing can use it."""
    try:
        from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec  # noqa: PLC0415
    except ImportError:
        return {name: {"type": "raw", "aliases": aliases, "no_log": name in SECRET} for name, aliases in NAMES.items()}
    spec: dict[str, Any] = aws_argument_spec()
    return spec


def require_amazon_aws() -> None:
    """Before the first call to AWS.

    Raises:
        Failed: ``amazon_aws_missing``.
    """
    try:
        import ansible_collections.amazon.aws.plugins.module_utils.modules  # noqa: F401, PLC0415
    except ImportError as error:
        raise Failed(
            f"Ansible does not find the collection amazon.aws, which hosts in AWS need ({error}). Install it: "
            "ansible-galaxy collection install amazon.aws",
            Reason.AMAZON_AWS_MISSING,
        ) from error
