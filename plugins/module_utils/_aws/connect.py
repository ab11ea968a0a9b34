# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""boto3 clients from amazon.aws's own connection options, cheap to make in a forked worker.

amazon.aws's helpers read the options; the clients are made here, because every new botocore session parses the service
descriptions again (0.3 s for EC2), while one loader shared by all sessions does it once, in the controller's parent process.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from functools import partial
from typing import Any, Protocol

from .._base.clock import parse_iso
from .._base.errors import Failed
from .._model.account import Account
from .._model.reasons import Reason
from .descriptions import EC2_OPERATIONS, only
from .options import aws_argument_spec, require_amazon_aws

try:
    import boto3
    import botocore.config
    import botocore.credentials
    import botocore.exceptions
    import botocore.loaders
    import botocore.parsers
    import botocore.session

    HAS_BOTO3 = True
except ImportError:
    HAS_BOTO3 = False

if HAS_BOTO3:

    class _Loader(botocore.loaders.Loader):
        """botocore's own, with the part of EC2's description that is needed: a client takes half of the time."""

        @botocore.loaders.instance_cache
        def load_service_model(
            self, service_name: str, type_name: str, api_version: str | None = None
        ) -> dict[str, Any]:
            if (service_name, type_name) != ("ec2", "service-2"):
                description: dict[str, Any] = super().load_service_model(service_name, type_name, api_version)
                return description
            whole = botocore.loaders.Loader().load_service_model(
                service_name, type_name, api_version
            )  # its own cache ends here
            return only(whole, EC2_OPERATIONS)


OLDEST_BOTOCORE = (1, 35, 64)
"""The first that knows who manages an instance (Operator in DescribeInstances). An older one drops it from the answer, and an
instance of another service would be taken for one of the user's."""


class Connection(Protocol):
    """Makes clients for one set of credentials."""

    @property
    def region(self) -> str | None:
        """The region of the options, the environment or the profile."""

    @property
    def expires_at(self) -> float | None:
        """When the credentials end for good, in seconds since 1970. None: they are renewed, last for ever, or it is unknown."""

    def client(self, service: str, region: str) -> Any:
        """A boto3 client that makes one attempt a call."""

    def renew(self) -> bool:
        """Read the credentials again; whether they are different now from those of this thread's last client."""

    def assume(self, account: Account, session_name: str, now: Callable[[], float]) -> Connection:
        """A Connection with the role of another account; ``now`` is the clock by which the session is renewed."""


KEYS = frozenset({"aws_access_key_id", "aws_secret_access_key", "aws_session_token"})

_LOADER: Any = None
_SPARE: list[Any] = []
"""At most one session of botocore that has not read anything yet. Each worker that is forked takes it, in place of making one."""


def _loader() -> Any:
    global _LOADER  # noqa: PLW0603 - shared by every session of the process, that is its purpose
    if _LOADER is None:
        _LOADER = _Loader()
    return _LOADER


def warm_up() -> None:
    """Parse what every operation needs, once, and keep it out of the garbage collector's way before workers are forked."""
    if not HAS_BOTO3:
        return
    aws_argument_spec()  # imports amazon.aws: each process that does has to compile it, since ansible-core keeps no bytecode
    # The first call reports what is wrong with the user's AWS configuration.
    with contextlib.suppress(botocore.exceptions.BotoCoreError):
        session = _session(None)
        for service in ("ec2", "ssm", "dynamodb"):
            session.client(service, region_name="us-east-1", aws_access_key_id="warm", aws_secret_access_key="up")  # noqa: S106 - no secret
    _SPARE[:] = [_new_core_session(None)]
    gc.collect()
    gc.freeze()


def _session(profile: str | None) -> Any:
    return boto3.session.Session(botocore_session=_core_session(profile))


def _core_session(profile: str | None) -> Any:
    core = _SPARE.pop() if profile is None and _SPARE else _new_core_session(profile)
    core.get_scoped_config()  # a missing profile is reported as such, not as a missing region
    return core


def _new_core_session(profile: str | None) -> Any:
    """It reads environment and files when it is asked for something: most of the time goes into some hundred handlers."""
    core = botocore.session.Session(profile=profile)
    core.register_component("data_loader", _loader())
    return core


def known_regions() -> list[str]:
    """The regions with EC2 in all partitions, as the installed botocore lists them; it may be older than a region."""
    session = _session(None)
    return sorted(
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("ec2", partition)
    )


