"""Start a process, wait until it is ready, read what it said, stop it by its own id. Nothing else is ever signalled."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import yaml

from simulator.client import Simulator
from support.contract import CONTRACT
from support.http import Answer, call
from support.waiting import children

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TESTS = Path(__file__).resolve().parent.parent
KEY = "sk-sp-test-0123456789abcdef"
"""The admin key that gateways in tests ensure at their start."""
UPSTREAM_KEY = "sk-upstream-0123456789abcdef"
"""The credential that gateways in tests send to the simulator."""

_LOOK_AGAIN_S = 0.005


class Process:
    """One process of ours, its output in two files. It leads a session of its own, which ends with it."""

    def __init__(self, arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._stdout, self._stderr = folder / "stdout.txt", folder / "stderr.txt"
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                cwd=folder,
                env=dict(environment),
                start_new_session=True,
            )
        self.pid = self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def stdout_text(self) -> str:
        """What it has written to its standard output so far."""
        return self._stdout.read_text("utf-8", "replace")

    def stderr_size(self) -> int:
        """How much it has written to its standard error so far, in bytes."""
        return self._stderr.stat().st_size

    def stderr_text(self, *, since: int = 0) -> str:
        """What it has written to its standard error so far, from this byte on."""
        with self._stderr.open("rb") as file:
            file.seek(since)
            return file.read().decode("utf-8", "replace")

    def wait_for_output(self, pattern: str, timeout_s: float = 20) -> re.Match[str]:
        """The first match in its standard output. Raises: `RuntimeError` when it ends or the time is over first."""
        until = time.monotonic() + timeout_s
        while True:
            running = self.running
            if match := re.search(pattern, self.stdout_text(), re.MULTILINE):
                return match
            if not running or time.monotonic() > until:
                what = "is not ready" if running else f"ended with {self._process.returncode}"
                raise RuntimeError(f"process {what}\n{self.stdout_text()}\n{self.stderr_text()}")
            time.sleep(_LOOK_AGAIN_S)

    def wait(self, timeout_s: float) -> int:
        """Its exit code, when it ends by itself. Raises: `subprocess.TimeoutExpired`."""
        return self._process.wait(timeout_s)

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def stop(self, timeout_s: float = 20) -> int:
        """Its exit code after SIGTERM; after SIGKILL to its whole session when that does not help in time."""
        self._process.terminate()
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """Its exit code after SIGKILL to it and to all processes of its session."""
        if self._process.returncode is None:  # not reaped: until then nobody else can have its id
            os.killpg(self.pid, signal.SIGKILL)
        return self._process.wait()


class SimulatorProcess:
    """A simulator in a process of its own."""

    def __init__(self, folder: Path) -> None:
        environment = {**clean_environment(folder), "PYTHONPATH": str(TESTS)}
        self.process = Process(
            [sys.executable, "-m", "simulator.upstream", "--port", "0"], folder=folder, environment=environment
        )
        ports = self.process.wait_for_output(r"\A(\d+)\n(\d+)\n")
        self.handle = Simulator(int(ports[1]), int(ports[2]))

    def stop(self) -> int:
        """Its exit code."""
        return self.process.stop(5)


class Gateway:
    """A running `setpoint serve` with a data folder and an admin key of its own."""

    def __init__(
        self,
        folder: Path,
        *,
        config: Path | None = None,
        key: str = KEY,
        data_dir: Path | None = None,
        environment: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
        command: Sequence[str] = (sys.executable, "-m", "setpoint"),
        timeout_s: float = 20,
    ) -> None:
        self.key = key
        self._config = config
        self.data_dir = data_dir or folder / "data"
        variables = {
            **clean_environment(folder),
            "SETPOINT_DATA_DIR": str(self.data_dir),
            "SETPOINT_API_KEY": key,
            **(environment or {}),
        }
        named = ["--config", str(config)] if config is not None else []
        self.process = Process(
            [*command, "serve", "--port", "0", *named, *arguments], folder=folder, environment=variables
        )
        try:
            ready = self.process.wait_for_output(r"^Setpoint (\S+) on (http://\S+)$", timeout_s)
        except RuntimeError:
            self.process.kill()
            raise
        self.version, self.origin = ready[1], ready[2]
        CONTRACT.binds(self.origin)

    @property
    def pid(self) -> int:
        """The process id, of the supervisor when there are several workers."""
        return self.process.pid

    @property
    def url(self) -> str:
        """The base address that clients are given: `…/api/v1`."""
        return f"{self.origin}/api/v1"

    def call(self, method: str, path: str, json: Any = None, *, key: str | None = None, **more: Any) -> Answer:
        """One call under `/api/v1` with the admin key, or another."""
        return call(method, self.url + path, json, key=self.key if key is None else key, **more)

    def log_text(self, *, since: int = 0) -> str:
        """All that it has written so far, to both outputs; to its standard error from this byte on."""
        return self.process.stdout_text() + self.process.stderr_text(since=since)

    def settled_log_text(self, timeout_s: float = 20, *, since: int = 0) -> str:
        """As `log_text`, with the lines of all that has ended until now, which are written a moment later.

        An exchange of our own ends after all of them, and lines keep their order. Raises: `TimeoutError`.
        """
        content = {"model": "setpoint/echo", "messages": [{"role": "user", "content": "?"}]}
        last = self.call("POST", "/chat/completions", content).header("x-generation-id") or "no id"
        until = time.monotonic() + timeout_s
        while last not in self.process.stderr_text(since=since):
            if time.monotonic() > until:
                raise TimeoutError("the log has no line of the last exchange")
            time.sleep(_LOOK_AGAIN_S)
        return self.log_text(since=since)

    def forget(self, timeout_s: float = 20) -> None:
        """Have it forget what it knows of the health of providers, as with every new reading of its configuration.

        Without a configuration it has none to read again. Raises: `TimeoutError`.
        """
        if self._config is None:
            return
        since = self.process.stderr_size()
        self.process.send_signal(signal.SIGHUP)
        serving = len(children(self.pid)) or 1
        until = time.monotonic() + timeout_s
        while self.process.stderr_text(since=since).count("the new configuration is in use") < serving:
            if time.monotonic() > until:
                raise TimeoutError("the configuration was not read again\n" + self.process.stderr_text(since=since))
            time.sleep(_LOOK_AGAIN_S)

    def stop(self, timeout_s: float = 20) -> int:
        """Its exit code after SIGTERM."""
        CONTRACT.releases(self.origin)
        return self.process.stop(timeout_s)

    def kill(self) -> int:
        """Its exit code after SIGKILL."""
        CONTRACT.releases(self.origin)
        return self.process.kill()


def clean_environment(home: Path) -> dict[str, str]:
    """The least that a process needs, and nothing of this machine: no keys, no proxies, no settings."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": str(home), "LANG": "C.UTF-8"}


