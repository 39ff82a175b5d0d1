"""Who asked, and what for: what a request says of itself is in its record, whatever its protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.api_support import USER, data_of
from simulator.script import ok

if TYPE_CHECKING:
    from simulator.client import Simulator
    from support.processes import Gateway

TRACE = {"trace_id": "t-1", "generation_name": "sort", "feature": {"name": "parcels", "weight": 1.50}}
LABELS = {"team": "returns", "env": "prod"}
HEADERS = {
    "HTTP-Referer": "https://app.example/parcels",
    "X-Title": "Parcels",
    "User-Agent": "an agent",
    "X-Session-Id": "of the header",
}
BODIES: dict[str, dict[str, Any]] = {
    "chat/completions": {"messages": [USER], "user": "ann", "metadata": LABELS},
    "messages": {"messages": [USER], "max_tokens": 9, "metadata": {"user_id": "ann"}},
    "responses": {"input": "hi", "user": "ann", "metadata": LABELS},
}


def record_of(gateway: Gateway, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = gateway.call("POST", f"/{path}", {"model": "sim/solo", **body}, headers=HEADERS)
    assert answer.status == 200, answer.body
    return data_of(gateway.call("GET", f"/generation?id={answer.header('x-generation-id')}"))


@pytest.mark.parametrize("path", BODIES)
def test_what_a_request_says_of_itself_is_in_its_record(
    path: str, shared_gateway: Gateway, simulator: Simulator
) -> None:
    simulator.script(ok())
    body = BODIES[path]
    told = record_of(shared_gateway, path, {**body, "trace": TRACE, "session_id": "of the body"})
    assert (told["metadata"], told["trace"]) == (body["metadata"], TRACE)
    assert (told["external_user"], told["session_id"]) == ("ann", "of the body")
    assert (told["http_referer"], told["origin"], told["app_title"]) == (HEADERS["HTTP-Referer"],) * 2 + ("Parcels",)
    assert told["user_agent"] == "an agent"
    assert told["user_id"] == data_of(shared_gateway.call("GET", "/key"))["creator_user_id"]
    (received,) = simulator.requests()
    for said in (b"parcels", b"of the body", b"of the header", b"trace_id"):
        assert said not in received.head
        assert said not in received.body


@pytest.mark.parametrize("path", BODIES)
def test_what_a_request_does_not_say_is_null(path: str, shared_gateway: Gateway, simulator: Simulator) -> None:
    simulator.script(ok())
    body = {name: said for name, said in BODIES[path].items() if name not in ("user", "metadata")}
    told = record_of(shared_gateway, path, body)
    assert [told[name] for name in ("metadata", "trace", "external_user")] == [None] * 3
    assert told["session_id"] == "of the header"


def test_labels_that_are_too_long_to_keep_are_left_out_of_the_record(
    shared_gateway: Gateway, simulator: Simulator
) -> None:
    simulator.script(ok())
    told = record_of(shared_gateway, "chat/completions", {"messages": [USER], "trace": {"long": "x" * 70_000}})
    assert (told["trace"], told["status"]) == (None, "completed")
