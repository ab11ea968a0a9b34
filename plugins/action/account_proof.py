# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.account_proof import OPERATION
from ansible_collections.patchfleet.windows.plugins.plugin_utils._controller_operation import ControllerOperation


class ActionModule(ControllerOperation):
    """The module of the same name, inside the controller; scripts may be files of a role here."""

    operation = OPERATION
