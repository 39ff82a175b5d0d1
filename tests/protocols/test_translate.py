"""Answers between two protocols: what is kept of them for the record, and calls under the client's own names."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, cast

import pytest

from setpoint.canonical.events import (
    Began,
    Counted,
    Event,
    Finished,
    Grew,
    PartBegan,
    PartEnded,
    Unsaid,
)
from setpoint.canonical.fold import Fold, unfold
from setpoint.canonical.parts import Citation, Media, Reasoning, Refusal, Text, ToolCall
from setpoint.canonical.result import Finish, Result
from setpoint.canonical.usage import Usage
from setpoint.protocols.answer import Bill, Opening, Stamp, StreamFailedError
from setpoint.protocols.failures import Reported
from setpoint.protocols.names import Named, ToolNames
from setpoint.protocols.translate import read_answer, read_stream
from setpoint.wire.body import raw
from setpoint.wire.sse import Frame

if TYPE_CHECKING:
    from msgspec import Raw

    from setpoint.errors import SetpointError
    from setpoint.protocols.base import Room
    from setpoint.wire.body import Body

FRAME = Frame(None, b"")
STAMP = Stamp("gen-1", "acme/sage", "Acme", 1)
OPENING = Opening(stamp=STAMP, request={}, new_id=lambda prefix: prefix)
BILL = Bill(Usage(), None, None)
STOP = Finish(reason="stop", native="end_turn")
NAMES = ToolNames({"apply": Named("apply", "custom"), "box__look": Named("look", "function", "box")})


class Scripted:
    """A dialect whose stream and whole answer are what a test says, and a skin that keeps what it is told to write."""

    SHOWN = frozenset({"image"})

    def __init__(self, name: str, *steps: Event) -> None:
        self.name = name
        self.steps = list(steps)
        self.told: list[Event] = []
        self.result: Result | None = None
        self.terminal = self.done = self.done_seen = False

    def reader(self) -> Scripted:
        return self

    def writer(self, _opening: Opening) -> Scripted:
        return self

    def read(self, _frame: Frame) -> list[Event]:
        steps, self.steps = self.steps, []
        return steps

    def read_result(self, _body: Body) -> Result:
        fold = Fold()
        for step in self.steps:
            fold.add(step)
        return fold.result()

    def write(self, event: Event) -> bytes:
        self.told.append(event)
        return b"."

    def write_result(self, result: Result, _opening: Opening, _bill: Bill, _metadata: Raw | None) -> bytes:
        self.result = result
        return b"{}"

    def end(self, _bill: Bill, _metadata: Raw | None) -> bytes:
        return b"end"

    def fail(self, error: SetpointError, _metadata: Raw | None) -> bytes:
        return error.type.encode()


def call(part: int, name: str, *pieces: str) -> list[Event]:
    """The steps of a tool call."""
    head = ToolCall(id=f"c{part}", name=name, arguments=raw(""))
    return [PartBegan(part, head), *(Grew(part, raw(piece)) for piece in pieces), PartEnded(part)]


NO_NAMES = ToolNames()


def streamed(*steps: Event, names: ToolNames = NO_NAMES) -> Scripted:
    skin = Scripted("there")
    stream = read_stream(OPENING, skin=cast("Room", skin), dialect=cast("Room", Scripted("here", *steps)), names=names)
    assert stream.read(FRAME) == b"." * len(skin.told)
    return skin


@pytest.mark.parametrize(
    ("step", "meaningful"),
    [
        (Began("msg_1"), False),
        (Counted(Usage(), None, final=False), False),
        (PartBegan(0, Text(text=raw(""))), False),
        (PartBegan(0, Reasoning(kind="text")), False),
        (PartBegan(0, ToolCall(id="c", name="f", arguments=raw(""))), True),
        (PartBegan(0, Media(kind="image", data=raw("AA=="))), True),
        (Grew(0, raw("")), False),
        (Grew(0, raw("x")), True),
        (Finished(STOP), True),
        (Unsaid("x"), False),
    ],
)
def test_an_event_is_meaningful_when_it_says_something(step: Event, meaningful: bool) -> None:
    dialect = Scripted("here", step)
    stream = read_stream(OPENING, skin=cast("Room", Scripted("there")), dialect=cast("Room", dialect), names=NAMES)
    stream.read(FRAME)
    assert stream.meaningful is meaningful


def test_what_the_record_wants_to_know_is_kept_of_a_stream() -> None:
    counted = Usage(input_tokens=3, output_tokens=2)
    steps: list[Event] = [
        Began("msg_1", None),
        Began("msg_2", "priority"),
        Counted(Usage(input_tokens=3), None, final=False),
        PartBegan(0, Text(text=raw(""))),
        Grew(0, raw("Hello")),
        Unsaid("a"),
        Unsaid("b"),
        Unsaid("a"),
        *call(1, "find", "{}"),
        Counted(counted, Decimal("0.5")),
        Finished(STOP),
    ]
    dialect = Scripted("here", *steps)
    stream = read_stream(OPENING, skin=cast("Room", Scripted("there")), dialect=cast("Room", dialect), names=NAMES)
    stream.read(FRAME)
    outcome = stream.outcome
    assert (outcome.upstream_id, outcome.service_tier) == ("msg_1", "priority")
    assert (outcome.usage, outcome.provider_cost, outcome.partial) == (counted, Decimal("0.5"), Usage(input_tokens=3))
    assert (outcome.finish_reason, outcome.native_finish_reason) == ("stop", "end_turn")
    assert (outcome.unsaid, outcome.output_bytes) == (("a", "b"), len("Hello") + len("find") + len("{}"))


def test_calls_keep_their_names_where_the_upstream_knows_them_by_these() -> None:
    steps = call(0, "find", '{"a"', ":1}")
    assert streamed(*steps).told == steps
    assert streamed(*steps, names=NAMES).told == steps


def test_a_call_of_a_function_of_a_namespace_streams_under_its_own_name() -> None:
    told = streamed(*call(0, "box__look", "{", "}"), names=NAMES).told
    head = ToolCall(id="c0", name="look", namespace="box", arguments=raw(""))
    assert told == [PartBegan(0, head), Grew(0, raw("{")), Grew(0, raw("}")), PartEnded(0)]


def test_a_call_of_free_text_is_told_once_it_is_whole() -> None:
    steps = [*call(0, "apply", '{"inp', 'ut":"a\\', 'nb"}'), *call(1, "find", "{}")]
    told = streamed(*steps, names=NAMES).told
    head = ToolCall(id="c0", name="apply", kind="custom", arguments=raw(""))
    assert told == [PartBegan(0, head), Grew(0, raw("a\nb")), PartEnded(0), *call(1, "find", "{}")]


def test_a_whole_answer_has_the_clients_names_and_the_same_outcome() -> None:
    steps: list[Event] = [*call(0, "apply", '{"input":"x"}'), Unsaid("y"), Finished(STOP)]
    skin = Scripted("there")
    answer = read_answer({}, skin=cast("Room", skin), dialect=cast("Room", Scripted("here", *steps)), names=NAMES)
    assert answer.write(OPENING, BILL, None) == b"{}"
    assert skin.result is not None
    assert skin.result.parts == (ToolCall(id="c0", name="apply", kind="custom", arguments=raw("x")),)
    outcome = answer.outcome
    assert (outcome.finish_reason, outcome.unsaid, outcome.usage) == ("stop", ("y",), None)
    assert outcome.output_bytes == len("apply") + len(raw('{"input":"x"}')) - 2


def test_what_a_broken_answer_used_is_kept() -> None:
    counted = Counted(Usage(input_tokens=10, output_tokens=4))

    class Breaking(Scripted):
        def read(self, _frame: Frame) -> list[Event]:
            raise StreamFailedError(Reported(message="no"), counted)

    skin = Scripted("there")
    stream = read_stream(OPENING, skin=cast("Room", skin), dialect=cast("Room", Breaking("here")), names=NAMES)
    with pytest.raises(StreamFailedError):
        stream.read(FRAME)
    assert (stream.outcome.usage, skin.told) == (counted.usage, [counted])


def test_media_that_the_skin_has_no_place_for_are_named() -> None:
    media = [PartBegan(at, Media(kind=kind, data=raw("AA=="))) for at, kind in enumerate(("image", "audio", "audio"))]
    stream = read_stream(
        OPENING, skin=cast("Room", Scripted("there")), dialect=cast("Room", Scripted("here", *media)), names=NAMES
    )
    stream.read(FRAME)
    assert stream.outcome.unsaid == ("audio",)
    whole = read_answer(
        {}, skin=cast("Room", Scripted("there")), dialect=cast("Room", Scripted("here", *media)), names=NAMES
    )
    assert whole.outcome.unsaid == ("audio",)


def test_an_upstream_that_makes_up_ever_more_kinds_fills_no_record() -> None:
    steps: list[Event] = [*(Unsaid(f"odd {number}") for number in range(1_000)), Finished(STOP)]
    stream = read_stream(
        OPENING, skin=cast("Room", Scripted("there")), dialect=cast("Room", Scripted("here", *steps)), names=NAMES
    )
    stream.read(FRAME)
    named = (*(f"odd {number}" for number in range(100)), "and more")
    assert stream.outcome.unsaid == named
    whole = read_answer(
        {}, skin=cast("Room", Scripted("there")), dialect=cast("Room", Scripted("here", *steps)), names=NAMES
    )
    assert whole.outcome.unsaid == named


def test_the_end_is_the_skins() -> None:
    stream = read_stream(
        OPENING, skin=cast("Room", Scripted("there")), dialect=cast("Room", Scripted("here")), names=NAMES
    )
    assert stream.end(BILL, None) == b"end"


def test_steps_and_a_whole_answer_are_the_same_thing() -> None:
    whole = Result(
        parts=(
            Reasoning(kind="text", text=raw("Hm"), seal=raw("s"), maker="messages"),
            Text(text=raw("Hello"), citations=(Citation(url=raw("https://a.test")),)),
            Refusal(text=raw("No")),
            Media(kind="image", data=raw("AA==")),
            ToolCall(id="c", name="f", arguments=raw("{}")),
        ),
        finish=STOP,
        usage=Usage(input_tokens=1),
        provider_cost=Decimal(1),
        upstream_id="msg_1",
        service_tier="default",
        logprobs=raw([{"token": "H"}]),
        unsaid=("x",),
    )
    fold = Fold()
    for step in unfold(whole):
        fold.add(step)
    assert fold.result() == whole
