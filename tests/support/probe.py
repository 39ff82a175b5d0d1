"""A second client in a process of its own, which asks /health again and again: so long as it waits the loop is held.

    python -m support.probe http://127.0.0.1:8787

Prints the waits in ms, as a JSON list, when it is told to end (SIGTERM).
"""

from __future__ import annotations

import json
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from support.processes import TESTS, Process, clean_environment

if TYPE_CHECKING:
    from pathlib import Path

_PAUSE_S = 0.001
_WARM = 5


class Probe:
    """The probe as a process; it is asking when it has been made."""

    def __init__(self, folder: Path, origin: str) -> None:
        environment = {**clean_environment(folder), "PYTHONPATH": str(TESTS)}
        self._process = Process([sys.executable, "-m", "support.probe", origin], folder=folder, environment=environment)
        self._process.wait_for_output(r"^asking$")

    def stop(self) -> list[float]:
        """All waits, in ms, in order."""
        code = self._process.stop(30)
        if code != 0:
            raise RuntimeError(self._process.stderr_text())
        return json.loads(self._process.stdout_text().splitlines()[-1])


def main(origin: str) -> None:
    """Ask until told to end."""
    waits: list[float] = []
    asking = True

    def end(*_: object) -> None:
        nonlocal asking
        asking = False

    signal.signal(signal.SIGTERM, end)
    parts = urlsplit(origin)
    request = f"GET /health HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
    with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        warm = False
        while asking:
            began = time.perf_counter()
            connection.sendall(request)
            if not connection.recv(65_536):
                raise SystemExit("the gateway closed the connection")
            waits.append((time.perf_counter() - began) * 1_000)
            if not warm and len(waits) == _WARM:
                warm = True
                waits.clear()
                print("asking", flush=True)
            time.sleep(_PAUSE_S)
    print(json.dumps(waits), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
