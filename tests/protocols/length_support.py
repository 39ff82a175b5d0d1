"""Long streams as upstreams send them, and as broken or hostile ones could: of about n events each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from setpoint.wire.sse import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from setpoint.records import Dialect

Json = dict[str, Any]

_LINK = {"type": "url_citation", "url": "http://a.example", "title": "A", "start_index": 0, "end_index": 1}
_SCORE = {"token": "x", "logprob": -1, "bytes": [120], "top_logprobs": []}


_EMPTY: dict[str, Json] = {"message": {"content": []}, "function_call": {"arguments": ""}, "reasoning": {"summary": []}}


def _data(told: Json) -> bytes:
    return json.dumps(told, separators=(",", ":")).encode()


# --- chat ----------------------------------------------------------------------------------------------------


def _chunk(delta: Json, finish: str | None = None, **beside: object) -> Frame:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, **beside}
    told = {"id": "a", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return Frame(None, _data(told))


def _chat(*chunks: Iterable[Frame], finish: str = "stop") -> list[Frame]:
    begun = _chunk({"role": "assistant", "content": ""})
    counted: Json = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
    said = [frame for some in chunks for frame in some]
    return [begun, *said, _chunk({}, finish), Frame(None, _data(counted)), Frame(None, b"[DONE]")]


def _piece(index: int | None, arguments: str = "{}", **head: str) -> Json:
    function = {"arguments": arguments} | ({"name": head.pop("name")} if "name" in head else {})
    return {**({} if index is None else {"index": index}), "type": "function", "function": function, **head}


def _called(index: int, id_: str | None = None, arguments: str = "{}") -> Frame:
    call = _piece(index, arguments, id=f"call_{index}" if id_ is None else id_, name="look")
    return _chunk({"tool_calls": [call]})


def _more(index: int) -> Frame:
    return _chunk({"tool_calls": [_piece(index, " ")]})


def _detail(index: int, **more: str) -> Frame:
    return _chunk({"reasoning_details": [{"type": "reasoning.text", "text": "x", "index": index, **more}]})


def _cited(**beside: str) -> Frame:
    return _chunk({**beside, "annotations": [{"type": "url_citation", "url_citation": _LINK}]})


_CHAT: dict[str, Callable[[int], list[Frame]]] = {
    "text": lambda n: _chat([_chunk({"content": "x"})] * n),
    "steps": lambda n: _chat(_detail(i) for i in range(n)),
    "signed steps": lambda n: _chat(_detail(i, signature="s") for i in range(n)),
    "steps of kinds nobody knows": lambda n: _chat(_detail(i, type=f"odd.{i}") for i in range(n)),
    "arguments": lambda n: _chat([_called(0, arguments="")], [_more(0)] * n, finish="tool_calls"),
    "calls": lambda n: _chat((_called(i) for i in range(n)), finish="tool_calls"),
    "calls of one number": lambda n: _chat((_called(0, f"call_{i}") for i in range(n)), finish="tool_calls"),
    "calls that take turns": lambda n: _chat(
        (_called(i, arguments="{") for i in range(n // 4)),
        (_more(i % (n // 4)) for i in range(n - n // 4)),
        finish="tool_calls",
    ),
    "calls without a name": lambda n: _chat(_more(i) for i in range(n)),
    "calls in one event": lambda n: _chat(
        [_chunk({"tool_calls": [_piece(None, id=f"c{i}", name="look") for i in range(n)]})], finish="tool_calls"
    ),
    "links": lambda n: _chat([_cited(content="x")] * n),
    "links before the text": lambda n: _chat([_cited()] * n, [_chunk({"content": "x"})]),
    "pictures": lambda n: _chat(
        [_chunk({"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]})] * n
    ),
    "sound": lambda n: _chat([_chunk({"audio": {"id": "a", "data": "AAAA", "transcript": "x"}})] * n),
    "words and thoughts in turns": lambda n: _chat([_chunk({"content": "x"}), _chunk({"reasoning": "x"})] * (n // 2)),
    "scores": lambda n: _chat([_chunk({"content": "x"}, logprobs={"content": [_SCORE]})] * n),
    "scores before the text": lambda n: _chat(
        [_chunk({}, logprobs={"content": [_SCORE]})] * n, [_chunk({"content": "x"})]
    ),
    "choices": lambda n: _chat(_chunk({"content": "x"}, index=i) for i in range(n)),
}


# --- messages ------------------------------------------------------------------------------------------------


def _event(kind: str, **members: object) -> Frame:
    return Frame(kind.encode(), _data({"type": kind, **members}))


def _messages(*frames: Iterable[Frame]) -> list[Frame]:
    usage = {"input_tokens": 1, "output_tokens": 1}
    message: Json = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": usage}
    ending = _event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage=usage)
    said = [frame for some in frames for frame in some]
    return [_event("message_start", message=message), *said, ending, _event("message_stop")]


def _started(index: int, kind: str = "text", **members: object) -> Frame:
    return _event("content_block_start", index=index, content_block={"type": kind, **members})


def _delta(index: int, kind: str = "text_delta", **members: object) -> Frame:
    return _event("content_block_delta", index=index, delta={"type": kind, **(members or {"text": "x"})})


def _block(index: int, kind: str, *deltas: Frame, **members: object) -> list[Frame]:
    return [_started(index, kind, **members), *deltas, _event("content_block_stop", index=index)]


def _tool(index: int) -> list[Frame]:
    piece = _delta(index, "input_json_delta", partial_json="{}")
    return _block(index, "tool_use", piece, id=f"toolu_{index}", name="look", input={})


def _thought(index: int) -> list[Frame]:
    thinking = _delta(index, "thinking_delta", thinking="x")
    return _block(index, "thinking", thinking, _delta(index, "signature_delta", signature="s"), thinking="")


def _source() -> Frame:
    link = {"type": "web_search_result_location", "url": "http://a.example", "title": "A", "cited_text": "x"}
    return _delta(0, "citations_delta", citation=link)


_MESSAGES: dict[str, Callable[[int], list[Frame]]] = {
    "text": lambda n: _messages(_block(0, "text", *[_delta(0)] * n, text="")),
    "blocks": lambda n: _messages(*(_block(i, "text", _delta(i), text="") for i in range(n // 3))),
    "blocks of one number": lambda n: _messages(*([_started(0, text=""), _delta(0)] for _ in range(n // 2))),
    "blocks that nobody ends": lambda n: _messages(*([_started(i, text=""), _delta(i)] for i in range(n // 2))),
    "blocks that take turns": lambda n: _messages(
        (_started(i, text="") for i in range(n // 4)), (_delta(i % (n // 4)) for i in range(n - n // 4))
    ),
    "blocks that nobody began": lambda n: _messages(_delta(i) for i in range(n)),
    "blocks of kinds nobody knows": lambda n: _messages(_started(i, f"odd_{i}") for i in range(n)),
    "tools": lambda n: _messages(*(_tool(i) for i in range(n // 3))),
    "tools that nobody ends": lambda n: _messages(*(_tool(i)[:2] for i in range(n // 2))),
    "arguments": lambda n: _messages(
        [_started(0, "tool_use", id="toolu_0", name="look", input={})],
        [_delta(0, "input_json_delta", partial_json=" ")] * n,
    ),
    "thoughts": lambda n: _messages(*(_thought(i) for i in range(n // 4))),
    "signatures": lambda n: _messages([_started(0, "thinking")], [_delta(0, "signature_delta", signature="s")] * n),
    "citations": lambda n: _messages([_started(0, text="")], [_delta(0), _source()] * (n // 2)),
    "counts of ever more": lambda n: _messages(
        _event("message_delta", delta={}, usage={"output_tokens": i, f"odd_{i}": 1}) for i in range(n)
    ),
    "endings of ever more": lambda n: _messages(_event("message_delta", delta={f"odd_{i}": 1}) for i in range(n)),
}


# --- responses -----------------------------------------------------------------------------------------------


def _responses(*frames: Iterable[Frame], output: list[Json]) -> list[Frame]:
    response: Json = {
        "id": "r",
        "object": "response",
        "created_at": 1,
        "status": "in_progress",
        "model": "m",
        "output": [],
    }
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    whole = {**response, "status": "completed", "output": output, "usage": usage}
    said = [frame for some in frames for frame in some]
    return [_event("response.created", response=response), *said, _event("response.completed", response=whole)]


def _message(index: int, parts: list[Json] | None = None) -> Json:
    said: list[Json] = [{"type": "output_text", "text": "x", "annotations": []}]
    content = said if parts is None else parts
    return {"id": f"msg_{index}", "type": "message", "role": "assistant", "status": "completed", "content": content}


def _call(index: int) -> Json:
    return {"id": f"fc_{index}", "type": "function_call", "call_id": f"c{index}", "name": "look", "arguments": "{}"}


def _reasoning(index: int, steps: int = 1) -> Json:
    summary = [{"type": "summary_text", "text": "x"}] * steps
    return {"id": f"rs_{index}", "type": "reasoning", "summary": summary, "encrypted_content": "e"}


def _shell(index: int) -> Json:
    action = {"commands": ["ls"]}
    return {"id": f"sh_{index}", "type": "shell_call", "call_id": f"c{index}", "action": action, "status": "completed"}


def _added(index: int, item: Json) -> Frame:
    shown = {name: said for name, said in item.items() if name != "encrypted_content"} | _EMPTY.get(item["type"], {})
    return _event("response.output_item.added", output_index=index, item=shown)


def _done(index: int, item: Json) -> Frame:
    return _event("response.output_item.done", output_index=index, item=item)


def _said(index: int, family: str = "output_text", part: int = 0, **members: object) -> Frame:
    place = {"summary_index" if "summary" in family else "content_index": part}
    kind = f"response.{family}.{'done' if 'text' in members else 'delta'}"
    return _event(kind, item_id=f"msg_{index}", output_index=index, **place, **(members or {"delta": "x"}))


def _grown(index: int) -> Frame:
    piece = {"item_id": f"fc_{index}", "output_index": index, "delta": " "}
    return _event("response.function_call_arguments.delta", **piece)


def _items(make: Callable[[int], Json], *pieces: Callable[[int], Frame], n: int) -> list[Frame]:
    """So many items, one after the other, each with its pieces."""
    return [
        frame for i in range(n) for frame in (_added(i, make(i)), *(piece(i) for piece in pieces), _done(i, make(i)))
    ]


def _open_items(make: Callable[[int], Json], piece: Callable[[int], Frame], n: int) -> list[Frame]:
    """A quarter of n items side by side, of which pieces come in turns."""
    count = n // 4
    return [*(_added(i, make(i)) for i in range(count)), *(piece(i % count) for i in range(n - count))]


def _annotated(_: int) -> Frame:
    place = {"item_id": "msg_0", "output_index": 0, "content_index": 0, "annotation_index": 0}
    return _event("response.output_text.annotation.added", **place, annotation=_LINK)


def _part_frames(index: int) -> list[Frame]:
    """One of many parts of one message."""
    place = {"item_id": "msg_0", "output_index": 0, "content_index": index}
    return [_said(0, part=index), _event("response.content_part.done", **place, part=_message(0)["content"][0])]


def _step_frames(index: int) -> list[Frame]:
    """One of many steps of one summary."""
    place, part = {"item_id": "rs_0", "output_index": 0, "summary_index": index}, {"type": "summary_text", "text": "x"}
    said = _said(0, "reasoning_summary_text", index)
    return [said, _event("response.reasoning_summary_part.done", **place, part=part)]


def _range(make: Callable[[int], Json], n: int) -> list[Json]:
    return [make(i) for i in range(n)]


_RESPONSES: dict[str, Callable[[int], list[Frame]]] = {
    "text": lambda n: _responses([_added(0, _message(0))], [_said(0)] * n, output=[]),
    "text that is told whole each time": lambda n: _responses(
        [_said(0, text="x"), *[_said(0), _said(0, text="")] * (n // 2)], output=[]
    ),
    "links": lambda n: _responses([_said(0), _annotated(0)] * (n // 2), output=[]),
    "scores": lambda n: _responses([_said(0, delta="x", logprobs=[_SCORE])] * n, output=[]),
    "messages": lambda n: _responses(_items(_message, _said, n=n // 3), output=_range(_message, n // 3)),
    "messages told backwards at last": lambda n: _responses(
        _items(_message, _said, n=n // 3), output=_range(_message, n // 3)[::-1]
    ),
    "messages told only at last": lambda n: _responses(output=_range(_message, n)),
    "messages of other ids at last": lambda n: _responses(
        _items(_message, _said, n=n // 3), output=[{**_message(i), "id": f"other_{i}"} for i in range(n // 3)]
    ),
    "messages of one id": lambda n: _responses(
        *([_added(i, {**_message(i), "id": "msg_0"}), _said(i)] for i in range(n // 2)),
        output=[{**_message(i), "id": "msg_0"} for i in range(n // 2)],
    ),
    "messages that nobody ends": lambda n: _responses(_open_items(_message, _said, n), output=_range(_message, n // 4)),
    "messages not told at last": lambda n: _responses(_open_items(_message, _said, n), output=[]),
    "parts": lambda n: _responses(
        *(_part_frames(i) for i in range(n // 2)), output=[_message(0, _message(0)["content"] * (n // 2))]
    ),
    "parts that take turns": lambda n: _responses(
        (_said(0, part=i % (n // 4)) for i in range(n)), output=[_message(0, _message(0)["content"] * (n // 4))]
    ),
    "calls": lambda n: _responses(_items(_call, _grown, n=n // 3), output=_range(_call, n // 3)),
    "calls that nobody ends": lambda n: _responses(_open_items(_call, _grown, n), output=_range(_call, n // 4)),
    "calls of the provider's or not": lambda n: _responses(
        _items(_shell, n=n // 2), output=[*_range(_shell, n // 2), {"type": "shell_call_output", "call_id": "c0"}]
    ),
    "calls told only at last": lambda n: _responses(output=_range(_shell, n)),
    "summary": lambda n: _responses(*(_step_frames(i) for i in range(n // 2)), output=[_reasoning(0, n // 2)]),
    "reasoning": lambda n: _responses(_items(_reasoning, n=n // 2), output=_range(_reasoning, n // 2)),
    "items of kinds nobody knows": lambda n: _responses(
        (_done(i, {"type": f"odd_{i}", "id": f"i{i}"}) for i in range(n)), output=[]
    ),
}

STREAMS: Mapping[Dialect, Mapping[str, Callable[[int], list[Frame]]]] = {
    "chat": _CHAT,
    "messages": _MESSAGES,
    "responses": _RESPONSES,
}
"""Dialect and name of a shape to its frames, about n of them."""
