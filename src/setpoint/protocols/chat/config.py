"""The configuration in a chat body, read and written. The canonical names are chat's own, so most rows say one word.

Source: the field matrix in `docs/presets.md`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.errors import FieldError
from setpoint.protocols.base import read_fields
from setpoint.protocols.chat.fields import FIELDS as CHECKS
from setpoint.protocols.chat.fields import check
from setpoint.protocols.functions import functions_in_form
from setpoint.wire.body import NULL, join, members

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.wire.body import Body

FIELDS: Mapping[str, str] = MappingProxyType(
    {name: name for name in (*CHECKS, "n", "safety_identifier")} | {"prompt": "plain_prompt"}
)
"""Every field of a chat request to its canonical name. The older `prompt` is another thing than that of responses."""

PARTS: Mapping[str, Mapping[str, str]] = MappingProxyType({})
"""Chat has no field that holds several settings."""

COMPOSITE: frozenset[str] = frozenset()
"""As `PARTS`."""

_NAMES = (
    *("model", "models", "provider", "route", "plugins"),
    *("tools", "tool_choice", "parallel_tool_calls", "max_tool_calls", "stop_server_tools_when"),
    *("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty", "repetition_penalty"),
    *("min_p", "top_a", "seed", "logit_bias", "logprobs", "top_logprobs"),
    *("max_tokens", "max_completion_tokens", "stop", "reasoning", "verbosity", "response_format"),
    *("structured_outputs", "web_search_options", "x_search_filter", "transforms", "audio"),
    *("modalities", "image_config", "service_tier", "cache_control", "prompt_cache_options", "deferred_tools"),
    *("cache_enabled", "cache_ttl_seconds"),
)

_CALL_NAMES = ("user", "safety_identifier", "metadata", "prompt_cache_key", "prediction", "n")
"""What says something of one call only."""

_SHORTHANDS = ("reasoning_effort", "include_reasoning")

_READ = {name: name for name in _NAMES} | dict.fromkeys(_SHORTHANDS, "reasoning")
"""Field of a body to canonical name."""

_WRITTEN = frozenset((*_NAMES, *_CALL_NAMES))

# What another skin may have with a value that chat's own check refuses: more stop sequences, a tier of Anthropic's, a
# choice among tools of the responses protocol.
_NARROWER = frozenset({"stop", "service_tier", "tool_choice", "response_format", "metadata"})

_ONE = Raw(b"1")


def read_config(body: Body) -> Body:
    """The configuration in a checked chat body, in the order of the body."""
    config = read_fields(body, _READ)
    if "reasoning" in config and not body.keys().isdisjoint(_SHORTHANDS):
        config["reasoning"] = _reasoning(body)
    return config


def read_call(body: Body) -> Body:
    """The configuration, and what the body says of this one call. One answer is what everybody gets without `n`."""
    said = {name: body[name] for name in _CALL_NAMES if body.get(name, NULL) != NULL}
    if said.get("n") == _ONE:
        del said["n"]
    return {**read_config(body), **said}


def write_config(config: Body) -> tuple[Body, tuple[str, ...]]:
    """The configuration in chat's fields, and the canonical names of what chat cannot say."""
    body: Body = {}
    unsaid: list[str] = []
    for name, content in config.items():
        if name not in _WRITTEN or (name in _NARROWER and not _takes(name, content)):
            unsaid.append(name)
        else:
            body[name] = functions_in_form(content, "chat") if name == "tools" else content
    return body, tuple(unsaid)


def settled(body: Body, _request: Body, /) -> Body:
    """A request over a preset's fields as it is: here any two of their fields can stand together."""
    return body


def pointer(name: str) -> str:
    """Where a chat body says a canonical field, or a member of it: a JSON pointer."""
    field, _, member = name.partition(".")
    return f"/{field}/{member}" if member else f"/{field}"


def _takes(name: str, content: Raw) -> bool:
    try:
        check({name: content}, creating=True)
    except FieldError:
        return False
    return True


def _reasoning(body: Body) -> Raw:
    """The object that `reasoning` and its two shorthands make together; what the object says itself goes first."""
    written = body.get("reasoning", NULL)
    said = {} if written == NULL else members(written)
    short: Body = {}
    if (effort := body.get("reasoning_effort", NULL)) != NULL:
        short["effort"] = effort
    if body.get("include_reasoning") == Raw(b"false"):
        short["exclude"] = Raw(b"true")
    added = {name: content for name, content in short.items() if said.get(name, NULL) == NULL}
    if written != NULL and not added:
        return written
    return Raw(join({**said, **added}))
