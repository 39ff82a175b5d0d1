"""The three skins in front of upstreams of three dialects that go wrong: how they are asked, and how they are heard.

One provider speaks each dialect, in which its model answers: `at/chat`, `at/messages`, `at/responses`. A model such as
`chat-messages/model` is at the provider of the first, and behind it at that of the second.
"""

from __future__ import annotations

import json
import re
from itertools import permutations
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from api.skins_support import PAIRS, ROUTES, SKINS, error_of, least
from faults.faults_support import HANG_S, PRICE, PROMPT, Front, generation_id, in_line, secret, serving
from simulator import messages, responses
from simulator.answers import USAGE, chunk, data_frame, event_frame, usage_chunk, words
from support.http import Answer, Streaming, call, open_stream
from support.processes import KEY, Gateway

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from setpoint.records import Dialect
    from simulator.client import Simulator
    from support.http import SseFrame

PATHS: dict[Dialect, str] = {"chat": "/c", "messages": "/m", "responses": "/r"}
"""Where the provider of each dialect is."""

_ROOTS: dict[Dialect, str] = {"chat": "/c/v1", "messages": "/m", "responses": "/r/v1"}

pairs = pytest.mark.parametrize(("skin", "dialect"), PAIRS)
"""A test for each skin in front of each dialect."""


def skins_serving(
    folders: pytest.TempPathFactory, simulator: Simulator, **settings: Any
) -> AbstractContextManager[Gateway]:
    """A gateway with the providers and models of this file."""
    offers = {slug: {"provider": slug, "model": f"{slug}-model", "pricing": PRICE} for slug in SKINS}
    models = {f"at/{slug}": {"endpoints": [offer]} for slug, offer in offers.items()}
    for first, second in permutations(SKINS, 2):
        models[f"{first}-{second}/model"] = {"endpoints": in_line(offers[first], offers[second])}
    providers = {
        slug: {
            "name": slug.title(),
            "dialect": slug,
            "base_url": simulator.origin + root,
            "api_key": secret(slug),
        }
        for slug, root in _ROOTS.items()
    }
    return serving(folders, simulator, settings=settings, more_providers=providers, more_models=models)


class SkinsFront(Front):
    """How one test asks the gateway in any skin. `verify` as in front of one skin."""

    def post(
        self,
        skin: Dialect,
        model: str,
        *,
        stream: bool = False,
        body: bytes | None = None,
        refusable: bool = False,
        **fields: Any,
    ) -> Answer:
        """A request and its whole answer. `refusable`: it may be refused, and then there is no record of it."""
        content = None if body is not None else {**least(skin, PROMPT), "model": model, "stream": stream, **fields}
        answer = call("POST", self.gateway.url + ROUTES[skin], content, body=body, key=KEY, timeout_s=HANG_S)
        self._note(answer, recorded=not refusable or answer.status == 200)
        return answer

    def begin(self, skin: Dialect, model: str, **fields: Any) -> Streaming:
        """A stream that is read as it comes; returns with the head of the answer."""
        content = {**least(skin, PROMPT), "model": model, "stream": True, **fields}
        streaming = open_stream(self.gateway.url + ROUTES[skin], content, key=KEY, timeout_s=HANG_S)
        self._note(Answer(streaming.status, streaming.headers, b""), recorded=True)
        return streaming

    def reached(self) -> list[str]:
        """The dialects of the providers that got requests, in order."""
        return [dialect for one in self.simulator.requests() for dialect in SKINS if one.path[:2] == PATHS[dialect]]


@pytest.fixture(scope="module")
def skins_gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with the providers and models of this file, for all tests of the file that takes it."""
    with skins_serving(tmp_path_factory, simulator_process) as gateway:
        yield gateway


@pytest.fixture
def skins_front(gateway: Gateway, simulator: Simulator) -> Generator[SkinsFront]:
    """The file's own `gateway`, for one test."""
    front = SkinsFront(gateway, simulator)
    yield front
    front.verify()


def rest_of(streaming: Streaming) -> Answer:
    """The whole answer of a stream that was begun."""
    with streaming:
        return Answer(streaming.status, streaming.headers, b"".join(piece.data for piece in streaming.pieces()))


# --- what upstreams say --------------------------------------------------------------------------------------

TEXT = "Once upon a time"
COST = 0.000021
"""What the simulator's usual tokens cost."""


