"""Where storms take place: a gateway in front of the simulator, started again on the same data and the same port."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import time
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import yaml

from chaos.cases import SECRETS, models, providers
from simulator.orders import MARKER
from simulator.script import obeying
from support.ports import refusing_origin
from support.processes import Gateway, config_file

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from random import Random

    from simulator.client import Simulator

_TIMEOUTS = ("connect_timeout_s", "first_token_timeout_s", "idle_timeout_s", "total_timeout_s")
_AWAY_S = 0.3
PATIENT: dict[str, Any] = dict.fromkeys(_TIMEOUTS, 60)
_SETTINGS = {"max_concurrent_requests": 20_000, **dict.fromkeys(_TIMEOUTS, 4)}


class Stage:
    """A gateway that can be killed and started again. `folder` holds its data, and the output of each of its lives."""

    def __init__(self, folder: Path, config: Path, arguments: tuple[str, ...]) -> None:
        self.data_dir = folder / "data"
        self.kills: list[float] = []
        """When processes were killed, in monotonic seconds."""
        self._folder = folder
        self._config = config
        self._arguments = arguments
        self._port = "0"
        self._lives: list[Gateway] = []
        self.start()

    @property
    def gateway(self) -> Gateway:
        """The gateway that runs now, or ran last."""
        return self._lives[-1]

    def origin(self) -> str:
        """Where it is: the same in every life."""
        return self.gateway.origin

    def start(self) -> None:
        """Begin the next life."""
        self._lives.append(
            Gateway(
                self._folder / f"life-{len(self._lives)}",
                config=self._config,
                data_dir=self.data_dir,
                arguments=["--port", self._port, *self._arguments],
            )
        )
        self._port = self.gateway.origin.rpartition(":")[2]

    def kill(self) -> None:
        """Kill all processes of this life."""
        self.kills.append(time.monotonic())
        self.gateway.kill()

    def reload(self) -> None:
        """Add a model to the configuration, and have it taken up."""
        content = yaml.safe_load(self._config.read_text("utf-8"))
        models = content["models"]
        content["models"] = {**json.loads(json.dumps(models)), f"new/{len(models)}": dict(models["down/solo"])}
        self._config.write_text(yaml.safe_dump(content), "utf-8")
        self.gateway.process.send_signal(signal.SIGHUP)

    def forget(self) -> None:
        """Have the configuration read again as it is, and so forgotten how the upstreams did."""
        self.gateway.process.send_signal(signal.SIGHUP)

    def kill_worker(self, dice: Random) -> int:
        """Kill one of the processes that serve, and tell which."""
        victim = dice.choice(workers(self.gateway))
        self.kills.append(time.monotonic())
        os.kill(victim, signal.SIGKILL)
        return victim

    def lock_storage(self) -> None:
        """Have the storage be away for a while, beside whatever goes on."""
        Thread(target=_hold_lock, args=(self.data_dir / "setpoint.db",), daemon=True).start()

    def replaced(self, victim: int, count: int, *, timeout_s: float = 20) -> bool:
        """Whether so many workers serve again, this one not among them; waits for it."""
        until = time.monotonic() + timeout_s
        while len(now := workers(self.gateway)) < count or victim in now:
            if time.monotonic() > until:
                return False
            time.sleep(0.005)
        return True

    def leaks(self) -> list[str]:
        """What the outputs of all lives should not show: secrets, prompts, answers, faults of our own."""
        found: list[str] = []
        for number, life in enumerate(self._lives):
            log = life.log_text()
            found += [f"life {number} shows {secret}" for secret in SECRETS if secret in log]
            found += [f"life {number} shows {shown!r}" for shown in set(MARKER.findall(log.encode()))]
            found += [f"life {number}: {line}" for line in log.splitlines() if re.search("unforeseen|Traceback", line)]
        return found


def _hold_lock(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as other:
        other.execute("BEGIN IMMEDIATE")
        time.sleep(_AWAY_S)


@contextmanager
def staged(
    folder: Path, simulator: Simulator, *arguments: str, settings: Mapping[str, Any] | None = None
) -> Generator[Stage]:
    """A gateway with the providers and models of `cases.py`, whose upstreams do what each request orders."""
    simulator.script(obeying())
    with refusing_origin() as refusing:
        config = config_file(
            folder,
            providers=providers(simulator, refusing),
            models=models(),
            settings={**_SETTINGS, **(settings or {})},
        )
        stage = Stage(folder, config, arguments)
        try:
            yield stage
        finally:
            stage.gateway.stop()


def workers(gateway: Gateway) -> list[int]:
    """The ids of the processes that serve: the children of the supervisor, or the one process itself."""
    return _children(gateway.pid) or [gateway.pid]


def resident(pids: list[int]) -> int:
    """The memory that these processes hold, in bytes."""
    return sum(_status(pid, "VmRSS") for pid in pids) * 1_024


def settled(gateway: Gateway, most_bytes: int, *, timeout_s: float = 60) -> int:
    """The memory of the processes that serve, as soon as it is at most this, or when the time is over."""
    until = time.monotonic() + timeout_s
    while (held := resident(workers(gateway))) > most_bytes and time.monotonic() < until:
        time.sleep(0.2)
    return held


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _status(pid: int, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0
