"""What tests of several server processes share."""

from __future__ import annotations

import os
import re
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from support.waiting import lives, until

if TYPE_CHECKING:
    from collections.abc import Generator

    from support.processes import Gateway


@contextmanager
def ended_behind(pids: list[int]) -> Generator[None]:
    """End these processes, which are nobody's children any more, behind the block."""
    try:
        yield
    finally:
        for pid in pids:
            if lives(pid):
                os.kill(pid, signal.SIGTERM)
        until(lambda: not any(map(lives, pids)))


def starting(gateway: Gateway) -> int:
    """The id of the process that is to take over from this gateway's first."""
    until(lambda: "a successor is starting" in gateway.process.stderr_text())
    (pid,) = re.findall(r"a successor is starting: process (\d+)", gateway.process.stderr_text())
    return int(pid)


def successor(gateway: Gateway, pid: int) -> int:
    """The id of the process that has taken over from this one."""
    pattern = (
        rf"process (\d+) has taken over[^\n]*\"pid\": ?{pid}\b|\"pid\": ?{pid}\b[^\n]*process (\d+) has taken over"
    )
    until(lambda: re.search(pattern, gateway.process.stderr_text()) is not None)
    found = re.search(pattern, gateway.process.stderr_text())
    assert found is not None
    return int(found[1] or found[2])
