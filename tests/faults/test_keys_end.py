"""The end of a key on every worker, floods of keys that nobody has, and whose spend a request is."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from simulator.script import ok, stream
from support.http import RawConnection, open_stream, request_bytes
from support.processes import Gateway, config_file, simulated
from support.waiting import until
from support.workers import Worker, each_worker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator
    from support.http import Answer

HANG_S = 10
"""Ten times what is promised."""
CHAT: dict[str, Any] = {"model": "setpoint/echo", "messages": [{"role": "user", "content": "Still here?"}]}
FLOOD = 15_000
PIPELINED = 500


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway of two workers."""
    folder = tmp_path_factory.mktemp("gateway")
    config = config_file(folder, **simulated(simulator_process))
    started = Gateway(folder, config=config, arguments=["--workers", "2"])
    yield started
    assert started.stop() == 0, started.log_text()


@pytest.fixture(scope="module")
def workers(gateway: Gateway) -> Iterator[list[Worker]]:
    with each_worker(gateway) as both:
        yield both


def new_key(worker: Worker, **members: Any) -> tuple[str, str]:
    """A new key, and where it is changed."""
    made = worker.call("POST", "/keys", {"name": "ends", **members})
    assert made.status == 201, made.body
    return made.json()["key"], f"/keys/{made.json()['data']['hash']}"


def ask(worker: Worker, key: str) -> Answer:
    return worker.call("POST", "/chat/completions", CHAT, key=key)


def refused(answer: Answer) -> str:
    assert answer.status == 401, answer.body
    return answer.json()["error"]["message"]


def in_iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


PAST = in_iso(datetime(2020, 2, 29, tzinfo=UTC))


# --- the end of a key ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("writer", [0, 1])
@pytest.mark.parametrize(
    "end", [{"disabled": True}, {"expires_at": PAST}, None], ids=["disabled", "expired", "deleted"]
)
def test_a_key_that_is_taken_back_at_one_worker_is_refused_by_the_next_request_at_the_other(
    workers: list[Worker], writer: int, end: dict[str, Any] | None
) -> None:
    one, other = workers[writer], workers[1 - writer]
    key, path = new_key(one)
    for _ in range(3):
        assert [ask(worker, key).status for worker in (other, one)] == [200, 200]
        taken = one.call("DELETE", path) if end is None else one.call("PATCH", path, end)
        assert taken.status == 200, taken.body
        for worker in (other, one):
            assert refused(ask(worker, key)) == "Invalid credentials"
            assert refused(worker.call("GET", "/key", key=key)) == "Invalid credentials"
        if end is None:
            return
        assert one.call("PATCH", path, {"disabled": False, "expires_at": None}).status == 200


def test_a_key_that_ends_by_itself_ends_at_its_second_on_both_workers(workers: list[Worker]) -> None:
    end = (datetime.now(UTC) + timedelta(seconds=1.2)).replace(microsecond=0)
    key, _ = new_key(workers[0], expires_at=in_iso(end))
    for worker in workers:
        while True:
            began = datetime.now(UTC)
            answer = worker.call("GET", "/key", key=key)
            if answer.status == 401:
                assert datetime.now(UTC) >= end, "refused before its end"
                break
            assert (answer.status, began < end) == (200, True), "used after its end"


def test_a_key_that_is_taken_back_under_load_ends_at_both_workers_and_a_stream_that_runs_goes_on(
    gateway: Gateway, workers: list[Worker], simulator: Simulator
) -> None:
    simulator.script(stream([str(number) for number in range(20)], pause_ms=50))
    key, path = new_key(workers[0])
    asked = {**CHAT, "model": "sim/solo", "stream": True}
    taken, busy = Event(), Event()

    def ask_on() -> float:
        """Ask until fifty in a row are refused, and say how long the last that was not began after the end."""
        refused_in_a_row, after, end = 0, 0.0, 0.0
        while refused_in_a_row < 50:
            end = end or (time.monotonic() if taken.is_set() else 0.0)
            began = time.monotonic()
            answer = gateway.call("POST", "/chat/completions", CHAT, key=key)
            assert answer.status in (200, 401), answer.body
            assert answer.status == 200 or busy.is_set(), "refused before its end"
            refused_in_a_row = refused_in_a_row + 1 if answer.status == 401 else 0
            after = began - end if end and answer.status == 200 else after
            assert after < HANG_S
        return after

    with ThreadPoolExecutor(8) as threads, open_stream(f"{gateway.url}/chat/completions", asked, key=key) as answer:
        frames = answer.frames()
        assert next(frames).data is not None
        load = [threads.submit(ask_on) for _ in range(8)]
        until(lambda: all(ask(worker, key).status == 200 for worker in workers))
        busy.set()
        assert workers[0].call("PATCH", path, {"disabled": True}).status == 200
        taken.set()
        print(f"the last that was not refused began {max(one.result(HANG_S) for one in load):.3f} s behind the end")
        assert [frame.data for frame in frames][-1] == "[DONE]", "what was begun before ends as it would have"
    assert {ask(worker, key).status for worker in workers} == {401}


