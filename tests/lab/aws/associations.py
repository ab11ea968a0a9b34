# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSM: associations of State Manager. The lab lists them and never applies one."""

from __future__ import annotations

from typing import Any

from lab.aws.request import Operation, Request, Result, page

SHOWN = ("Name", "AssociationName", "Targets", "ScheduleExpression")


def create_association(request: Request) -> Result:
    associations = request.account.associations.setdefault(request.region, [])
    made: dict[str, Any] = {"AssociationId": f"{len(associations):08x}-0000-4000-8000-000000000000", **request.params}
    associations.append(made)
    return {"AssociationDescription": _shown(made)}


def list_associations(request: Request) -> Result:
    part, token = page(request, request.account.associations.get(request.region, []), 50)
    return {"Associations": [_shown(association) for association in part], **token}


def _shown(association: dict[str, Any]) -> dict[str, Any]:
    return {name: association[name] for name in ("AssociationId", *SHOWN) if name in association}


OPERATIONS: dict[str, Operation] = {"CreateAssociation": create_association, "ListAssociations": list_associations}
