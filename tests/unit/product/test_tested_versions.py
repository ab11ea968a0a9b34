# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which versions are tried: the matrix says it, and workflows, docs and the collection's own bounds agree with it."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "tested-versions.md").read_text(encoding="utf-8")


def the_matrix() -> Any:
    spec = importlib.util.spec_from_file_location("matrix_run", ROOT / "tests" / "matrix" / "run.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses ask for it
    spec.loader.exec_module(module)
    return module


MATRIX = the_matrix()
CORES: dict[str, tuple[str, str]] = MATRIX.CORES


def workflow_job(name: str, job: str) -> Any:
    return yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8"))["jobs"][job]


def lower_bounds(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.]+)\b[\w\[\],]* >=([\d.]+)", text, re.MULTILINE))


def test_the_weekly_workflow_runs_each_core_and_has_each_python() -> None:
    job = workflow_job("matrix.yml", "matrix")
    assert job["strategy"]["matrix"]["core"] == list(CORES)
    (setup,) = [step for step in job["steps"] if step.get("uses", "").startswith("actions/setup-python")]
    assert {python for pythons in CORES.values() for python in pythons} <= set(setup["with"]["python-version"].split())


def test_the_containers_of_ansible_test_have_each_core() -> None:
    sessions = workflow_job("nox.yml", "session")["strategy"]["matrix"]["session"]
    assert [session for session in sessions if "sanity" in session] == [f"ansible-test-sanity-{core}" for core in CORES]
    sanity = tomllib.loads((ROOT / "antsibull-nox.toml").read_text(encoding="utf-8"))["sessions"]["ansible_test_sanity"]
    assert (sanity["min_version"], sanity["max_version"]) == (next(iter(CORES)), next(reversed(CORES)))


def test_the_oldest_core_is_the_oldest_that_the_collection_allows() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    assert runtime["requires_ansible"] == f">={next(iter(CORES))}.0"
    oldest_python = min((pythons[0] for pythons in CORES.values()), key=MATRIX.minor)
    assert f"| Python ≥ {oldest_python}, ansible-core ≥ {next(iter(CORES))} |" in README


def test_the_page_names_the_pythons_of_each_core() -> None:
    rows = re.findall(r"^\| (2\.\d+) \| (3\.\d+), (3\.\d+) \|$", PAGE, re.MULTILINE)
    assert {core: (oldest, newest) for core, oldest, newest in rows} == CORES


def test_the_page_names_the_lowest_dependencies_of_our_ranges() -> None:
    bounds = lower_bounds((ROOT / "requirements" / "controller.txt").read_text(encoding="utf-8"))
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["dependencies"]
    oldest = dict(re.findall(r"^\| ([\w., ]+) \| ([\d.]+) \| [^|]+ \|$", PAGE, re.MULTILINE))
    assert oldest["boto3, botocore"] == bounds["boto3"] == bounds["botocore"]
    assert oldest["pywinrm"] == bounds["pywinrm"]
    assert f"| boto3 ≥ {bounds['boto3']} |" in README
    assert f"| amazon.aws ≥ {'.'.join(map(str, number(oldest['amazon.aws'])[:2]))} |" in README
    for name, wanted in galaxy.items():
        lowest, below = re.findall(r"[\d.]+", wanted)
        # The `ansible` package brings the collection, and no package has each release of it.
        assert number(lowest)[:2] == number(oldest[name])[:2]
        assert number(lowest) <= number(oldest[name]) < number(below)


def number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def one_line_stubs(folder: str) -> set[str]:
    """Files with a method whose body is ``...`` on the line of its head, which pep8 of the oldest cores refuses (E704)."""
    stub = re.compile(r"^\s*(async def|def|\)).*: \.\.\.( *#.*)?$", re.MULTILINE)
    files = [file for file in (ROOT / folder).rglob("*.py") if stub.search(file.read_text(encoding="utf-8"))]
    return {str(file.relative_to(ROOT)) for file in files}


def test_no_plugin_needs_an_ignored_sanity_test() -> None:
    """ansible-lint's profile `production` permits no such entry for them."""
    assert one_line_stubs("plugins") == set()


@pytest.mark.parametrize("core", ["2.17", "2.18"])
def test_old_sanity_tests_ignore_the_protocols_of_tests(core: str) -> None:
    ignored = (ROOT / "tests" / "sanity" / f"ignore-{core}.txt").read_text(encoding="utf-8").splitlines()
    assert set(ignored) == {f"{name} pep8:E704" for name in one_line_stubs("tests")}
