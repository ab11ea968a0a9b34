# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: compact_template
short_description: A CloudFormation template without its comments
version_added: 1.0.0
author: Patch Fleet contributors
description:
  - Writes the same YAML document again, without comments and indentation that mean nothing. CloudFormation takes at most 51,200
    bytes of a template in a call (CloudFormation API reference, CreateStack, C(TemplateBody)).
  - Values, their order, texts in block style such as scripts, and short forms of functions (C(!Sub)) stay as they are.
options:
  _input:
    description: The template's text, in YAML.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Deploy
  amazon.aws.cloudformation:
    stack_name: patchfleet
    template_body: "{{ lookup('ansible.builtin.file', 'patchfleet.template') | patchfleet.windows.compact_template }}"
"""

RETURN = r"""
_value:
  description: The shorter text.
  type: str
"""

from collections.abc import Callable

import yaml
from ansible.errors import AnsibleFilterError

ONE_LINE = 1_000_000
"""A width that breaks no line."""


def compact_template(template: str) -> str:
    """The same document, shorter.

    Raises:
        AnsibleFilterError: it is not YAML.
    """
    try:
        document = yaml.compose(template, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise AnsibleFilterError(f"The template is not YAML: {error}") from error
    for _name, part in document.value if isinstance(document, yaml.MappingNode) else ():
        for _key, value in part.value if isinstance(part, yaml.MappingNode) else ():
            _put_on_one_line(value)
    return str(yaml.serialize(document, Dumper=yaml.SafeDumper, width=ONE_LINE, allow_unicode=True))


def _put_on_one_line(node: yaml.Node) -> bool:
    """Flow style, which needs no indentation, for all that holds no text in block style; returns whether the node holds none."""
    if isinstance(node, yaml.ScalarNode):
        return node.style not in {"|", ">"}
    if not isinstance(node, yaml.CollectionNode):
        raise TypeError(f"a template has no such node: {node}")
    parts = [part for entry in node.value for part in (entry if isinstance(entry, tuple) else (entry,))]
    fits = [_put_on_one_line(part) for part in parts]  # each part, also after one that does not
    node.flow_style = all(fits)
    return all(fits)


class FilterModule:
    """The collection's filter that makes a template shorter."""

    def filters(self) -> dict[str, Callable[[str], str]]:
        return {"compact_template": compact_template}