class OptionsConnection:
    """A Connection from a module's AWS options (as amazon.aws documents them)."""

    def __init__(self, options: Mapping[str, object]) -> None:
        require_boto3()
        require_amazon_aws()
        from ansible_collections.amazon.aws.plugins.module_utils.botocore import _aws_connection_info  # noqa: PLC0415
        from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleBotocoreError  # noqa: PLC0415

        try:
            self.region, self._endpoint_url, self._arguments = _aws_connection_info(options)
        except AnsibleBotocoreError as error:
            raise Failed(str(error), Reason.INVALID_OPTION) from error
        self._profile = self._arguments.pop("profile_name", None)
        try:
            self._session = _session(self._profile)
        except botocore.exceptions.BotoCoreError as error:
            raise Failed(str(error), Reason.INVALID_OPTION) from error
        self._config = botocore.config.Config(
            retries={"total_max_attempts": 1, "mode": "standard"}, user_agent_extra="patchfleet.windows"
        ).merge(self._arguments.pop("aws_config", None) or botocore.config.Config())
        self._clients: dict[tuple[str, str], Any] = {}
        self._making = threading.Lock()  # a session of boto3 makes one client at a time
        self._last_used = threading.local()  # the session of this thread's last client
        self._assumed: dict[tuple[Account, str], AssumedConnection] = {}

    region: str | None

    def client(self, service: str, region: str) -> Any:
        key = (service, region)
        with self._making:
            self._last_used.session = self._session
            if key not in self._clients:
                self._clients[key] = self._new_client(self._session, service, region, self._arguments)
            return self._clients[key]

    @property
    def expires_at(self) -> float | None:
        """Of keys that were given with a token, as AWS_CREDENTIAL_EXPIRATION says (set by ``aws configure export-credentials``,
        aws-vault and others); botocore's own credentials that end are renewed.
        """
        key = self._arguments.get("aws_access_key_id")
        if not key or not self._arguments.get("aws_session_token") or key != os.environ.get("AWS_ACCESS_KEY_ID"):
            return None
        with contextlib.suppress(ValueError):  # it is not ours, and another text there means nothing
            return parse_iso(os.environ.get("AWS_CREDENTIAL_EXPIRATION", ""))
        return None

    def renew(self) -> bool:
        """Whether a file or a process gives other ones by now; a session reads a shared file once.

        Of several threads whose calls failed at the same time the first reads them for all.
        """
        if self._arguments.get("aws_access_key_id"):
            return False
        with self._making:
            return getattr(self._last_used, "session", self._session) is not self._session or self._read_again()

    def note_use(self) -> None:
        """This thread makes a call with what these credentials gave."""
        with self._making:
            self._last_used.session = self._session

    def _read_again(self) -> bool:
        try:
            before, session = _key_of(self._session), _session(self._profile)
            if _key_of(session) == before:
                return False
        except (botocore.exceptions.BotoCoreError, RuntimeError):
            return False  # what AWS said of the old ones is the sentence to tell
        self._session = session
        self._clients.clear()
        for assumed in self._assumed.values():
            assumed.forget_session()
        return True

    def assume(self, account: Account, session_name: str, now: Callable[[], float]) -> Connection:
        key = (account, session_name)
        with self._making:
            if key not in self._assumed:
                self._assumed[key] = AssumedConnection(self, account, session_name, now)
            return self._assumed[key]

    def signing_credentials(self) -> Any:
        """botocore's credentials that sign a call now; None where there are none."""
        given = self._arguments
        if given.get("aws_access_key_id"):
            keys = (given["aws_access_key_id"], given.get("aws_secret_access_key"), given.get("aws_session_token"))
            return botocore.credentials.Credentials(*keys)
        return self._session.get_credentials()

    def client_of(self, session: Any, service: str, region: str, **keys: Any) -> Any:
        """A client with these options and with the credentials of another session, or with other keys."""
        arguments = {name: value for name, value in self._arguments.items() if name not in KEYS}
        return self._new_client(session, service, region, {**arguments, **keys})

    def _new_client(self, session: Any, service: str, region: str, arguments: Mapping[str, Any]) -> Any:
        config = self._config
        if service == "s3":  # objects that KMS encrypts take links of version 4 alone (Amazon S3 user guide)
            config = config.merge(botocore.config.Config(signature_version="s3v4"))
        client = session.client(
            service, region_name=region, endpoint_url=self._endpoint_url, config=config, **arguments
        )
        model = client.meta.service_model
        # A service may have several protocols, of which botocore chooses one; 1.35.0 does not say which.
        check = partial(refuse_broken_json, getattr(model, "resolved_protocol", model.protocol))
        client.meta.events.register("response-received", check)
        return client


