"""Streams that break, in every skin and from every dialect: each client gets the one ending that its skin has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.skins_support import SKINS, error_of
from faults.faults_support import attempts, secret
from faults.skins_faults_support import (
    COST,
    PATHS,
    TEXT,
    SkinsFront,
    heard,
    pairs,
    rest_of,
    skins_front,
    skins_gateway,
    spoken,
    written,
)
from simulator import messages, responses
from simulator.answers import USAGE, chunk
from simulator.script import sse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from setpoint.records import Dialect
    from simulator.steps import Script

gateway = skins_gateway
front = skins_front

OTHER: dict[Dialect, Dialect] = {"chat": "messages", "messages": "responses", "responses": "chat"}
"""A dialect in which somebody else could answer."""

RUBBISH = b"data: {]\n\n"


def broken(dialect: Dialect, *more: bytes, **how: Any) -> Script:
    """A stream that says two words and then these bytes, all at once."""
    return sse([b"".join([*spoken(dialect).begun, *more])], **how)


def but_the_last(dialect: Dialect) -> Script:
    """All of an answer, but for what would say that it is complete."""
    whole = spoken(dialect)
    return sse([*whole.opening, *whole.words, *(whole.closing[:-1] if dialect != "chat" else ())])


BREAKS: dict[str, Callable[[Dialect], Script]] = {
    "reset": lambda dialect: broken(dialect, end="reset"),
    "closed": lambda dialect: broken(dialect, end="close"),
    "clean-end": broken,
    "clean-end-of-the-connection": lambda dialect: broken(dialect, framing="close"),
    "all-but-the-last-event": but_the_last,
    "inside-an-event": lambda dialect: broken(dialect, spoken(dialect).words[2][:40]),
    "no-json": lambda dialect: broken(dialect, RUBBISH, *spoken(dialect).words[2:], *spoken(dialect).closing),
    "no-object": lambda dialect: broken(dialect, b"data: [1]\n\n", *spoken(dialect).closing),
    "not-utf-8": lambda dialect: broken(dialect, spoken(dialect).words[2].replace(b" a", b"\xe9")),
}


@pairs
@pytest.mark.parametrize("breaks", BREAKS.values(), ids=BREAKS)
def test_a_stream_that_breaks_ends_with_the_skins_own_error(
    front: SkinsFront, skin: Dialect, dialect: Dialect, breaks: Callable[[Dialect], Script]
) -> None:
    front.simulator.script(breaks(dialect), prefix=PATHS[dialect])
    answer = front.post(skin, f"{dialect}-{OTHER[dialect]}/model", stream=True)
    told = heard(skin, answer)
    assert told.error is not None
    assert told.error.type == "provider_unavailable"
    assert told.text in ("Once upon", TEXT)
    assert front.reached() == [dialect], "nobody else is asked once the answer has begun"
    record = front.record(answer)
    assert (record["status"], record["error_type"], record["skin"]) == ("failed", "provider_unavailable", skin)
    assert attempts(record) == [(dialect.title(), 200, "provider_unavailable")]
    assert record["tokens_completion"] > 0
    counted = dialect == "messages" and breaks is but_the_last  # only then had the output been counted
    assert record["usage_estimated"] is not counted
    assert record["total_cost"] == (COST if counted else None), "an estimate has no price"
    if dialect == "messages":
        assert record["tokens_prompt"] == USAGE[0], "what was counted at the beginning counts"


@pairs
def test_usage_that_came_before_the_break_counts_as_it_is(front: SkinsFront, skin: Dialect, dialect: Dialect) -> None:
    opening, words, closing = spoken(dialect)
    counted = {
        "chat": written([{**chunk({"content": "!"}), "usage": {"prompt_tokens": 11, "completion_tokens": 5}}]),
        "messages": closing[:-1],
        "responses": [],
    }[dialect]
    front.simulator.script(sse([b"".join([*opening, *words, *counted])], end="reset"))
    answer = front.post(skin, f"at/{dialect}", stream=True)
    assert heard(skin, answer).error is not None
    record = front.record(answer)
    if dialect == "responses":  # it counts in its last event only
        assert record["usage_estimated"] is True
    else:
        assert (record["tokens_prompt"], record["tokens_completion"], record["total_cost"]) == (*USAGE, COST)


NOTHING: dict[str, Callable[[Dialect], Script]] = {
    "clean-end": lambda dialect: sse(spoken(dialect).opening),
    "reset": lambda dialect: sse([b"".join(spoken(dialect).opening)], end="reset"),
    "no-json": lambda dialect: sse([*spoken(dialect).opening, RUBBISH]),
    "nothing": lambda _: sse([]),
}


@pairs
@pytest.mark.parametrize("breaks", NOTHING.values(), ids=NOTHING)
def test_a_stream_that_breaks_before_it_says_anything_is_a_plain_error(
    front: SkinsFront, skin: Dialect, dialect: Dialect, breaks: Callable[[Dialect], Script]
) -> None:
    front.simulator.script(breaks(dialect))
    answer = front.post(skin, f"at/{dialect}", stream=True)
    assert answer.status == 502
    assert error_of(skin, answer)[0] == "provider_unavailable"
    assert front.record(answer)["status"] == "failed"


@pytest.mark.parametrize("skin", SKINS)
def test_other_streams_go_on(front: SkinsFront, skin: Dialect) -> None:
    for slow in SKINS:
        front.forget()
        front.simulator.script(sse(spoken(slow).whole, pause_ms=15), prefix=PATHS[slow])
        with front.begin(skin, f"at/{slow}") as streaming:
            for dialect in SKINS:
                front.forget()
                front.simulator.script(broken(dialect, end="reset"), prefix=PATHS[dialect])
                for other in SKINS:
                    assert heard(other, front.post(other, f"at/{dialect}", stream=True)).error is not None
            told = heard(skin, rest_of(streaming))
        assert (told.text, told.error) == (TEXT, None)


# --- errors that the upstream reports ------------------------------------------------------------------------


def words_of(dialect: Dialect) -> str:
    """What an upstream says of a failure, with more than it should tell."""
    return f"Key {secret(dialect)} of org-1 is over its limit"


def reported(dialect: Dialect, error: Mapping[str, Any]) -> bytes:
    """An event of an error, in the way that this dialect writes it."""
    said = {"message": words_of(dialect), **error}
    match dialect:
        case "chat":
            (frame,) = written([{"error": said}])
        case "messages":
            (frame,) = written([{"type": "error", "error": said}])
        case "responses":
            (frame,) = written([{"type": "error", "param": None, "sequence_number": 9, **said}])
    return frame


def failed_response(code: str) -> bytes:
    """The other way in which a responses upstream fails: with a response that says so."""
    (frame,) = written(
        [{"type": "response.failed", "sequence_number": 9, "response": responses.failed(code, words_of("responses"))}]
    )
    return frame


IN_BAND: dict[str, tuple[Dialect, bytes, str]] = {
    "chat-rate": ("chat", reported("chat", {"code": 429}), "rate_limit_exceeded"),
    "chat-busy": ("chat", reported("chat", {"type": "overloaded_error"}), "provider_overloaded"),
    "chat-unknown": ("chat", reported("chat", {"code": "never_heard_of"}), "provider_unavailable"),
    "chat-refused-key": ("chat", reported("chat", {"code": 401}), "provider_unavailable"),
    "messages-rate": ("messages", reported("messages", {"type": "rate_limit_error"}), "rate_limit_exceeded"),
    "messages-busy": ("messages", reported("messages", {"type": "overloaded_error"}), "provider_overloaded"),
    "messages-unknown": ("messages", reported("messages", {"type": "api_error"}), "provider_unavailable"),
    "messages-refused-key": (
        "messages",
        reported("messages", {"type": "authentication_error"}),
        "provider_unavailable",
    ),
    "responses-rate": ("responses", reported("responses", {"code": "rate_limit_exceeded"}), "rate_limit_exceeded"),
    "responses-unknown": ("responses", reported("responses", {"code": "server_error"}), "provider_unavailable"),
    "responses-failed-rate": ("responses", failed_response("rate_limit_exceeded"), "rate_limit_exceeded"),
    "responses-failed": ("responses", failed_response("server_error"), "provider_unavailable"),
}
STATUSES = {"rate_limit_exceeded": 429, "provider_overloaded": 503, "provider_unavailable": 502}


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize(("dialect", "error", "type_"), IN_BAND.values(), ids=IN_BAND)
def test_an_error_inside_a_stream_is_passed_on_in_the_skins_words(
    front: SkinsFront, skin: Dialect, dialect: Dialect, error: bytes, type_: str
) -> None:
    front.simulator.script(broken(dialect, error, *spoken(dialect).closing))
    answer = front.post(skin, f"at/{dialect}", stream=True)
    told = heard(skin, answer)
    assert told.error is not None
    assert (told.text, told.error.type) == ("Once upon", type_)
    assert told.error.message.startswith((dialect.title(), f"provider {dialect.title()} refuses"))
    record = front.record(answer)
    assert (record["status"], record["error_type"]) == ("failed", type_)


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize(("dialect", "error", "type_"), IN_BAND.values(), ids=IN_BAND)
def test_an_error_before_anything_was_said_is_a_plain_one(
    front: SkinsFront, skin: Dialect, dialect: Dialect, error: bytes, type_: str
) -> None:
    for before in ([], spoken(dialect).opening):
        front.forget()
        front.simulator.script(sse([*before, error]))
        answer = front.post(skin, f"at/{dialect}", stream=True)
        busy_here = skin == "messages" and type_ == "provider_overloaded"
        assert answer.status == (529 if busy_here else STATUSES[type_])
        assert error_of(skin, answer)[0] == type_
        assert front.record(answer)["status"] == "failed"


def test_an_error_event_is_one_by_its_name_alone(front: SkinsFront) -> None:
    reports: dict[Dialect, dict[str, Any]] = {"messages": messages.error(), "responses": responses.error()}
    for dialect, kind in reports.items():
        body = {name: content for name, content in kind.items() if name != "type"}
        frame = b"event: error\n" + written([body])[0]
        front.simulator.script(broken(dialect, frame), prefix=PATHS[dialect])
        for skin in SKINS:
            told = heard(skin, front.post(skin, f"at/{dialect}", stream=True))
            assert told.error is not None
