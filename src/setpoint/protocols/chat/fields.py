"""The fields of a chat completions body: a row is a field's name and its check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.errors import FieldError
from setpoint.protocols.checks import BOOLEAN, OBJECT, STRING, Check, Schema, either, integer, number, text, whole, word
from setpoint.protocols.fields import (
    COUNT,
    EFFORT,
    ENTRIES,
    EVERY_SKIN,
    FUNCTION_NAME,
    IMAGE_CONFIG,
    PENALTY,
    PROMPT_CACHE_OPTIONS,
    REASONING,
    SERVICE_TIER,
    SHARE,
    SOME_TEXT,
    STOP,
    TEXTS,
    VERBOSITY,
    WEB_SEARCHES,
    conversation,
    server_tools,
    tools,
)
from setpoint.protocols.structures import Rows, array, mapping, record, tagged
from setpoint.wire.body import NULL, members, value

if TYPE_CHECKING:
    from msgspec import Raw

    from setpoint.wire.body import Body

_FUNCTION = record({"name": FUNCTION_NAME, "parameters": OBJECT}, needs=("name",))
_TOOLS = tools(
    "chat",
    {"function": Rows({"function": _FUNCTION}, needs=("function",)), **dict.fromkeys(WEB_SEARCHES, Rows({}))},
)

_CHOSEN = record({"name": SOME_TEXT}, needs=("name",))
_TOOL_CHOICE = whole(
    either(
        string=word("none", "auto", "required"),
        object=tagged(
            "type",
            {
                "function": Rows({"function": _CHOSEN}, needs=("function",)),
                **dict.fromkeys((*WEB_SEARCHES, *server_tools("chat")), Rows({})),
            },
        ),
    ),
    "must be none, auto, required, a function by its name, or a server tool by its type",
)

_JSON_SCHEMA = record({"name": FUNCTION_NAME, "schema": OBJECT}, needs=("name",))
_RESPONSE_FORMAT = tagged(
    "type",
    {
        "text": Rows({}),
        "json_object": Rows({}),
        "json_schema": Rows({"json_schema": _JSON_SCHEMA}, needs=("json_schema",)),
        "grammar": Rows({"grammar": STRING}, needs=("grammar",)),
        "python": Rows({}),
    },
)

FIELDS: dict[str, Check] = {
    **EVERY_SKIN,
    "messages": ENTRIES,
    "prompt": STRING,
    "tools": _TOOLS,
    "tool_choice": _TOOL_CHOICE,
    "parallel_tool_calls": BOOLEAN,
    "max_tool_calls": COUNT,
    "min_p": SHARE,
    "top_a": SHARE,
    "frequency_penalty": PENALTY,
    "presence_penalty": PENALTY,
    "repetition_penalty": number(0, 2),
    "seed": integer(),
    "stop": STOP,
    "logit_bias": mapping(number(-100, 100)),
    "logprobs": BOOLEAN,
    "top_logprobs": integer(0, 20),
    "max_tokens": COUNT,
    "max_completion_tokens": COUNT,
    "response_format": _RESPONSE_FORMAT,
    "structured_outputs": BOOLEAN,
    "verbosity": VERBOSITY,
    "reasoning": REASONING,
    "reasoning_effort": EFFORT,
    "include_reasoning": BOOLEAN,
    "modalities": array(word("text", "image", "audio")),
    "image_config": IMAGE_CONFIG,
    "service_tier": SERVICE_TIER,
    "prompt_cache_key": STRING,
    "prompt_cache_options": PROMPT_CACHE_OPTIONS,
    "metadata": mapping(
        text(longest=512), most=16, keys=r"[\s\S]{0,64}", keys_problem="is too long: a key has at most 64 characters"
    ),
    "debug": record({"echo_upstream_body": BOOLEAN}),
    "stream_options": OBJECT,
    "audio": OBJECT,
    "prediction": OBJECT,
    "web_search_options": OBJECT,
    "x_search_filter": OBJECT,
    "usage": OBJECT,
    "transforms": TEXTS,
}
"""What a field may be, in a body that makes a preset."""

_ROLES = ("system", "developer", "user", "assistant", "tool")

AT_INFERENCE: dict[str, Check] = {"messages": conversation(*_ROLES)}
"""What a field must be in a body that is to be answered."""

_CREATING = Rows(FIELDS)
_CALLING = Rows({**FIELDS, **AT_INFERENCE}, needs=("messages",))
_PROMPTING = Rows({**FIELDS, "messages": conversation(*_ROLES, least=0)})


def check(body: Body, *, creating: bool) -> None:
    """Check every known field of a chat body; at inference it also needs messages, or a prompt in their place.

    Raises: `FieldError` naming the path of the first wrong one.
    """
    if creating:
        _CREATING.walk(body)
    elif body.get("prompt", NULL) == NULL:
        _CALLING.walk(body)
    else:
        _PROMPTING.walk(body)
    if "reasoning_effort" in body and "reasoning" in body:
        _check_effort(body["reasoning_effort"], body["reasoning"])


def schema(*, creating: bool) -> Schema:
    """The JSON Schema of a chat body that makes a preset, or of one that is to be answered."""
    if creating:
        return _CREATING.schema()
    speaking = {"properties": {"messages": {"type": "array", "minItems": 1}}, "required": ["messages"]}
    prompting = {"properties": {"prompt": {"type": "string"}}, "required": ["prompt"]}
    return {**_PROMPTING.schema(), "anyOf": [speaking, prompting]}


def _check_effort(effort: Raw, reasoning: Raw) -> None:
    """What `reasoning_effort` says is the effort of `reasoning`, which takes one, and only without a budget."""
    if NULL in (effort, reasoning):
        return
    said = members(reasoning)
    if value(said.get("effort", NULL)) not in (None, value(effort)):
        raise FieldError("reasoning_effort", "differs from reasoning.effort")
    if said.get("max_tokens", NULL) != NULL:
        raise FieldError("reasoning_effort", "cannot be set beside reasoning.max_tokens")
