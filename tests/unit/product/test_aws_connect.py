# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import botocore.session
import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._aws import connect
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.connect import (
    Connection,
    OptionsConnection,
    require_boto3,
    warm_up,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.descriptions import EC2_OPERATIONS
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.options import NAMES, SECRET, aws_argument_spec
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._model.account import Account

from .fakes import START

ROOT = Path(__file__).resolve().parents[3]

OPTIONS: dict[str, Any] = {"access_key": "AKIAEXAMPLE", "secret_key": "x", "region": "eu-central-1"}


@pytest.fixture(autouse=True)
def no_aws_of_the_caller(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL", "AWS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def test_a_client_makes_one_attempt_a_call_since_our_clock_repeats_them() -> None:
    client = OptionsConnection(OPTIONS).client("sts", "us-east-1")
    assert client.meta.config.retries["total_max_attempts"] == 1
    assert client.meta.region_name == "us-east-1"
    assert "patchfleet.windows" in client.meta.config.user_agent_extra


def test_a_users_own_client_settings_are_kept() -> None:
    options = {**OPTIONS, "aws_config": {"read_timeout": 7}}
    assert OptionsConnection(options).client("sts", "eu-central-1").meta.config.read_timeout == 7


def test_the_endpoint_of_the_options_is_called() -> None:
    options = {**OPTIONS, "endpoint_url": "http://127.0.0.1:1"}
    assert OptionsConnection(options).client("sts", "eu-central-1").meta.endpoint_url == "http://127.0.0.1:1"


def fields_of(shape: Any, known: dict[str, Any]) -> None:
    """Puts into ``known`` what a shape and those that it uses consist of."""
    if shape is None or shape.name in known:
        return
    parts = dict(getattr(shape, "members", {}))
    parts |= {name: getattr(shape, name) for name in ("member", "key", "value") if hasattr(shape, name)}
    known[shape.name] = (shape.type_name, {name: part.name for name, part in parts.items()})
    for part in parts.values():
        fields_of(part, known)


def test_a_client_of_ec2_knows_all_fields_of_the_operations_that_are_called() -> None:
    known: dict[str, Any] = {}
    whole: dict[str, Any] = {}
    model = OptionsConnection(OPTIONS).client("ec2", "eu-central-1").meta.service_model
    botocores = botocore.session.Session().get_service_model("ec2")
    assert set(model.operation_names) == EC2_OPERATIONS & set(botocores.operation_names)
    for name in model.operation_names:
        for shapes, of in ((known, model.operation_model(name)), (whole, botocores.operation_model(name))):
            fields_of(of.input_shape, shapes)
            fields_of(of.output_shape, shapes)
    assert known == whole


def test_a_client_is_made_once() -> None:
    connection = OptionsConnection(OPTIONS)
    assert connection.client("sts", "us-east-1") is connection.client("sts", "us-east-1")
    assert connection.client("sts", "us-east-1") is not connection.client("sts", "us-east-2")


def test_the_region_comes_from_the_options_or_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert OptionsConnection(OPTIONS).region == "eu-central-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-south-1")
    assert OptionsConnection({**OPTIONS, "region": None}).region == "ap-south-1"


def test_no_region_at_all_is_none() -> None:
    assert OptionsConnection({**OPTIONS, "region": None}).region is None


def test_a_profile_that_is_not_there_is_reported() -> None:
    with pytest.raises(PatchFleetError, match="no-such-profile") as caught:
        OptionsConnection({"profile": "no-such-profile"})
    assert caught.value.code == "invalid_option"


def test_a_wrong_profile_in_the_environment_is_reported_by_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by a traceback while Ansible loads the action plugins."""
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    warm_up()
    with pytest.raises(PatchFleetError, match="no-such-profile"):
        OptionsConnection({"region": "eu-central-1"})


def test_the_session_that_workers_are_forked_with_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    class Counted(botocore.session.Session):
        def __init__(self, **options: object) -> None:
            made.append(options)
            super().__init__(**options)

    warm_up()
    monkeypatch.setattr(botocore.session, "Session", Counted)
    first = OptionsConnection(OPTIONS)
    assert made == []
    assert OptionsConnection(OPTIONS)._session is not first._session  # noqa: SLF001 - one would renew the other's credentials
    assert made == [{"profile": None}]


def test_the_session_that_workers_are_forked_with_reads_what_holds_when_it_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    warm_up()
    file = tmp_path / "config"
    file.write_text("[profile later]\naws_access_key_id = LATER\naws_secret_access_key = none\n", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "later")
    client = OptionsConnection({"region": "eu-central-1"}).client("sts", "eu-central-1")
    assert signed_with(client) == "LATER"
    warm_up()
    with pytest.raises(PatchFleetError, match="no-such-profile"):
        OptionsConnection({"profile": "no-such-profile"})


def test_workers_are_forked_with_amazon_aws_imported() -> None:
    """Ansible keeps no bytecode of a collection, so each process that imports its modules has to compile them."""
    code = """
import sys
sys.path[:0] = sys.argv[1:]
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.connect import OptionsConnection, warm_up
warm_up()
warm = set(sys.modules)
OptionsConnection({"region": "eu-central-1"})
print(sorted(name for name in set(sys.modules) - warm if name.startswith("ansible_collections.")))
"""
    ran = subprocess.run([sys.executable, "-c", code, *sys.path], capture_output=True, text=True, check=False)
    assert (ran.stdout.strip(), ran.stderr) == ("[]", "")


def test_a_profile_together_with_keys_is_reported() -> None:
    with pytest.raises(PatchFleetError, match="profile") as caught:
        OptionsConnection({**OPTIONS, "profile": "some"})
    assert caught.value.code == "invalid_option"


# Credentials that end


def signed_with(client: Any) -> str:
    """The access key with which a client would sign now."""
    url = client.generate_presigned_url("get_caller_identity")
    return str(parse_qs(urlsplit(url).query)["X-Amz-Credential"][0].split("/")[0])


def a_profile(path: Path, key: str) -> None:
    path.write_text(f"[night]\naws_access_key_id = {key}\naws_secret_access_key = x\naws_session_token = t\n")


def test_a_process_gives_new_ones_to_a_client_that_lives_longer_than_they(tmp_path: Path) -> None:
    """A step may wait for hours; botocore asks again ten minutes before the end."""
    script = tmp_path / "give.py"
    script.write_text(
        "import datetime, json, pathlib\n"
        f"path = pathlib.Path({str(tmp_path / 'given')!r})\n"
        "number = len(path.read_text()) if path.exists() else 0\n"
        "path.write_text('x' * (number + 1))\n"
        "end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=300 if not number else 7200)\n"
        "print(json.dumps({'Version': 1, 'AccessKeyId': f'ASIA{number}', 'SecretAccessKey': 'x', 'SessionToken': 't',"
        " 'Expiration': end.isoformat()}))\n"
    )
    (tmp_path / "config").write_text(f"[profile night]\ncredential_process = {sys.executable} {script}\n")
    connection = OptionsConnection({"profile": "night", "region": "eu-central-1"})
    client = connection.client("sts", "eu-central-1")
    assert signed_with(client) == "ASIA1"
    assert connection.expires_at is None


def test_a_shared_file_that_changes_is_read_again(tmp_path: Path) -> None:
    a_profile(tmp_path / "credentials", "ASIAOLD")
    connection = OptionsConnection({"profile": "night", "region": "eu-central-1"})
    assert signed_with(connection.client("sts", "eu-central-1")) == "ASIAOLD"
    assert connection.renew() is False
    a_profile(tmp_path / "credentials", "ASIANEW")
    assert connection.renew() is True
    assert signed_with(connection.client("sts", "eu-central-1")) == "ASIANEW"


@pytest.mark.parametrize("assumes", [False, True])
def test_of_two_threads_whose_calls_failed_both_repeat_them(tmp_path: Path, assumes: bool) -> None:
    """The second finds new ones that the first has read: its own client has the old ones all the same."""
    a_profile(tmp_path / "credentials", "ASIAOLD")
    connection: Connection = OptionsConnection({"profile": "night", "region": "eu-central-1"})
    if assumes:
        account = Account("222222222222", role_arn="arn:aws:iam::222222222222:role/patch")
        connection = connection.assume(account, "night", lambda: START)

    def make_client() -> Any:
        return connection.client("sts", "eu-central-1")

    with ThreadPoolExecutor(1) as other:
        old = [make_client(), other.submit(make_client).result()]
        a_profile(tmp_path / "credentials", "ASIANEW")
        assert [connection.renew(), other.submit(connection.renew).result()] == [True, True]
        new = [make_client(), other.submit(make_client).result()]
        assert old[0] is old[1] is not new[0] is new[1]
        assert [connection.renew(), other.submit(connection.renew).result()] == [False, False]


def test_a_file_that_is_gone_renews_nothing(tmp_path: Path) -> None:
    a_profile(tmp_path / "credentials", "ASIAOLD")
    connection = OptionsConnection({"profile": "night", "region": "eu-central-1"})
    client = connection.client("sts", "eu-central-1")
    assert signed_with(client) == "ASIAOLD"
    (tmp_path / "credentials").unlink()
    assert connection.renew() is False
    assert connection.client("sts", "eu-central-1") is client


def test_keys_that_were_given_stay_as_they_are() -> None:
    assert OptionsConnection(OPTIONS).renew() is False


def test_the_end_of_keys_from_the_environment_is_known_where_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE")
    given = {**OPTIONS, "access_key": "ASIAEXAMPLE", "session_token": "t"}
    assert OptionsConnection(given).expires_at is None
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", "2026-11-14T22:00:00Z")
    assert OptionsConnection(given).expires_at == START
    assert OptionsConnection({**given, "access_key": "ASIAOTHER"}).expires_at is None, "it speaks of others"
    assert OptionsConnection({**given, "session_token": None}).expires_at is None, "keys of a user do not end"
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", "soon")
    assert OptionsConnection(given).expires_at is None


def test_a_missing_boto3_is_reported_with_the_python_that_lacks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "HAS_BOTO3", False)
    with pytest.raises(
        PatchFleetError, match=f"not installed for {sys.executable}.+-m pip install --upgrade 'boto3>="
    ) as caught:
        require_boto3()
    assert caught.value.code == "boto3_missing"


@pytest.mark.parametrize(
    ("version", "is_refused"), [("1.29.27", True), ("1.35.63", True), ("1.35.64", False), ("2.0.0", False)]
)
def test_a_botocore_that_drops_what_aws_says_is_refused(
    monkeypatch: pytest.MonkeyPatch, version: str, is_refused: bool
) -> None:
    monkeypatch.setattr(connect.botocore, "__version__", version)
    if not is_refused:
        require_boto3()
        return
    with pytest.raises(PatchFleetError, match=f"too old .+botocore {version} for .+boto3>=1.35.64") as caught:
        require_boto3()
    assert caught.value.code == "boto3_missing"


def test_a_missing_amazon_aws_is_reported_when_aws_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts without AWS need none: the options keep their names, and nothing reads them."""
    given = aws_argument_spec()
    assert {name: spec.get("aliases", []) for name, spec in given.items()} == NAMES
    assert {name for name, spec in given.items() if spec.get("no_log")} == SECRET
    monkeypatch.setitem(sys.modules, "ansible_collections.amazon.aws.plugins.module_utils.modules", None)
    assert {name: spec["aliases"] for name, spec in aws_argument_spec().items()} == NAMES
    with pytest.raises(PatchFleetError, match=r"collection install amazon.aws") as caught:
        OptionsConnection({})
    assert caught.value.code == "amazon_aws_missing"


def test_every_step_can_be_imported_where_boto3_is_missing() -> None:
    """Else the user would see a traceback instead of the sentence."""
    code = """
import sys
sys.modules["boto3"] = sys.modules["botocore"] = None
sys.path[:0] = sys.argv[2:]
base = "ansible_collections.patchfleet.windows.plugins.module_utils."
for module in sys.argv[1].split(","):
    __import__(base + "_modules." + module)
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.connect import OptionsConnection, warm_up
warm_up()
try:
    OptionsConnection({})
except Exception as error:
    print(error.code)
"""
    modules = ",".join(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
    ran = subprocess.run([sys.executable, "-c", code, modules, *sys.path], capture_output=True, text=True, check=False)
    assert (ran.stdout.strip(), ran.stderr) == ("boto3_missing", "")
