"""The record of an answer, asked of the worker that has not given it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

from support.http import RawConnection, request_bytes
from support.waiting import children, until

if TYPE_CHECKING:
    from collections.abc import Generator

    from support.http import Answer
    from support.processes import Gateway, StartGateway

ECHO = {"model": "setpoint/echo", "messages": [{"role": "user", "content": "hi"}]}


class Worker:
    """One worker, by a connection that only it serves."""

    def __init__(self, gateway: Gateway, connection: RawConnection) -> None:
        self._url = gateway.url
        self._key = ("Authorization", f"Bearer {gateway.key}")
        self._connection = connection

    def answered(self) -> str:
        """The id of an answer that it has just given."""
        body = json.dumps(ECHO).encode()
        answer = self._ask("POST", "/chat/completions", body, ("Content-Type", "application/json"))
        assert answer.status == 200
        return str(answer.json()["id"])

    def record(self, id_: str) -> Answer:
        """The record of an answer."""
        return self._ask("GET", f"/generation?id={id_}")

    def _ask(self, method: str, path: str, body: bytes | None = None, *headers: tuple[str, str]) -> Answer:
        self._connection.send(request_bytes(method, self._url + path, body, headers=(self._key, *headers)))
        return self._connection.read_answer()


@contextmanager
def two_workers(start_gateway: StartGateway) -> Generator[tuple[Gateway, Worker, Worker]]:
    """A gateway with two workers. While one stands still, whoever connects is taken in by the other."""
    gateway = start_gateway(arguments=["--workers", "2"])
    workers: list[Worker] = []
    with ExitStack() as stack:
        for sibling in children(gateway.pid):
            os.kill(sibling, signal.SIGSTOP)
            connection = stack.enter_context(RawConnection(gateway.origin))
            connection.send(request_bytes("GET", f"{gateway.origin}/health"))
            assert connection.read_answer().status == 200
            os.kill(sibling, signal.SIGCONT)
            workers.append(Worker(gateway, connection))
        one, other = workers
        yield gateway, one, other


def found(answer: Answer) -> bool:
    """Whether it is the record. A worker that is slow to write it may be waited for, but nobody denies it."""
    assert answer.status in (200, 503)
    return answer.status == 200


def test_a_record_is_there_with_its_answer_whichever_worker_is_asked(start_gateway: StartGateway) -> None:
    with two_workers(start_gateway) as (_, one, other):
        for _ in range(3):
            id_ = one.answered()
            until(lambda id_=id_: found(other.record(id_)))
            assert one.record(id_).json()["data"]["id"] == id_


def test_while_the_storage_is_away_no_worker_denies_a_record_that_another_has(start_gateway: StartGateway) -> None:
    with (
        two_workers(start_gateway) as (gateway, one, other),
        closing(sqlite3.connect(gateway.data_dir / "setpoint.db", isolation_level=None)) as locking,
    ):
        locking.execute("BEGIN IMMEDIATE")
        id_ = one.answered()
        assert one.record(id_).status == 200
        unsure = other.record(id_)
        assert (unsure.status, unsure.header("retry-after")) == (503, "1")
        locking.execute("ROLLBACK")
        until(lambda: found(other.record(id_)))


def test_an_id_that_no_worker_knows_is_not_found(start_gateway: StartGateway) -> None:
    with two_workers(start_gateway) as (_, one, other):
        id_ = one.answered()
        until(lambda: other.record(id_).status == 200)
        assert other.record(f"gen-{int(time.time())}-{'0' * 20}").status == 404
        assert other.record(f"gen-1000000000-{'0' * 20}").status == 404
