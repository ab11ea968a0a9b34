# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: stack_parameters
short_description: Parameters of a CloudFormation template as it takes them
version_added: 1.0.0
author: Patch Fleet contributors
description:
  - Makes texts of what YAML makes of them, since CloudFormation knows nothing else. C(true) and C(no) become C(true) and C(false),
    a list becomes its elements with commas between them.
  - Refuses names that the template does not have, which CloudFormation would only do when the stack is really made.
  - Parameters of a stack that is there keep their values unless they are named. CloudFormation itself would give them the
    template's defaults, and so take away what an earlier update has made.
options:
  _input:
    description: Values by the parameters' names.
    type: dict
    required: true
  template:
    description: The template's text, in YAML and block style.
    type: str
    required: true
  before:
    description:
      - The parameters of the stack that is there, by their names. Without it, what is not named gets the template's default.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Deploy
  amazon.aws.cloudformation:
    stack_name: patchfleet
    template_body: "{{ template }}"
    template_parameters: "{{ {'ControllerOnEc2': true} | patchfleet.windows.stack_parameters(template) }}"
  vars:
    template: "{{ lookup('ansible.builtin.file', 'patchfleet.template') }}"
"""

RETURN = r"""
_value:
  description:
    - >-
      The same parameters, each a text. One that keeps its value is C({use_previous_value: true}), because no one can read the value
      of one with C(NoEcho).
  type: dict
"""

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.patchfleet.windows.plugins.module_utils._setup.template_parameters import parameter_names

KEPT = {"use_previous_value": True}
"""As amazon.aws.cloudformation takes a parameter that keeps its value."""


def stack_parameters(
    given: Mapping[str, Any], template: str, before: Mapping[str, Any] | None = None
) -> dict[str, str | dict[str, bool]]:
    """The parameters as texts, and those of the stack that is there which are not named.

    Raises:
        AnsibleFilterError: a name that the template does not have.
    """
    known = parameter_names(template)
    for name in given:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            question = [f"Did you mean {nearest[0]}?"] if nearest else []
            message = [f"The template has no parameter {name}.", *question, "Nothing was changed."]
            raise AnsibleFilterError(" ".join(message))
    kept = {name: dict(KEPT) for name in before or {} if name in known and name not in given}
    return {**kept, **{name: _text(value) for name, value in given.items()}}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(_text(element) for element in value)
    return "" if value is None else str(value)


class FilterModule:
    """The collection's filters for CloudFormation."""

    def filters(self) -> dict[str, Callable[..., dict[str, str | dict[str, bool]]]]:
        return {"stack_parameters": stack_parameters}
