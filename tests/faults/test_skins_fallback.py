"""First events that are errors: the next endpoint answers, in another dialect, and the client sees nothing of it."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from api.skins_support import SKINS
from faults.faults_support import attempts
from faults.skins_faults_support import (
    COST,
    PATHS,
    TEXT,
    SkinsFront,
    heard,
    skins_front,
    skins_gateway,
    spoken,
    written,
)
from simulator import messages, responses
from simulator.answers import USAGE, chunk
from simulator.script import body, sse, status

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.records import Dialect
    from simulator.steps import Script

gateway = skins_gateway
front = skins_front

in_turn = pytest.mark.parametrize(("first", "second"), [*permutations(SKINS, 2)])

MARK = b"of-the-first"
"""Stands in all that the first upstream says."""


def marked(*frames: bytes) -> list[bytes]:
    """The frames of an upstream that has another id, and another name for its model."""
    return [frame.replace(b"simulator", MARK).replace(b"upstream-model", MARK) for frame in frames]


def reported(dialect: Dialect) -> list[bytes]:
    """An event that reports an error."""
    match dialect:
        case "chat":
            return written([{**chunk({}), "error": {"message": "no, said simulator", "code": 503}}])
        case "messages":
            return written([messages.error("overloaded_error", "no, said simulator")])
        case "responses":
            failed = responses.failed("server_error", "no, said simulator")
            return written([{"type": "response.failed", "sequence_number": 2, "response": failed}])


FAILURES: dict[str, Callable[[Dialect], Script]] = {
    "error-at-once": lambda dialect: sse(marked(*reported(dialect))),
    "error-behind-the-opening": lambda dialect: sse(marked(*spoken(dialect).opening, *reported(dialect))),
    "error-behind-comments": lambda dialect: sse([b": wait\n\n" * 50, *marked(*reported(dialect))]),
    "end-behind-the-opening": lambda dialect: sse(marked(*spoken(dialect).opening)),
    "reset-behind-the-opening": lambda dialect: sse([b"".join(marked(*spoken(dialect).opening))], end="reset"),
    "no-json": lambda dialect: sse([*marked(*spoken(dialect).opening), b"data: {]\n\n", *spoken(dialect).words]),
    "error-that-is-no-stream": lambda dialect: body({"error": {"message": MARK.decode(), "type": dialect}}),
    "status": lambda dialect: status(500, dialect=dialect),
}


@pytest.mark.parametrize("skin", SKINS)
@in_turn
@pytest.mark.parametrize("fails", FAILURES.values(), ids=FAILURES)
def test_the_next_endpoint_answers_in_silence(
    front: SkinsFront, skin: Dialect, first: Dialect, second: Dialect, fails: Callable[[Dialect], Script]
) -> None:
    front.simulator.script(fails(first), prefix=PATHS[first])
    front.simulator.script(sse(spoken(second).whole), prefix=PATHS[second])
    answer = front.post(skin, f"{first}-{second}/model", stream=True)
    told = heard(skin, answer)
    assert (told.text, told.usage, told.error) == (TEXT, (*USAGE, COST), None)
    assert MARK not in answer.body
    assert b"OPENROUTER" not in answer.body
    assert front.reached() == [first, second]
    record = front.record(answer)
    assert (record["status"], record["provider_name"]) == ("completed", second.title())
    (failed, _, error), answered = attempts(record)
    assert (failed, answered) == (first.title(), (second.title(), 200, None))
    assert error in ("provider_unavailable", "provider_overloaded")


@pytest.mark.parametrize("skin", SKINS)
@in_turn
def test_a_whole_answer_that_is_an_error_is_passed_over_too(
    front: SkinsFront, skin: Dialect, first: Dialect, second: Dialect
) -> None:
    failures = {
        "chat": body({"error": {"message": MARK.decode(), "code": 500}}),
        "messages": body(messages.error("api_error", MARK.decode())),
        "responses": body(responses.failed("server_error", MARK.decode())),
    }
    front.simulator.script(failures[first], prefix=PATHS[first])
    answer = front.post(skin, f"{first}-{second}/model")
    assert answer.status == 200
    assert MARK not in answer.body
    assert front.reached() == [first, second]
    assert [name for name, _, _ in attempts(front.record(answer))] == [first.title(), second.title()]
