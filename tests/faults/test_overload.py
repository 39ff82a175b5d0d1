"""More than the gateway can take: refused at once and in the skin's words, and every place is given back."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from faults.faults_support import HANG_S, MESSAGES, Front, error_of, front_of_gateway, generation_id, serving
from simulator.script import body, cut, hang, ok, reset, status, stream
from support.http import Answer, RawConnection, call, request_bytes
from support.processes import KEY
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from simulator.client import Simulator
    from simulator.steps import Script
    from support.processes import Gateway

PLACES = 20
SHARE = 16

PATHS = {"chat": "/chat/completions", "messages": "/messages", "responses": "/responses"}
COUNT = "/messages/count_tokens"


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = {"max_concurrent_requests": PLACES, "stream_commit_s": 0.1, "keep_alive_s": 0.1}
    with serving(tmp_path_factory, simulator_process, settings=settings) as gateway:
        yield gateway


front = front_of_gateway


@contextmanager
def held(front: Front, *models: str) -> Generator[None]:
    """A stream of each model that waits for its upstream, which hangs; all are over behind the block."""
    front.simulator.forget_requests()
    before = ended(front)
    with ExitStack() as stack:
        for at, model in enumerate(models):
            sent(front, stack.enter_context(RawConnection(front.gateway.origin)), model, stream=True)
            front.simulator.wait_for_requests(at + 1)
        yield
    until(lambda: ended(front) >= before + len(models))


def full(front: Front) -> AbstractContextManager[None]:
    """All places taken. The last one is for a provider that has none yet."""
    front.simulator.script(hang())
    return held(front, *["solo/alpha"] * SHARE, *["solo/beta"] * (PLACES - SHARE - 1), "solo/gamma")


def sent(front: Front, connection: RawConnection, model: str, **fields: Any) -> None:
    content = json.dumps({"model": model, "messages": MESSAGES, **fields}).encode()
    headers = [("Authorization", f"Bearer {KEY}")]
    connection.send(request_bytes("POST", front.gateway.url + PATHS["chat"], content, headers=headers))


def ended(front: Front) -> int:
    """How many exchanges have come to their end."""
    return front.gateway.log_text().count('"exchange"')


def head_alone(gateway: Gateway, path: str, length: int = 1_000_000) -> Answer:
    """The answer to a request of which nothing but the head is sent."""
    with RawConnection(gateway.origin, timeout_s=HANG_S) as connection:
        headers = [("Authorization", f"Bearer {KEY}"), ("Content-Length", str(length))]
        connection.send(request_bytes("POST", gateway.url + path, headers=headers))
        return connection.read_answer()


# --- full ----------------------------------------------------------------------------------------------------


def test_when_all_places_are_taken_a_request_is_refused_before_its_body(front: Front) -> None:
    with full(front):
        for skin, path in PATHS.items():
            answer = head_alone(front.gateway, path)
            assert answer.status == (529 if skin == "messages" else 503)
            assert answer.header("retry-after") == "1"
            assert generation_id(answer)
            assert answer.json()["error"]["message"] == "the server has more to do than it can"
        counting = head_alone(front.gateway, COUNT)
        assert (counting.status, counting.json()["error"]["type"]) == (529, "overloaded_error")


def test_whoever_asks_for_no_model_is_always_answered(front: Front) -> None:
    with full(front):
        gateway = front.gateway
        assert call("GET", gateway.origin + "/health", timeout_s=HANG_S).status == 200
        assert call("GET", gateway.origin + "/ready", timeout_s=HANG_S).status == 200
        assert [gateway.call("GET", path).status for path in ("/presets", "/keys", "/models")] == [200] * 3
        created = gateway.call("POST", "/presets/busy/chat/completions", {"model": "solo/alpha", "messages": MESSAGES})
        assert created.status == 200, created.body


def test_a_body_that_comes_slowly_takes_no_place(front: Front) -> None:
    with ExitStack() as stack:
        headers = [("Authorization", f"Bearer {KEY}"), ("Content-Length", "1000")]
        for _ in range(PLACES + 1):
            connection = stack.enter_context(RawConnection(front.gateway.origin))
            connection.send(request_bytes("POST", front.gateway.url + "/chat/completions", headers=headers) + b"{")
        assert front.ask("solo/beta").status == 200


# --- every way out gives the place back ----------------------------------------------------------------------


def left(front: Front, how: str) -> None:
    """One request to alpha whose client goes away when it has reached the upstream."""
    with RawConnection(front.gateway.origin) as connection:
        front.simulator.forget_requests()
        sent(front, connection, "solo/alpha", stream=how == "stream")
        front.simulator.wait_for_requests(1)
        connection.reset()
    front.wait_for_line()


def asked(**more: Any) -> Callable[[Front], None]:
    def ask(front: Front) -> None:
        front.ask(**more)

    return ask


def counted(front: Front) -> None:
    content = {"model": "solo/alpha", "messages": MESSAGES}
    assert front.gateway.call("POST", COUNT, content).status == 200


ENDS: dict[str, tuple[Script, Callable[[Front], None]]] = {
    "answered": (ok(), asked()),
    "streamed": (stream(), asked(stream=True)),
    "refused": (status(400), asked()),
    "failed": (status(500), asked(model="pair/model")),
    "malformed": (body("{"), asked()),
    "broken": (reset(stream(), after=400), asked(stream=True)),
    "broken-early": (cut(stream(), after=150), asked(stream=True)),
    "no-json": (ok(), asked(body=b"{", recorded=False)),
    "no-model": (ok(), asked(model="no/model", recorded=False)),
    "no-preset": (ok(), asked(model="@preset/none", recorded=False)),
    "counted": (ok(), counted),
    "left": (hang(), lambda front: left(front, "whole")),
    "left-stream": (hang(), lambda front: left(front, "stream")),
}


@pytest.mark.parametrize("way", ENDS)
def test_every_end_gives_its_place_back_once(front: Front, way: str) -> None:
    script, request = ENDS[way]
    front.simulator.script(script)
    for _ in range(3):
        request(front)
        front.forget()  # a provider that fails three times is not asked a fourth
    front.simulator.clear()
    with full(front):  # every place is there again
        assert head_alone(front.gateway, PATHS["chat"]).status == 503  # and none that is not


# --- one slow provider ---------------------------------------------------------------------------------------


def test_a_slow_provider_leaves_places_for_the_others(front: Front) -> None:
    front.simulator.script(hang(), prefix="/a")
    with held(front, *["solo/alpha"] * SHARE):
        assert front.ask("solo/beta").status == 200
        assert front.stream("solo/beta").status == 200
        refused = front.ask("solo/alpha", recorded=False)
        assert error_of(refused)["message"] == "the providers of this model are busy"
        assert (refused.status, refused.header("retry-after")) == (503, "1")


def test_a_request_passes_over_a_provider_that_is_busy(front: Front) -> None:
    front.simulator.script(hang(), prefix="/a")
    with held(front, *["solo/alpha"] * SHARE):
        answer = front.ask("pair/model")
        assert answer.status == 200
        assert [one["provider_name"] for one in front.record(answer)["provider_responses"]] == ["Beta"]
