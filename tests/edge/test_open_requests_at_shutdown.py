"""SIGTERM while requests are open: what does not end within the grace period is told so, and recorded once."""

from __future__ import annotations

import json
import signal
import sqlite3
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from simulator import script
from support.http import Answer, RawConnection, call, open_stream, request_bytes

if TYPE_CHECKING:
    from simulator.client import Simulator
    from support.processes import Gateway, StartGateway

BODY: dict[str, Any] = {"model": "sim/solo", "messages": [{"role": "user", "content": "Hello"}]}


def recorded(gateway: Gateway) -> list[tuple[Any, ...]]:
    database = sqlite3.connect(f"file:{Path(gateway.data_dir) / 'setpoint.db'}?mode=ro", uri=True)
    try:
        return database.execute("select status, error_type from generations").fetchall()
    finally:
        database.close()


def test_a_stream_that_outlives_the_grace_period_ends_with_an_error_event(
    start_gateway: StartGateway, simulator: Simulator
) -> None:
    gateway = start_gateway(settings={"shutdown_grace_s": 1})
    simulator.script(script.stream(["One", " two"], finish=None, done=False, end="hang"))
    with open_stream(f"{gateway.url}/chat/completions", {**BODY, "stream": True}, key=gateway.key) as stream:
        frames = stream.frames()
        assert next(frames).json()["choices"][0]["delta"]["content"] in ("", "One")
        gateway.process.send_signal(signal.SIGTERM)
        rest = list(frames)
    assert rest[-1].data == "[DONE]"
    error = rest[-2].json()
    assert error["error"]["metadata"]["error_type"] == "unavailable"
    assert error["choices"][0]["finish_reason"] == "error"
    assert gateway.stop() == 0
    assert recorded(gateway) == [("failed", "unavailable")]


def test_a_request_that_outlives_the_grace_period_is_answered_503(
    start_gateway: StartGateway, simulator: Simulator
) -> None:
    gateway = start_gateway(settings={"shutdown_grace_s": 1})
    simulator.script(script.hang())
    answers: list[Answer] = []
    asking = Thread(
        target=lambda: answers.append(call("POST", f"{gateway.url}/chat/completions", BODY, key=gateway.key))
    )
    asking.start()
    simulator.wait_for_requests(1)
    gateway.process.send_signal(signal.SIGTERM)
    asking.join(20)
    assert answers[0].status == 503
    assert json.loads(answers[0].body)["error"]["metadata"]["error_type"] == "unavailable"
    assert answers[0].header("retry-after") == "1"
    assert gateway.stop() == 0
    assert recorded(gateway) == [("failed", "unavailable")]


def test_a_stream_that_ends_within_the_grace_period_is_not_cut(
    start_gateway: StartGateway, simulator: Simulator
) -> None:
    gateway = start_gateway(settings={"shutdown_grace_s": 20})
    simulator.script(script.stream(["One", " two", " three"], pause_ms=200))
    with open_stream(f"{gateway.url}/chat/completions", {**BODY, "stream": True}, key=gateway.key) as stream:
        frames = stream.frames()
        next(frames)
        gateway.process.send_signal(signal.SIGTERM)
        rest = list(frames)
    assert rest[-1].data == "[DONE]"
    assert rest[-2].json()["usage"]["total_tokens"] > 0
    assert gateway.stop() == 0
    assert recorded(gateway) == [("completed", None)]


def test_an_answer_that_is_on_its_way_to_a_slow_client_is_not_cut(
    start_gateway: StartGateway, simulator: Simulator
) -> None:
    gateway = start_gateway(settings={"shutdown_grace_s": 20})
    simulator.script(script.stream(["x" * 1_000] * 40, pause_ms=40))
    asked = request_bytes(
        "POST",
        f"{gateway.url}/chat/completions",
        json.dumps({**BODY, "stream": True}).encode(),
        headers=[("Authorization", f"Bearer {gateway.key}")],
    )
    with RawConnection(gateway.origin, receive_buffer=2_048) as connection:
        connection.send(asked)
        connection.read_head()  # which does not say that the connection ends, for the server does not end yet
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(20) == 0
        assert connection.read_all().endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
