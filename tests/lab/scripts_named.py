# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a modelled host answers to the scripts that search and install updates by their numbers."""

from __future__ import annotations

from lab.guest_updates import Installation, UpdateState, WindowsUpdate, WindowsUpdateError
from lab.scenario import Update
from lab.scripts_scene import Data, Scene, ScriptError
from lab.sim import Steps
from lab.windows_messages import ACCESS_DENIED, BUSY, CANCELLED, NO_ERROR

DOWNLOAD_SECONDS = 2.0  # of one update


def search_updates(scene: Scene) -> Steps[Data]:
    updates, wanted = scene.updates, set(scene.data.get("kbs", ()))
    states = {kb: _row(kb, "installed") for kb in wanted & updates.listed(UpdateState.INSTALLED)}
    if scene.data.get("search") is not False:
        if scene.is_refused():
            raise ScriptError("update_api_refused", scene.message_of(ACCESS_DENIED), ACCESS_DENIED)
        try:
            yield from updates.scan(own=True)
        except WindowsUpdateError as error:
            raise scene.refused(error.hresult) from error
        newer = {updates.known[kb].supersedes: kb for kb in updates.listed(UpdateState.INSTALLED)}
        known = {entry.kb for entry in updates.history} & wanted - set(states)
        states |= {kb: _row(kb, "superseded", newer[kb]) for kb in known if kb in newer}
        offered = {update.kb for update in updates.offered() if update.update_class != "driver"}
        states |= {kb: _row(kb, "missing") for kb in wanted & offered}
        states |= {kb: _row(kb, "pending_reboot") for kb in wanted & updates.listed(UpdateState.PENDING_REBOOT)}
    return {"updates": [states[kb] for kb in sorted(states)]}


def _row(kb: str, state: str, by: str | None = None) -> Data:
    return {"kb": kb, "state": state, "superseded_by": by}


def install_updates(scene: Scene) -> Steps[Data]:
    """A kill of the script ends it after the update that Windows has started."""
    if scene.is_refused():
        raise scene.refused(ACCESS_DENIED)
    try:
        yield from scene.search()
    except WindowsUpdateError as error:
        raise scene.refused(error.hresult) from error
    kbs = scene.data.get("kbs", ())
    chosen = [it for it in scene.updates.offered() if it.kb in kbs and it.update_class != "driver"]
    yield DOWNLOAD_SECONDS * len(chosen)
    return {"results": (yield from install(scene.updates, chosen)) if chosen else []}


def install(updates: WindowsUpdate, chosen: list[Update]) -> Steps[list[Data]]:
    """What IUpdateInstaller says of each; one at a time installs in a host."""
    if updates.installing:
        return [_result(update.kb, BUSY) for update in chosen]
    installation = updates.begin_installation(chosen)
    try:
        yield installation.done
    except GeneratorExit:
        installation.stop_after_current()
        raise
    return [_result(update.kb, _hresult(installation, update.kb)) for update in chosen]


def _hresult(installation: Installation, kb: str) -> str:
    if kb in installation.reported_failed:
        return "0x80070643"
    return installation.failed.get(kb) or (NO_ERROR if kb in installation.installed else CANCELLED)


def _result(kb: str, hresult: str) -> Data:
    return {"kb": kb, "result": "succeeded" if hresult == NO_ERROR else "failed", "hresult": hresult}
