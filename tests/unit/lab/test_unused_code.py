# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No code of the lab is there for nothing: what `make lint` judges, and the methods that are called by their names."""

from __future__ import annotations

import re

from lab.powershell.windows import OPERATIONS
from tools.lint_unused import BY_NAME, ROOT, judged


def test_the_modules_of_a_powershell_ask_for_each_method_of_windows_and_for_no_other() -> None:
    text = (ROOT / BY_NAME[0]).with_name("Windows.psm1").read_text(encoding="utf-8")
    assert set(re.findall(r"Invoke-Model '(\w+)'", text)) == set(OPERATIONS)


def test_unused_code_of_the_lab_is_judged_and_data_of_the_product_is_not() -> None:
    unused = "tests/lab/aws/arns.py:71: unused method 'has_region' (60% confidence)"
    report = (
        f"plugins/module_utils/_model/x.py:1: unused variable 'a' (60% confidence)\n{unused}\n{BY_NAME[1]}:90: unused"
    )
    assert judged(report) == [unused]
