# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from the list of variables: the roles' argument specs, defaults and tables, options of modules, and pages."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variable import GROUPS, RELEASE, Variable
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import (
    LISTS_OF_DICTS,
    OPTION_TYPES,
    VARIABLES,
)
from tools.generated_text import FlowList, as_yaml, markdown, table, with_part

SOURCE = "plugins/module_utils/_plan/*_variables.py"
NOTE = f"# Generated from {SOURCE} by `make generate`; change it there.\n"
KINDS = {
    "count_or_percent": "count or percent",
    "datetime": "date and time",
    "kbs": "list of KBs",
    "line": "one line of text",
    "str": "text",
    "webhook": "secret URL",
}
HEAD_OF_PAGE = """# Variables

What the playbooks read, from extra variables (`-e`), the inventory or AWX's surveys. A name or value that cannot be right is
refused before anything is touched, with what would be right.

- **Per host** means that hosts and groups of the inventory may have values of their own. All other variables count for the whole
  run: where hosts of one run have different values, the run is refused.
- A list may also be text with commas: `-e patch_exclude=web-1,web-2`. An empty text means the default.
- Times are ISO 8601, such as `2026-11-15T04:00:00+01:00`.

This page is generated; CONTRIBUTING.md says how a variable is added.

## The ones that most people set first

"""


def variable_files(root: Path) -> Iterator[tuple[Path, str]]:
    """All files that follow from the variables."""
    for role in sorted({role for variable in VARIABLES for role in variable.roles}):
        yield from _role_files(root / "roles" / role, [v for v in VARIABLES if role in v.roles])
    yield root / "plugins/doc_fragments/_options.py", _doc_fragment()
    yield root / "docs/variables.md", _page()


def _first() -> list[Variable]:
    return [variable for variable in VARIABLES if variable.first]


# Roles


def _role_files(role: Path, variables: list[Variable]) -> Iterator[tuple[Path, str]]:
    specs = role / "meta" / "argument_specs.yml"
    head = specs.read_text(encoding="utf-8").partition("    options:\n")[0].replace(_options_note(), "")
    options = as_yaml({variable.name: _role_option(variable) for variable in variables})
    yield specs, f"{head}{_options_note()}    options:\n{textwrap.indent(options, ' ' * 6)}"
    defaults = {variable.name: _yaml_default(variable) for variable in variables if _has_default(variable)}
    if defaults:
        yield role / "defaults" / "main.yml", f"---\n{NOTE}{as_yaml(defaults)}"
    readme = role / "README.md"
    yield readme, with_part(readme.read_text(encoding="utf-8"), "variables", _short_table(variables))


def _options_note() -> str:
    return textwrap.indent(NOTE, "    ")


def _has_default(variable: Variable) -> bool:
    return variable.default is not None and not variable.default_unless


def _yaml_default(variable: Variable) -> Any:
    return str(variable.default) if variable.kind == "count_or_percent" else variable.default


def _role_option(variable: Variable) -> dict[str, Any]:
    option = _option(variable)
    if variable.kind == "webhook":
        option["no_log"] = True
    if _has_default(variable):
        option["default"] = _yaml_default(variable)
    return option


def _option(variable: Variable) -> dict[str, Any]:
    option: dict[str, Any] = {"description": _paragraphs(variable), "type": OPTION_TYPES[variable.kind]}
    if variable.since != RELEASE:
        option["version_added"] = variable.since
    if OPTION_TYPES[variable.kind] == "list":
        option["elements"] = "dict" if variable.kind in LISTS_OF_DICTS else "str"
    if variable.choices:
        option["choices"] = FlowList(variable.choices)
    return option


def _paragraphs(variable: Variable) -> list[str]:
    texts = [variable.description, variable.details, _bound(variable), _unset(variable)]
    return [text for text in texts if text]


def _bound(variable: Variable) -> str:
    return f"At least {variable.minimum:g}." if variable.minimum else ""


def _unset(variable: Variable) -> str:
    if variable.default_unless:
        return f"V({variable.default}) where neither this nor C({variable.default_unless}) is set."
    return f"Without it, {variable.unset}." if variable.unset else ""


# Modules


def _doc_fragment() -> str:
    """Options that several modules share are said once, in a fragment with the name of the first of them."""
    fragments: dict[tuple[str, ...], list[Variable]] = {}
    for variable in VARIABLES:
        if variable.modules:
            fragments.setdefault(tuple(sorted(variable.modules)), []).append(variable)
    named = {
        modules[0] if len(modules) == 1 else variables[0].short_name: variables
        for modules, variables in fragments.items()
    }
    parts = [_fragment_of(name, named[name]) for name in sorted(named)]
    licence = Path(__file__).read_text(encoding="utf-8").partition('"""')[0]
    return (
        f"{licence}{NOTE}\nfrom __future__ import annotations\n\n\nclass ModuleDocFragment:\n"
        f'    """Options of modules that variables of the playbooks set."""\n\n{chr(10).join(parts)}'
    )


def _fragment_of(name: str, variables: Sequence[Variable]) -> str:
    options = {}
    for variable in variables:
        default = {} if variable.default is None else {"default": variable.default}
        options[variable.short_name] = {**_option(variable), **default}
    return f'    {name.upper()} = r"""\n{as_yaml({"options": options})}"""\n'


# Pages


def _short_table(variables: list[Variable]) -> str:
    return table(
        ("variable", "default", "meaning"),
        ((f"`{v.name}`", _default_cell(v), _meaning(v)) for v in variables),
    )


def _page() -> str:
    parts = [HEAD_OF_PAGE, _short_table(_first()), "\n"]
    for group, title in GROUPS.items():
        rows = (
            (f"`{v.name}`", _kind_cell(v), _default_cell(v), _meaning(v, v.details))
            for v in VARIABLES
            if v.group == group
        )
        parts.append(f"\n## {title}\n\n{table(('variable', 'type', 'default', 'meaning'), rows)}\n")
    return "".join(parts)


def _kind_cell(variable: Variable) -> str:
    text = KINDS.get(variable.kind, variable.kind)
    if variable.minimum:
        text += f" ≥ {variable.minimum:g}"
    return text + (", per host" if variable.per_host else "")


def _default_cell(variable: Variable) -> str:
    if variable.default is None:
        return "–"
    if isinstance(variable.default, bool):
        return f"`{str(variable.default).lower()}`"
    return f"`{variable.default}`"


def _meaning(variable: Variable, details: str = "") -> str:
    since = f"Since {variable.since}." if variable.since != RELEASE else ""
    return markdown(" ".join(text for text in (variable.description, details, _unset(variable), since) if text))