class AssumedConnection:
    """A Connection with a role that other credentials assume. botocore renews the session while an operation waits, so that its end
    is no deadline: a chained session lasts an hour at most (IAM user guide, "Methods to assume a role").
    """

    def __init__(self, base: OptionsConnection, account: Account, session_name: str, now: Callable[[], float]) -> None:
        self._base = base
        self._account = account
        self._session_name = session_name
        self._now = now
        self._session: Any = None
        self._clients: dict[tuple[str, str], Any] = {}
        self._making = threading.Lock()
        self.region = base.region

    @property
    def expires_at(self) -> float | None:
        """Of the credentials that assume the role: without them no session is renewed."""
        return self._base.expires_at

    def client(self, service: str, region: str) -> Any:
        key = (service, region)
        self._base.note_use()
        with self._making:
            if self._session is None:
                self._session = self._new_session(region)
            if key not in self._clients:
                self._clients[key] = self._base.client_of(self._session, service, region)
            return self._clients[key]

    def renew(self) -> bool:
        return self._base.renew()

    def forget_session(self) -> None:
        """The credentials that assume the role are other ones now."""
        with self._making:
            self._session = None
            self._clients.clear()

    def assume(self, account: Account, session_name: str, now: Callable[[], float]) -> Connection:
        return self._base.assume(account, session_name, now)

    def _new_session(self, region: str) -> Any:
        source = self._base.signing_credentials()
        if source is None:
            raise botocore.exceptions.NoCredentialsError
        core = _core_session(None)
        asked = {"RoleSessionName": self._session_name}
        if self._account.external_id:
            asked["ExternalId"] = self._account.external_id
        fetcher = botocore.credentials.AssumeRoleCredentialFetcher(
            lambda service, **keys: self._base.client_of(_session(None), service, region, **keys),
            source,
            str(self._account.role_arn),
            extra_args=asked,
        )
        core._credentials = botocore.credentials.DeferredRefreshableCredentials(  # noqa: SLF001 - botocore's own extension point
            fetcher.fetch_credentials, "assume-role", time_fetcher=self._time
        )
        return boto3.session.Session(botocore_session=core)

    def _time(self) -> datetime:
        return datetime.fromtimestamp(self._now(), timezone.utc)


def refuse_broken_json(protocol: str, response_dict: dict[str, Any] | None, event_name: str, **_more: Any) -> None:
    """A handler of botocore's event response-received: an answer that was cut off, or is a proxy's page, is none.

    botocore raises ResponseParserError for XML that it cannot read, and takes such JSON for an answer without values. The event
    before-parse would come earlier, but botocore 1.35.0 does not have it.

    Raises:
        botocore.parsers.ResponseParserError: the body of a good answer is no JSON object, where the protocol is JSON.
    """
    if protocol not in {"json", "rest-json"} or response_dict is None or response_dict["status_code"] >= 300:
        return
    body = response_dict["body"]
    if not body or not isinstance(body, bytes):  # a stream is read by the caller
        return
    try:
        understood = isinstance(json.loads(body), dict)
    except ValueError:
        understood = False
    if not understood:
        operation = event_name.rpartition(".")[2]
        raise botocore.parsers.ResponseParserError(f"The answer to {operation} is no JSON: {body[:100]!r}")


def _key_of(session: Any) -> Any:
    credentials = session.get_credentials()
    return credentials and credentials.get_frozen_credentials()


def require_boto3() -> None:
    """Refuse to work without boto3, or with one that drops what AWS says.

    Raises:
        Failed: ``boto3_missing``, with the Python that lacks it.
    """
    if HAS_BOTO3 and _version_of(botocore.__version__) >= OLDEST_BOTOCORE:
        return
    oldest = ".".join(map(str, OLDEST_BOTOCORE))
    state = f"is too old for this collection: botocore {botocore.__version__}" if HAS_BOTO3 else "is not installed"
    install = f"{sys.executable} -m pip install --upgrade 'boto3>={oldest}'"
    raise Failed(
        f"The Python library boto3 {state} for {sys.executable}. Install it there: {install}", Reason.BOTO3_MISSING
    )


def _version_of(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:3] if part.isdigit())
