"""The golden wire cases: where they are, and what an answer means, in values that can be laid beside a case's own.

A case is a folder `tests/wire/<protocol>/<case>/`. `upstream.sse` and `upstream.json` are what an upstream of that
protocol sends, `request.json` what a client of it sends, `expected.json` what either means: written by hand from the
input, never by the product. What a case leaves out of `expected.json` is empty.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.canonical.events import Cited, Event, Finished, Grew, PartBegan, PartEnded, Sealed
from setpoint.canonical.fold import Fold
from setpoint.canonical.parts import Media, Reasoning, Refusal, Text, ToolCall
from setpoint.errors import ProviderError
from setpoint.protocols.answer import StreamFailedError
from setpoint.wire.body import as_array, value
from setpoint.wire.sse import FrameReader

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.canonical.result import Result
    from setpoint.canonical.usage import Usage
    from setpoint.protocols.base import StreamReader
    from setpoint.records import Dialect
    from setpoint.wire.sse import Frame

_WIRE = Path(__file__).parents[1] / "wire"
_DIALECTS: tuple[Dialect, ...] = ("chat", "messages", "responses")

Meaning = dict[str, Any]

NOTHING: Meaning = {
    "text": "",
    "reasoning": "",
    "refusal": "",
    "tool_calls": [],
    "media": [],
    "citations": [],
    "seals": [],
    "finish": None,
    "native": None,
    "stop_sequence": None,
    "usage": None,
    "cost": None,
    "logprobs": 0,
    "unsaid": [],
    "ended": "complete",
    "error": None,
}
"""An answer that says nothing."""

_TOKENS = (
    *("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "cache_write_1h_tokens"),
    *("reasoning_tokens", "input_audio_tokens", "output_audio_tokens", "image_tokens"),
)


class Case(NamedTuple):
    """One case: the protocol that it is written in, and its folder."""

    protocol: Dialect
    folder: Path

    def __str__(self) -> str:
        return f"{self.protocol}-{self.folder.name}"

    def read(self, name: str) -> bytes:
        """One of its files."""
        return (self.folder / name).read_bytes()

    def expected(self) -> Any:
        """What it must mean, as it stands in its file."""
        return json.loads(self.read("expected.json"))

    def answer(self) -> Meaning:
        """What its answer must mean, with what is left out filled in."""
        said = {**NOTHING, **self.expected()}
        said["tool_calls"] = [
            {"id": None, "kind": "function", "namespace": None, **call} for call in said["tool_calls"]
        ]
        return said


def cases(name: str) -> list[Case]:
    """The cases with a file of this name, of all protocols."""
    return [
        Case(protocol, path.parent) for protocol in _DIALECTS for path in sorted((_WIRE / protocol).glob(f"*/{name}"))
    ]


def frames_of(data: bytes) -> list[Frame]:
    """The frames of a whole stream."""
    return FrameReader().feed(data)


# --- what an answer means ------------------------------------------------------------------------------------


def streamed(reader: StreamReader, frames: Iterable[Frame]) -> Meaning:
    """What a stream means to this reader, however it ended."""
    fold, events = Fold(), list[Event]()
    ended, error = "", None
    try:
        for frame in frames:
            for event in reader.read(frame):
                events.append(event)
                fold.add(event)
    except StreamFailedError as failed:
        ended, error = "failed", failed.reported.code
    except ProviderError:
        ended, error = "broken", "malformed"
    if not ended:
        ended = "complete" if reader.terminal else "broken"
    _check_order(events, complete=ended == "complete")
    return {**meaning(fold.result()), "ended": ended, "error": error}


def meaning(result: Result) -> Meaning:
    """What a whole answer means."""
    said: Meaning = {**NOTHING, "tool_calls": [], "media": [], "citations": [], "seals": []}
    for part in result.parts:
        match part:
            case Text(text=text, citations=citations):
                said["text"] += value(text)
                said["citations"] += [value(it.url) for it in citations if it.url is not None]
            case Refusal(text=text):
                said["refusal"] += value(text)
            case Reasoning(text=text, seal=seal):
                said["reasoning"] += value(text) if text is not None else ""
                said["seals"] += [value(seal)] if seal is not None and value(seal) else []
            case ToolCall():
                said["tool_calls"].append(call_meaning(part))
            case Media(kind=kind):
                said["media"].append(kind)
            case _:
                raise AssertionError(f"no part of an answer: {part!r}")
    if result.finish is not None:
        said |= {"finish": result.finish.reason, "native": result.finish.native}
        said["stop_sequence"] = None if result.finish.stop_sequence is None else value(result.finish.stop_sequence)
    said["usage"] = None if result.usage is None else tokens(result.usage)
    said["cost"] = None if result.provider_cost is None else str(result.provider_cost)
    said["logprobs"] = len(as_array(result.logprobs))
    said["unsaid"] = [*result.unsaid]
    return said


def call_meaning(call: ToolCall) -> Meaning:
    """What a tool call means: its arguments as JSON values where they are JSON, else as the text that they are."""
    text = value(call.arguments)
    said: Any = text
    if call.kind != "custom":
        with suppress(ValueError):
            said = json.loads(text or "{}")
    return {"id": call.id, "name": call.name, "arguments": said, "kind": call.kind, "namespace": call.namespace}


def tokens(usage: Usage) -> dict[str, int]:
    """The counts that are not 0, and input and output whatever they are."""
    return {name: getattr(usage, name) for name in _TOKENS if getattr(usage, name) or name in _TOKENS[:2]}


def with_ids_of(expected: Meaning, said: Meaning) -> Meaning:
    """What was said, without the ids of calls for which a case expects none: those are made up on the way."""
    calls = [
        {**call, "id": None} if at < len(expected["tool_calls"]) and expected["tool_calls"][at]["id"] is None else call
        for at, call in enumerate(said["tool_calls"])
    ]
    return {**said, "tool_calls": calls}


def _check_order(events: list[Event], *, complete: bool) -> None:
    """Parts are numbered as they begin, grow while they are open, and have all ended before the answer is finished."""
    begun, open_ = 0, set[int]()
    for event in events:
        match event:
            case PartBegan(part):
                assert part == begun, events
                begun += 1
                open_.add(part)
            case Grew(part) | Sealed(part) | Cited(part):
                assert part in open_, events
            case PartEnded(part):
                open_.remove(part)
            case Finished():
                assert not open_, events
            case _:
                pass
    assert not (complete and open_), events
