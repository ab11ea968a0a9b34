# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages for newcomers, followed command by command: what is in a block sh is typed, what is in a block text must be seen.

Exports and environments that are activated hold for the rest of a page. A block yaml is a file, whose name is its first line.
The machine has nothing but what README.md has its reader install (clean_machine.py); a page that makes an environment of its
own continues in that one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import clean_machine
import pytest
from living_lab import UPDATE, LivingLab

from lab.aws.setup import STACK

pytestmark = pytest.mark.xdist_group("start pages")

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "start"
BLOCK = re.compile(r"^```(sh|text|yaml|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HOLDS = re.compile(r"^(?:export|\.) .*\n", re.MULTILINE)
FROM_GALAXY = "ansible-galaxy collection install patchfleet.windows"
DOWNLOAD = "ansible-galaxy collection download patchfleet.windows -p collections"

Run = Callable[[str], str]
"""Runs commands, and returns what they printed."""


def follow(page: str, run: Run, write: Callable[[str, str], object], examples: Mapping[str, str], before: str) -> None:
    """Type a page.

    Args:
        examples: what stands there for ids and paths of the reader's own, each with the real one.
        before: commands that hold for the whole page.
    """
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    for example, real in examples.items():
        assert example in text, f"{page} does not say {example}"
        text = text.replace(example, real)
    blocks = BLOCK.findall(text)
    packages = [content for kind, content in blocks if kind == "sh" and "pip " in content]
    holds, after = before, ""
    for kind, content in blocks:
        if kind == "yaml":
            write(content.partition("\n")[0].removeprefix("# "), content)
        elif content in packages:
            holds += f". {clean_machine.python_environment(page, packages)}/patchfleet/bin/activate\n"
        elif kind == "sh":
            after = " ".join(run(holds + content).split())
            holds += "".join(HOLDS.findall(content))
        elif kind == "text":
            lacking = [line for line in content.splitlines() if " ".join(line.split()) not in after]
            assert lacking == [], f"{page}: {lacking} not in\n{after}"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with what README.md installs, and `downloads`: what Galaxy would send."""
    home = tmp_path_factory.mktemp("machine")
    clean_machine.download(home / "downloads")
    examples = {FROM_GALAXY: f"cd {home}/downloads && ansible-galaxy collection install --offline -r requirements.yml"}
    follow("README", lambda text: clean_machine.type_in(home, home, text), no_file, examples, "")
    return home


def no_file(name: str, _content: str) -> None:
    raise AssertionError(f"README.md has a file {name}")


def typed(lab: LivingLab, machine: Path, page: str, examples: Mapping[str, str]) -> None:
    """Type a page in the lab, on the machine."""
    home = lab.workplace.home  # ledger and report are the lab's own
    if not (home / ".ansible").is_symlink():
        (home / ".ansible").symlink_to(machine / ".ansible")

    def run(text: str) -> str:
        ended = lab.run(["bash", "-euc", text], clean_machine.environment(home))
        assert ended.code == 0, f"{page}:\n{text}\n{ended.output}"
        return ended.output

    installed = clean_machine.KEPT / "README" / "patchfleet" / "bin" / "activate"
    follow(page, run, lab.file, examples, f". {installed}\n")


def test_every_page_is_followed() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    followed = set(re.findall(r'typed\(lab, machine, "([a-z-]+)"|follow\("(README)"', text))
    assert {"".join(names) for names in followed} == {path.stem for path in PAGES.glob("*.md")}


def test_every_page_ends_with_what_to_do_when_it_did_not_work() -> None:
    for page in PAGES.glob("*.md"):
        assert re.findall(r"^## .*", page.read_text(encoding="utf-8"), re.MULTILINE)[-1].endswith("did not work"), page


def test_an_account_is_set_up_patched_and_taken_down(machine: Path, tmp_path: Path) -> None:
    hosts = [
        {"name": "web-01", "tags": {"Name": "web-01"}, "updates": [UPDATE]},
        {"name": "web-02", "agent": "no_role", "state": "stopped", "updates": [UPDATE]},
    ]
    with LivingLab(tmp_path, hosts, bare=True) as lab:
        (volume,) = lab.client("ec2").describe_instances(InstanceIds=[lab.id("web-01")])["Reservations"][0][
            "Instances"
        ][0]["BlockDeviceMappings"]
        ids = {"i-0123456789abcdef0": lab.id("web-01"), "vol-0123456789abcdef0": volume["Ebs"]["VolumeId"]}
        typed(lab, machine, "from-zero", ids)
        assert [lab.truth(name)["missing"] for name in ("web-01", "web-02")] == [[], []]
        assert lab.truth("web-02")["state"] == "stopped"
        typed(lab, machine, "taking-down", {})
        assert STACK not in str(lab.client("cloudformation").describe_stacks()["Stacks"])


def test_who_may_only_patch_and_who_moves_over(machine: Path, tmp_path: Path) -> None:
    hosts = [
        {"name": "dev-01", "updates": [UPDATE]},
        {"name": "dev-02", "updates": [UPDATE]},
        {"name": "dev-03", "state": "stopped", "tags": {"PatchGroup": "Windows", "Schedule": "office-hours"}},
        {"name": "dev-04"},
    ]
    with LivingLab(tmp_path, hosts) as lab:
        typed(lab, machine, "from-a-laptop", {})
        assert (lab.truth("dev-01")["missing"], lab.truth("dev-02")["missing"]) == ([], [UPDATE["kb"]])
        typed(lab, machine, "from-automation-documents", {})
        typed(lab, machine, "from-instance-scheduler", {})
        files = {DOWNLOAD: f"cp -r {machine}/downloads collections", "/path/to/patchfleet.windows": str(ROOT)}
        typed(lab, machine, "air-gapped", files)
        assert lab.truth("dev-02")["missing"] == [UPDATE["kb"]]
