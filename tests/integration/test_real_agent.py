# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each script of each role through a real SSM agent and a real PowerShell, where an agent is installed.

The agent is that of a hybrid node of a lab: it registers there, fetches what SendCommand sends, and its replies are what the client
sees. On Linux no script can do its work; each has to answer that with its one document, as an error of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from ansible_collections.patchfleet.windows.plugins.module_utils._host.scripts import PROBE, compose
from lab.aws.agent_service import AgentServer, AgentService
from lab.powershell.process import ROOT
from lab.scenario import load
from lab.server import Lab

PRELUDE = (ROOT / "plugins" / "plugin_utils" / "_windows_script" / "prelude.ps1").read_text(encoding="utf-8")
SCRIPTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "roles").glob("*/files/*.ps1"))}
REGION = "eu-central-1"
PROGRAMS = ("amazon-ssm-agent", "ssm-agent-worker", "ssm-document-worker", "ssm-session-worker")
POWERSHELLS = (Path("/usr/bin/powershell"), Path("/usr/bin/pwsh"))
"""Where the agent looks for one (amazon-ssm-agent, agent/appconfig)."""
STATE = Path("/var/lib/amazon/ssm")
HOW = "https://docs.aws.amazon.com/systems-manager/latest/userguide/manually-install-ssm-agent-linux.html"
# Real seconds.
COMES_WITHIN, ENDS_WITHIN = 120.0, 300.0


def programs() -> Path | None:
    """The folder of the agent's programs: ``PATCHFLEET_SSM_AGENT``, else that of an installed one; None where there is none."""
    installed = shutil.which(PROGRAMS[0])
    named = os.environ.get("PATCHFLEET_SSM_AGENT") or (installed and str(Path(installed).resolve().parent))
    return Path(named) if named and all((Path(named) / name).exists() for name in PROGRAMS) else None


def why_not() -> str:
    """Why no agent can run here; empty where one can."""
    if programs() is None:
        return (
            f"there is no SSM agent: install amazon-ssm-agent ({HOW}), or let PATCHFLEET_SSM_AGENT name the folder "
            f"that has {', '.join(PROGRAMS)}"
        )
    if os.geteuid() != 0:
        return "the SSM agent needs root: run this test as root, best in a container"
    if not any(path.exists() for path in POWERSHELLS):
        return "the SSM agent looks for PowerShell at /usr/bin/pwsh: install PowerShell 7 (https://aka.ms/powershell)"
    if STATE.exists() and any(STATE.iterdir()):
        return f"an SSM agent has been at work here: stop it and empty {STATE}, or use another machine"
    return ""


# In one worker: a machine has one agent.
pytestmark = [pytest.mark.skipif(bool(why_not()), reason=why_not()), pytest.mark.xdist_group("agent")]


