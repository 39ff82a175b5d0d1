"""Runs real coding agents, each against an upstream of each dialect, and prints a table of what held.

`make agents`. The agents come from npm; the upstream is scripted and on this machine, and so is all else they reach.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from agents.agent import NOTE, Agent, Place
from agents.checks import CHECKS, Run, failures
from agents.claude_code import ClaudeCode
from agents.codex import Codex
from agents.recorder import Recorder
from clients.npm import NotInstalledError, installed
from clients.pair import Pair, pairs_config
from clients.upstreams import DIALECTS
from support.processes import Gateway, SimulatorProcess, clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

_AGENT_TIMEOUT_S = 120
_NOWHERE = "http://127.0.0.1:9"
"""The proxy that the agents are given, so that what they would say to the world outside goes nowhere."""


def main() -> int:
    """0 when all held, 1 when something did not, 2 when the agents cannot be had."""
    try:
        packages = installed(Path(__file__).parent, "npm-agents", timeout_s=600)
    except NotInstalledError as error:
        sys.stdout.write(f"The agents of tests/agents/package.json cannot be installed here: {error}\n")
        return 2
    sys.stdout.write(_row("agent", "upstream", *CHECKS))
    failed: list[str] = []
    for run in _runs(packages):
        found = failures(run)
        sys.stdout.write(_row(run.agent.name, run.dialect, *("FAILED" if name in found else "ok" for name in CHECKS)))
        sys.stdout.flush()
        failed += [f"{run.agent.name} in front of {run.dialect}: {name}: {what}" for name, what in found.items()]
    sys.stdout.write("".join(f"{line}\n" for line in failed))
    return 1 if failed else 0


def _runs(packages: Path) -> Iterator[Run]:
    agents: list[Agent] = [ClaudeCode(), Codex()]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        simulator = SimulatorProcess(work / "simulator")
        (work / "gateway").mkdir()
        gateway = Gateway(work / "gateway", config=pairs_config(work / "gateway", simulator.handle))
        try:
            for agent in agents:
                for dialect in DIALECTS:
                    simulator.handle.clear()
                    pair = Pair(gateway, simulator.handle, dialect)
                    yield _run(agent, pair, packages, work / f"{agent.name}-{dialect}")
        finally:
            gateway.stop()
            simulator.stop()


def _run(agent: Agent, pair: Pair, packages: Path, work: Path) -> Run:
    with Recorder(pair.gateway.origin) as recorder:
        place = Place(work / "work", work / "home", packages, recorder.origin, pair.key, pair.model)
        place.folder.mkdir(parents=True)
        place.home.mkdir()
        place.note.write_text(NOTE, "utf-8")
        (place.folder / "more.txt").write_text("Nothing more.", "utf-8")
        agent.prepare(place)
        script = agent.script(place)
        pair.says(*script, streamed=True)
        code, output = _ended(agent, place)
        return Run(agent, pair.dialect, place, script, code, output, recorder.exchanges, pair.received())


def _ended(agent: Agent, place: Place) -> tuple[int, str]:
    """The exit code and the output of the agent, when it has ended; 124 when it had to be."""
    environment = {
        **clean_environment(place.home),
        "HTTP_PROXY": _NOWHERE,
        "HTTPS_PROXY": _NOWHERE,
        "NO_PROXY": "127.0.0.1",
        **agent.environment(place),
    }
    try:
        done = subprocess.run(
            agent.command(place),
            cwd=place.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_AGENT_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return 124, str(error)
    return done.returncode, done.stdout if done.returncode == 0 else done.stdout + done.stderr


def _row(agent: str, upstream: str, *marks: str) -> str:
    return f"{agent:<8}{upstream:<11}" + "".join(f"{mark:<10}" for mark in marks).rstrip() + "\n"


if __name__ == "__main__":
    sys.exit(main())