def test_a_key_that_ends_while_its_body_is_on_the_way_is_refused(
    gateway: Gateway, workers: list[Worker], simulator: Simulator
) -> None:
    """Whoever holds back the end of a body keeps no key alive with it."""
    held: list[tuple[bool, RawConnection, bytes]] = []
    for kept in (True, False):
        key, path = new_key(workers[0], role="admin")
        for target, content in (
            ("/chat/completions", {**CHAT, "model": "sim/solo"}),
            ("/messages", {**CHAT, "max_tokens": 9}),
            ("/presets/held/chat/completions", {"model": "sim/solo"}),
            ("/keys", {"name": "more"}),
        ):
            asked = request_bytes(
                "POST", gateway.url + target, json.dumps(content).encode(), headers=[("x-api-key", key)]
            )
            connection = RawConnection(gateway.origin)
            connection.send(asked[:-9])
            held.append((kept, connection, asked[-9:]))
        if not kept:
            assert workers[0].call("DELETE", path).status == 200
    time.sleep(0.6)  # a body that comes at once is not looked at twice
    for kept, connection, rest in held:
        with connection:
            connection.send(rest)
            status = connection.read_answer().status
        assert status in (200, 201) if kept else status == 401
    assert len(simulator.requests()) == 1


def test_what_another_server_takes_back_ends_here_too(
    gateway: Gateway, workers: list[Worker], tmp_path: Path, simulator_process: Simulator
) -> None:
    """One that shares the database and nothing else."""
    key, path = new_key(workers[0])
    config = config_file(tmp_path, **simulated(simulator_process))
    sibling = Gateway(tmp_path, config=config, data_dir=gateway.data_dir)
    try:
        assert sibling.call("GET", "/key", key=key).status == 200
        assert sibling.call("PATCH", path, {"disabled": True}).status == 200
        taken = datetime.now(UTC)
        for worker in workers:
            until(lambda worker=worker: ask(worker, key).status == 401, HANG_S)
        print(f"refused by both after {(datetime.now(UTC) - taken).total_seconds():.2f} s")
    finally:
        assert sibling.stop() == 0, sibling.log_text()


# --- keys that nobody has ------------------------------------------------------------------------------------


def test_a_flood_of_unknown_keys_is_refused_and_nothing_of_it_stays(gateway: Gateway, workers: list[Worker]) -> None:
    """Each is looked for in memory; while storage is broken it is the same, as is shown where that is tested."""
    key, _ = new_key(workers[0])
    flood(gateway, FLOOD // 3, "a")
    before = resident_mib(gateway)
    flood(gateway, FLOOD, "b")
    grown = resident_mib(gateway) - before
    print(f"grown by {grown:.1f} MiB over {FLOOD} keys")
    assert grown < 3  # two hundred bytes for each
    assert {ask(worker, key).status for worker in workers} == {200}
    assert "sk-sp-v1-b" not in gateway.log_text()


def flood(gateway: Gateway, times: int, letter: str) -> None:
    """Ask with so many keys, one after the other on one connection, and hear each refused."""
    with RawConnection(gateway.origin) as connection:
        for first in range(0, times, PIPELINED):
            asked = b"".join(
                request_bytes("GET", f"{gateway.url}/key", headers=[("x-api-key", f"sk-sp-v1-{letter}{number:063x}")])
                for number in range(first, first + PIPELINED)
            )
            connection.send(asked)
            assert {connection.read_answer().status for _ in range(PIPELINED)} == {401}


def resident_mib(gateway: Gateway) -> float:
    """The memory of all processes of the gateway."""
    pids = [gateway.pid, *map(int, Path(f"/proc/{gateway.pid}/task/{gateway.pid}/children").read_text("ascii").split())]
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) for pid in pids)
    return pages * 4096 / 2**20


# --- whose spend it is ---------------------------------------------------------------------------------------


def test_nobody_can_have_another_pay_by_saying_who_they_are(workers: list[Worker], simulator: Simulator) -> None:
    simulator.script(*[ok(tokens=(100, 20))] * 6)
    one, _ = workers
    mine, my_path = new_key(one)
    theirs, their_path = new_key(one, limit=0)
    their_hash = their_path.rpartition("/")[2]
    told = one.call("GET", their_path).json()["data"]
    for other in (their_hash, told["label"], theirs, told["creator_user_id"], "another"):
        said = {"user": other, "session_id": other, "metadata": {"key": other}, "trace": {"user_id": other}}
        body = {**CHAT, "model": "sim/solo", "max_tokens": 20, **said}
        answer = one.call("POST", "/chat/completions", body, key=mine)
        assert answer.status == 200, answer.body
        record = one.call("GET", f"/generation?id={answer.json()['id']}").json()["data"]
        assert record["external_user"] in (other, "[redacted]")
        assert record["user_id"] == told["creator_user_id"]
    until(lambda: one.call("GET", my_path).json()["data"]["usage"] == 0.0007)
    assert one.call("GET", their_path).json()["data"]["usage"] == 0
