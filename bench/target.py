"""What a target is: something on a port that takes requests, its cost known by its process."""

from __future__ import annotations

import http.client
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from bench.requests import Request
    from bench.scenarios import Scenario
    from bench.tools import Upstream

_OK = 200
_START_S = 30
_LOOK_AGAIN_S = 0.002


class UnavailableError(Exception):
    """Why a target cannot be measured on this machine."""


class Site(NamedTuple):
    """Where targets are put up: in front of which upstream, and with which folder for their files."""

    upstream: Upstream
    folder: Path
    cores: Sequence[int]
    """Those of the machine that may be used."""


class Up(NamedTuple):
    """A process that was started, and when by the monotonic clock."""

    pid: int
    port: int
    started: float


class Running(NamedTuple):
    """A target that is up. `pid` is None for the upstream itself: nothing stands between."""

    port: int
    pid: int | None
    start_s: float
    """From the start of the process until its first answer with 200."""


class Target(NamedTuple):
    """One row of the table."""

    name: str
    start: Callable[[Site], AbstractContextManager[Running]]
    """Puts it up until the end of the block. Raises: `UnavailableError`."""
    request: Callable[[Scenario], Request]
    workers: int = 1


def wait_for_200(port: int, request: Request) -> None:
    """Ask until the answer is 200. Raises: `RuntimeError` with the last answer when it does not come in time."""
    until = time.monotonic() + _START_S
    while True:
        said = _ask(port, request)
        if said is None:
            return
        if time.monotonic() > until:
            raise RuntimeError(f"no 200 from port {port}: {said}")
        time.sleep(_LOOK_AGAIN_S)


def _ask(port: int, request: Request) -> str | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_START_S)
    head, body = request.data().split(b"\r\n\r\n", 1)
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    try:
        connection.request("POST", request.path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
    except OSError as error:
        return str(error)
    finally:
        connection.close()
    return None if answer.status == _OK else f"{answer.status} {text[:300]!r}"