class RealAgent:
    """The agent as a child process, with a configuration of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        self._program = self._installed(folder, url)
        self._environment = self._surroundings(folder)
        self._process: subprocess.Popen[bytes] | None = None

    def _installed(self, folder: Path, url: str) -> Path:
        """A copy of its programs: beside them it looks for its configuration."""
        home = folder / "agent"
        source = programs()
        assert source
        home.mkdir()
        for name in PROGRAMS:
            shutil.copy2(source / name, home / name)
        configuration = {
            **{service: {"Endpoint": url} for service in ("Mds", "Ssm", "Mgs", "S3", "Kms")},
            "Agent": {"Region": REGION},
            "Identity": {"ConsumptionOrder": ["OnPrem"]},
        }
        (home / "configuration").mkdir()
        (home / "configuration" / "amazon-ssm-agent.json").write_text(json.dumps(configuration), encoding="utf-8")
        return home / PROGRAMS[0]

    def _surroundings(self, folder: Path) -> dict[str, str]:
        """What scripts take for Windows' folders lies in the test's own, and nothing can shut the machine down."""
        harmless = folder / "harmless"
        harmless.mkdir()
        (harmless / "shutdown").write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
        (harmless / "shutdown").chmod(0o755)
        windows = {name: str(folder / "windows") for name in ("SystemRoot", "SystemDrive", "ProgramData")}
        return {**os.environ, **windows, "PATH": f"{harmless}:{os.environ['PATH']}"}

    def register(self, service: AgentService) -> None:
        given = ["-code", service.activation.code, "-id", service.activation.id, "-region", REGION]
        subprocess.run(
            [str(self._program), "-register", "-y", *given],
            env=self._environment,
            check=True,
            capture_output=True,
            timeout=COMES_WITHIN,
        )

    def start(self) -> None:
        self._process = subprocess.Popen(
            [str(self._program)],
            env=self._environment,
            cwd=self._program.parent,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def stop(self) -> None:
        """With its workers, and all that it has written down."""
        if self._process:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if STATE.exists():
            for path in STATE.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()


class Node:
    """A hybrid node whose agent is a real one, as a client of the account sees it."""

    def __init__(self, lab: Lab, service: AgentService) -> None:
        credentials = lab.new_credentials(administrator=True)
        self._service = service
        self._id = lab.instance_id("hall")
        self._ssm: Any = boto3.client(
            "ssm",
            region_name=REGION,
            endpoint_url=lab.url,
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            aws_session_token=credentials.session_token,
        )

    def run(self, lines: list[str], limit_seconds: int = 240) -> dict[str, Any]:
        """Send the lines as a script, and wait for its end."""
        given = {"commands": lines, "executionTimeout": [str(limit_seconds)]}
        sent = self._ssm.send_command(InstanceIds=[self._id], DocumentName="AWS-RunPowerShellScript", Parameters=given)
        command = sent["Command"]["CommandId"]
        assert self._service.ended.get(timeout=ENDS_WITHIN) == f"aws.ssm.{command}.{self._id}"
        answer: dict[str, Any] = self._ssm.get_command_invocation(CommandId=command, InstanceId=self._id)
        return answer


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("real-agent")
    file = folder / "scenario.yml"
    document = {"name": "A node", "why": "A real agent.", "expect": {}, "scale": 1, "account": {"lag_seconds": 0}}
    file.write_text(yaml.safe_dump({**document, "hosts": [{"name": "hall", "kind": "hybrid"}]}), encoding="utf-8")
    lab = Lab(load(file), folder)
    service = lab.serve_agents("hall")
    server = AgentServer(service)
    agent = RealAgent(folder, server.url)
    lab.start()
    server.start()
    try:
        agent.register(service)
        agent.start()
        assert service.came.wait(COMES_WITHIN)
        yield Node(lab, service)
    finally:
        agent.stop()
        server.stop()
        lab.stop()


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_script_answers_with_its_document(node: Node, name: str) -> None:
    ended = node.run(compose(name, f"{PRELUDE}\n{SCRIPTS[name]}", {}))
    assert (ended["Status"], ended["ResponseCode"]) == ("Success", 0), ended
    document = json.loads(ended["StandardOutputContent"].strip().splitlines()[-1])
    assert (document["patchfleet"], document["script"]) == (1, name)
    assert document["ok"] is (document["error"] is None)


def test_the_probe_answers(node: Node) -> None:
    ended = node.run(PROBE)
    assert json.loads(ended["StandardOutputContent"])["script"] == "probe"


@pytest.mark.parametrize(
    ("lines", "status"), [(["exit 0"], "Success"), (["exit 1"], "Failed"), (["throw 'bad'"], "Failed")]
)
def test_how_a_script_ends(node: Node, lines: list[str], status: str) -> None:
    ended = node.run(lines)
    assert ended["Status"] == status
    assert ("failed to run commands: exit status 1" in ended["StandardErrorContent"]) is (status == "Failed")


@pytest.mark.parametrize(("characters", "reported"), [(23_999, 23_999), (24_000, 24_000), (30_000, 24_000)], ids=str)
def test_output_is_cut_as_the_emulated_agent_cuts_it(node: Node, characters: int, reported: int) -> None:
    ended = node.run([f"[Console]::Out.Write('x' * {characters})"])
    assert len(ended["StandardOutputContent"]) == reported
    assert ended["StandardOutputContent"].endswith("--output truncated--") is (characters > 23_999)


def test_a_time_limit_kills_and_leaves_what_was_printed(node: Node) -> None:
    ended = node.run(["'printed before'", "Start-Sleep -Seconds 600"], limit_seconds=30)
    assert (ended["Status"], ended["ResponseCode"]) == ("TimedOut", 137)
    assert "printed before" in ended["StandardOutputContent"]
