"""What every stream of the responses protocol must obey, whoever wrote it, and the ways to make and take one apart."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from openai.types.responses import ResponseStreamEvent
from openrouter.components import StreamEvents
from pydantic import TypeAdapter

from setpoint.canonical.fold import Fold
from setpoint.canonical.usage import Usage
from setpoint.protocols.answer import Bill, Opening, Stamp
from setpoint.wire.body import split
from setpoint.wire.sse import Frame, FrameReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from msgspec import Raw

    from setpoint.canonical.events import Event
    from setpoint.canonical.result import Result
    from setpoint.protocols.base import StreamReader

Told = dict[str, Any]

MODEL = "acme/sage-2"
BILL = Bill(Usage(input_tokens=7, output_tokens=3), None, None)
CASES = sorted(folder for folder in (Path(__file__).parents[2] / "wire" / "responses").iterdir() if folder.is_dir())
STREAMS = [folder for folder in CASES if (folder / "upstream.sse").exists()]

_OPENAI: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
_OPENROUTER: TypeAdapter[Any] = TypeAdapter(StreamEvents)
LENGTH_ERRORS = ("context_length_exceeded", "max_tokens_exceeded", "token_limit_exceeded", "string_too_long")
_NOT_OPENAIS = ("response.debug",)
_LIFECYCLE = ("response.created", "response.queued", "response.in_progress")
_TERMINAL = ("response.completed", "response.incomplete", "response.failed")


def opening(request: bytes = b"{}", debug: tuple[tuple[Stamp, Raw], ...] = ()) -> Opening:
    """The opening of an answer, with ids that count."""
    numbers = count(1)
    return Opening(
        stamp=Stamp("gen-1", MODEL, "Acme", 1767225000),
        request=split(request),
        new_id=lambda prefix: f"{prefix}{next(numbers)}",
        debug=debug,
    )


def sse(*events: Told) -> bytes:
    """Events as an upstream sends them, numbered where they have no number."""
    numbered: list[Told] = [{"sequence_number": number, **event} for number, event in enumerate(events)]
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event, separators=(",", ":")).encode())
        for event in numbered
    )


def told(out: bytes) -> list[Told]:
    """The events of a stream that went out, each frame named as its type says, `[DONE]` at the end left out."""
    events: list[Told] = []
    for frame in out.removesuffix(b"data: [DONE]\n\n").split(b"\n\n")[:-1]:
        name, data = frame.split(b"\n")
        events.append(json.loads(data.removeprefix(b"data: ")))
        assert name == b"event: " + events[-1]["type"].encode()
    return events


def read(reader: StreamReader, stream: bytes) -> list[Event]:
    """The events that a reader finds in a whole stream."""
    return [event for frame in FrameReader().feed(stream) for event in reader.read(frame)]


def folded(events: Iterable[Event]) -> Result:
    """The answer that these events make."""
    fold = Fold()
    for event in events:
        fold.add(event)
    return fold.result()


def check_sequence(events: list[Told]) -> None:
    """The order, the numbers and the ids that clients rely on, in a stream from its beginning to its end."""
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[0]["type"] == "response.created"
    assert [event["type"] for event in events].count("response.created") == 1
    assert [event["type"] in _TERMINAL for event in events] == [False] * (len(events) - 1) + [True]
    for event in events:
        if "response" in event:
            assert event["response"]["id"] == events[0]["response"]["id"]
            assert event["response"]["model"] == MODEL
            assert event["response"]["created_at"] == events[0]["response"]["created_at"]
    check_items(events)


def check_items(events: list[Told]) -> None:
    """Every item is added before it is told of, keeps its place and its id, and is told of no more once it is done."""
    ids: dict[int, str] = {}
    done: dict[int, Told] = {}
    for event in events:
        if "output_index" not in event:
            continue
        index = event["output_index"]
        assert index not in done
        if event["type"] == "response.output_item.added":
            assert index not in ids
            ids[index] = event["item"]["id"]
        elif event["type"] == "response.output_item.done":
            assert event["item"]["id"] == ids[index]
            done[index] = event["item"]
        else:
            assert event["item_id"] == ids[index]
    assert len(set(ids.values())) == len(ids)
    whole = {item["id"]: item for item in done.values()}
    for item in events[-1]["response"]["output"]:
        assert whole.pop(item["id"], None) == item or (item["id"] in ids.values() and item["status"] == "incomplete")
    assert not whole
    assert [item["id"] for item in events[-1]["response"]["output"]] == [ids[index] for index in sorted(ids)]
    if events[-1]["type"] != "response.failed":
        assert done.keys() == ids.keys()
        assert sorted(done) == list(range(len(done)))


def check_pieces(events: list[Told]) -> None:
    """What a part is told to say at its end is what came in pieces, and what its item says."""
    pieces: dict[tuple[Any, ...], str] = {}
    for event in events:
        family, _, step = event["type"].rpartition(".")
        place = (family, event.get("output_index"), event.get("content_index"), event.get("summary_index"))
        if step == "delta":
            pieces[place] = pieces.get(place, "") + event["delta"]
        elif step == "done" and family not in ("response.output_item", "response.content_part"):
            if family == "response.reasoning_summary_part":
                continue
            whole = next(event[name] for name in ("text", "refusal", "arguments", "input") if name in event)
            assert whole == pieces.pop(place, "")
    if events[-1]["type"] != "response.failed":
        assert not pieces


def check_clients(events: list[Told]) -> None:
    """Every event is one that the official clients know, with all that they require of it."""
    for event in events:
        data = json.dumps(event)
        if event["type"] not in _NOT_OPENAIS:
            assert _OPENAI.validate_json(data).type == event["type"]
        assert _OPENROUTER.validate_json(data).type == event["type"]


def cut_everywhere(stream: bytes, run: Callable[[Iterable[bytes]], Any]) -> None:
    """What comes of a stream is the same wherever it is cut in two, and when it comes byte by byte."""
    whole = run([stream])
    assert run(stream[at : at + 1] for at in range(len(stream))) == whole
    for cut in range(1, len(stream)):
        assert run([stream[:cut], stream[cut:]]) == whole, f"cut at {cut}"


# --- what upstreams send -------------------------------------------------------------------------------------


def response(**more: Any) -> Told:
    """A response as OpenAI shows it, with less of it."""
    return {
        "id": "resp_up",
        "object": "response",
        "created_at": 1767226000,
        "status": "in_progress",
        "model": "sage-2-2026",
        "output": [],
        "service_tier": "auto",
        "usage": None,
        **more,
    }


def created() -> Told:
    """The first event."""
    return {"type": "response.created", "response": response()}


def added(index: int, **item: Any) -> Told:
    """An item begins."""
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(index: int, **item: Any) -> Told:
    """An item is complete."""
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def piece(kind: str, index: int, item_id: str, **more: Any) -> Told:
    """An event about a piece of an item."""
    return {"type": f"response.{kind}", "item_id": item_id, "output_index": index, **more}


def message(text: str, id_: str = "msg_up", **more: Any) -> Told:
    """A message item."""
    content: list[Told] = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    item: Told = {"type": "message", "id": id_, "role": "assistant", "status": "completed", "content": content}
    return {**item, **more}


USAGE = {
    "input_tokens": 11,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 16,
}


def completed(*output: Told, **more: Any) -> Told:
    """The last event."""
    whole = response(status="completed", completed_at=1767226009, output=list(output), service_tier="default")
    return {"type": "response.completed", "response": {**whole, "usage": USAGE, **more}}


LINK: Told = {"type": "url_citation", "url": "https://a", "title": "A", "start_index": 0, "end_index": 2}
SCORES: list[Told] = [{"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": []}]
EVERYTHING = (
    created(),
    {"type": "response.in_progress", "response": response()},
    added(0, type="reasoning", id="rs_1", summary=[]),
    piece("reasoning_summary_part.added", 0, "rs_1", summary_index=0, part={"type": "summary_text", "text": ""}),
    piece("reasoning_summary_text.delta", 0, "rs_1", summary_index=0, delta="Let me "),
    piece("reasoning_summary_text.delta", 0, "rs_1", summary_index=0, delta="see."),
    piece("reasoning_summary_text.done", 0, "rs_1", summary_index=0, text="Let me see."),
    piece(
        "reasoning_summary_part.done", 0, "rs_1", summary_index=0, part={"type": "summary_text", "text": "Let me see."}
    ),
    done(
        *(0,),
        type="reasoning",
        id="rs_1",
        summary=[{"type": "summary_text", "text": "Let me see."}],
        encrypted_content="gAAA",
    ),
    added(1, type="message", id="msg_1", role="assistant", status="in_progress", content=[]),
    piece(
        "content_part.added", 1, "msg_1", content_index=0, part={"type": "output_text", "text": "", "annotations": []}
    ),
    piece("output_text.delta", 1, "msg_1", content_index=0, delta="Hi ", logprobs=SCORES),
    piece("output_text.delta", 1, "msg_1", content_index=0, delta="\U0001f600", logprobs=[], obfuscation="x"),
    piece("output_text.annotation.added", 1, "msg_1", content_index=0, annotation_index=0, annotation=LINK),
    piece("output_text.done", 1, "msg_1", content_index=0, text="Hi \U0001f600", logprobs=SCORES),
    piece(
        *("content_part.done", 1, "msg_1"),
        content_index=0,
        part={"type": "output_text", "text": "Hi \U0001f600", "annotations": [LINK], "logprobs": SCORES},
    ),
    done(
        1,
        **message(
            "Hi \U0001f600", "msg_1", content=[{"type": "output_text", "text": "Hi \U0001f600", "annotations": [LINK]}]
        ),
    ),
    added(2, type="function_call", id="fc_1", call_id="call_1", name="look", arguments="", status="in_progress"),
    added(3, type="custom_tool_call", id="ctc_1", call_id="call_2", name="patch", input="", namespace="files"),
    piece("function_call_arguments.delta", 2, "fc_1", delta='{"a":'),
    piece("custom_tool_call_input.delta", 3, "ctc_1", delta="*** Begin"),
    piece("function_call_arguments.delta", 2, "fc_1", delta="1}"),
    piece("function_call_arguments.done", 2, "fc_1", arguments='{"a":1}'),
    done(2, type="function_call", id="fc_1", call_id="call_1", name="look", arguments='{"a":1}', status="completed"),
    piece("custom_tool_call_input.done", 3, "ctc_1", input="*** Begin"),
    done(3, type="custom_tool_call", id="ctc_1", call_id="call_2", name="patch", input="*** Begin", namespace="files"),
    completed(message("Hi \U0001f600", "msg_1")),
)
"""A stream with a part of every kind, as OpenAI sends it but for its last output, which is told less."""


# --- what no upstream should send ----------------------------------------------------------------------------

_STRANGE = st.text(st.characters(codec=None, exclude_categories=()), max_size=3)
_NAMES = st.sampled_from(
    [
        *("type", "response", "item", "item_id", "output_index", "content_index", "summary_index", "delta", "part"),
        *("text", "refusal", "arguments", "input", "name", "call_id", "id", "status", "output", "usage", "error"),
        *("content", "summary", "annotation", "annotations", "logprobs", "encrypted_content", "action", "operation"),
        *("result", "service_tier", "incomplete_details", "reason", "code", "message", "sequence_number", "format"),
        *("input_tokens", "output_tokens", "input_tokens_details", "created_at", "metadata", "model", "role"),
    ]
)
_TYPES = st.sampled_from(
    [
        *("response.created", "response.in_progress", "response.completed", "response.incomplete", "response.failed"),
        *("response.output_item.added", "response.output_item.done", "response.output_text.delta", "error"),
        *("response.content_part.added", "response.content_part.done", "response.output_text.annotation.added"),
        *("response.output_text.done", "response.refusal.delta", "response.reasoning_summary_part.added"),
        *("response.reasoning_summary_text.delta", "response.reasoning_text.done", "response.new_thing.delta"),
        *("response.function_call_arguments.delta", "response.custom_tool_call_input.done", "message", "reasoning"),
        *("function_call", "custom_tool_call", "shell_call", "shell_call_output", "image_generation_call"),
        *("output_text", "url_citation", "summary_text", "web_search_call"),
    ]
)
_SCALARS = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.integers(0, 2), st.floats(allow_nan=False), _STRANGE, _TYPES)
)
_ANYTHING = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES | _STRANGE, inner, max_size=6),
    max_leaves=12,
)
_ITEM = st.fixed_dictionaries(
    {"type": _TYPES | _SCALARS},
    optional={
        "id": _SCALARS,
        "call_id": st.just("c") | _SCALARS,
        "name": _SCALARS,
        "content": st.lists(st.dictionaries(_NAMES, _ANYTHING, max_size=4), max_size=2) | _ANYTHING,
        "summary": _ANYTHING,
        "action": _ANYTHING,
        "arguments": _SCALARS,
    },
)
_EVENT = st.fixed_dictionaries(
    {"type": _TYPES},
    optional={
        "item": _ITEM | _ANYTHING,
        "item_id": _SCALARS,
        "output_index": st.integers(0, 2) | _SCALARS,
        "content_index": st.integers(0, 1) | _SCALARS,
        "summary_index": st.integers(0, 1) | _SCALARS,
        "delta": _STRANGE | _ANYTHING,
        "text": _STRANGE | _ANYTHING,
        "part": _ITEM | _ANYTHING,
        "response": st.fixed_dictionaries({}, optional={"output": st.lists(_ITEM | _ANYTHING), "status": _SCALARS})
        | _ANYTHING,
        "logprobs": _ANYTHING,
        "annotation": _ANYTHING,
    },
)
STRANGE_FRAMES = st.builds(
    Frame,
    st.none() | st.sampled_from([b"error", b"response.created", b"\xff", b"x y"]),
    st.one_of(
        (_EVENT | _ANYTHING).map(lambda content: json.dumps(content).encode()),
        _EVENT.map(lambda content: json.dumps(content, indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass")),
        st.binary(max_size=8),
        st.just(b"[DONE]"),
    ),
)
"""Frames of any shape, many of them nearly right."""
