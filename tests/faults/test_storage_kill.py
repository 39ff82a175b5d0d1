"""What was acknowledged, and what was under way, when the process is killed."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.client import HTTPException
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from simulator import script
from support.http import open_stream
from support.processes import KEY
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.client import Simulator
    from support.processes import Gateway, StartGateway

HANG_S = 20
BODY: dict[str, Any] = {"model": "sim/model", "messages": [{"role": "user", "content": "Say it."}]}


def ask(gateway: Gateway, **fields: Any) -> str:
    """The id of an answer that came whole."""
    answer = gateway.call("POST", "/chat/completions", {**BODY, **fields})
    assert answer.status == 200, answer.body
    return str(answer.json()["id"])


def record(gateway: Gateway, id_: str) -> Mapping[str, Any]:
    """The record of this generation, as soon as it is there."""
    deadline = time.monotonic() + HANG_S
    while True:
        answer = gateway.call("GET", f"/generation?id={id_}")
        if answer.status == 200:
            found: Mapping[str, Any] = answer.json()["data"]
            return found
        assert answer.status in (404, 503), answer.body
        assert time.monotonic() < deadline, "the record is lost"
        time.sleep(0.02)


def _days(created_at: str) -> set[str]:
    """The days on which a test was that had a request then."""
    return {created_at[:10], datetime.now(UTC).date().isoformat()}


def spent(gateway: Gateway) -> float:
    answer = gateway.call("GET", "/key")
    assert answer.status == 200
    return float(answer.json()["data"]["usage"])


def test_a_stream_that_the_kill_cut_is_interrupted_and_what_ended_before_it_is_counted_once(
    start_gateway: StartGateway, simulator: Simulator
) -> None:
    gateway = start_gateway()
    created = gateway.call("POST", "/presets/told/chat/completions", {**BODY, "model": "sim/model", "seed": 7})
    assert created.status == 200, created.body
    simulator.script(script.ok(tokens=(1_000, 500)))
    ended = [ask(gateway) for _ in range(5)]  # mostly before the database has them
    simulator.script(script.stream(["One"] * 1_000, pause_ms=50))
    body = {**BODY, "model": "@preset/told", "stream": True, "user": "someone"}
    with open_stream(f"{gateway.url}/chat/completions", body, key=gateway.key) as stream:
        next(iter(stream.frames()))
        under_way = stream.header("x-generation-id") or ""
        assert gateway.call("GET", f"/generation?id={under_way}").status == 404
        gateway.kill()
    again = start_gateway(data_dir=gateway.data_dir)
    found = record(again, under_way)
    assert (found["status"], found["model"], found["provider_name"]) == ("interrupted", "sim/model", "sim")
    assert (found["preset_slug"], found["preset_version"], found["external_user"]) == ("told", 1, "someone")
    assert (found["streamed"], found["cancelled"], found["error_type"]) == (True, False, None)
    for unknown in ("tokens_prompt", "tokens_completion", "total_cost", "latency", "generation_time"):
        assert found[unknown] is None
    [attempt] = found["provider_responses"]
    assert (attempt["provider_name"], attempt["error_type"]) == ("sim", "interrupted")
    assert (attempt["status"], attempt["latency"]) == (None, None)
    assert [record(again, id_)["status"] for id_ in ended] == ["completed"] * 5
    until(lambda: spent(again) == 0.01)  # five times 1,000 and 500 tokens, once
    books = again.call("GET", "/ledger/verify").json()["data"]
    assert (books["ok"], books["checked"], set(books["sums"].values())) == (True, 6, {0.01})
    days = [again.call("GET", f"/activity?date={day}").json()["data"] for day in _days(found["created_at"])]
    counted = [(one["requests"], one["unknown_cost_requests"]) for day in days for one in day]
    assert tuple(map(sum, zip(*counted, strict=True))) == (6, 1), "the one that was cut is counted, and not its cost"
    assert again.stop() == 0
    assert list((gateway.data_dir / "spool").iterdir()) == []


def test_what_was_set_aside_for_a_request_that_the_kill_cut_is_released_and_its_input_is_charged(
    start_gateway: StartGateway, simulator: Simulator
) -> None:
    gateway = start_gateway()
    made = gateway.call("POST", "/keys", {"name": "limited", "limit": 0.01}).json()
    key, path = made["key"], f"/keys/{made['data']['hash']}"
    simulator.script(script.stream(["One"] * 1_000, pause_ms=50))
    body = {**BODY, "stream": True, "max_tokens": 4_000}
    with open_stream(f"{gateway.url}/chat/completions", body, key=key) as stream:
        next(iter(stream.frames()))
        cut = stream.header("x-generation-id") or ""
        gateway.kill()
    sent = len(simulator.requests()[0].body)
    again = start_gateway(data_dir=gateway.data_dir)
    assert record(again, cut)["total_cost"] is None
    left = 0.01 - -(-sent // 4) * 0.000001
    until(lambda: again.call("GET", path).json()["data"]["limit_remaining"] == pytest.approx(left))
    simulator.script(script.ok())
    most = {**BODY, "max_tokens": 4_850}
    until(lambda: again.call("POST", "/chat/completions", most, key=key).status == 200)
    assert again.call("GET", "/ledger/verify").json()["data"]["ok"]
    assert again.stop() == 0


def test_versions_are_whole_after_a_kill_and_those_that_were_acknowledged_are_there(
    start_gateway: StartGateway, simulator: Simulator
) -> None:
    del simulator
    dice = Random(87)
    gateway = start_gateway()
    acknowledged: dict[int, str] = {}
    with ThreadPoolExecutor(4) as threads:
        saving = [threads.submit(_save_until_killed, gateway, acknowledged) for _ in range(4)]
        wanted = dice.randint(5, 15)
        until(lambda: len(acknowledged) >= wanted)
        time.sleep(dice.random() * 0.01)
        gateway.kill()
        for one in saving:
            one.result(HANG_S)
    gateway = start_gateway(data_dir=gateway.data_dir)
    preset = gateway.call("GET", "/presets/kept").json()["data"]
    total = preset["designated_version"]["version"]
    assert total >= max(acknowledged)
    for number in range(1, total + 1):
        version = gateway.call("GET", f"/presets/kept/versions/{number}").json()["data"]
        assert acknowledged.get(number, version["system_prompt"]) == version["system_prompt"]


def _save_until_killed(gateway: Gateway, acknowledged: dict[int, str]) -> None:
    while True:
        prompt = f"Prompt {uuid4()}. " + "x" * 5_000
        body = {"model": "sim/model", "messages": [{"role": "system", "content": prompt}]}
        try:
            answer = gateway.call("POST", "/presets/kept/chat/completions", body)
        except (OSError, HTTPException):
            return
        assert answer.status == 200, answer.body
        acknowledged[answer.json()["data"]["designated_version"]["version"]] = prompt


def test_a_gateway_brings_home_what_another_on_its_data_folder_left(
    start_gateway: StartGateway, simulator: Simulator
) -> None:
    first = start_gateway()
    second = start_gateway(data_dir=first.data_dir)
    simulator.script(script.stream(["One"] * 1_000, pause_ms=50))
    with open_stream(f"{second.url}/chat/completions", {**BODY, "stream": True}, key=KEY) as stream:
        next(iter(stream.frames()))
        cut = stream.header("x-generation-id") or ""
        second.kill()
    simulator.script(script.ok())
    ids = [ask(first) for _ in range(3)]
    assert record(first, cut)["status"] == "interrupted"
    assert [record(first, id_)["status"] for id_ in ids] == ["completed"] * 3
    until(lambda: "1 generations are brought home" in first.log_text())
