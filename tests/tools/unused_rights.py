# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the template grants the roles of a run more than all scenarios and tests together have used.

FOLDER is where the labs left what they used (PATCHFLEET_LAB_RIGHTS); that nothing else was needed they have shown
themselves, since they refuse what is not granted. Prints the rights that were not used; the exit code is 1 when there are any.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lab.aws.cloudformation.stacks import Stacks
from lab.aws.setup import set_up
from lab.scenario import load

SCENARIO = Path(__file__).parents[1] / "scenarios" / "17-encrypted-volumes.yml"
SWITCH_ROLES = {"SwitchRole", "SchedulerRole"}
ELSEWHERE = {
    "ssm:ListCommands": "of a command that Run Command cancels whole, which the lab never does: test_host_run_command.py"
}
Right = tuple[str, str, str]
"""Role, Sid, action."""


def granted() -> set[Right]:
    """The rights of the controller's role, and of those that the switch for dead controllers works with."""
    scenario, stacks = load(SCENARIO), Stacks()
    controller = set_up(stacks, scenario, scenario.start)
    switch = [role.physical_id for role in stacks.resources("AWS::IAM::Role") if role.logical_id in SWITCH_ROLES]
    return {
        (role, statement.sid, action)
        for role in (controller, *switch)
        for statement in stacks.statements_of_role(role)
        for action in statement.actions
    }


def main(folder: Path) -> int:
    """Compare; the exit code."""
    used = {tuple(right) for file in folder.glob("*.json") for right in json.loads(file.read_text(encoding="utf-8"))}
    unused = sorted(right for right in granted() - used if right[2] not in ELSEWHERE)
    for role, sid, action in unused:
        print(f"{action} (statement {sid}) is granted to {role}, and nothing has used it")
    return int(bool(unused))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
