"""The record of an answer, asked of the worker that has not given it."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from support.waiting import until
from support.workers import Worker, each_worker

if TYPE_CHECKING:
    from collections.abc import Generator

    from support.http import Answer
    from support.processes import Gateway, StartGateway

ECHO = {"model": "setpoint/echo", "messages": [{"role": "user", "content": "hi"}]}


def answered(worker: Worker) -> str:
    """The id of an answer that it has just given."""
    answer = worker.call("POST", "/chat/completions", ECHO)
    assert answer.status == 200
    return str(answer.json()["id"])


def record(worker: Worker, id_: str) -> Answer:
    """The record of an answer."""
    return worker.call("GET", f"/generation?id={id_}")


@contextmanager
def two_workers(start_gateway: StartGateway) -> Generator[tuple[Gateway, Worker, Worker]]:
    """A gateway with two workers."""
    gateway = start_gateway(arguments=["--workers", "2"])
    with each_worker(gateway) as (one, other):
        yield gateway, one, other


def found(answer: Answer) -> bool:
    """Whether it is the record. A worker that is slow to write it may be waited for, but nobody denies it."""
    assert answer.status in (200, 503)
    return answer.status == 200


def test_a_record_is_there_with_its_answer_whichever_worker_is_asked(start_gateway: StartGateway) -> None:
    with two_workers(start_gateway) as (_, one, other):
        for _ in range(3):
            id_ = answered(one)
            until(lambda id_=id_: found(record(other, id_)))
            assert record(one, id_).json()["data"]["id"] == id_


def test_while_the_storage_is_away_no_worker_denies_a_record_that_another_has(start_gateway: StartGateway) -> None:
    with (
        two_workers(start_gateway) as (gateway, one, other),
        closing(sqlite3.connect(gateway.data_dir / "setpoint.db", isolation_level=None)) as locking,
    ):
        locking.execute("BEGIN IMMEDIATE")
        id_ = answered(one)
        assert record(one, id_).status == 200
        unsure = record(other, id_)
        assert (unsure.status, unsure.header("retry-after")) == (503, "1")
        locking.execute("ROLLBACK")
        until(lambda: found(record(other, id_)))


def test_an_id_that_no_worker_knows_is_not_found(start_gateway: StartGateway) -> None:
    with two_workers(start_gateway) as (_, one, other):
        id_ = answered(one)
        until(lambda: record(other, id_).status == 200)
        assert record(other, f"gen-{int(time.time())}-{'0' * 20}").status == 404
        assert record(other, f"gen-1000000000-{'0' * 20}").status == 404


def test_a_record_of_another_key_is_looked_for_as_long_as_one_that_is_not_there(start_gateway: StartGateway) -> None:
    with two_workers(start_gateway) as (gateway, one, _):
        caller = gateway.call("POST", "/keys", {"name": "another"}).json()["key"]

        def took(id_: str) -> float:
            began = time.monotonic()
            assert one.call("GET", f"/generation?id={id_}", key=caller).status == 404
            return time.monotonic() - began

        nobodys = took(f"gen-{int(time.time())}-{'0' * 20}")
        assert took(answered(one)) > nobodys / 2
