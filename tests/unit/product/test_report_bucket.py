# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bucket of the report: how it is named, and that no verdict depends on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_report import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.report_bucket import (
    LONGEST_LINK_SECONDS,
    parse_report_bucket,
)
from operations import perform

from .fakes import ID, client_error
from .stage import RUN, Stage

DENIED = client_error(
    "AccessDenied", "not authorized to perform: s3:PutObject on resource: arn:aws:s3:::reports/a", 403
)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://our-reports", ("our-reports", "", None)),
        ("s3://our-reports/", ("our-reports", "", None)),
        ("s3://our.reports/patch/nights/", ("our.reports", "patch/nights/", None)),
        ("s3://our-reports?region=eu-west-1", ("our-reports", "", "eu-west-1")),
        ("s3://our-reports/patch?region=eu-west-1", ("our-reports", "patch/", "eu-west-1")),
    ],
)
def test_a_bucket_with_prefix_and_region(url: str, expected: tuple[str, str, str | None]) -> None:
    bucket = parse_report_bucket(url)
    assert bucket is not None
    assert (bucket.bucket, bucket.prefix, bucket.region) == expected


@pytest.mark.parametrize(
    "url", ["our-reports", "s3://Our-Reports", "s3://a", "s3://our-reports?zone=a", "https://a.b/c"]
)
def test_what_names_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(InvalidOption, match=r"patch_report_bucket: .* It must be s3://BUCKET"):
        parse_report_bucket(url)


def test_a_link_for_longer_than_s3_allows_is_refused() -> None:
    assert parse_report_bucket("s3://our-reports", None, LONGEST_LINK_SECONDS) is not None
    with pytest.raises(InvalidOption, match=r"patch_report_link_seconds: .* at most seven days"):
        parse_report_bucket("s3://our-reports", None, LONGEST_LINK_SECONDS + 1)


def test_objects_are_encrypted_with_the_key_of_the_option(stage: Stage, tmp_path: Path) -> None:
    stage.open_run()
    stage.account.on("put_object", {})
    options = {
        "report_bucket": "s3://our-reports/patch",
        "report_kms_key": "alias/reports",
        "report_dir": str(tmp_path),
    }
    result = perform(OPERATION, stage.context(OPERATION, **options))
    assert result["objects"]["report.html"] == f"s3://our-reports/patch/{RUN}/report.html"
    calls = {call.params["Key"]: call.params for call in stage.account.of("put_object")}
    assert sorted(calls) == [f"patch/{RUN}/report.{kind}" for kind in ("csv", "html", "json", "md")]
    for params in calls.values():
        assert (params["ServerSideEncryption"], params["SSEKMSKeyId"]) == ("aws:kms", "alias/reports")


def test_a_bucket_that_is_lost_meanwhile_costs_no_verdict(stage: Stage, tmp_path: Path) -> None:
    stage.open_run()
    stage.ledger.set_outcome(RUN, ID, Verdict("failed", "patch", "still_missing", "Still missing."))
    stage.account.on("put_object", DENIED)
    options = {"report_bucket": "s3://our-reports", "report_dir": str(tmp_path)}
    result = perform(OPERATION, stage.context(OPERATION, must_write=False, **options))
    assert (result["objects"], list(result["verdicts"])) == ({}, [ID])
    (warning,) = result["warnings"]
    assert f"The report could not be written to s3://our-reports/{RUN}/" in warning
    assert f"-e patch_run_id={RUN}" in warning
    with pytest.raises(PatchFleetError, match="s3:PutObject"):
        perform(OPERATION, stage.context(OPERATION, **options))


def test_a_plan_writes_no_object(stage: Stage, tmp_path: Path) -> None:
    stage.open_run()
    result = perform(
        OPERATION, stage.context(OPERATION, check_mode=True, report_bucket="s3://our-reports", report_dir=str(tmp_path))
    )
    assert result["objects"] == {}
    assert stage.account.of("put_object") == []