class Spoken(NamedTuple):
    """The frames of a stream: up to the first word, one for each word, and behind the last."""

    opening: list[bytes]
    words: list[bytes]
    closing: list[bytes]

    @property
    def begun(self) -> list[bytes]:
        """An answer that breaks off behind two words."""
        return [*self.opening, *self.words[:2]]

    @property
    def whole(self) -> list[bytes]:
        """All of it."""
        return [*self.opening, *self.words, *self.closing]


def spoken(dialect: Dialect, text: str = TEXT, *, tokens: tuple[int, int] = USAGE) -> Spoken:
    """The stream of an answer that is nothing but a text."""
    count = len(words(text))
    match dialect:
        case "chat":
            deltas = [{"role": "assistant", "content": ""}, *({"content": word} for word in words(text))]
            frames = [*(data_frame(chunk(delta)) for delta in deltas), data_frame(chunk({}, "stop"))]
            frames += [data_frame(usage_chunk(tokens)), b"data: [DONE]\n\n"]
            start = 1
        case "messages":
            frames = written(messages.events(messages.message(messages.text(text), tokens=tokens)))
            start = 3
        case "responses":
            frames = written(responses.events(responses.response(responses.message(text), tokens=tokens)))
            start = 4
    return Spoken(frames[:start], frames[start : start + count], frames[start + count :])


def written(events: Sequence[Mapping[str, Any]]) -> list[bytes]:
    """Events as frames: with a name where they have a type."""
    return [event_frame(event) if "type" in event else data_frame(event) for event in events]


# --- what clients hear ---------------------------------------------------------------------------------------


class Failed(NamedTuple):
    """The error at the end of a stream: its type in our own words, and its message."""

    type: str
    message: str


class Heard(NamedTuple):
    """What a stream tells: its text, its calls by name and arguments, and how it ended.

    `finish` is the skin's own word, `usage` are the tokens in and out with their cost; both None where it failed.
    """

    text: str
    calls: list[tuple[str, str]]
    finish: str | None
    usage: tuple[int, int, float | None] | None
    error: Failed | None


def heard(skin: Dialect, answer: Answer) -> Heard:
    """What a stream tells, which keeps all the rules of its skin: above all it ends once, in the skin's own way."""
    assert answer.status == 200, answer.body
    assert answer.header("content-type") == "text/event-stream"
    frames = [frame for frame in answer.frames() if frame.data is not None]
    match skin:
        case "chat":
            return _heard_in_chat(frames, generation_id(answer))
        case "messages":
            return _heard_in_messages(frames, generation_id(answer))
        case "responses":
            return _heard_in_responses(frames)


_CHAT_CODES = {
    "invalid_request": 400,
    "rate_limit_exceeded": 429,
    "provider_unavailable": 502,
    "provider_overloaded": 503,
    "unavailable": 503,
    "timeout": 504,
}
_MESSAGES_TYPES = {
    "invalid_request": "invalid_request_error",
    "rate_limit_exceeded": "rate_limit_error",
    "provider_unavailable": "api_error",
    "provider_overloaded": "overloaded_error",
    "unavailable": "overloaded_error",
    "timeout": "timeout_error",
}
_RESPONSES_CODES = {"invalid_request": "invalid_prompt", "rate_limit_exceeded": "rate_limit_exceeded"}
_RESPONSE_KEYS = {
    *("id", "object", "created_at", "completed_at", "status", "model", "output", "error", "incomplete_details"),
    *("instructions", "metadata", "temperature", "top_p", "frequency_penalty", "presence_penalty"),
    *("parallel_tool_calls", "tool_choice", "tools"),
}
_MESSAGE_USAGE_KEYS = {
    *("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation"),
    *("output_tokens_details", "server_tool_use", "service_tier", "inference_geo"),
}


def _heard_in_chat(frames: list[SseFrame], id_: str) -> Heard:
    assert {frame.event for frame in frames} == {None}
    *told, done = frames
    assert done.data == "[DONE]"
    *chunks, last = [frame.json() for frame in told]
    assert {(one["id"], one["object"]) for one in (*chunks, last)} == {(id_, "chat.completion.chunk")}
    for name in ("created", "model", "provider"):
        assert len({one[name] for one in (*chunks, last)}) == 1, f"{name} changes"
    assert not [one for one in chunks if {"usage", "error"} & one.keys()]
    choices = [choice for one in chunks for choice in one["choices"]]
    assert [choice["index"] for choice in choices] == [0] * len(choices)
    assert ["role" in choice["delta"] for choice in choices] == [at == 0 for at in range(len(choices))]
    finishes = [choice["finish_reason"] for choice in choices]
    text = _joined(choice["delta"].get("content") or "" for choice in choices)
    calls = _calls_of_chat(choices)
    if "error" in last:
        assert set(finishes) <= {None}
        broken = {"index": 0, "delta": {"content": ""}, "finish_reason": "error", "native_finish_reason": None}
        assert last["choices"] == [broken]
        assert "usage" not in last
        error = last["error"]
        type_ = error["metadata"]["error_type"]
        assert error["code"] == _CHAT_CODES[type_]
        return Heard(text, calls, None, None, Failed(type_, error["message"]))
    assert last["choices"] == []
    assert set(finishes[:-1]) <= {None}
    usage = last["usage"]
    assert usage["total_tokens"] >= usage["prompt_tokens"] + usage["completion_tokens"]
    return Heard(text, calls, finishes[-1], (usage["prompt_tokens"], usage["completion_tokens"], usage["cost"]), None)


