"""The workers of one gateway, each asked by itself."""

from __future__ import annotations

import json
import os
import signal
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from support.http import RawConnection, request_bytes
from support.waiting import children

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from support.http import Answer
    from support.processes import Gateway


class Worker:
    """One worker, by a connection that only it serves."""

    def __init__(self, gateway: Gateway, connection: RawConnection) -> None:
        self._url = gateway.url
        self._key = gateway.key
        self._connection = connection

    def call(self, method: str, path: str, content: Any = None, *, key: str | None = None) -> Answer:
        """Its answer to one request, with the gateway's own key or another."""
        body = None if content is None else json.dumps(content).encode()
        authorization = ("Authorization", f"Bearer {self._key if key is None else key}")
        typed = (("Content-Type", "application/json"),) if body is not None else ()
        self._connection.send(request_bytes(method, self._url + path, body, headers=(authorization, *typed)))
        return self._connection.read_answer()


@contextmanager
def each_worker(gateway: Gateway) -> Generator[list[Worker]]:
    """Both workers of a gateway that has two. While one stands still, whoever connects is taken in by the other."""
    workers: list[Worker] = []
    with ExitStack() as stack:
        for sibling in children(gateway.pid):
            os.kill(sibling, signal.SIGSTOP)
            try:
                connection = stack.enter_context(RawConnection(gateway.origin))
                connection.send(request_bytes("GET", f"{gateway.origin}/health"))
                assert connection.read_answer().status == 200
            finally:
                os.kill(sibling, signal.SIGCONT)
            workers.append(Worker(gateway, connection))
        yield workers
