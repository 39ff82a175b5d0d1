"""Correct answers of a responses upstream: whole responses, and the event streams that make them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.answers import CREATED, MODEL, USAGE, words

ID = "resp_simulator"

Item = dict[str, Any]
Event = dict[str, Any]


# --- items ---------------------------------------------------------------------------------------------------


def output_text(said: str, *annotations: Mapping[str, Any]) -> dict[str, Any]:
    """A text part of a message, with its annotations."""
    return {"type": "output_text", "annotations": [*annotations], "logprobs": [], "text": said}


def refusal(said: str) -> dict[str, Any]:
    """The part of a message that refuses."""
    return {"type": "refusal", "refusal": said}


def message(*parts: str | Mapping[str, Any], id_: str = "msg_simulator") -> Item:
    """A message of the assistant; a string is a text part."""
    content = [output_text(part) if isinstance(part, str) else dict(part) for part in parts]
    return {"id": id_, "type": "message", "status": "completed", "content": content, "role": "assistant"}


def reasoning(
    *summary: str, content: tuple[str, ...] = (), sealed: str | None = None, id_: str = "rs_simulator"
) -> Item:
    """Reasoning by its summary, its own text, the sealed value of it, or several of these."""
    item: Item = {"id": id_, "type": "reasoning"}
    item["summary"] = [{"type": "summary_text", "text": said} for said in summary]
    if content:
        item["content"] = [{"type": "reasoning_text", "text": said} for said in content]
    if sealed is not None:
        item["encrypted_content"] = sealed
    return item


def function_call(
    name: str, arguments: str = "{}", *, call_id: str = "call_simulator", id_: str = "fc_simulator", **more: Any
) -> Item:
    """A call of a client's function; `more` adds members, such as a namespace."""
    call = {"type": "function_call", "status": "completed", "arguments": arguments, "call_id": call_id, "name": name}
    return {"id": id_, **call, **more}


def custom_tool_call(
    name: str, said: str, *, call_id: str = "call_simulator", id_: str = "ctc_simulator", **more: Any
) -> Item:
    """A call of a client's tool that takes free text."""
    call = {"type": "custom_tool_call", "status": "completed", "call_id": call_id, "input": said, "name": name}
    return {"id": id_, **call, **more}


# --- whole answers -------------------------------------------------------------------------------------------


def usage(tokens: tuple[int, int], *, cached: int = 0, reasoned: int = 0) -> dict[str, Any]:
    """The usage object of so many input and output tokens."""
    return {
        "input_tokens": tokens[0],
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
        "output_tokens": tokens[1],
        "output_tokens_details": {"reasoning_tokens": reasoned},
        "total_tokens": sum(tokens),
    }


def response(
    *output: Item,
    tokens: tuple[int, int] = USAGE,
    counted: Mapping[str, Any] | None = None,
    status: str = "completed",
    model: str = MODEL,
    **more: Any,
) -> dict[str, Any]:
    """A whole response of these items; `counted` is a usage object in place of the one of `tokens`."""
    return {
        "id": ID,
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "background": False,
        "completed_at": CREATED + 2 if status == "completed" else None,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "model": model,
        "output": [*output],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage(tokens) if counted is None else dict(counted),
        "user": None,
        "metadata": {},
        **more,
    }


def incomplete(*output: Item, reason: str = "max_output_tokens", **more: Any) -> dict[str, Any]:
    """A response that was cut short, and why."""
    return response(*output, status="incomplete", incomplete_details={"reason": reason}, **more)


def failed(code: str = "server_error", said: str = "The model failed.", **more: Any) -> dict[str, Any]:
    """A response that failed."""
    return response(status="failed", error={"code": code, "message": said}, usage=None, **more)


def error(code: str = "server_error", said: str = "The server had an error.") -> Event:
    """The event of an error outside of any response."""
    return {"type": "error", "code": code, "message": said, "param": None}


# --- streams -------------------------------------------------------------------------------------------------


