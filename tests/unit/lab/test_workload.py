# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``listens`` and ``breaks`` of a host mean: it works until the first reboot, and a first start is none."""

from __future__ import annotations

from typing import Any

import pytest

from conftest import MakeLab
from lab.guest_workload import NoConnection, Workload
from virtual_lab import UPDATE

BREAKS = ["tcp/443", "http/http://localhost:8080/health", "service/Shop"]


def works(guest: Any) -> list[bool]:
    """The port, the page and the service of BREAKS."""
    try:
        page = guest.workload.get("http://localhost:8080/health").status == 200
    except NoConnection:
        page = False
    return [443 in guest.workload.ports, page, guest.services["Shop"].status == "running"]


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_what_breaks_works_until_the_first_reboot_and_never_after_it(make_lab: MakeLab, state: str) -> None:
    lab = make_lab({"name": "a", "state": state, "breaks": BREAKS, "updates": [UPDATE]})
    guest = lab.play.world.hosts["a"].guest
    if state == "stopped":
        lab.start("a")
        lab.run_for(300)
    assert works(guest) == [True, True, True]
    for _number in range(2):
        guest.reboot()
        lab.run_for(300)
        assert works(guest) == [False, False, False]
    assert guest.services["Shop"].exit_code == 1
    assert guest.workload.get("http://localhost:8080/").status == 200, "another page of the same server"


def test_what_listens_listens_again_after_a_reboot(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "listens": [443, 3389], "breaks": ["tcp/3389"]})
    guest = lab.play.world.hosts["a"].guest
    guest.reboot()
    lab.run_for(300)
    assert guest.workload.ports == [443]


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("http://localhost", 200),
        ("https://127.0.0.1/shop", 200),
        ("http://localhost:3389", None),
        ("http://localhost:8080", None),
        ("http://web-2/", None),
    ],
)
def test_a_page_needs_a_web_server_of_this_host(url: str, status: int | None) -> None:
    workload = Workload((80, 443, 3389), ())
    if status is None:
        with pytest.raises(NoConnection):
            workload.get(url)
    else:
        assert workload.get(url).status == status
