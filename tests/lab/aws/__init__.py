# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulated AWS account: operations as plain functions, a gate before them, HTTP and moto around them.

Opens no connection to AWS, and knows nothing of Ansible.
"""

from __future__ import annotations
