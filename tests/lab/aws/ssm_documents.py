# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSM: the documents of AWS's own that the product runs, and the one that starts it, with the parameters that each takes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from lab.aws.automation import describe_runbook
from lab.aws.errors import AwsError
from lab.aws.request import Request, Result

SNAPSHOT_ID = r"^$|^[0-9a-fA-F]{8}\-[0-9a-fA-F]{4}\-[0-9a-fA-F]{4}\-[0-9a-fA-F]{4}\-[0-9a-fA-F]{12}$"
# Run Command would put the parameter's value in its place; this account's Parameter Store is empty.
PARAMETER_STORE = re.compile(r"\{\{\s*ssm(-secure)?:")


@dataclass(frozen=True)
class Parameter:
    """One parameter; ``pattern`` holds for every value, None is anything."""

    type: str
    description: str
    default: str = ""
    pattern: str | None = None
    required: bool = False


@dataclass(frozen=True)
class Document:
    """A command document. The first step is the one that runs on Windows."""

    name: str
    steps: tuple[str, ...]
    timeout_parameter: str
    platforms: tuple[str, ...]
    parameters: dict[str, Parameter] = field(default_factory=dict)

    def check(self, given: dict[str, list[str]]) -> None:
        """InvalidParameters for a parameter that the document does not take, or a value that it does not."""
        for name, values in given.items():
            if name not in self.parameters:
                raise AwsError("InvalidParameters", f"Parameter {name} is not defined in document {self.name}.")
            if any(PARAMETER_STORE.search(value) for value in values):
                raise AwsError("InvalidParameters", f"Parameter {name} refers to a parameter that does not exist.")
            pattern = self.parameters[name].pattern
            bad = [value for value in values if pattern and not re.search(pattern, value)]
            if bad:
                raise AwsError("InvalidParameters", f"Parameter {name} does not allow the value {bad[0]!r}.")
        missing = [name for name, parameter in self.parameters.items() if parameter.required and not given.get(name)]
        if missing:
            raise AwsError("InvalidParameters", f"Parameter {missing[0]} is required by document {self.name}.")

    def value(self, given: dict[str, list[str]], name: str) -> str:
        """The first value given for a parameter, or its default."""
        return given[name][0] if given.get(name) else self.parameters[name].default


_SECONDS = r"^([1-9][0-9]{0,4}|1[0-6][0-9]{4}|17[0-1][0-9]{3}|172[0-7][0-9]{2}|172800)$"

POWERSHELL = Document(
    name="AWS-RunPowerShellScript",
    steps=("aws:runPowerShellScript",),
    timeout_parameter="executionTimeout",
    platforms=("Windows",),
    parameters={
        "commands": Parameter("StringList", "(Required) Specify the commands to run.", required=True),
        "workingDirectory": Parameter("String", "(Optional) The path to the working directory on your instance."),
        "executionTimeout": Parameter("String", "(Optional) The time in seconds for a command.", "3600", _SECONDS),
    },
)
PATCH_BASELINE = Document(
    name="AWS-RunPatchBaseline",
    steps=("PatchWindows", "PatchLinux", "PatchMacOS"),
    timeout_parameter="StepTimeoutSeconds",
    platforms=("Windows", "Linux", "MacOS"),
    parameters={
        "Operation": Parameter(
            "String", "(Required) The update or configuration to perform.", "", "^(Scan|Install)$", required=True
        ),
        "AssociationId": Parameter("String", "(Optional) The ID of an existing association."),
        "SnapshotId": Parameter("String", "(Optional) The snapshot ID to use for patch baselines.", "", SNAPSHOT_ID),
        "InstallOverrideList": Parameter("String", "(Optional) A list of patches to install."),
        "BaselineOverride": Parameter("String", "(Optional) A path to a list of patch baselines."),
        "RebootOption": Parameter(
            "String",
            "(Optional) Reboot behavior after a patch Install.",
            "RebootIfNeeded",
            "^(RebootIfNeeded|NoReboot)$",
        ),
        "StepTimeoutSeconds": Parameter("String", "(Optional) The time in seconds for the step.", "7200", _SECONDS),
    },
)
APPLY_PLAYBOOKS = Document(
    name="AWS-ApplyAnsiblePlaybooks",
    steps=("downloadContent", "runShellScript"),
    timeout_parameter="TimeoutSeconds",
    platforms=("Linux",),
    parameters={
        "SourceType": Parameter("String", "(Optional) Specify the source type.", "", "^(GitHub|S3)?$"),
        "SourceInfo": Parameter("StringMap", "(Optional) Specify the information required to access the resource."),
        "InstallDependencies": Parameter("String", "(Required) Install Ansible.", "True", "^(True|False)$"),
        "PlaybookFile": Parameter("String", "(Optional) The Playbook file to run.", "", r"^[^\s]+\.(yml|yaml)$"),
        "ExtraVariables": Parameter("String", "(Optional) Additional variables to pass to Ansible.", "SSM=True"),
        "Check": Parameter("String", "(Optional) Use the check option.", "False", "^(True|False)$"),
        "Verbose": Parameter("String", "(Optional) Set the verbosity level.", "-v", "^-v{1,4}$"),
        "TimeoutSeconds": Parameter("String", "(Optional) The time in seconds for a command.", "3600", _SECONDS),
    },
)
DOCUMENTS = {document.name: document for document in (POWERSHELL, PATCH_BASELINE, APPLY_PLAYBOOKS)}


def find_document(name: str) -> Document:
    """Also by its ARN; InvalidDocument when there is none."""
    document = DOCUMENTS.get(name.rpartition("document/")[2])
    if document is None:
        raise AwsError("InvalidDocument", f"Document with name {name} does not exist.")
    return document


def describe_document(request: Request) -> Result:
    name = request.params["Name"]
    if not name.rpartition("document/")[2].startswith("AWS-"):
        return {"Document": describe_runbook(request, name)}
    document = find_document(name)
    return {
        "Document": {
            "Name": document.name,
            "Owner": "Amazon",
            "Status": "Active",
            "DocumentVersion": "1",
            "LatestVersion": "1",
            "DefaultVersion": "1",
            "DocumentType": "Command",
            "SchemaVersion": "2.2" if len(document.steps) > 1 else "1.2",
            "PlatformTypes": list(document.platforms),
            "Parameters": [_parameter(name, parameter) for name, parameter in document.parameters.items()],
            "Tags": [],
        }
    }


def _parameter(name: str, parameter: Parameter) -> dict[str, Any]:
    optional = {"DefaultValue": parameter.default} if parameter.default else {}
    return {"Name": name, "Type": parameter.type, "Description": parameter.description, **optional}
