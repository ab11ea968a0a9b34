# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages for newcomers, followed command by command: what is in a block sh is typed, what is in a block text must be seen.

Exports hold for the rest of a page. A block yaml is a file, whose name is its first line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from living_lab import UPDATE, LivingLab

from lab.aws.setup import STACK

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "start"
BLOCK = re.compile(r"^```(sh|text|yaml|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def follow(lab: LivingLab, page: str, examples: Mapping[str, str]) -> None:
    """Type a page; ``examples`` are what stands there for ids and paths of the reader's own."""
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    for example, real in examples.items():
        assert example in text, f"{page} does not say {example}"
        text = text.replace(example, real)
    exports, seen = "", ""
    for kind, content in BLOCK.findall(text):
        if kind == "yaml":
            lab.file(content.partition("\n")[0].removeprefix("# "), content)
        elif kind == "sh":
            ended = lab.run(["bash", "-euc", exports + content])
            assert ended.code == 0, f"{page}:\n{content}\n{ended.said}"
            exports += "".join(re.findall(r"^export .*\n", content, re.MULTILINE))
            seen = ended.words
        elif kind == "text":
            lacking = [line for line in content.splitlines() if " ".join(line.split()) not in seen]
            assert lacking == [], f"{page}: {lacking} not in\n{seen}"


def test_every_page_is_followed() -> None:
    followed = set(re.findall(r'follow\(lab, "([a-z-]+)"', Path(__file__).read_text(encoding="utf-8")))
    assert followed == {path.stem for path in PAGES.glob("*.md")} - {"README"}


def test_every_page_ends_with_what_to_do_when_it_did_not_work() -> None:
    for page in PAGES.glob("*.md"):
        assert re.findall(r"^## .*", page.read_text(encoding="utf-8"), re.MULTILINE)[-1].endswith("did not work"), page


def test_an_account_is_set_up_patched_and_taken_down(tmp_path: Path) -> None:
    hosts = [
        {"name": "web-01", "tags": {"Name": "web-01"}, "updates": [UPDATE]},
        {"name": "web-02", "agent": "no_role", "state": "stopped", "updates": [UPDATE]},
    ]
    with LivingLab(tmp_path, hosts, bare=True) as lab:
        (volume,) = lab.client("ec2").describe_instances(InstanceIds=[lab.id("web-01")])["Reservations"][0][
            "Instances"
        ][0]["BlockDeviceMappings"]
        ids = {"i-0123456789abcdef0": lab.id("web-01"), "vol-0123456789abcdef0": volume["Ebs"]["VolumeId"]}
        follow(lab, "from-zero", ids)
        assert [lab.truth(name)["missing"] for name in ("web-01", "web-02")] == [[], []]
        assert lab.truth("web-02")["state"] == "stopped"
        follow(lab, "taking-down", {})
        assert STACK not in str(lab.client("cloudformation").describe_stacks()["Stacks"])


def test_who_may_only_patch_and_who_moves_over(tmp_path: Path) -> None:
    hosts = [
        {"name": "dev-01", "updates": [UPDATE]},
        {"name": "dev-02", "updates": [UPDATE]},
        {"name": "dev-03", "state": "stopped", "tags": {"PatchGroup": "Windows", "Schedule": "office-hours"}},
        {"name": "dev-04"},
    ]
    with LivingLab(tmp_path, hosts) as lab:
        follow(lab, "from-a-laptop", {})
        assert (lab.truth("dev-01")["missing"], lab.truth("dev-02")["missing"]) == ([], [UPDATE["kb"]])
        follow(lab, "from-automation-documents", {})
        follow(lab, "from-instance-scheduler", {})
        follow(lab, "air-gapped", {"/path/to/patchfleet.windows": str(ROOT)})
        assert lab.truth("dev-02")["missing"] == [UPDATE["kb"]]