def events(whole: Mapping[str, Any]) -> list[Event]:
    """The events that make this response, up to the terminal one of its status, numbered."""
    begun: Item = {**whole, "status": "in_progress", "completed_at": None, "output": [], "usage": None}
    begun |= {"error": None, "incomplete_details": None}
    made: list[Event] = [{"type": f"response.{word}", "response": begun} for word in ("created", "in_progress")]
    for index, item in enumerate(whole["output"]):
        made += item_events(index, item)
    return numbered([*made, {"type": f"response.{whole['status']}", "response": dict(whole)}])


def numbered(made: list[Event], *, start: int = 0) -> list[Event]:
    """The events with their sequence numbers."""
    return [{"type": event["type"], "sequence_number": at, **event} for at, event in enumerate(made, start)]


def item_events(index: int, item: Item) -> list[Event]:
    """The events that make one item, not numbered yet."""
    at = {"item_id": item.get("id", ""), "output_index": index}
    grown: list[Event] = []
    begun: Item = dict(item)
    match item["type"]:
        case "message":
            grown = [event for number, part in enumerate(item["content"]) for event in _content(at, number, part)]
            begun |= {"status": "in_progress", "content": []}
        case "reasoning":
            grown = [event for number, part in enumerate(item["summary"]) for event in _summary(at, number, part)]
            for number, part in enumerate(item.get("content", ())):
                grown += _content(at, number, part)
            begun |= {name: [] for name in ("summary", "content") if name in item}
        case "function_call":
            word = "response.function_call_arguments"
            grown = _growth(word, at, item["arguments"], {"arguments": item["arguments"], "name": item["name"]})
            begun |= {"status": "in_progress", "arguments": ""}
        case "custom_tool_call":
            word = "response.custom_tool_call_input"
            grown = _growth(word, at, item["input"], {"input": item["input"]})
            begun |= {"status": "in_progress", "input": ""}
        case _:
            pass
    return [
        {"type": "response.output_item.added", "output_index": index, "item": begun},
        *grown,
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


_PARTS = {"output_text": "text", "reasoning_text": "text", "refusal": "refusal"}


def _content(at: Mapping[str, Any], number: int, part: Mapping[str, Any]) -> list[Event]:
    word, kind = _PARTS[part["type"]], part["type"]
    here = {**at, "content_index": number}
    scored: dict[str, Any] = {"logprobs": []} if kind == "output_text" else {}
    cited = [
        {"type": "response.output_text.annotation.added", **here, "annotation_index": count, "annotation": annotation}
        for count, annotation in enumerate(part.get("annotations", ()))
    ]
    begun: Item = {**part, word: "", **({"annotations": []} if kind == "output_text" else {})}
    return [
        {"type": "response.content_part.added", **here, "part": begun},
        *({"type": f"response.{kind}.delta", **here, "delta": piece, **scored} for piece in words(part[word])),
        *cited,
        {"type": f"response.{kind}.done", **here, word: part[word], **scored},
        {"type": "response.content_part.done", **here, "part": part},
    ]


def _summary(at: Mapping[str, Any], number: int, part: Mapping[str, Any]) -> list[Event]:
    here = {**at, "summary_index": number}
    word = "response.reasoning_summary"
    return [
        {"type": f"{word}_part.added", **here, "part": {**part, "text": ""}},
        *({"type": f"{word}_text.delta", **here, "delta": piece} for piece in words(part["text"])),
        {"type": f"{word}_text.done", **here, "text": part["text"]},
        {"type": f"{word}_part.done", **here, "part": part},
    ]


def _growth(word: str, at: Mapping[str, Any], said: str, done: Mapping[str, Any]) -> list[Event]:
    middle = len(said) // 2
    pieces = [piece for piece in (said[:middle], said[middle:]) if piece]
    return [
        *({"type": f"{word}.delta", **at, "delta": piece} for piece in pieces),
        {"type": f"{word}.done", **at, **done},
    ]
