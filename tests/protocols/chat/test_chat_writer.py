"""Answers of another dialect in chat's words: streamed and whole, and read back by chat's own reader."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, structs

from protocols.chat.chat_support import BILL, STAMP, TEXTS, chunks, opening
from setpoint.canonical.events import (
    Began,
    Cited,
    Counted,
    Finished,
    Grew,
    PartBegan,
    PartEnded,
    Scored,
    Sealed,
    Unsaid,
)
from setpoint.canonical.fold import Fold, unfold
from setpoint.canonical.parts import Citation, Media, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from setpoint.canonical.result import Finish, Result
from setpoint.canonical.usage import Usage
from setpoint.errors import ProviderError
from setpoint.protocols.answer import Bill
from setpoint.protocols.chat import read_result, reader, write_result, writer
from setpoint.wire.body import join_strings, raw, split
from setpoint.wire.sse import DONE, FrameReader

if TYPE_CHECKING:
    from setpoint.canonical.events import Event

EMPTY = raw("")
STOP = Finished(Finish(reason="stop", native="end_turn"))


def written(*events: Event) -> list[Any]:
    """The chunks of these events."""
    stream = writer(opening())
    return chunks(b"".join(stream.write(event) for event in events))


def deltas(*events: Event) -> list[Any]:
    return [chunk["choices"][0]["delta"] for chunk in written(*events)]


def whole(*parts: Part, **more: Any) -> Any:
    return json.loads(write_result(Result(parts=parts, **more), opening(), BILL, None))


def message(*parts: Part) -> Any:
    return whole(*parts)["choices"][0]["message"]


def text(content: str = "", **more: Any) -> Text:
    return Text(text=raw(content), **more)


def thought(**more: Any) -> Reasoning:
    return Reasoning(kind="text", maker="messages", format="anthropic-claude-v1", **more)


# --- streams -------------------------------------------------------------------------------------------------


def test_every_chunk_has_the_same_head_and_the_first_one_the_role() -> None:
    out = written(Began("msg_1", "default"), PartBegan(0, text()), Grew(0, raw("Hi")), PartEnded(0), STOP)
    head = {
        "id": "gen-1",
        "object": "chat.completion.chunk",
        "created": 1767225000,
        "model": "acme/sage-2",
        "provider": "Acme",
        "service_tier": "default",
    }
    first = {"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": None}
    last: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": "stop", "native_finish_reason": "end_turn"}
    assert out == [{**head, "choices": [first]}, {**head, "choices": [last]}]


def test_the_role_is_in_the_first_chunk_whatever_that_says() -> None:
    assert deltas(STOP) == [{"role": "assistant"}]


def test_calls_are_numbered_and_only_their_first_fragment_says_who_they_are() -> None:
    assert deltas(
        PartBegan(0, ToolCall(id="a", name="f", arguments=EMPTY)),
        PartBegan(1, ToolCall(id="", name="patch", arguments=EMPTY, kind="custom")),
        Grew(1, raw("x")),
        Grew(0, raw("{}")),
        Grew(0, EMPTY),
        PartEnded(0),
        PartEnded(1),
    ) == [
        {
            "role": "assistant",
            "tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}],
        },
        {"tool_calls": [{"index": 1, "id": "call_1", "type": "custom", "custom": {"name": "patch", "input": ""}}]},
        {"tool_calls": [{"index": 1, "custom": {"input": "x"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
    ]


OWN_CUSTOM = {"type": "custom", "custom": {"name": "patch"}}
CUSTOM_CALL = {"id": "c", "type": "custom", "custom": {"name": "patch", "input": 'a "b"\n\ud83d\ude00'}}


@pytest.mark.parametrize(
    ("tools", "namespace", "called"),
    [
        (None, None, CUSTOM_CALL),
        ([OWN_CUSTOM], None, CUSTOM_CALL),
        ([{"type": "custom", "name": "patch"}], None, "patch"),
        ([{"type": "custom", "custom": {"name": "other"}}], None, "patch"),
        ([OWN_CUSTOM], "files", "files__patch"),
    ],
)
def test_free_text_goes_only_to_tools_that_the_client_wrote_in_chats_own_form(
    tools: object, namespace: str | None, called: object
) -> None:
    request = {} if tools is None else {"tools": raw(tools)}
    head = ToolCall(id="c", name="patch", arguments=EMPTY, kind="custom", namespace=namespace)
    pieces = ['a "b', '"\n\ud83d', "\ude00"]
    result = Result(parts=(structs.replace(head, arguments=join_strings([raw(piece) for piece in pieces])),))
    [call] = json.loads(write_result(result, opening(request=request), BILL, None))["choices"][0]["message"][
        "tool_calls"
    ]
    if isinstance(called, str):
        assert (call["type"], call["function"]["name"]) == ("function", called)
        assert json.loads(call["function"]["arguments"]) == {"input": 'a "b"\n\U0001f600'}
    else:
        assert json.dumps(call) == json.dumps(called)

    stream, fold, client = writer(opening(request=request)), Fold(), reader()
    events = [PartBegan(0, head), *(Grew(0, raw(piece)) for piece in pieces), PartEnded(0), STOP]
    for frame in FrameReader().feed(b"".join(stream.write(event) for event in events)):
        for event in client.read(frame):
            fold.add(event)
    assert fold.result().parts == read_result(split(write_result(result, opening(request=request), BILL, None))).parts


def test_reasoning_is_told_as_text_and_as_details_whose_seal_comes_last() -> None:
    about = {"format": "anthropic-claude-v1", "index": 0}
    assert deltas(
        PartBegan(0, thought()),
        Grew(0, raw("H")),
        Grew(0, raw("m")),
        Sealed(0, raw("si")),
        Sealed(0, raw("g")),
        PartEnded(0),
    ) == [
        {
            "role": "assistant",
            "reasoning": "H",
            "reasoning_details": [{"type": "reasoning.text", "text": "H", **about}],
        },
        # Clients join what is repeated, so the format stands on the first piece only.
        {"reasoning": "m", "reasoning_details": [{"type": "reasoning.text", "text": "m", "index": 0}]},
        {"reasoning_details": [{"type": "reasoning.text", "signature": "sig", "index": 0}]},
    ]


def test_steps_are_numbered_and_a_blank_line_stands_between_their_texts() -> None:
    summary = Reasoning(kind="summary", maker="responses", id="rs_1")
    sealed = Reasoning(kind="encrypted", maker="responses", id="rs_1")
    said = deltas(
        *(PartBegan(0, summary), Grew(0, raw("A")), PartEnded(0)),
        *(PartBegan(1, sealed), Sealed(1, raw("xx")), PartEnded(1)),
        *(PartBegan(2, summary), Grew(2, raw("B")), Grew(2, raw("C")), PartEnded(2)),
    )
    assert [delta.get("reasoning") for delta in said] == ["A", None, "\n\nB", "C"]
    details = [delta["reasoning_details"][0] for delta in said]
    assert [detail["index"] for detail in details] == [0, 1, 2, 2]
    assert details[1] == {"type": "reasoning.encrypted", "data": "xx", "id": "rs_1", "index": 1}


def test_links_are_told_with_the_place_of_their_text_when_it_is_complete() -> None:
    link = Citation(url=raw("https://a.test"), title=raw("A"), quoted=raw("q"))
    exact = Citation(url=raw("https://b.test"), start=1, end=2)
    other = Citation(kind="char_location", body=raw({}))
    said = deltas(
        *(PartBegan(0, text()), Grew(0, raw("ab\N{GRINNING FACE}")), Cited(0, other), PartEnded(0)),
        *(PartBegan(1, text()), Cited(1, link), Grew(1, raw("c\n")), Cited(1, exact), PartEnded(1)),
    )
    assert len(said) == 3
    assert said[2] == {
        "annotations": [
            {
                "type": "url_citation",
                "url_citation": {
                    "url": "https://a.test",
                    "title": "A",
                    "content": "q",
                    "start_index": 3,
                    "end_index": 5,
                },
            },
            {
                "type": "url_citation",
                "url_citation": {"url": "https://b.test", "title": "", "start_index": 4, "end_index": 5},
            },
        ]
    }


def test_media_and_scores_have_chunks_of_their_own() -> None:
    image = Media(kind="image", data=raw("AA=="), media_type="image/gif")
    sound = Media(kind="audio", file_id=raw("a"), data=raw("AA=="), text=raw("Hi"))
    out = written(PartBegan(0, image), PartEnded(0), PartBegan(1, sound), PartEnded(1), Scored(raw([{"token": "x"}])))
    choices = [chunk["choices"][0] for chunk in out]
    assert choices[0]["delta"]["images"] == [{"type": "image_url", "image_url": {"url": "data:image/gif;base64,AA=="}}]
    assert choices[1]["delta"] == {"audio": {"id": "a", "data": "AA==", "transcript": "Hi"}}
    assert choices[2]["logprobs"] == {"content": [{"token": "x", "bytes": [120], "top_logprobs": []}], "refusal": None}


FULL: dict[str, Any] = {
    "token": "Hi",
    "logprob": -0.5,
    "bytes": None,
    "top_logprobs": [{"token": "Hi", "logprob": -0.5, "bytes": []}],
}


@pytest.mark.parametrize(
    ("score", "out"),
    [
        (FULL, FULL),
        (
            {"token": "\u00fc", "logprob": -0.5, "top_logprobs": [{"token": "a", "logprob": -1}, 7]},
            {
                "token": "\u00fc",
                "logprob": -0.5,
                "top_logprobs": [{"token": "a", "logprob": -1, "bytes": [97]}, 7],
                "bytes": [195, 188],
            },
        ),
        ({"token": "\ud800", "top_logprobs": None}, {"token": "\ud800", "top_logprobs": [], "bytes": None}),
        ({"token": 7}, {"token": 7, "bytes": None, "top_logprobs": []}),
        (7, 7),
    ],
)
def test_scores_have_every_key_that_clients_need(score: object, out: object) -> None:
    told = {"content": [out], "refusal": None}
    [chunk] = written(Scored(raw([score])))
    assert chunk["choices"][0]["logprobs"] == told
    assert whole(text("Hi"), logprobs=raw([score]))["choices"][0]["logprobs"] == told


@pytest.mark.parametrize(
    "event",
    [
        Began(),
        Unsaid("web_search_call"),
        Counted(Usage()),
        PartBegan(0, text()),
        PartBegan(0, Media(kind="image", file_id=raw("f"))),
        PartBegan(0, Media(kind="video", url=raw("https://a.test"))),
    ],
)
def test_what_chat_has_no_word_for_is_nothing(event: Event) -> None:
    assert written(event) == []


def test_the_last_frames_are_the_usage_and_done() -> None:
    stream = writer(opening())
    out = stream.end(Bill(Usage(input_tokens=3, output_tokens=1, cached_tokens=2), None, Decimal("0.5")), raw({"x": 1}))
    assert out.endswith(DONE)
    [chunk] = chunks(out)
    assert (chunk["choices"], chunk["openrouter_metadata"]) == ([], {"x": 1})
    assert chunk["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 1,
        "total_tokens": 4,
        "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
        "cost": 0.5,
        "is_byok": True,
    }


def test_an_answer_that_breaks_ends_with_an_error_of_the_same_head() -> None:
    stream = writer(opening())
    stream.write(PartBegan(0, text()))
    [said] = chunks(stream.write(Grew(0, raw("Hi"))))
    out = stream.fail(ProviderError("timeout", "it was silent"), None)
    assert out.endswith(DONE)
    [chunk] = chunks(out)
    assert chunk["error"]["code"] == 504
    assert chunk["choices"][0]["finish_reason"] == "error"
    assert {name: chunk[name] for name in ("id", "object", "created", "model", "provider")} == {
        name: said[name] for name in ("id", "object", "created", "model", "provider")
    }


def test_the_body_that_went_upstream_stands_once_in_front_of_all_else() -> None:
    stream = writer(opening((structs.replace(STAMP, provider="Brand"), Raw(b'{"a": 1.50}'))))
    assert stream.write(Began()) == b""
    out = stream.write(STOP)
    assert b'"debug":{"echo_upstream_body":{"a": 1.50}}' in out
    shown, said = chunks(out)
    assert (shown["provider"], shown["choices"], said["provider"]) == ("Brand", [], "Acme")
    assert len(chunks(stream.end(BILL, None))) == 1


# --- whole answers -------------------------------------------------------------------------------------------


def test_the_barest_answer_has_every_key_that_clients_need() -> None:
    assert whole(text("Hi"), finish=Finish(reason="length", native="max_tokens")) == {
        "id": "gen-1",
        "object": "chat.completion",
        "created": 1767225000,
        "model": "acme/sage-2",
        "provider": "Acme",
        "system_fingerprint": None,
        "choices": [
            {
                "index": 0,
                "finish_reason": "length",
                "native_finish_reason": "max_tokens",
                "logprobs": None,
                "message": {"role": "assistant", "content": "Hi", "refusal": None, "reasoning": None},
            }
        ],
        "usage": {
            "prompt_tokens": 2,
            "completion_tokens": 1,
            "total_tokens": 3,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
            "cost": None,
            "is_byok": True,
        },
    }


def test_an_answer_that_says_no_more_of_itself_has_nulls() -> None:
    answer = whole()
    assert (answer["choices"][0]["finish_reason"], answer["choices"][0]["native_finish_reason"]) == (None, None)
    assert answer["choices"][0]["message"]["content"] is None
    assert "service_tier" not in answer


def test_what_the_upstream_said_of_it_and_the_router_metadata_are_there() -> None:
    result = Result(parts=(text("Hi"),), service_tier="flex", logprobs=raw([{"token": "Hi"}]))
    answer = json.loads(write_result(result, opening(), BILL, raw({"attempts": 1})))
    assert answer["service_tier"] == "flex"
    assert answer["choices"][0]["logprobs"]["content"][0]["token"] == "Hi"
    assert answer["openrouter_metadata"] == {"attempts": 1}


def test_all_parts_of_an_answer_find_their_place() -> None:
    said = message(
        thought(text=raw("A"), seal=raw("sig"), id="t"),
        Reasoning(kind="summary", text=raw("B"), seal=raw("xx")),
        text("C"),
        ToolCall(id="", name="f", arguments=raw("{}")),
        text("D", citations=(Citation(url=raw("https://a.test")),)),
        ToolCall(id="c", name="patch", arguments=raw("x"), kind="custom"),
        Refusal(text=raw("No.")),
        Media(kind="image", url=raw("https://a.test/x.png")),
        ToolResult(call_id="c", parts=()),
    )
    assert said == {
        "role": "assistant",
        "content": "CD",
        "refusal": "No.",
        "reasoning": "A\n\nB",
        "reasoning_details": [
            {
                "type": "reasoning.text",
                "text": "A",
                "signature": "sig",
                "format": "anthropic-claude-v1",
                "id": "t",
                "index": 0,
            },
            {"type": "reasoning.summary", "summary": "B", "index": 1},
            {"type": "reasoning.encrypted", "data": "xx", "index": 1},
        ],
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "c", "type": "custom", "custom": {"name": "patch", "input": "x"}},
        ],
        "annotations": [
            {
                "type": "url_citation",
                "url_citation": {"url": "https://a.test", "title": "", "start_index": 1, "end_index": 2},
            }
        ],
        "images": [{"type": "image_url", "image_url": {"url": "https://a.test/x.png"}}],
    }


def test_a_namespace_is_put_before_the_name_of_its_tool() -> None:
    call = ToolCall(id="a", name="read", arguments=EMPTY, namespace="files")
    assert message(call)["tool_calls"][0]["function"]["name"] == "files__read"
    assert deltas(PartBegan(0, call))[0]["tool_calls"][0]["function"]["name"] == "files__read"


# --- there and back ------------------------------------------------------------------------------------------

_FULL = TEXTS.filter(bool).map(raw)
_FORMATS = st.none() | st.just("anthropic-claude-v1")
_STEPS = st.one_of(
    st.builds(
        Reasoning, kind=st.just("text"), text=_FULL, seal=st.none() | _FULL, maker=st.just("chat"), format=_FORMATS
    ),
    st.builds(Reasoning, kind=st.just("summary"), text=_FULL, maker=st.just("chat"), id=st.none() | st.just("rs_1")),
    st.builds(Reasoning, kind=st.just("encrypted"), seal=_FULL, maker=st.just("chat")),
)
_CITATIONS = st.lists(
    st.builds(
        Citation, url=_FULL, title=_FULL, quoted=st.none() | _FULL, start=st.integers(0, 9), end=st.integers(0, 9)
    ),
    max_size=2,
).map(tuple)
_CALLS = st.builds(
    ToolCall,
    id=TEXTS.filter(bool),
    name=st.sampled_from(["f", "look_up"]),
    arguments=TEXTS.map(raw),
    kind=st.sampled_from(["function", "custom"]),
)
_SOUND = st.builds(Media, kind=st.just("audio"), file_id=_FULL, data=st.just(raw("AA==")), text=st.none() | _FULL)
_IMAGE = st.builds(Media, kind=st.just("image"), url=st.just(raw("https://a.test")))
_COUNTS = st.integers(0, 10**9)


def _at_most_one(part: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(part, max_size=1).map(tuple)


def _ids_differ(calls: list[ToolCall]) -> bool:
    return len({call.id for call in calls}) == len(calls)


_RESULTS = st.builds(
    Result,
    parts=st.tuples(
        st.lists(_STEPS, max_size=3).map(tuple),
        _at_most_one(st.builds(Text, text=_FULL, citations=_CITATIONS)),
        _at_most_one(st.builds(Refusal, text=_FULL)),
        _at_most_one(_IMAGE),
        st.lists(_CALLS, max_size=2).filter(_ids_differ).map(tuple),
        _at_most_one(_SOUND),
    ).map(lambda groups: tuple(part for group in groups for part in group)),
    finish=st.builds(
        Finish, reason=st.sampled_from(["length", "tool_calls", "content_filter"]), native=TEXTS.filter(bool)
    ),
    usage=st.builds(Usage, input_tokens=_COUNTS, output_tokens=_COUNTS, cached_tokens=_COUNTS),
    upstream_id=st.just("gen-1"),
    service_tier=st.none() | TEXTS.filter(bool),
    logprobs=st.none() | st.just(raw([{"token": "x", "bytes": [120], "top_logprobs": []}])),
)


def bill(result: Result) -> Bill:
    return Bill(result.usage or Usage(), None, None)


@given(_RESULTS)
def test_a_stream_is_read_back_as_the_answer_that_it_tells(result: Result) -> None:
    stream, frames, back, fold = writer(opening()), FrameReader(), reader(), Fold()
    out = b"".join(stream.write(event) for event in unfold(result)) + stream.end(bill(result), None)
    for frame in frames.feed(out):
        for event in back.read(frame):
            fold.add(event)
    assert back.done
    assert fold.result() == result


@given(_RESULTS)
def test_a_whole_answer_is_read_back_as_it_was_written(result: Result) -> None:
    assert read_result(split(write_result(result, opening(), bill(result), None))) == result


@given(_RESULTS)
def test_a_stream_and_a_whole_answer_tell_the_same(result: Result) -> None:
    stream = writer(opening())
    streamed = chunks(b"".join(stream.write(event) for event in unfold(result)))
    told = json.loads(write_result(result, opening(), bill(result), None))["choices"][0]["message"]
    for name in ("content", "refusal", "reasoning"):
        pieces = [chunk["choices"][0]["delta"].get(name) for chunk in streamed]
        assert "".join(filter(None, pieces)) == (told[name] or "")
