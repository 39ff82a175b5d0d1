"""A request that orders its answer gets that one, in every dialect, with the fault that it ordered."""

from __future__ import annotations

from http.client import HTTPException
from typing import TYPE_CHECKING

import pytest

from api.skins_support import SKINS, least, text_of
from simulator.answers import TEXT
from simulator.orders import FAULTS, MARKER, Fault, Order, marker, read_order
from simulator.script import obeying
from support.http import Answer, call

if TYPE_CHECKING:
    from setpoint.records import Dialect
    from simulator.client import Simulator

PATHS: dict[Dialect, str] = {
    "chat": "/c/v1/chat/completions",
    "messages": "/m/v1/messages",
    "responses": "/r/responses",
}


def asked(simulator: Simulator, dialect: Dialect, prompt: str) -> Answer:
    return call("POST", simulator.url(PATHS[dialect]), least(dialect, prompt))


def test_an_order_is_read_as_it_was_written() -> None:
    faults = (("c", Fault("cut", 300)), ("m", Fault("html")))
    for order in (Order(marker(7)), Order(marker(8), 3, (5, 6), 20, 2, faults)):
        assert read_order(b'{"content":"please ' + order.prompt().encode() + b'"}') == order
    assert read_order(b'{"content":"[[order]]"}') is None
    assert MARKER.findall(Order(marker(7), words=2).answer.encode()) == [b"zq0000000007qz"] * 2


@pytest.mark.parametrize("dialect", SKINS)
def test_a_request_gets_what_it_orders(simulator: Simulator, dialect: Dialect) -> None:
    simulator.script(obeying())
    order = Order(marker(1), words=3, tokens=(40, 50))
    answer = asked(simulator, dialect, order.prompt())
    assert text_of(dialect, answer) == order.answer
    assert answer.json()["id"] == order.upstream_id
    assert {"40", "50"} <= {str(count) for count in answer.json()["usage"].values()}
    assert text_of(dialect, asked(simulator, dialect, "Hi")) == TEXT, "who orders nothing gets the usual"


def test_a_fault_is_for_the_upstream_that_it_names(simulator: Simulator) -> None:
    simulator.script(obeying())
    prompt = Order(marker(1), faults=(("c", Fault("status", 503)),)).prompt()
    assert asked(simulator, "chat", prompt).status == 503
    assert asked(simulator, "messages", prompt).status == 200


@pytest.mark.parametrize("name", sorted(FAULTS.keys() - {"hang", "status"}))
def test_every_fault_can_be_ordered(simulator: Simulator, name: str) -> None:
    simulator.script(obeying())
    order = Order(marker(1), faults=(("c", Fault(name, 5)),))
    try:
        answer = asked(simulator, "chat", order.prompt())
    except (OSError, HTTPException):
        assert name in ("cut", "reset")
    else:
        right = name in ("crumbs", "late")
        assert (order.answer.encode() in answer.body) == right
