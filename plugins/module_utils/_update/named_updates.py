# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Updates by their numbers on a managed node: scripts of ours through AWS-RunPowerShellScript search and install them.

Why no document of AWS's: AWS-RunPatchBaseline takes single updates only from a file at an address that each host has to reach
(InstallOverrideList, BaselineOverride), and AWS-InstallWindowsUpdates (IncludeKbs) answers with text for people, says nothing
of updates that are already installed or do not apply, and reboots in the middle of its own run. Sources: Patch Manager user guide
("Parameters" of AWS-RunPatchBaseline), Automation runbook reference (AWS-UpdateWindowsAmi, which runs AWS-InstallWindowsUpdates),
Microsoft Learn (IUpdateSearcher, IUpdateInstaller). docs/single-updates.md has the comparison.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .._base.clock import iso
from .._base.errors import Failed
from .._host.fields import Fields, ScriptEnded
from .._host.guest_scripts import run_guest_script
from .._host.invocations import Invocation
from .._host.run_command import SCRIPT_DOCUMENT, Command, repeat_if_not_run
from .._host.scripts import compose, parse
from .._host.update_answers import InstalledUpdates, UpdateState, UpdateStates
from .._model.host_facts import HostFacts
from .._operation.channel import Scan, ScriptOutput
from .._operation.context import OperationContext
from .foreign_runs import COMMENT, Own, wait_for_foreign_runs
from .messages import kbs_superseded
from .patch_baseline import finish_pass, run_once, search_failed
from .update_history import store_results

SEARCH_SECONDS = 3600
NOT_APPLICABLE = "not_applicable"
VERDICTS = {
    "missing": "missing",
    "pending_reboot": "installed",
    "installed": "installed",
    "superseded": "superseded",
}
"""What the report calls the states of an update in a host; one that waits for the reboot is installed, and its host says so."""


def install_pass(context: OperationContext, instance_id: str, kbs: Sequence[str]) -> None:
    """Install these updates, without a reboot; a search decides what became of them.

    Raises:
        PatchFleetError: as patch_baseline.install_pass.
    """
    finish_pass(context, instance_id, lambda: _run_installer(context, instance_id, kbs))


def _run_installer(context: OperationContext, instance_id: str, kbs: Sequence[str]) -> Invocation:
    timeout_seconds = context.install_timeout_seconds
    run = context.run_id or context.params["snapshot_id"]
    wait_for_foreign_runs(context, instance_id, Own({run}), context.deadline(timeout_seconds))
    script = InstalledUpdates.SCRIPT
    lines = compose(script, context.params["scripts"][script], {"kbs": list(kbs)})
    command = Command(
        SCRIPT_DOCUMENT,
        {"commands": lines, "executionTimeout": [str(timeout_seconds)]},
        execution_seconds=timeout_seconds,
        comment=COMMENT.format(operation="Install", run=run),
        cloudwatch_log_group=context.params.get("cloudwatch_log_group"),
    )
    ended = repeat_if_not_run(context, instance_id, lambda: run_once(context, instance_id, command, installs=True))
    _store_answer(context, ended)
    return ended


def _store_answer(context: OperationContext, ended: Invocation) -> None:
    """Why an update could not be downloaded stands in no history of Windows'. The search decides, whatever is answered."""
    output = ScriptOutput(ended.status, ended.details, ended.stdout, ended.stderr)
    try:
        answer = InstalledUpdates.read(Fields(InstalledUpdates.SCRIPT, parse(InstalledUpdates.SCRIPT, output)))
    except Failed as error:
        context.report_progress(f"the installation: {error.reason}")
        return
    store_results(context, answer.results)


def search(context: OperationContext, kbs: Sequence[str]) -> Scan:
    """A fresh search in the host for these updates.

    Raises:
        PatchFleetError: ``scan_failed``, with Windows' own words.
    """
    found = search_states(context, kbs)
    pending = sum(row.state == "pending_reboot" for row in found.values())
    newer = {kb: str(row.superseded_by) for kb, row in found.items() if row.state == "superseded"}
    return scan_of(context, verdicts_of({kb: row.state for kb, row in found.items()}, kbs), newer, pending)


def search_states(context: OperationContext, kbs: Sequence[str], *, search: bool = True) -> dict[str, UpdateState]:
    """What the host says of these updates, by KB. Without a search it reads Windows' list of what is installed.

    Raises:
        PatchFleetError: ``scan_failed``, with Windows' own words.
    """
    try:
        states = run_guest_script(context, UpdateStates, SEARCH_SECONDS, kbs=list(kbs), search=search)
    except ScriptEnded as error:
        if not error.facts.get("hresult"):
            raise
        raise search_failed(context, error.reason) from error
    return {row.kb: row for row in states.updates if row.kb in kbs}


def verdicts_of(states: Mapping[str, str], kbs: Sequence[str]) -> dict[str, str]:
    """What the report says of each of these updates; one without a state is neither offered nor installed."""
    return {kb: VERDICTS[states[kb]] if kb in states else NOT_APPLICABLE for kb in kbs}


def scan_of(context: OperationContext, verdicts: dict[str, str], newer: dict[str, str], pending: int) -> Scan:
    """What a search for updates by their numbers has found, written into the host's facts.

    Args:
        context: of the operation.
        verdicts: by KB.
        newer: the installed update that replaced a KB, of those that are superseded.
        pending: how many of them wait for a reboot.
    """
    missing = tuple(sorted(kb for kb, verdict in verdicts.items() if verdict == "missing"))
    found = Scan(missing=missing, failed=(), pending_reboot=pending, verified_at=context.clock.now(), verdicts=verdicts)
    facts = HostFacts(
        missing=list(missing), verified_at=iso(found.verified_at), verdicts=verdicts, remarks=kbs_superseded(newer)
    )
    context.update_facts(**facts)
    return found
