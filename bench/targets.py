"""The targets, one row each."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench import requests
from bench.machine import on, share
from bench.nginx import running_nginx
from bench.relay import running_relay
from bench.scenarios import SCENARIOS
from bench.setpoint import capture_presets, database_held, running_setpoint
from bench.target import Running, Site, Target, wait_for_200

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from bench.target import Up

    PutUp = Callable[[int, Path], AbstractContextManager[Up]]

_FIRST = SCENARIOS[0]


@contextmanager
def _direct(site: Site) -> Generator[Running]:
    yield Running(site.upstream.port, None, 0)


@contextmanager
def _forwarder(put_up: Callable[[int, Path], AbstractContextManager[Up]], site: Site) -> Generator[Running]:
    """What forwards requests as they are; `put_up` takes the upstream's port and a folder."""
    with ExitStack() as stack:
        with on(share(site.cores).gateway):
            up = stack.enter_context(put_up(site.upstream.port, site.folder))
        wait_for_200(up.port, requests.upstream(_FIRST))
        yield Running(up.port, up.pid, time.monotonic() - up.started)


@contextmanager
def _setpoint(site: Site, *, workers: int = 1, held: bool = False) -> Generator[Running]:
    """A gateway with the presets; `held`: another process holds its database all the time."""
    with ExitStack() as stack:
        started = time.monotonic()
        with on(share(site.cores, workers).gateway):
            gateway = stack.enter_context(running_setpoint(site.upstream.port, site.folder, workers=workers))
        port = urlsplit(gateway.origin).port
        assert port is not None
        wait_for_200(port, requests.plain(_FIRST))
        start_s = time.monotonic() - started
        capture_presets(gateway)
        if held:
            stack.enter_context(database_held(gateway.data_dir / "setpoint.db", site.folder))
        yield Running(port, gateway.pid, start_s)


TARGETS = (
    Target("direct", _direct, requests.upstream),
    Target("nginx", partial(_forwarder, running_nginx), requests.upstream),
    Target("bare relay", partial(_forwarder, running_relay), requests.upstream),
    Target("setpoint", _setpoint, requests.plain),
    Target("setpoint, by preset", _setpoint, requests.by_preset),
    Target("setpoint, translated", _setpoint, requests.translated),
    Target("setpoint, database away", partial(_setpoint, held=True), requests.plain),
    Target("setpoint, 2 workers", partial(_setpoint, workers=2), requests.plain, workers=2),
)
"""direct: the load meets the upstream itself. translated: the messages skin in front of a chat upstream."""
