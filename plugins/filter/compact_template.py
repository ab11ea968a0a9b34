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
  - Values, their order, texts such as scripts, and short forms of functions (C(!Sub)) stay as they are. Texts that are JSON lose
    the blanks between their parts.
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

import json
import re
from collections.abc import Callable

import yaml
from ansible.errors import AnsibleFilterError

ONE_LINE = 1_000_000
"""A width that breaks no line."""
QUOTED_NAME = re.compile(r"(!(?:Ref|Condition) )'([A-Za-z0-9:]+)'")
"""PyYAML quotes each scalar that has a tag."""


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
    text = str(yaml.serialize(document, Dumper=yaml.SafeDumper, width=ONE_LINE, allow_unicode=True))
    return QUOTED_NAME.sub(r"\1\2", text)


def _put_on_one_line(node: yaml.Node) -> None:
    """Flow style, which needs no indentation, for all parts; policies that are text lose the blanks between their words."""
    if isinstance(node, yaml.ScalarNode):
        if node.style in {"|", ">"}:
            _shorten(node)
        return
    if not isinstance(node, yaml.CollectionNode):
        raise TypeError(f"a template has no such node: {node}")
    for entry in node.value:
        for part in entry if isinstance(entry, tuple) else (entry,):
            _put_on_one_line(part)
    node.flow_style = True


def _shorten(node: yaml.ScalarNode) -> None:
    """A text in block style, on one line: JSON means the same without blanks, other text stays as it is."""
    try:
        node.value = json.dumps(json.loads(node.value), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        node.style = "'"
    except ValueError:
        node.style = '"'


class FilterModule:
    """The collection's filter that makes a template shorter."""

    def filters(self) -> dict[str, Callable[[str], str]]:
        return {"compact_template": compact_template}
