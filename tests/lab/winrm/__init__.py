# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WinRM on the lab's hosts: WS-Management over HTTP and HTTPS, shells, and what runs in them.

A message comes in through :mod:`http`, which knows who speaks, becomes a request (:mod:`wsman`) and works on a shell
(:mod:`shells`). A command in a shell is read by :mod:`programs`: Ansible's own payloads end in :mod:`modules`, the
product's scripts in the model of the host, and everything else is reported as unknown. Nothing here knows the emulated AWS.
"""
