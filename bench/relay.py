"""The bare relay of `bench.bare`, as a process."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.target import Up
from bench.tools import environment
from support.processes import Process

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@contextmanager
def running_relay(upstream: int, folder: Path) -> Generator[Up]:
    """A bare relay in front of the upstream on this port."""
    command = [sys.executable, "-m", "bench.bare", f"http://127.0.0.1:{upstream}"]
    started = time.monotonic()
    process = Process(command, folder=folder, environment=environment(folder))
    try:
        yield Up(process.pid, int(process.wait_for_output(r"\A(\d+)\n")[1]), started)
    finally:
        process.stop(5)
