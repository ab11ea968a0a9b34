# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stack's resources and outputs from its template and parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lab.aws.cloudformation import template as templates
from lab.aws.cloudformation.resources import Resource, kind_of

if TYPE_CHECKING:
    from lab.aws.cloudformation.stacks import Stack


def build(stack: Stack, check: Callable[[Resource], None]) -> None:
    """Make the resources in the order in which they need each other, then the outputs.

    Raises:
        AwsError: the template or the parameters are wrong; nothing is made.
        ResourceFailed: ``check`` refuses a resource. What was made before it is in the stack.
    """
    template = templates.load(stack.body)
    values = {
        **templates.parameters_of(template, stack.parameters),
        "AWS::AccountId": stack.arns.account_id,
        "AWS::NoValue": templates.NO_VALUE,
        "AWS::Partition": stack.arns.partition,
        "AWS::Region": stack.region,
        "AWS::StackId": stack.id,
        "AWS::StackName": stack.name,
        "AWS::URLSuffix": stack.arns.url_suffix,
    }
    scope = templates.Scope(
        template,
        values,
        reference=lambda name: _made(stack, name).physical_id,
        attribute=lambda name, attribute: _made(stack, name).attribute(attribute),
    )
    templates.check_rules(scope)
    for name in _in_order(template["Resources"]):
        definition = template["Resources"][name]
        if scope.wants(definition):
            kind_of(definition["Type"])
            wanted = scope.resolve(definition.get("Properties", {}))
            resource = Resource(stack.arns, stack.name, stack.region, name, definition["Type"], wanted)
            check(resource)
            stack.resources[name] = resource
    for name, output in template.get("Outputs", {}).items():
        if scope.wants(output):
            stack.outputs[name] = (str(scope.resolve(output["Value"])), output.get("Description", ""))


def _made(stack: Stack, name: str) -> Resource:
    if name not in stack.resources:
        raise templates.invalid(f"Template format error: Unresolved resource dependencies [{name}]")
    return stack.resources[name]


def _in_order(resources: dict[str, Any]) -> list[str]:
    done: list[str] = []

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in done:
            return
        if name in trail:
            raise templates.invalid(f"Circular dependency between resources: [{', '.join(trail)}]")
        for other in sorted(set(templates.references(resources[name], set(resources)))):
            visit(other, (*trail, name))
        done.append(name)

    for name in resources:
        visit(name, ())
    return done
