"""The fields of a responses body: a row is a field's name and its check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.protocols.checks import (
    BOOLEAN,
    OBJECT,
    STRING,
    Check,
    Schema,
    either,
    exactly,
    integer,
    refused,
    text,
    whole,
    word,
)
from setpoint.protocols.fields import (
    COUNT,
    ENTRIES,
    EVERY_SKIN,
    FUNCTION_NAME,
    IMAGE_CONFIG,
    PENALTY,
    PROMPT_CACHE_OPTIONS,
    REASONING,
    SERVICE_TIER,
    SOME_TEXT,
    STOP,
    TEXTS,
    VERBOSITY,
    WEB_SEARCHES,
    server_tools,
    tools,
)
from setpoint.protocols.structures import Rows, array, mapping, record, tagged

if TYPE_CHECKING:
    from setpoint.wire.body import Body

_HOSTED = (
    *WEB_SEARCHES,
    *("file_search", "computer_use_preview", "code_interpreter", "mcp", "image_generation"),
    *("local_shell", "shell", "apply_patch"),
)
_CALLABLE = {
    "function": Rows({"name": SOME_TEXT, "parameters": OBJECT}, needs=("name",)),
    "custom": Rows({"name": SOME_TEXT}, needs=("name",)),
}
_NAMESPACE = Rows({"name": SOME_TEXT, "tools": array(tagged("type", _CALLABLE))}, needs=("name", "tools"))
_TOOLS = tools("responses", {**_CALLABLE, "namespace": _NAMESPACE, **dict.fromkeys(_HOSTED, Rows({}))})

_CHOSEN = Rows({"name": SOME_TEXT}, needs=("name",))
_TOOL_CHOICE = whole(
    either(
        string=word("none", "auto", "required"),
        object=tagged(
            "type",
            {
                "function": _CHOSEN,
                "custom": _CHOSEN,
                "allowed_tools": Rows(
                    {"mode": word("auto", "required"), "tools": array(OBJECT)}, needs=("mode", "tools")
                ),
                **dict.fromkeys((*_HOSTED, *server_tools("responses")), Rows({})),
            },
        ),
    ),
    "must be none, auto, required, a function by its name, another tool by its type, or a list of allowed tools",
)

_FORMAT = tagged(
    "type",
    {
        "text": Rows({}),
        "json_object": Rows({}),
        "json_schema": Rows({"name": FUNCTION_NAME, "schema": OBJECT}, needs=("name", "schema")),
    },
)

FIELDS: dict[str, Check] = {
    **EVERY_SKIN,
    "input": either(string=STRING, array=ENTRIES),
    "instructions": STRING,
    "prompt": record({"id": STRING}, needs=("id",)),
    "tools": _TOOLS,
    "tool_choice": _TOOL_CHOICE,
    "parallel_tool_calls": BOOLEAN,
    "max_tool_calls": COUNT,
    "frequency_penalty": PENALTY,
    "presence_penalty": PENALTY,
    "stop": STOP,
    "top_logprobs": integer(0, 20),
    "max_output_tokens": COUNT,
    "text": record({"format": _FORMAT, "verbosity": VERBOSITY}),
    "reasoning": REASONING,
    "modalities": array(word("text", "image")),
    "image_config": IMAGE_CONFIG,
    "service_tier": SERVICE_TIER,
    "truncation": word("auto", "disabled"),
    "include": TEXTS,
    "prompt_cache_key": STRING,
    "prompt_cache_options": PROMPT_CACHE_OPTIONS,
    "safety_identifier": STRING,
    "metadata": mapping(
        text(longest=512),
        most=16,
        keys=r"[^\[\]]{0,64}",
        keys_problem="a key has at most 64 characters, and no brackets",
    ),
    "client_metadata": OBJECT,
    "debug": record({"echo_upstream_body": BOOLEAN}),
    "store": exactly("false", "must be false: nothing is stored here"),
    "background": exactly("false", "must be false: nothing is stored here that could be asked for later"),
    "previous_response_id": refused("is not supported: nothing is stored here, so input must hold all that was said"),
}
"""What a field may be, in a body that makes a preset."""

# Nothing is stored here, so there is nothing that a reference could name.
_NO_REFERENCE = text(
    pattern=r"(?!item_reference(?![\s\S]))[\s\S]*", problem="must not be item_reference: nothing is stored here"
)
# The shape knows the items of every day by their words, which is quicker than to match each with a pattern.
_DAILY = word(
    *("message", "reasoning", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output"),
    *("local_shell_call", "local_shell_call_output", "shell_call", "shell_call_output", "web_search_call"),
)
_ITEM = record({"type": Check(_NO_REFERENCE.explain, _DAILY.shape, schema=_NO_REFERENCE.schema)})

AT_INFERENCE: dict[str, Check] = {"input": either(string=STRING, array=array(_ITEM))}
"""What a field must be in a body that is to be answered."""

_CREATING = Rows(FIELDS)
_CALLING = Rows({**FIELDS, **AT_INFERENCE}, needs=("input",))


def check(body: Body, *, creating: bool) -> None:
    """Check every known field of a responses body; at inference it also needs input.

    Raises: `FieldError` naming the path of the first wrong one.
    """
    (_CREATING if creating else _CALLING).walk(body)


def schema(*, creating: bool) -> Schema:
    """The JSON Schema of a responses body that makes a preset, or of one that is to be answered."""
    return (_CREATING if creating else _CALLING).schema()
