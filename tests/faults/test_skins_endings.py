"""Streams that go on behind their end, count in odd places, or change their names: one answer comes of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.skins_support import SKINS
from faults.skins_faults_support import (
    COST,
    TEXT,
    SkinsFront,
    heard,
    pairs,
    skins_front,
    skins_gateway,
    spoken,
    written,
)
from simulator import messages, responses
from simulator.answers import USAGE, chunk, usage_chunk, words
from simulator.script import sse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from setpoint.records import Dialect

gateway = skins_gateway
front = skins_front

FINISHED: dict[Dialect, str] = {"chat": "stop", "messages": "end_turn", "responses": "completed"}
DONE = b"data: [DONE]\n\n"


# --- behind the end ------------------------------------------------------------------------------------------


def error(dialect: Dialect) -> list[bytes]:
    """An event that reports an error."""
    events: dict[Dialect, Mapping[str, Any]] = {
        "chat": {"error": {"message": "too late", "code": 500}},
        "messages": messages.error(),
        "responses": {"type": "response.failed", "sequence_number": 99, "response": responses.failed()},
    }
    return written([events[dialect]])


def another_end(dialect: Dialect) -> list[bytes]:
    """The end once more, but of an answer that was cut short, and with another count."""
    match dialect:
        case "chat":
            return [*written([chunk({}, "length"), usage_chunk((900, 900))]), DONE]
        case "messages":
            cut = messages.message(messages.text("no"), stop_reason="max_tokens", tokens=(900, 900))
            return written(messages.events(cut)[-2:])
        case "responses":
            return written(responses.events(responses.incomplete(responses.message("no"), tokens=(900, 900)))[-1:])


ENDINGS: dict[str, Callable[[Dialect], list[bytes]]] = {
    "text": lambda dialect: spoken(dialect).words,
    "the-same-end": lambda dialect: spoken(dialect).closing,
    "another-end": another_end,
    "another-answer": lambda dialect: spoken(dialect, "And more", tokens=(900, 900)).whole,
    "an-error": error,
    "rubbish": lambda _: [b"data: {]\n\n"],
    "done": lambda _: [DONE, DONE],
}


@pairs
@pytest.mark.parametrize("more", ENDINGS.values(), ids=ENDINGS)
def test_what_comes_behind_the_end_is_ignored(
    front: SkinsFront, skin: Dialect, dialect: Dialect, more: Callable[[Dialect], list[bytes]]
) -> None:
    whole, behind = b"".join(spoken(dialect).whole), b"".join(more(dialect))
    for script in (sse([whole + behind]), sse([whole, behind], pause_ms=10)):
        front.simulator.script(script)
        answer = front.post(skin, f"at/{dialect}", stream=True)
        told = heard(skin, answer)
        assert (told.text, told.finish, told.error) == (TEXT, FINISHED[skin], None)
        assert told.usage == (*USAGE, COST)
        record = front.record(answer)
        assert (record["status"], record["finish_reason"], record["total_cost"]) == ("completed", "stop", COST)


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize("behind", [b"".join(spoken("chat").words), another_end("chat")[0]], ids=["text", "finish"])
def test_what_chat_says_between_its_finish_and_its_usage_is_ignored(
    front: SkinsFront, skin: Dialect, behind: bytes
) -> None:
    opening, said, (finish, *counted) = spoken("chat")
    front.simulator.script(sse([*opening, *said, finish, behind, *counted]))
    told = heard(skin, front.post(skin, "at/chat", stream=True))
    assert (told.text, told.finish, told.usage) == (TEXT, FINISHED[skin], (*USAGE, COST))


@pairs
def test_an_answer_that_is_complete_is_not_undone_by_how_its_connection_ends(
    front: SkinsFront, skin: Dialect, dialect: Dialect
) -> None:
    for end in ("reset", "close"):
        front.simulator.script(sse([b"".join(spoken(dialect).whole)], end=end))
        answer = front.post(skin, f"at/{dialect}", stream=True)
        assert heard(skin, answer).text == TEXT
        assert front.record(answer)["status"] == "completed"


# --- usage ---------------------------------------------------------------------------------------------------


def counted_chunk(prompt: int, completion: int, **more: Any) -> dict[str, Any]:
    """A chunk that says so many tokens."""
    return {**chunk({}), "choices": [], **more, "usage": {"prompt_tokens": prompt, "completion_tokens": completion}}


def chat_places() -> dict[str, list[bytes]]:
    """Where a chat upstream may put its usage."""
    said = [chunk({"content": word}) for word in words(TEXT)]
    counts = [{**it, "usage": counted_chunk(11, at)["usage"]} for at, it in enumerate(said, 1)]
    finish, last = chunk({}, "stop"), counted_chunk(*USAGE)
    return {
        "last": [*written([*said, finish, last]), DONE],
        "with-the-finish": [*written([*said, {**finish, "usage": last["usage"]}]), DONE],
        "cumulative": [*written([*counts, {**finish, "usage": last["usage"]}]), DONE],
        "twice": [*written([*said, {**finish, "usage": last["usage"]}, last]), DONE],
        "twice-and-grown": [*written([*said, finish, counted_chunk(11, 4), last]), DONE],
        "behind-the-end": [*written([*said, finish]), DONE, *written([last])],
    }


def messages_places() -> dict[str, list[bytes]]:
    """Where a messages upstream may put its usage."""
    said = messages.message(messages.text(TEXT))
    *begun, delta, stop = messages.events(said)
    unsaid = {name: content for name, content in delta.items() if name != "usage"}
    first: dict[str, Any] = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 4}}
    null: dict[str, Any] = {"type": "message_delta", "delta": {"stop_reason": None}, "usage": None}
    return {
        "both": written(messages.events(said)),
        "last": written(messages.events(said, counted="delta")),
        "cumulative": written(messages.events(said, counted="every")),
        "twice": written([*begun, delta, delta, stop]),
        "twice-and-grown": written([*begun, first, delta, stop]),
        "null-behind": written([*begun, delta, null, stop]),
        "only-the-output-at-the-end": written([*begun, {**delta, "usage": {"output_tokens": USAGE[1]}}, stop]),
        "zeros-filled-in": written([*begun, {**delta, "usage": {**delta["usage"], "input_tokens": 0}}, stop]),
        "behind-the-end": written([*begun, unsaid, stop, delta]),
    }


def responses_places() -> dict[str, list[bytes]]:
    """Where a responses upstream may put its usage."""
    said = responses.response(responses.message(TEXT))
    *begun, last = responses.events(said)
    unsaid = {**last, "response": {**said, "usage": None}}
    early = [{**it, "response": {**it["response"], "usage": responses.usage((11, 1))}} for it in begun[:2]]
    return {
        "last": written([*begun, last]),
        "cumulative": written([*early, *begun[2:], last]),
        "twice": written([*begun, last, last]),
        "behind-the-end": written([*begun, unsaid, last]),
        "beside-the-response": written([*begun, unsaid, {"type": "usage", "usage": said["usage"]}]),
    }


PLACES: dict[str, tuple[Dialect, list[bytes]]] = {
    **{f"chat-{name}": ("chat", frames) for name, frames in chat_places().items()},
    **{f"messages-{name}": ("messages", frames) for name, frames in messages_places().items()},
    **{f"responses-{name}": ("responses", frames) for name, frames in responses_places().items()},
}


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize(("dialect", "frames"), PLACES.values(), ids=PLACES)
def test_the_totals_are_right_wherever_usage_comes(
    front: SkinsFront, skin: Dialect, dialect: Dialect, frames: list[bytes]
) -> None:
    for script in (sse([b"".join(frames)]), sse(frames, pause_ms=2)):
        front.simulator.script(script)
        answer = front.post(skin, f"at/{dialect}", stream=True)
        told = heard(skin, answer)
        assert (told.text, told.usage) == (TEXT, (*USAGE, COST))
        assert answer.body.count(b'"cost":') == 1, "the cost is told once"
        record = front.record(answer)
        assert (record["tokens_prompt"], record["tokens_completion"], record["total_cost"]) == (*USAGE, COST)
        assert (record["status"], record["usage_estimated"]) == ("completed", False)


def uncounted(dialect: Dialect) -> list[bytes]:
    """An answer whose usage never comes."""
    match dialect:
        case "chat":
            opening, said, (finish, _, done) = spoken(dialect)
            return [*opening, *said, finish, done]
        case "messages":
            return written(messages.events(messages.message(messages.text(TEXT)), counted="never"))
        case "responses":
            *begun, last = responses.events(responses.response(responses.message(TEXT)))
            return written([*begun, {**last, "response": {**last["response"], "usage": None}}])


@pairs
def test_usage_that_never_comes_is_estimated_and_has_no_cost(
    front: SkinsFront, skin: Dialect, dialect: Dialect
) -> None:
    front.simulator.script(sse(uncounted(dialect)))
    answer = front.post(skin, f"at/{dialect}", stream=True)
    told = heard(skin, answer)
    assert told.usage is not None
    prompt, completion, cost = told.usage
    assert (completion, cost) == (-(-len(TEXT) // 4), None)
    assert prompt > 0
    assert b"cost_details" not in answer.body
    record = front.record(answer)
    assert (record["tokens_prompt"], record["tokens_completion"]) == (prompt, completion)
    assert (record["status"], record["usage_estimated"], record["total_cost"]) == ("completed", True, None)


@pytest.mark.parametrize("skin", SKINS)
def test_a_count_of_the_input_alone_leaves_the_output_to_be_estimated(front: SkinsFront, skin: Dialect) -> None:
    front.simulator.script(sse(written(messages.events(messages.message(messages.text(TEXT)), counted="start"))))
    answer = front.post(skin, "at/messages", stream=True)
    assert heard(skin, answer).usage == (USAGE[0], -(-len(TEXT) // 4), None)
    record = front.record(answer)
    assert (record["tokens_prompt"], record["usage_estimated"], record["total_cost"]) == (USAGE[0], True, None)


# --- names that change ---------------------------------------------------------------------------------------


def renamed(dialect: Dialect) -> list[bytes]:
    """An answer whose every event tells of another id, another model, and another role."""
    match dialect:
        case "chat":
            said: list[dict[str, Any]] = [chunk({"role": "assistant", "content": word}) for word in words(TEXT)]
            said += [chunk({"role": "user"}, "stop"), counted_chunk(*USAGE)]
            changed = [
                {**it, "id": f"id-{at}", "model": f"model-{at}", "created": 1_700_000_000 + at}
                for at, it in enumerate(said)
            ]
            return [*written(changed), DONE]
        case "messages":
            begun, *rest = messages.events(messages.message(messages.text(TEXT)))
            other = {**begun, "message": {**begun["message"], "id": "msg_other", "model": "other", "role": "user"}}
            return written([begun, *rest[:3], other, *rest[3:]])
        case "responses":
            changed = responses.events(responses.response(responses.message(TEXT)))
            for at, event in enumerate(changed):
                if "response" in event:
                    event["response"] = {**event["response"], "id": f"resp_{at}", "model": f"model-{at}"}
                if "item_id" in event:
                    event["item_id"] = f"msg_{at}"
                if "item" in event:
                    event["item"] = {**event["item"], "id": f"msg_{at}"}
                event["sequence_number"] = 7
            return written(changed)


@pairs
def test_names_that_change_on_the_way_are_one_to_the_client(front: SkinsFront, skin: Dialect, dialect: Dialect) -> None:
    front.simulator.script(sse(renamed(dialect)))
    answer = front.post(skin, f"at/{dialect}", stream=True)
    told = heard(skin, answer)  # and with that no name has changed
    assert (told.text, told.finish, told.usage) == (TEXT, FINISHED[skin], (*USAGE, COST))
    assert f'"model":"at/{dialect}"'.encode() in answer.body
    for other in (b'"model-', b"other", b'"role":"user"'):
        assert other not in answer.body
    assert front.record(answer)["status"] == "completed"
