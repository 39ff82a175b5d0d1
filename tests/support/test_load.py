"""Clients of a load hear what they are told, and say truly how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import uvloop

from simulator.script import body, hang, ok, reset, stream
from support.load import Load, Manner, ask, asking, percentile, read_answer
from support.ports import refusing_origin

if TYPE_CHECKING:
    from simulator.client import Simulator
    from support.load import Heard

WHOLE = b"HTTP/1.1 200 OK\r\nX-Generation-Id: gen-1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"


def told(simulator: Simulator, manner: Manner | None = None, *, timeout_s: float = 10) -> Heard:
    request = asking("POST", simulator.url("/a/chat/completions"), b"{}", key="sk-x")
    return uvloop.run(ask(simulator.origin, request, manner or Manner(), timeout_s=timeout_s))


def test_an_answer_is_whole_or_cut(simulator: Simulator) -> None:
    simulator.script(body(b"12345"), stream(["a", "b"], end="close"), reset(ok(), after=60), ok())
    one, two, three, _ = told(simulator), told(simulator), told(simulator), told(simulator)
    assert (one.end, one.answer and one.answer.body) == ("whole", b"12345")
    assert (two.end, two.answer and two.answer.status) == ("cut", 200)
    assert three.end == "cut"
    assert one.began_s < one.ended_s


def test_clients_go_away_as_they_are_told(simulator: Simulator) -> None:
    simulator.script(hang(stream(["a" * 500]), after=700))
    for manner in (Manner(sends=20), Manner(leaves_after=0), Manner(leaves_after=300, leaves_with_reset=True)):
        assert not manner.stays
        assert told(simulator, manner).end == "left"
    assert told(simulator, timeout_s=0.1).end == "hung"
    simulator.script(stream(["abc"] * 20))
    assert told(simulator, Manner(sips=1_000)).end == "whole"
    with refusing_origin() as origin:
        assert uvloop.run(ask(origin, b"")).end == "refused"


def test_a_load_goes_on_until_it_is_told_to_stop(simulator: Simulator) -> None:
    request = asking("POST", simulator.url("/a/chat/completions"), b"{}", key=None)
    with Load(lambda: simulator.origin, lambda _: request, at_once=3) as load:
        load.wait_for(10)
        before = len(load.heard)
        load.wait_for(5)
    assert len(load.heard) >= before + 5
    assert {one.end for one in load.heard} == {"whole"}


def test_an_answer_is_read_at_every_cut() -> None:
    for at in range(len(WHOLE)):
        answer, whole = read_answer(WHOLE[:at])
        assert not whole
        assert answer is None or (answer.status, b"abc".startswith(answer.body)) == (200, True)
    answer, whole = read_answer(WHOLE)
    assert whole
    assert answer is not None
    assert (answer.body, answer.header("x-generation-id")) == (b"abc", "gen-1")


@pytest.mark.parametrize("data", [WHOLE + b"x", b"HTTP/1.0 200 OK\r\n\r\n", b"hello", b"HTTP/1.1 200 OK\r\n\r\nmore"])
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"not an HTTP|bytes behind"):
        read_answer(data)


def test_a_percentile_is_one_of_the_numbers() -> None:
    assert [percentile(range(1, 101), share) for share in (0, 0.5, 0.99, 1)] == [1, 51, 100, 100]
