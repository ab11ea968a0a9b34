# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading and resolving a template: parameters, rules, conditions and functions.

Source: CloudFormation user guide, "Template anatomy" and "Intrinsic function reference".
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from lab.aws.errors import AwsError

NO_VALUE = object()
"""What AWS::NoValue stands for: the property or the element is left out."""


def invalid(message: str) -> AwsError:
    """The error that CloudFormation answers with."""
    return AwsError("ValidationError", message)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML with the short forms of the functions: ``!Sub`` is ``Fn::Sub``. By libyaml where it is there, ten times as fast."""


def _function(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _function)


@functools.lru_cache(maxsize=8)
def load(body: str) -> dict[str, Any]:
    """The template of a YAML or JSON text, short forms written out; read only."""
    try:
        template = yaml.load(body, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise invalid(f"Template format error: {error}") from error
    if not isinstance(template, dict) or not template.get("Resources"):
        raise invalid("Template format error: At least one Resources member must be defined.")
    return template


@dataclass
class Scope:
    """What the functions of a template see.

    Attributes:
        values: parameters and pseudo parameters.
        reference: the physical id of a resource.
        attribute: an attribute of a resource, by its name.
    """

    template: dict[str, Any]
    values: dict[str, Any]
    reference: Callable[[str], str]
    attribute: Callable[[str, str], str]
    conditions: dict[str, bool] = field(default_factory=dict)

    def condition(self, name: str) -> bool:
        """Whether a condition of the template holds."""
        if name not in self.conditions:
            definition = self.template.get("Conditions", {}).get(name)
            if definition is None:
                raise invalid(f"Template format error: Unresolved condition {name}")
            self.conditions[name] = bool(self.resolve(definition))
        return self.conditions[name]

    def wants(self, resource: dict[str, Any]) -> bool:
        """Whether a resource or output is to be made."""
        return "Condition" not in resource or self.condition(resource["Condition"])

    def resolve(self, value: Any) -> Any:
        """The value with all functions carried out."""
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name in FUNCTIONS:
                return FUNCTIONS[name](self, argument)
            if str(name).startswith("Fn::"):
                raise invalid(f"Template error: the lab does not know the function {name}")
        resolved = {key: self.resolve(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not NO_VALUE}

    def resolve_name(self, name: str) -> Any:
        """What Ref gives."""
        return self.values[name] if name in self.values else self.reference(name)

    def substitute(self, text: str, local: dict[str, Any]) -> str:
        """What Sub gives; ``local`` are its own values."""

        def replace(found: re.Match[str]) -> str:
            name = found.group(1)
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in local:
                return str(local[name])
            resource, _, attribute = name.partition(".")
            return str(self.attribute(resource, attribute) if attribute else self.resolve_name(name))

        return re.sub(r"\$\{([^}]+)\}", replace, text)


def _sub(scope: Scope, argument: Any) -> str:
    text, local = (argument, {}) if isinstance(argument, str) else argument
    return scope.substitute(text, scope.resolve(local))


def _if(scope: Scope, argument: list[Any]) -> Any:
    condition, then, otherwise = argument
    return scope.resolve(then if scope.condition(condition) else otherwise)


def _equals(scope: Scope, argument: list[Any]) -> bool:
    left, right = scope.resolve(argument)
    return str(left) == str(right)


FUNCTIONS: dict[str, Callable[[Scope, Any], Any]] = {
    "Ref": lambda scope, name: scope.resolve_name(name),
    "Condition": lambda scope, name: scope.condition(name),
    "Fn::GetAtt": lambda scope, path: scope.attribute(path[0], path[1]),
    "Fn::Sub": _sub,
    "Fn::If": _if,
    "Fn::Equals": _equals,
    "Fn::Not": lambda scope, items: not scope.resolve(items[0]),
    "Fn::And": lambda scope, items: all(scope.resolve(item) for item in items),
    "Fn::Or": lambda scope, items: any(scope.resolve(item) for item in items),
    "Fn::Join": lambda scope, argument: argument[0].join(str(item) for item in scope.resolve(argument[1])),
    "Fn::Split": lambda scope, argument: str(scope.resolve(argument[1])).split(argument[0]),
    "Fn::Select": lambda scope, argument: scope.resolve(argument[1])[int(argument[0])],
}


def parameters_of(template: dict[str, Any], given: dict[str, str]) -> dict[str, Any]:
    """The values of the parameters by their types.

    Raises:
        AwsError: ValidationError for one that is unknown, missing or not allowed.
    """
    declared = template.get("Parameters", {})
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise invalid(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    missing = sorted(name for name, rule in declared.items() if name not in given and "Default" not in rule)
    if missing:
        raise invalid(f"Parameters: [{', '.join(missing)}] must have values")
    return {name: _convert(name, rule, str(given.get(name, rule.get("Default")))) for name, rule in declared.items()}


def _convert(name: str, rule: dict[str, Any], text: str) -> Any:
    allowed = [str(item) for item in rule.get("AllowedValues", ())]
    if allowed and text not in allowed:
        raise invalid(f"Parameter '{name}' must be one of AllowedValues [{', '.join(allowed)}]")
    parts = [part.strip() for part in text.split(",")] if rule["Type"] == "CommaDelimitedList" else [text]
    if "AllowedPattern" in rule and not all(re.fullmatch(rule["AllowedPattern"], part) for part in parts):
        wanted = rule.get("ConstraintDescription") or f"must match pattern {rule['AllowedPattern']}"
        raise invalid(f"Parameter {name} failed to satisfy constraint: {wanted}")
    if rule["Type"] == "CommaDelimitedList":
        return parts
    if rule["Type"] != "Number":
        return text
    if not rule.get("MinValue", float("-inf")) <= float(text) <= rule.get("MaxValue", float("inf")):
        raise invalid(f"Parameter '{name}' must be a number between {rule.get('MinValue')} and {rule.get('MaxValue')}")
    return int(text)


def check_rules(scope: Scope) -> None:
    """Raises AwsError for an assertion of the template's rules that does not hold."""
    for rule in scope.template.get("Rules", {}).values():
        if "RuleCondition" in rule and not scope.resolve(rule["RuleCondition"]):
            continue
        for assertion in rule["Assertions"]:
            if not scope.resolve(assertion["Assert"]):
                raise invalid(f"Template error: {assertion['AssertDescription']}")


def references(value: Any, names: set[str]) -> Iterator[str]:
    """Which of the resources a value of the template names."""
    if isinstance(value, list):
        for item in value:
            yield from references(item, names)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "Ref":
                yield from names & {item}
            elif key == "Fn::GetAtt":
                yield from names & {item[0]}
            elif key == "DependsOn":
                yield from names & set([item] if isinstance(item, str) else item)
            elif key == "Fn::Sub":
                text = item if isinstance(item, str) else item[0]
                yield from names & {part.partition(".")[0] for part in re.findall(r"\$\{([^}!]+)\}", text)}
                yield from references([] if isinstance(item, str) else item[1], names)
            else:
                yield from references(item, names)
