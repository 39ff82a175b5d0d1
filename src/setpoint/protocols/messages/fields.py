"""The fields of a messages body: a row is a field's name and its check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.errors import FieldError
from setpoint.protocols.checks import (
    ARRAY,
    BOOLEAN,
    OBJECT,
    STRING,
    Check,
    Schema,
    either,
    integer,
    refused,
    whole,
    word,
)
from setpoint.protocols.fields import (
    COUNT,
    ENTRIES,
    EVERY_SKIN,
    MODEL_ID,
    SOME_TEXT,
    TEXTS,
    VERBOSITY,
    conversation,
    tools,
)
from setpoint.protocols.structures import Rows, array, record, tagged
from setpoint.wire.body import NULL

if TYPE_CHECKING:
    from setpoint.wire.body import Body

_TOOLS = tools(
    "messages",
    {
        "custom": Rows({"name": SOME_TEXT, "input_schema": OBJECT}, needs=("name", "input_schema")),
        "advisor_20260301": Rows({"model": MODEL_ID}),
    },
    untyped="custom",
)

_PARALLEL: dict[str, Check] = {"disable_parallel_tool_use": BOOLEAN}
_TOOL_CHOICE = whole(
    tagged(
        "type",
        {
            "auto": Rows(_PARALLEL),
            "any": Rows(_PARALLEL),
            "tool": Rows({**_PARALLEL, "name": SOME_TEXT}, needs=("name",)),
            "none": Rows({}),
        },
    ),
    "must be an object of type auto, any or none, or of type tool with a name",
)

_DISPLAY: dict[str, Check] = {"display": word("summarized", "omitted", "updates")}
_THINKING = tagged(
    "type",
    {
        "enabled": Rows({**_DISPLAY, "budget_tokens": integer(1024)}, needs=("budget_tokens",)),
        "adaptive": Rows(_DISPLAY),
        "disabled": Rows(_DISPLAY),
    },
)

_OUTPUT_CONFIG = record(
    {
        "effort": VERBOSITY,
        "format": tagged("type", {"json_schema": Rows({"schema": OBJECT}, needs=("schema",))}),
        "task_budget": record(
            {"type": word("tokens"), "total": integer(20000), "remaining": integer(0)}, needs=("total",)
        ),
    }
)

FIELDS: dict[str, Check] = {
    **EVERY_SKIN,
    "messages": ENTRIES,
    "system": either(string=STRING, array=array(tagged("type", {"text": Rows({"text": STRING}, needs=("text",))}))),
    "fallbacks": array(record({"model": MODEL_ID}, needs=("model",), closed=True), most=3),
    "tools": _TOOLS,
    "tool_choice": _TOOL_CHOICE,
    "stop_sequences": TEXTS,
    "max_tokens": COUNT,
    "thinking": _THINKING,
    "output_config": _OUTPUT_CONFIG,
    "service_tier": STRING,
    "speed": word("fast", "standard"),
    "metadata": record({"user_id": STRING}),
    "debug": record({"echo_upstream_body": BOOLEAN}),
    "context_management": record({"edits": ARRAY}),
    "safeguards": either(object=OBJECT, array=array(OBJECT)),
}
"""What a field may be, in a body that makes a preset."""

AT_INFERENCE: dict[str, Check] = {
    "messages": conversation("user", "assistant", "system"),
    # The tool runners of Anthropic's SDKs ask for a thread on the server; told so, they send all that was said instead.
    "thread": refused(
        "is not supported: nothing is stored here, so messages must hold all that was said",
        error_code="thread_unsupported_request",
        unsupported=("thread",),
    ),
}
"""What a field must be in a body that is to be answered."""

_CREATING = Rows(FIELDS)
_CALLING = Rows({**FIELDS, **AT_INFERENCE}, needs=("messages",))


def check(body: Body, *, creating: bool) -> None:
    """Check every known field of a messages body; at inference it also needs messages.

    Raises: `FieldError` naming the path of the first wrong one.
    """
    (_CREATING if creating else _CALLING).walk(body)
    if body.get("fallbacks", NULL) != NULL and body.get("models", NULL) != NULL:
        raise FieldError("fallbacks", "cannot be set beside models")


def schema(*, creating: bool) -> Schema:
    """The JSON Schema of a messages body that makes a preset, or of one that is to be answered."""
    return (_CREATING if creating else _CALLING).schema()
