# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report in a bucket: tried before anything is touched, written at the end, read by a signed link."""

from __future__ import annotations

import csv
import json
import urllib.request
from pathlib import Path

from living_lab import UPDATE, LivingLab

from lab.aws.setup import REPORT_BUCKET

HOSTS = [{"name": "web-01", "state": "stopped", "updates": [UPDATE]}]
NAMES = ["report.csv", "report.html", "report.json", "report.md"]


def test_the_report_is_in_the_bucket_and_can_be_read_by_its_link(tmp_path: Path) -> None:
    with LivingLab(tmp_path, HOSTS) as lab:
        lab.client("s3").create_bucket(Bucket=REPORT_BUCKET)
        variables = {"patch_report_bucket": f"s3://{REPORT_BUCKET}/patch", "patch_report_link_seconds": 3600}
        ended = lab.playbook("patch", variables=variables)
        assert ended.code == 0, ended.output
        run_id = ended.report["run_id"]
        written = lab.lab.objects(REPORT_BUCKET)
        assert sorted(written) == [f"patch/{run_id}/{name}" for name in [*NAMES, "started.json"]]
        assert json.loads(written[f"patch/{run_id}/started.json"].body)["hosts"] == 1
        (task,) = ended.of("Write the report")
        assert sorted(task["objects"]) == NAMES
        for link in task["objects"].values():
            assert link in ended.output
        with urllib.request.urlopen(task["objects"]["report.json"]) as answer:  # noqa: S310 - the lab's own address
            assert json.load(answer) == ended.report
        again = lab.playbook("report", variables={**variables, "patch_report_link_seconds": 0})
        assert f"s3://{REPORT_BUCKET}/patch/{run_id}/report.html" in again.output
        months = lab.playbook("history", variables={**variables, "patch_evidence_pack": True})
        assert (months.code, months.output.count("X-Amz-Signature")) == (0, 4), months.output
        objects = {key.rpartition(".")[2] for key in lab.lab.objects(REPORT_BUCKET) if key.startswith("patch/history/")}
        assert objects == {"csv", "html", "json", "zip"}


def test_evidence_of_a_host_is_a_file_where_a_folder_is_named(tmp_path: Path) -> None:
    with LivingLab(tmp_path, HOSTS) as lab:
        assert lab.playbook("patch").code == 0
        folder = tmp_path / "of the auditors"
        shown = lab.playbook("evidence", variables={"patch_host": "web-01", "patch_report_dir": str(folder)})
        assert (shown.code, "started by: " in shown.output) == (0, True), shown.output
        (row,) = csv.DictReader((folder / "evidence.csv").read_text(encoding="utf-8").splitlines())
        assert (row["host"], row["kb"], row["patch_manager_state"]) == ("web-01", UPDATE["kb"], "Installed")


def test_a_bucket_that_cannot_be_written_ends_the_run_before_anything_is_touched(tmp_path: Path) -> None:
    with LivingLab(tmp_path, HOSTS) as lab:
        for bucket, words in (
            ("s3://of-others", "s3:PutObject"),
            (f"s3://{REPORT_BUCKET}", "The specified bucket does not exist"),
            ("our-reports", "It must be s3://BUCKET"),
        ):
            ended = lab.playbook("patch", variables={"patch_report_bucket": bucket})
            assert ended.code == 2
            assert "patch_report_bucket" in ended.output
            assert words in " ".join(ended.output.split())
        assert lab.truth("web-01")["starts"] == 0
