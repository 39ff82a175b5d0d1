"""Big bodies, both ways: they arrive whole, cost little memory, and the event loop turns while they are worked on."""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from faults.faults_support import (
    HANG_S,
    MESSAGES,
    PRICE,
    PROVIDERS,
    Front,
    error_of,
    front_of_gateway,
    peak_memory,
    provider,
    serving,
)
from simulator.answers import completion
from simulator.script import body, hang
from support.http import Answer, RawConnection, call, request_bytes
from support.probe import Probe
from support.processes import KEY
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simulator.client import Simulator
    from support.processes import Gateway

MIB = 1_048_576
HELD_MS = 100
"""Ten times what is promised of a body of 2 MB: a bound against a loop that stands."""
SHARE = 4
"""On a machine that is slow for everybody: so many times less than the request itself took."""
TRIES = 4
"""Other processes hold a machine up, too; a loop that is held by ours is held every time."""

dice = random.Random(5)


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    to = provider(simulator_process.origin, "gamma") | {"dialect": "messages", "name": "Other"}
    models = {"other/model": {"endpoints": [{"provider": "other", "model": "m", "pricing": PRICE}]}}
    with serving(tmp_path_factory, simulator_process, more_providers={"other": to}, more_models=models) as gateway:
        yield gateway


front = front_of_gateway