def _calls_of_chat(choices: list[Any]) -> list[tuple[str, str]]:
    calls: dict[int, tuple[str, list[str]]] = {}
    for choice in choices:
        for one in choice["delta"].get("tool_calls", ()):
            if one["index"] not in calls:
                assert one["id"]
                assert one["index"] == len(calls)
                calls[one["index"]] = one["function"]["name"], []
            else:
                assert not {"id", "type"} & one.keys()
            calls[one["index"]][1].append(one["function"]["arguments"])
    return [(name, _joined(pieces)) for name, pieces in calls.values()]


def _heard_in_messages(frames: list[SseFrame], id_: str) -> Heard:
    events = [frame.json() for frame in frames]
    assert [frame.event for frame in frames] == [event["type"] for event in events]
    told = [event for event in events if event["type"] != "ping"]
    types = [event["type"] for event in told]
    if types[0] != "error":
        message = told[0]["message"]
        assert message["id"]
        assert (message["type"], message["role"], message["content"], message["stop_reason"]) == (
            *("message", "assistant", []),
            None,
        )
        assert message["usage"].keys() >= _MESSAGE_USAGE_KEYS
        assert "cost" not in message["usage"]
    blocks, is_open = _blocks(told)
    text = _joined(piece for block, pieces in blocks if block["type"] == "text" for piece in pieces)
    calls = [(block["name"], _joined(pieces)) for block, pieces in blocks if block["type"] == "tool_use"]
    if types[-1] == "error":
        assert types.count("message_start") == (1 if len(types) > 1 else 0)
        assert types.count("error") == 1
        assert not {"message_delta", "message_stop"} & set(types)
        error = told[-1]["error"]
        assert error["type"] == _MESSAGES_TYPES[error["error_type"]]
        assert told[-1]["request_id"] == id_
        return Heard(text, calls, None, None, Failed(error["error_type"], error["message"]))
    assert (types[0], *types[-2:]) == ("message_start", "message_delta", "message_stop")
    for once in ("message_start", "message_delta", "message_stop"):
        assert types.count(once) == 1, f"{once} comes more than once"
    assert not is_open
    delta, usage = told[-2]["delta"], told[-2]["usage"]
    assert delta.keys() == {"stop_reason", "stop_sequence", "stop_details", "container"}
    return Heard(
        text, calls, delta["stop_reason"], (usage["input_tokens"], usage["output_tokens"], usage["cost"]), None
    )


def _blocks(told: list[Any]) -> tuple[list[tuple[Any, list[str]]], bool]:
    """The blocks, each with its pieces, and whether the last is still open: one at a time is, in order."""
    blocks: list[tuple[Any, list[str]]] = []
    is_open = False
    for event in told:
        match event["type"]:
            case "content_block_start":
                assert (is_open, event["index"]) == (False, len(blocks))
                blocks.append((event["content_block"], []))
                is_open = True
            case "content_block_delta":
                assert (is_open, event["index"]) == (True, len(blocks) - 1)
                delta = event["delta"]
                blocks[-1][1].append(delta.get("text") or delta.get("partial_json") or "")
            case "content_block_stop":
                assert (is_open, event["index"]) == (True, len(blocks) - 1)
                is_open = False
            case kind:
                assert kind in ("message_start", "message_delta", "message_stop", "error")
    return blocks, is_open


