# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation site, which `make docs` builds: all pages of docs, and a page for each module, filter and role."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes

project = "Patch Fleet"
project_copyright = "2026, Patch Fleet contributors"
html_title = html_short_title = "Patch Fleet"

extensions = ["myst_parser", "sphinx_antsibull_ext"]
root_doc = "docs/docsite/index"
exclude_patterns = ["**/environment_variables.rst"]

# Headings get the anchors that GitHub gives them, so links work in both.
myst_heading_anchors = 4
myst_enable_extensions = ["tasklist"]

html_theme = "sphinx_ansible_theme"
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"collapse_navigation": False, "navigation_depth": 2, "display_version": False}
pygments_style = "ansible"
highlight_language = "YAML+Jinja"


ANSIBLE = "https://docs.ansible.com/ansible/latest"
PAGES_OF_ANSIBLE = {
    "action_plugins": "plugins/action.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}
PLUGIN = re.compile(r"ansible_collections\.(\w+)\.(\w+)\.(\w+)")


def link_to_ansible(_app: Any, _env: Any, node: nodes.Element, content: nodes.Node) -> nodes.Node | None:
    """A label of Ansible's own documentation leads there; its inventory of labels need not be fetched for that."""
    label = node.get("reftarget", "")
    plugin = PLUGIN.fullmatch(label)
    page = "collections/{}/{}/{}.html".format(*plugin.groups()) if plugin else PAGES_OF_ANSIBLE.get(label)
    return nodes.reference("", "", content, refuri=f"{ANSIBLE}/{page}") if page else None


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("missing-reference", link_to_ansible)