def config_file(
    folder: Path,
    *,
    providers: Mapping[str, Any] | None = None,
    models: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Path:
    """A `setpoint.yaml` in the folder with these sections; those that are None are not written."""
    sections = {"providers": providers, "models": models, "settings": settings}
    written = {name: content for name, content in sections.items() if content is not None}
    path = folder / "setpoint.yaml"
    # A copy, because what stands twice in the tables would be written as an alias, which the file does not take.
    path.write_text(yaml.safe_dump(json.loads(json.dumps(written)), sort_keys=False), "utf-8")
    return path


class StartGateway(Protocol):
    """Start a gateway, which is stopped at the end of the test.

    Without `providers` and `models` it is wired to the simulator as `simulated` says; `settings` go into the same
    file. The options are those of `Gateway`.
    """

    def __call__(
        self,
        *,
        providers: Mapping[str, Any] | None = None,
        models: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Gateway: ...


def simulated(simulator: Simulator) -> dict[str, dict[str, Any]]:
    """The providers `sim` (under `/a`) and `other` (under `/b`) of one simulator, and three models on them.

    `sim/model` is at both, `sim` first because only there its price is known; `sim/solo` and `other/solo` are at one.
    """
    sim = {"provider": "sim", "model": "upstream-model", "pricing": {"prompt": "0.000001", "completion": "0.000002"}}
    other = {"provider": "other", "model": "upstream-model"}
    return {
        "providers": {
            "sim": {"dialect": "chat", "base_url": simulator.url("/a/v1"), "api_key": UPSTREAM_KEY},
            "other": {"dialect": "chat", "base_url": simulator.url("/b/v1"), "api_key": UPSTREAM_KEY},
        },
        "models": {
            "sim/model": {"endpoints": [sim, other]},
            "sim/solo": {"endpoints": [sim]},
            "other/solo": {"endpoints": [other]},
        },
    }