def _heard_in_responses(frames: list[SseFrame]) -> Heard:
    *told, done = frames
    assert done.data == "[DONE]"
    events = [frame.json() for frame in told]
    assert [frame.event for frame in told] == [event["type"] for event in events]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[0]["type"] == "response.created"
    shown = [event["response"] for event in events if "response" in event]
    for name in ("id", "model", "created_at"):
        assert len({one[name] for one in shown}) == 1, f"{name} changes"
    assert all(one.keys() >= _RESPONSE_KEYS for one in shown)
    terminal = ("response.completed", "response.incomplete", "response.failed")
    assert [event["type"] in terminal for event in events] == [False] * (len(events) - 1) + [True]
    assert {one["status"] for one in shown[:-1]} == {"in_progress"}
    last = shown[-1]
    assert events[-1]["type"] == f"response.{last['status']}"
    items = _items(events)
    text = _joined(item.said for item in items if item.type == "message")
    calls = [(item.name, item.said) for item in items if item.type.endswith("_call")]
    if last["status"] == "failed":
        type_ = last["error_type"]
        assert last["error"].keys() == {"code", "message"}
        assert last["error"]["code"] == _RESPONSES_CODES.get(type_, "server_error")
        assert last["completed_at"] is None
        for item, shown in zip((item for item in items if item.whole or item.said), last["output"], strict=True):
            assert (shown["id"], _said(shown)) == (item.id, item.said), "what came is not what is told at last"
            assert shown == item.whole or shown["status"] == "incomplete"
        return Heard(text, calls, None, None, Failed(type_, last["error"]["message"]))
    assert last["error"] is None
    assert last["output"] == [item.whole for item in items]
    usage = last["usage"]
    return Heard(text, calls, last["status"], (usage["input_tokens"], usage["output_tokens"], usage["cost"]), None)


class _Item(NamedTuple):
    """An output item: what its pieces say, and the whole of it once that has come."""

    type: str
    name: str
    id: str
    said: str
    whole: Any


def _items(events: list[Any]) -> list[_Item]:
    """The items in their order. Each keeps its id, and is told whole as it was in pieces."""
    added: list[Any] = []
    pieces: list[list[str]] = []
    wholes: dict[int, Any] = {}
    for event in events:
        at: int = event.get("output_index", -1)
        kind: str = event["type"]
        if kind == "response.output_item.added":
            assert at == len(added)
            added.append(event["item"])
            pieces.append([])
        elif kind == "response.output_item.done":
            wholes[at] = event["item"]
            assert (event["item"]["id"], _said(event["item"])) == (added[at]["id"], _joined(pieces[at]))
        elif at >= 0:
            assert event["item_id"] == added[at]["id"]
            if kind.endswith(".delta"):
                pieces[at].append(event["delta"])
    return [
        _Item(item["type"], item.get("name", ""), item["id"], _joined(pieces[at]), wholes.get(at))
        for at, item in enumerate(added)
    ]


def _said(item: Any) -> str:
    """All that a whole item says."""
    parts = [*item.get("summary", ()), *item.get("content", ())]
    return _joined([item.get("arguments", ""), item.get("input", ""), *(part["text"] for part in parts)])


def _joined(pieces: Iterable[str]) -> str:
    """The pieces as one text: halves of a pair that come apart are a whole then."""
    return "".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


_NAMES = re.compile(rb'"((?:gen|resp|msg|rs|fc|ctc|call|toolu)[-_][A-Za-z0-9_-]+)"')
_TIMES = re.compile(rb'"(created|created_at|completed_at)":\d+')


def without_names(answer: Answer) -> bytes:
    """The bytes of an answer with its ids numbered and its times left out: those differ from answer to answer."""
    numbers: dict[bytes, bytes] = {}

    def number(found: re.Match[bytes]) -> bytes:
        return numbers.setdefault(found[1], b'"id %d"' % len(numbers))

    return _TIMES.sub(rb'"\1":0', _NAMES.sub(number, answer.body))


def refused(skin: Dialect, answer: Answer, path: str = "") -> tuple[str, str]:
    """The type and the message of a 400, in the skin's envelope, whose message starts with this path."""
    assert answer.status == 400, (answer.status, answer.body)
    type_, message = error_of(skin, answer)
    assert message.startswith(f"{path}: " if path else ""), message
    return type_, message


def utf_16_pieces(text: str, size: int) -> list[str]:
    """The text cut behind every so many UTF-16 units, also in the middle of a surrogate pair."""
    units = text.encode("utf-16-le")
    return [units[at : at + 2 * size].decode("utf-16-le", "surrogatepass") for at in range(0, len(units), 2 * size)]


def escaped_frame(event: Mapping[str, Any]) -> bytes:
    """One event whose JSON has escapes for all that is not ASCII, as halves of a pair need."""
    name = f"event: {event['type']}\n" if "type" in event else ""
    return f"{name}data: {json.dumps(event)}\n\n".encode()
