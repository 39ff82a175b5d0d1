"""What a stream of a responses upstream makes: its events in an order that every writer can rely on, and its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protocols.responses.responses_support import created, folded, read, sse
from setpoint.canonical.events import Began, Cited, Event, Finished, Grew, PartBegan, PartEnded, Sealed, Unsaid
from setpoint.canonical.parts import Reasoning, Refusal, Text
from setpoint.canonical.result import Finish, Result
from setpoint.protocols.responses.reader import reader
from setpoint.wire.body import value

if TYPE_CHECKING:
    from protocols.responses.responses_support import Told
    from setpoint.canonical.parts import Part

LIKE = Reasoning(kind="summary", maker="responses", format="openai-responses-v1", id="rs_1")
"""A step of reasoning as most of these streams tell it."""
FINISHED = Finish(reason="stop", native="completed")


def result_of(*events: Told) -> Result:
    """The answer that a stream of these events makes."""
    return folded(checked(read(reader(), sse(*events))))


def parts_of(*events: Told) -> tuple[Part, ...]:
    """The parts of the answer that these events make, behind the first one."""
    return result_of(created(), *events).parts


def checked(events: list[Event]) -> list[Event]:
    """The events, which must be in an order that every writer can rely on."""
    open_: set[int] = set()
    begun = 0
    for event in events:
        match event:
            case PartBegan(part):
                assert part == begun
                begun += 1
                open_.add(part)
            case PartEnded(part):
                open_.remove(part)
            case Grew(part) | Cited(part) | Sealed(part):
                assert part in open_
            case Finished():
                assert not open_
            case _:
                pass
    assert not events or isinstance(events[0], Began)
    assert sum(isinstance(event, Finished) for event in events) <= 1
    names = [event.name for event in events if isinstance(event, Unsaid)]
    assert len(names) == len(set(names))
    return events


def text_of(*parts: Part) -> list[str]:
    """What the texts and refusals among these parts say."""
    return [value(part.text) for part in parts if isinstance(part, Text | Refusal)]
