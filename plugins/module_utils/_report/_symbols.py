# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shapes of the page's symbols. No data comes in here."""

from __future__ import annotations

_SHAPES = {
    "patched": '<circle cx=8 cy=8 r=6.5 /><path d="m5 8.2 2.2 2.2L11 6.2" />',
    "compliant": '<path d="m3 8.5 3.5 3.5L13 4.5" />',
    "noncompliant": '<path d="M8 2 15 14H1ZM8 6.5v3.5M8 12v.2" />',
    "failed": '<path d="M5.3 1.5h5.4l3.8 3.8v5.4l-3.8 3.8H5.3l-3.8-3.8V5.3ZM5.7 5.7l4.6 4.6m0-4.6-4.6 4.6" />',
    "held": '<rect x=1.75 y=1.75 width=12.5 height=12.5 rx=2 /><path d="M6 5.5v5m4-5v5" />',
    "deferred": '<circle cx=8 cy=8 r=6.5 /><path d="M8 4.2V8l2.6 1.8" />',
    "excluded": '<circle cx=8 cy=8 r=6.5 /><path d="m3.6 12.4 8.8-8.8" />',
    "at-work": '<path d="M14.5 8A6.5 6.5 0 1 1 8 1.5" /><path d="M8 4.5V8l2.4 2.4" />',
    "waiting": "<circle cx=3 cy=8 r=1 /><circle cx=8 cy=8 r=1 /><circle cx=13 cy=8 r=1 />",
}

# Drawn once and used by reference. The shape shows the outcome, the colour repeats it.
SYMBOLS = (
    "<svg width=0 height=0 aria-hidden=true class=symbols>"
    '<pattern id=hatch width=6 height=6 patternUnits=userSpaceOnUse><rect width=6 height=6 /><path d="M0 6 6 0" /></pattern>'
    + "".join(f'<symbol id=i-{name} viewBox="0 0 16 16">{shape}</symbol>' for name, shape in _SHAPES.items())
    + "</svg>"
)
