"""Streams of the chat protocol: recorded upstream bytes in, the client's bytes and what is known of the answer out.

A case is a folder of `tests/wire/chat` with a `client.sse`: `upstream.sse` as it came, that as it must go out, and
`outcome.json` with how it ended and what it said of itself (what is null or 0 is left out).
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw, structs

from protocols.chat.chat_support import BILL, STAMP, chunks, opening
from setpoint.canonical.usage import Usage, estimated_tokens
from setpoint.errors import GatewayError, ProviderError
from setpoint.protocols.answer import Bill, StreamFailedError
from setpoint.protocols.chat.stream import ChatStream, edit_stream
from setpoint.wire.sse import DONE, Frame, FrameReader

if TYPE_CHECKING:
    from collections.abc import Iterable

CASES = sorted(path.parent for path in (Path(__file__).parents[2] / "wire" / "chat").glob("*/client.sse"))


def stream() -> ChatStream:
    return edit_stream(opening())


def relayed(pieces: Iterable[bytes]) -> tuple[bytes, dict[str, Any]]:
    """What the client gets of a stream that comes in these pieces, and its outcome."""
    reader, chat, out = FrameReader(), stream(), b""
    ended: dict[str, Any] = {"ended": "cut off"}
    try:
        for piece in pieces:
            for frame in reader.feed(piece):
                out += chat.read(frame)
    except StreamFailedError as failed:
        ended = {"ended": "failed", "code": failed.reported.code, "message": failed.reported.message}
    except ProviderError:
        ended = {"ended": "malformed"}
    else:
        if chat.terminal:
            ended = {"ended": "complete"}
            output_tokens = estimated_tokens(chat.outcome.output_bytes)
            usage = chat.outcome.usage or Usage(output_tokens=output_tokens, estimated=True)
            out += chat.end(Bill(usage, None, chat.outcome.provider_cost), None)
    outcome = structs.asdict(chat.outcome)
    if chat.outcome.usage:
        outcome["usage"] = {name: said for name, said in structs.asdict(chat.outcome.usage).items() if said}
    known = {name: str(said) if isinstance(said, Decimal) else said for name, said in outcome.items() if said}
    return out, {**ended, **known}


def said(out: bytes) -> Any:
    """The one chunk that went to the client."""
    assert out.startswith(b"data: ")
    assert out.endswith(b"\n\n")
    assert out.count(b"\n") == 2
    return json.loads(out[6:])


# --- wire cases ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_recorded_stream_becomes_the_clients_stream_wherever_it_is_cut(case: Path) -> None:
    upstream = (case / "upstream.sse").read_bytes()
    expected = (case / "client.sse").read_bytes(), json.loads((case / "outcome.json").read_bytes())
    assert relayed([upstream]) == expected
    assert relayed(upstream[at : at + 1] for at in range(len(upstream))) == expected
    for cut in range(1, len(upstream)):
        assert relayed([upstream[:cut], upstream[cut:]]) == expected, f"cut at {cut}"


# --- when it begins and when it ends -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "delta",
    [
        b'{"content":"x"}',
        b'{"reasoning":"x"}',
        b'{"reasoning_content":"x"}',
        b'{"reasoning_details":[{"type":"reasoning.text"}]}',
        b'{"refusal":"x"}',
        b'{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":""}}]}',
        b'{"audio":{"id":"a"}}',
        b'{"images":[{}]}',
    ],
)
def test_the_first_thing_said_is_meaningful(delta: bytes) -> None:
    chat = stream()
    chat.read(Frame(None, b'{"choices":[{"index":0,"delta":' + delta + b"}]}"))
    assert chat.meaningful


@pytest.mark.parametrize(
    "chunk",
    [
        b'{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}',
        b'{"choices":[{"index":0,"delta":{"content":null,"tool_calls":[],"audio":{}}}]}',
        b'{"choices":[{"index":0,"delta":{},"finish_reason":""}]}',
        b'{"choices":[{"index":0}]}',
        b'{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":0}}',
        b'{"choices":null,"x":1}',
        b"{}",
    ],
)
def test_a_role_an_empty_text_or_a_usage_is_not_meaningful(chunk: bytes) -> None:
    chat = stream()
    chat.read(Frame(None, chunk))
    assert not chat.meaningful
    assert not chat.terminal


def test_the_answer_is_complete_when_every_choice_that_began_has_finished() -> None:
    chat = stream()
    chat.read(Frame(None, b'{"choices":[{"index":0,"delta":{"content":"x"}},{"index":1,"delta":{"content":"x"}}]}'))
    chat.read(Frame(None, b'{"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}'))
    assert not chat.terminal
    chat.read(Frame(None, b'{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'))
    assert chat.terminal
    assert not chat.done


def test_nothing_more_is_read_once_the_end_and_the_usage_have_come() -> None:
    chat = stream()
    chat.read(Frame(None, b"[DONE]"))
    assert (chat.done_seen, chat.terminal, chat.done) == (True, True, False)
    assert chat.read(Frame(None, b'{"usage":{"prompt_tokens":3,"completion_tokens":1}}')) == b""
    assert chat.done
    chat.read(Frame(None, b'{"usage":{"prompt_tokens":9,"completion_tokens":9}}'))
    assert chat.outcome.usage == Usage(input_tokens=3, output_tokens=1)


@pytest.mark.parametrize("event", [b'{"error":"late"}', b"not JSON", b"\xff"])
def test_what_goes_wrong_behind_the_end_changes_nothing(event: bytes) -> None:
    chat = stream()
    chat.read(Frame(None, b"[DONE]"))
    assert chat.read(Frame(None, event)) == b""
    assert chat.read(Frame(b"error", event)) == b""


def test_an_event_that_is_named_error_is_one_whatever_it_says() -> None:
    with pytest.raises(StreamFailedError) as failed:
        stream().read(Frame(b"error", b'{"message":"?"}'))
    assert failed.value.reported == (None, None)


def test_an_error_of_null_is_no_error() -> None:
    assert said(stream().read(Frame(None, b'{"error":null,"choices":[{"delta":{"content":"x"}}]}')))["choices"]


def test_the_last_frames_are_one_usage_chunk_without_choices_and_done() -> None:
    out = stream().end(BILL, None)
    assert out.endswith(DONE)
    chunk = said(out.removesuffix(DONE))
    assert (chunk["id"], chunk["object"], chunk["model"], chunk["provider"]) == (
        "gen-1",
        "chat.completion.chunk",
        "acme/sage-2",
        "Acme",
    )
    assert chunk["choices"] == []
    assert chunk["usage"] == {
        "prompt_tokens": 2,
        "completion_tokens": 1,
        "total_tokens": 3,
        "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
        "cost": None,
        "is_byok": True,
    }


# --- what was sent -------------------------------------------------------------------------------------------

FIRST = (structs.replace(STAMP, provider="Brand", model="brand/sage"), Raw(b'{"model":"b", "temperature":1.50}'))
SECOND = (STAMP, Raw(b'{"model":"sage"}'))
HI = Frame(None, b'{"created":1767225600,"choices":[{"delta":{"content":"Hi"}}]}')


def test_the_bodies_that_went_upstream_stand_once_in_front_of_the_first_bytes() -> None:
    chat = edit_stream(opening(FIRST, SECOND))
    assert chat.read(Frame(None, b'{"created":1767225600,"choices":[]}')) == b""
    out = chat.read(HI)
    assert b'"choices":[],"debug":{"echo_upstream_body":{"model":"b", "temperature":1.50}}' in out
    first, second, answer = chunks(out)
    assert (first["id"], first["model"], first["provider"], first["created"]) == (
        "gen-1",
        "brand/sage",
        "Brand",
        1767225600,
    )
    assert second["debug"] == {"echo_upstream_body": {"model": "sage"}}
    assert answer["choices"][0]["delta"]["content"] == "Hi"
    assert len(chunks(chat.read(HI))) == 1


@pytest.mark.parametrize("last", ["end", "fail"])
def test_the_bodies_that_went_upstream_are_shown_at_the_latest_with_the_end(last: str) -> None:
    chat = edit_stream(opening(FIRST))
    out = chat.end(BILL, None) if last == "end" else chat.fail(ProviderError("timeout", "it was silent"), None)
    shown, ended = chunks(out)
    assert "debug" in shown
    assert "usage" in ended or "error" in ended


# --- an answer that breaks -----------------------------------------------------------------------------------


def test_an_error_is_the_last_chunk_with_what_the_others_were_stamped_with() -> None:
    chat = stream()
    chat.read(HI)
    out = chat.fail(ProviderError("timeout", "it was silent"), Raw(b'{"attempts":1}'))
    assert out.endswith(DONE)
    assert chunks(out) == [
        {
            "id": "gen-1",
            "object": "chat.completion.chunk",
            "created": 1767225600,
            "model": "acme/sage-2",
            "provider": "Acme",
            "error": {"code": 504, "message": "it was silent", "metadata": {"error_type": "timeout"}},
            "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error", "native_finish_reason": None}],
            "openrouter_metadata": {"attempts": 1},
        }
    ]
    assert chat.stamp.created == 1767225600


def test_a_fault_of_ours_shows_no_router_metadata() -> None:
    [chunk] = chunks(stream().fail(GatewayError("server", "KeyError"), Raw(b"{}")))
    assert chunk["error"]["message"] == "Internal Server Error"
    assert "openrouter_metadata" not in chunk


def test_router_metadata_rides_on_the_usage_chunk() -> None:
    [chunk] = chunks(stream().end(BILL, Raw(b'{"attempts":1}')))
    assert chunk["openrouter_metadata"] == {"attempts": 1}


# --- bytes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        b'{"id":"\xff","choices":[]}',
        b'{"choices":[{"delta":{"content":"\xff"}}]}',
        b'{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":{"a":"\xc3"}}}]}}]}',
        b'{"error":"\xff"}',
    ],
)
def test_what_is_not_utf_8_is_malformed_and_never_passed_on(event: bytes) -> None:
    with pytest.raises(ProviderError, match="malformed"):
        stream().read(Frame(None, event))


@pytest.mark.parametrize(
    "event", [b"", b"x", b"[]", b"null", b'{"choices":[1]}', b'{"choices":[{"delta":{"tool_calls":["x"]}}]}']
)
def test_what_is_no_chunk_is_malformed(event: bytes) -> None:
    with pytest.raises(ProviderError, match="malformed") as caught:
        stream().read(Frame(None, event))
    assert (caught.value.type, caught.value.retry) == ("provider_unavailable", "next_endpoint")


def test_nesting_of_any_depth_is_malformed_and_never_a_recursion_error() -> None:
    for depth in (300, 100_000):
        event = b'{"x":' + b"[" * depth + b"]" * depth + b',"choices":[]}'
        with pytest.raises(ProviderError, match="malformed"):
            stream().read(Frame(None, event))


_TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=3)
_NAMES = st.sampled_from(
    [
        *("id", "object", "created", "model", "provider", "choices", "usage", "error", "system_fingerprint"),
        *("service_tier", "index", "delta", "finish_reason", "native_finish_reason", "logprobs", "role", "content"),
        *("tool_calls", "function", "name", "arguments", "type", "reasoning", "code", "message", "prompt_tokens"),
        *("completion_tokens", "total_tokens", "prompt_tokens_details", "cached_tokens", "cost", "cost_details"),
    ]
)
_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(0, 3), st.floats(allow_nan=False), _TEXTS, st.just("error")
)
ANYTHING = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES | _TEXTS, inner, max_size=5),
    max_leaves=12,
)
_CALL = st.dictionaries(st.sampled_from(["index", "id", "type", "function"]), ANYTHING)
_DELTA = st.dictionaries(st.sampled_from(["role", "content", "refusal"]), ANYTHING) | st.fixed_dictionaries(
    {"tool_calls": st.lists(_CALL | ANYTHING, max_size=2)}
)
_CHOICE = st.fixed_dictionaries(
    {}, optional={"index": ANYTHING, "delta": _DELTA | ANYTHING, "finish_reason": _SCALARS, "error": ANYTHING}
)
_CHUNK = st.fixed_dictionaries(
    {"choices": st.lists(_CHOICE | ANYTHING, max_size=2)}, optional={"id": _SCALARS, "usage": ANYTHING, "x": ANYTHING}
)
_EVENTS = st.one_of(
    (_CHUNK | ANYTHING).map(lambda content: json.dumps(content).encode()),
    ANYTHING.map(lambda content: json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    st.binary(max_size=8),
    st.just(b"[DONE]"),
)


@given(st.lists(st.tuples(st.none() | st.just(b"error"), _EVENTS), max_size=4))
@example([(None, b'{"choices":[{"finish_reason":"error","error":{"code":' + b"1" * 5000 + b"}}]}")])
@example([(None, b'{"x":1,"created":' + b"1" * 5000 + b"}")])
def test_no_event_raises_anything_but_the_two_errors_and_what_goes_out_is_a_chunk(
    events: list[tuple[bytes | None, bytes]],
) -> None:
    chat = stream()
    created: set[object] = set()
    for event, data in events:
        try:
            out = chat.read(Frame(event, data))
        except (StreamFailedError, ProviderError):
            continue
        if out:
            chunk = said(out)
            created.add(chunk["created"])
            assert (chunk["id"], chunk["model"], chunk["provider"]) == ("gen-1", "acme/sage-2", "Acme")
            assert "usage" not in chunk
            assert chunk.get("system_fingerprint", "") is not None
            for choice in chunk["choices"]:
                assert choice["index"] is not None
                assert isinstance(choice["delta"], dict)
                assert choice["finish_reason"] in (None, "stop", "length", "tool_calls", "content_filter")
    last = said(chat.end(BILL, None).removesuffix(DONE))
    assert created <= {last["created"]}
    assert last["usage"]["total_tokens"] >= 3
