"""The words of an upstream that speaks responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clients.said import MODEL, Said, Tokens, halves, named_frame
from simulator.answers import CREATED, words

if TYPE_CHECKING:
    from collections.abc import Iterator


def body(said: Said) -> dict[str, Any]:
    """A whole response."""
    return {
        "id": "resp_67ccd2bed1ec8190",
        "object": "response",
        "created_at": CREATED,
        "status": "incomplete" if said.cut_short else "completed",
        "background": False,
        "completed_at": None if said.cut_short else CREATED + 2,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if said.cut_short else None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "model": MODEL,
        "output": _items(said),
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "safety_identifier": None,
        "service_tier": "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": _usage(said.tokens),
        "user": None,
        "metadata": {},
    }


def frames(said: Said) -> list[bytes]:
    """The same as a stream."""
    events = enumerate(_events(said))
    return [named_frame({**event, "sequence_number": number}) for number, event in events]


def _events(said: Said) -> Iterator[dict[str, Any]]:
    whole = body(said)
    begun = {**whole, "status": "in_progress", "completed_at": None, "incomplete_details": None}
    begun |= {"output": [], "usage": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(_items(said)):
        at = {"item_id": item["id"], "output_index": index}
        yield {"type": "response.output_item.added", "output_index": index, "item": _opened(item)}
        for event in _pieces(item):
            yield {**event, **at}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": f"response.{whole['status']}", "response": whole}


def _items(said: Said) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if said.thought is not None:
        summary = [{"type": "summary_text", "text": said.thought.text}]
        item: dict[str, Any] = {"id": "rs_67ccd2bf17f0", "type": "reasoning", "summary": summary}
        items.append({**item, "encrypted_content": said.thought.seal})
    status = "incomplete" if said.cut_short else "completed"
    if said.text:
        part: dict[str, Any] = {"type": "output_text", "annotations": [], "logprobs": [], "text": said.text}
        items.append(
            {"id": "msg_67ccd3acc8d4", "type": "message", "status": status, "role": "assistant", "content": [part]}
        )
    for call in said.calls:
        names = {"call_id": call.id, "name": call.name}
        if call.namespace is not None:
            names["namespace"] = call.namespace
        if call.custom:
            item = {"id": f"ctc_{call.id}", "type": "custom_tool_call", "status": status, "input": call.arguments}
        else:
            item = {"id": f"fc_{call.id}", "type": "function_call", "status": status, "arguments": call.arguments}
        items.append({**item, **names})
    return items


_EMPTY: dict[str, Any] = {"summary": [], "content": [], "arguments": "", "input": ""}


def _opened(item: dict[str, Any]) -> dict[str, Any]:
    """An item as it is when nothing is in it yet."""
    empty = {name: _EMPTY.get(name, content) for name, content in item.items()}
    return {**empty, "status": "in_progress"} if "status" in item else empty


def _pieces(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    match item["type"]:
        case "reasoning":
            (part,) = item["summary"]
            yield from _part(part, "reasoning_summary_part", "reasoning_summary_text", {"summary_index": 0})
        case "message":
            (part,) = item["content"]
            yield from _part(part, "content_part", "output_text", {"content_index": 0})
        case kind:
            member = "input" if kind == "custom_tool_call" else "arguments"
            name = f"response.{'custom_tool_call_input' if member == 'input' else 'function_call_arguments'}"
            for piece in halves(item[member]):
                yield {"type": f"{name}.delta", "delta": piece}
            yield {"type": f"{name}.done", member: item[member]}


def _part(part: dict[str, Any], part_name: str, text_name: str, at: dict[str, int]) -> Iterator[dict[str, Any]]:
    told: dict[str, Any] = {"logprobs": []} if text_name == "output_text" else {}
    yield {"type": f"response.{part_name}.added", "part": {**part, "text": ""}, **at}
    for piece in words(part["text"]):
        yield {"type": f"response.{text_name}.delta", "delta": piece, **told, **at}
    yield {"type": f"response.{text_name}.done", "text": part["text"], **told, **at}
    yield {"type": f"response.{part_name}.done", "part": part, **at}


def _usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "input_tokens": tokens.input,
        "input_tokens_details": {"cached_tokens": tokens.cached, "cache_write_tokens": 0},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.input + tokens.output,
    }