def dumped(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def picture(size: int) -> str:
    return "data:image/png;base64," + base64.b64encode(dice.randbytes(size * 3 // 4)).decode()


def with_pictures(model: str, size: int) -> bytes:
    parts = [{"type": "image_url", "image_url": {"url": picture(size // 4)}} for _ in range(4)]
    return dumped({"model": model, "messages": [{"role": "user", "content": [{"type": "text", "text": "?"}, *parts]}]})


def memory(gateway: Gateway) -> int:
    found = re.search(r"^VmRSS:\s+(\d+) kB$", Path(f"/proc/{gateway.pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1_024


# --- the loop turns ------------------------------------------------------------------------------------------


def assert_others_are_answered(front: Front, folder: Path, ask: Callable[[], Answer]) -> None:
    """While this is asked, another client waits for a part of its time only, in the best of several tries."""
    told: list[str] = []
    for at in range(TRIES):
        probe = Probe(folder / f"probe{at}", front.gateway.origin)
        began = time.monotonic()
        answer = ask()
        took_ms = (time.monotonic() - began) * 1_000
        held_ms = max(probe.stop())
        assert answer.status == 200, answer.body[:200]
        told.append(f"{held_ms:.0f} ms of {took_ms:.0f}")
        if held_ms < max(HELD_MS, took_ms / SHARE):
            print(f"the loop was held {told}")
            return
    pytest.fail(f"the loop was held {told}")


MANY_MESSAGES = [{"role": ("user", "assistant")[at % 2], "content": "x"} for at in range(60_000)]
HARD: dict[str, dict[str, Any]] = {
    "messages": {"model": "other/model", "messages": MANY_MESSAGES},
    "parts": {
        "model": "other/model",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}] * 70_000}],
    },
    "lists": {"model": "solo/alpha", "messages": MESSAGES, "x": [[[[]] * 6] * 40_000] * 8},
    "depth": {"model": "solo/alpha", "messages": MESSAGES, "x": [json.loads("[" * 200 + "]" * 200)] * 10_000},
}


@pytest.mark.parametrize("content", HARD.values(), ids=HARD)
def test_others_are_answered_while_a_body_of_many_small_parts_is_worked_on(
    front: Front, tmp_path: Path, content: dict[str, Any]
) -> None:
    data = dumped(content)
    assert_others_are_answered(front, tmp_path, lambda: front.ask(body=data))


def test_others_are_answered_while_a_big_answer_is_worked_on(front: Front, tmp_path: Path) -> None:
    calls = [{"id": f"c{at}", "type": "function", "function": {"name": "f", "arguments": "{}"}} for at in range(20_000)]
    front.simulator.script(body(completion(None, (1, 1), tool_calls=calls)), prefix=PROVIDERS["alpha"])
    assert_others_are_answered(front, tmp_path, lambda: front.ask("solo/alpha"))


def test_others_are_answered_while_a_big_preset_is_made(front: Front, tmp_path: Path) -> None:
    tools = [
        {"type": "function", "function": {"name": f"f{at}", "parameters": {"type": "object"}}} for at in range(20_000)
    ]
    content = {"model": "solo/alpha", "messages": MESSAGES, "tools": tools}
    data = dumped(content)

    def create() -> Answer:
        return call("POST", front.gateway.url + "/presets/big/chat/completions", body=data, key=KEY, timeout_s=HANG_S)

    assert_others_are_answered(front, tmp_path, create)


# --- they arrive whole, and cost little memory ---------------------------------------------------------------

SIZE = 24 * MIB


@pytest.fixture
def quiet(front: Front) -> Front:
    """The gateway, which forgets the most memory that it has ever held."""
    front.ask("solo/alpha")
    front.simulator.clear()
    Path(f"/proc/{front.gateway.pid}/clear_refs").write_text("5")
    return front


def given_back(gateway: Gateway, before: int) -> bool:
    """Whether the memory is about what it was, within the time that anything may take."""
    deadline = time.monotonic() + HANG_S
    while memory(gateway) > before + SIZE // 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    print(f"memory before {before / MIB:.0f} MiB, now {memory(gateway) / MIB:.0f} MiB")
    return memory(gateway) <= before + SIZE // 2


def test_a_big_body_arrives_whole_and_costs_three_times_its_size_at_most(quiet: Front) -> None:
    before = memory(quiet.gateway)
    data = with_pictures("solo/alpha", SIZE)
    assert quiet.ask(body=data).status == 200
    assert quiet.upstream().json()["messages"] == json.loads(data)["messages"]
    most = peak_memory(quiet.gateway) - before
    print(f"{len(data) / MIB:.0f} MiB cost {most / MIB:.0f} MiB")
    assert most < 3 * len(data)
    assert given_back(quiet.gateway, before)


def test_a_big_answer_arrives_whole_and_costs_five_times_its_size_at_most(quiet: Front) -> None:
    before = memory(quiet.gateway)
    answer = completion("x", (1, 1), images=[{"type": "image_url", "image_url": {"url": picture(SIZE)}}])
    quiet.simulator.script(body(answer))
    got = quiet.ask()
    assert got.json()["choices"][0]["message"]["images"] == answer["choices"][0]["message"]["images"]
    most = peak_memory(quiet.gateway) - before
    print(f"{SIZE / MIB:.0f} MiB cost {most / MIB:.0f} MiB")
    assert most < 5 * SIZE
    assert given_back(quiet.gateway, before)


@pytest.mark.parametrize(
    "data",
    [
        b"{" + b",".join(b'"k%d":1' % at for at in range(1_000_000)) + b"}",
        b'{"model":"solo/alpha","tools":[' + b",".join([b'{"type":"function"}'] * 1_000_000) + b"]}",
        b'{"model":"solo/alpha","messages":[' + b",".join([b'{"role":"user","content":""}'] * 1_000_000) + b"]}",
        b'{"model":"solo/alpha","x":' + b"[" * 5_000_000 + b"]" * 5_000_000 + b"}",
    ],
    ids=["keys", "tools", "messages", "depth"],
)
def test_what_is_more_than_anybody_needs_is_refused_without_being_built(quiet: Front, data: bytes) -> None:
    before = memory(quiet.gateway)
    refused = quiet.ask(body=data, recorded=False)
    assert refused.status == 400
    assert re.search("more than 100000 members|nested deeper than 256", error_of(refused)["message"])
    assert peak_memory(quiet.gateway) - before < 3 * len(data)


# --- whoever leaves meanwhile --------------------------------------------------------------------------------


def test_nobody_is_asked_for_a_client_that_left_while_its_body_was_worked_on(front: Front) -> None:
    content = dumped(HARD["parts"])
    with RawConnection(front.gateway.origin) as connection:
        headers = [("Authorization", f"Bearer {KEY}")]
        connection.send(request_bytes("POST", front.gateway.url + "/chat/completions", content, headers=headers))
        connection.reset()
    assert front.ask("other/model", body=dumped(HARD["messages"])).status == 200  # more work, so it ends behind it
    assert front.reached() == ["gamma"]


def test_a_client_that_leaves_behind_a_big_body_is_noticed(front: Front) -> None:
    front.simulator.script(hang())
    with RawConnection(front.gateway.origin) as connection:
        headers = [("Authorization", f"Bearer {KEY}")]
        url = front.gateway.url + "/chat/completions"
        connection.send(request_bytes("POST", url, with_pictures("solo/alpha", SIZE), headers=headers))
        front.simulator.wait_for_requests(1)
        connection.reset()
    until(lambda: front.simulator.requests()[0].went_away, timeout_s=10)
    front.wait_for_line()


def test_nobody_is_asked_for_a_client_that_left_while_its_body_was_unpacked(front: Front) -> None:
    def packed(model: str) -> bytes:
        return gzip.compress(dumped({"model": model, "messages": MESSAGES, "x": "0" * 50_000_000}), 1)

    headers = [("Authorization", f"Bearer {KEY}"), ("Content-Encoding", "gzip")]
    with RawConnection(front.gateway.origin) as connection:
        url = front.gateway.url + "/chat/completions"
        connection.send(request_bytes("POST", url, packed("solo/alpha"), headers=headers))
        connection.reset()
    call("POST", url, body=packed("solo/beta"), key=KEY, headers={"Content-Encoding": "gzip"})  # behind it
    assert front.ask("solo/beta").status == 200
    assert front.reached() == ["beta", "beta"]
