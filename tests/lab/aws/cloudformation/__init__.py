# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudFormation in the lab: templates resolved as AWS does, stacks with the resource types that the collection uses.

moto's own CloudFormation skips the types that it does not know without a word, and has none of Systems Manager's windows; here
an unknown type, function or parameter is an error.
"""
