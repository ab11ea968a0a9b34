# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parameters that a text of a CloudFormation template declares, without a parser for it: modules may have no PyYAML."""

from __future__ import annotations

import re

SECTION = re.compile(r"^Parameters:\n((?:[ #].*\n|\n)*)", re.MULTILINE)
NAME = re.compile(r"^  (\w+):", re.MULTILINE)


def parameter_names(template: str) -> list[str]:
    """Of a template in YAML and block style."""
    section = SECTION.search(template)
    return NAME.findall(section[1]) if section else []
