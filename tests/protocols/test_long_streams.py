"""However long a stream is, it costs as much as it is long: nothing in it is looked at once for each other part.

The event loop reads and writes streams itself, so one that costs more would hold up all others.
"""

from __future__ import annotations

from functools import cache
from itertools import count
from typing import TYPE_CHECKING, get_args

import pytest

from protocols.length_support import STREAMS
from setpoint.canonical.usage import Usage
from setpoint.protocols.answer import Bill, Opening, Stamp
from setpoint.protocols.names import ToolNames
from setpoint.protocols.registry import PROTOCOLS
from setpoint.protocols.translate import read_stream
from setpoint.records import Dialect
from setpoint.wire.body import raw
from support.cost import TIMES, is_in_proportion

if TYPE_CHECKING:
    from setpoint.protocols.base import EditedStream
    from setpoint.wire.body import Body
    from setpoint.wire.sse import Frame

EVENTS = 200
SHAPES = [(dialect, shape) for dialect, shapes in STREAMS.items() for shape in shapes]
REQUESTS: dict[Dialect, Body] = {
    "chat": {"messages": raw([])},
    "messages": {"messages": raw([]), "max_tokens": raw(1)},
    "responses": {"input": raw("x")},
}


@cache
def frames(dialect: Dialect, shape: str, events: int) -> list[Frame]:
    return STREAMS[dialect][shape](events)


def stream_between(dialect: Dialect, skin: Dialect) -> EditedStream:
    numbers = count()
    opening = Opening(
        stamp=Stamp("gen-1", "acme/sage", "Acme", 1),
        request=REQUESTS[skin],
        new_id=lambda prefix: f"{prefix}{next(numbers)}",
    )
    return read_stream(opening, skin=PROTOCOLS[skin], dialect=PROTOCOLS[dialect], names=ToolNames())


def sent_through(dialect: Dialect, skin: Dialect, told: list[Frame]) -> None:
    stream = stream_between(dialect, skin)
    for frame in told:
        stream.read(frame)
    assert stream.terminal
    assert stream.end(Bill(stream.outcome.usage or Usage(), None, None), None)


@pytest.mark.parametrize("skin", get_args(Dialect))
@pytest.mark.parametrize(("dialect", "shape"), SHAPES)
def test_a_stream_costs_no_more_than_its_length(dialect: Dialect, shape: str, skin: Dialect) -> None:
    short, long = frames(dialect, shape, EVENTS), frames(dialect, shape, TIMES * EVENTS)
    assert is_in_proportion(lambda: sent_through(dialect, skin, short), lambda: sent_through(dialect, skin, long))


@pytest.mark.parametrize(
    ("dialect", "skin", "shape"),
    [
        ("chat", "messages", "calls"),
        ("chat", "responses", "calls"),
        ("messages", "chat", "blocks that nobody ends"),
        ("messages", "responses", "tools that nobody ends"),
        ("responses", "chat", "calls that nobody ends"),
        ("responses", "messages", "calls that nobody ends"),
        ("responses", "responses", "calls"),
    ],
)
def test_parts_that_one_event_may_end_together_are_counted(dialect: Dialect, skin: Dialect, shape: str) -> None:
    stream, told = stream_between(dialect, skin), frames(dialect, shape, EVENTS)
    counted: list[int] = []
    for frame in told:
        stream.read(frame)
        counted.append(stream.open_parts)
    assert max(counted) >= EVENTS // 4
    assert stream.open_parts == 0 or dialect == skin


@pytest.mark.parametrize("skin", get_args(Dialect))
@pytest.mark.parametrize(("dialect", "shape"), [("messages", "tools"), ("messages", "blocks"), ("chat", "text")])
def test_parts_that_come_one_after_the_other_are_never_many(dialect: Dialect, shape: str, skin: Dialect) -> None:
    stream = stream_between(dialect, skin)
    for frame in frames(dialect, shape, EVENTS):
        stream.read(frame)
        assert stream.open_parts <= 2
