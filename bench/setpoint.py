"""Setpoint in front of the upstream: with presets, with several workers, with its database held by another process."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bench.requests import chat_body, model
from bench.scenarios import BEHAVIOURS
from bench.target import UnavailableError
from support.processes import Gateway, clean_environment, config_file

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

_PRICE = {"prompt": "0.0000025", "completion": "0.00001", "input_cache_read": "0.000001"}
_CREATED = 201
_STOP_S = 40

_HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


def configuration(upstream: int, folder: Path, settings: Mapping[str, Any], behaviours: Sequence[str]) -> Path:
    """A `setpoint.yaml` with a provider and a model for each behaviour of the upstream on this port."""
    providers = {
        behaviour: {"dialect": "chat", "base_url": f"http://127.0.0.1:{upstream}/{behaviour}/v1", "api_key": "sk-bench"}
        for behaviour in behaviours
    }
    models = {
        model(behaviour): {"endpoints": [{"provider": behaviour, "model": "gpt-4.1-mini", "pricing": _PRICE}]}
        for behaviour in behaviours
    }
    return config_file(folder, providers=providers, models=models, settings=settings)


@contextmanager
def running_setpoint(
    upstream: int,
    folder: Path,
    *,
    workers: int = 1,
    settings: Mapping[str, Any] | None = None,
    behaviours: Sequence[str] = BEHAVIOURS,
    command: Sequence[str] = (sys.executable, "-m", "setpoint"),
    environment: Mapping[str, str] | None = None,
) -> Generator[Gateway]:
    """A gateway with its defaults and a fresh database. Raises: `UnavailableError` when it does not start."""
    folder.mkdir(parents=True, exist_ok=True)
    config = configuration(upstream, folder, settings or {}, behaviours)
    arguments = ["--workers", str(workers)] if workers > 1 else []
    try:
        gateway = Gateway(folder, config=config, arguments=arguments, command=command, environment=environment)
    except RuntimeError as error:
        raise UnavailableError(str(error).strip().splitlines()[-1]) from None
    try:
        yield gateway
    finally:
        gateway.stop(_STOP_S)


def capture_presets(gateway: Gateway) -> None:
    """A preset for each behaviour, named like it."""
    for behaviour in BEHAVIOURS:
        answer = gateway.call(
            "POST", f"/presets/{behaviour}/chat/completions", chat_body(model(behaviour), streamed=False)
        )
        if answer.status not in (200, _CREATED):
            raise RuntimeError(f"a preset was refused: {answer.status} {answer.body[:300]!r}")


@contextmanager
def database_held(file: Path, folder: Path) -> Generator[None]:
    """Another process holds the whole database until the end of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=clean_environment(folder),
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        if holder.stdout.readline() != b"held\n":
            raise RuntimeError("the database cannot be held")
        try:
            yield
        finally:
            holder.stdin.close()
