"""What a response repeats of its request."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from setpoint.wire.body import NULL, Body, as_array, as_object, as_text, is_null, join, raw

_FALSE, _TRUE = Raw(b"false"), Raw(b"true")
_EMPTY_LIST, _AUTO = Raw(b"[]"), Raw(b'"auto"')

_ALWAYS: dict[str, Raw] = {
    "background": _FALSE,
    "frequency_penalty": NULL,
    "instructions": NULL,
    "max_output_tokens": NULL,
    "max_tool_calls": NULL,
    "metadata": NULL,
    "parallel_tool_calls": _TRUE,
    "presence_penalty": NULL,
    "temperature": NULL,
    "tool_choice": _AUTO,
    "top_p": NULL,
    "truncation": Raw(b'"disabled"'),
}
"""Fields of the request that a response repeats as they were sent, with what stands for one that was not."""

# Repeated only when they were sent: a client does not take null for all of them.
_WHERE_SENT = ("prompt_cache_key", "safety_identifier", "top_logprobs", "user")
_REASONING: Body = {"effort": NULL, "summary": NULL}
_REASONING_WORDS = ("effort", "summary", "context", "mode", "enabled", "max_tokens")
_TEXT: Body = {"format": Raw(b'{"type":"text"}')}
_NO_PARAMETERS: Body = {"parameters": NULL}


class _Tool(Struct):
    """As much of a tool as says whether it lacks anything."""

    type: str = ""
    parameters: Raw | UnsetType = UNSET


_TOOLS = msgspec.json.Decoder(list[_Tool])


def repeated(request: Body) -> Body:
    """What a response repeats of its request, with the words that stand for what was not sent."""
    echo = {name: _sent(request, name) or default for name, default in _ALWAYS.items()}
    echo |= {name: sent for name in _WHERE_SENT if (sent := _sent(request, name)) is not None}
    reasoning = as_object(request.get("reasoning"))
    said = {word: reasoning[word] for word in _REASONING_WORDS if word in reasoning}
    echo["reasoning"] = Raw(join({**_REASONING, **said}))
    text = {name: content for name, content in as_object(request.get("text")).items() if not is_null(content)}
    echo["text"] = Raw(join({**_TEXT, **text}))
    echo["tools"] = _tools(_sent(request, "tools") or _EMPTY_LIST)
    echo["store"] = _FALSE
    echo["previous_response_id"] = NULL
    return echo


def _sent(request: Body, name: str) -> Raw | None:
    content = request.get(name, NULL)
    return None if is_null(content) else content


def _tools(listed: Raw) -> Raw:
    """The tools as clients expect to read them again: a function has parameters, and be they null."""
    try:  # mostly none lacks anything, which is seen without taking each apart
        if all(tool.type != "function" or tool.parameters is not UNSET for tool in _TOOLS.decode(listed)):
            return listed
    except (msgspec.MsgspecError, UnicodeError):
        pass
    return raw([_whole(tool) for tool in as_array(listed)])


def _whole(tool: Raw) -> Raw:
    told = as_object(tool)
    if as_text(told.get("type")) != "function" or "parameters" in told:
        return tool
    return Raw(join({**told, **_NO_PARAMETERS}))
