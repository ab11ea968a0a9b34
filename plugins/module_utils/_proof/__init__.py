# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proof of an account: one instance of its own is started, what this project believes of AWS and Windows is asked there, and
everything is taken away again. Nothing here belongs to a run, and nothing here touches an instance that the proof did not start.
"""
