"""The fields a preset may hold, under their canonical names: those of the chat protocol.

One row a field. A capture keeps the fields of this table and nothing else; a merge goes by `group`, because fields
that say the same thing count as one (a request's `max_completion_tokens` displaces a preset's `max_tokens`).
Source: the field matrix in `docs/presets.md`.
"""

from __future__ import annotations

from typing import NamedTuple


class ConfigField(NamedTuple):
    """One field of a preset: its canonical name, and the group that a request overrides as a whole."""

    name: str
    group: str


def _rows(*names: str) -> tuple[ConfigField, ...]:
    return tuple(ConfigField(name, name) for name in names)


CONFIG_FIELDS: tuple[ConfigField, ...] = (
    *_rows("model", "models", "provider", "route", "plugins"),
    *_rows("tools", "tool_choice", "parallel_tool_calls", "max_tool_calls", "stop_server_tools_when"),
    *_rows("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty", "repetition_penalty"),
    *_rows("min_p", "top_a", "seed", "logit_bias", "logprobs", "top_logprobs"),
    ConfigField("max_tokens", "output_limit"),
    ConfigField("max_completion_tokens", "output_limit"),
    *_rows("stop", "reasoning", "verbosity", "response_format", "output_config", "structured_outputs"),
    *_rows("web_search_options", "x_search_filter", "transforms", "audio", "modalities", "image_config"),
    *_rows("service_tier", "cache_control", "prompt_cache_options", "truncation", "speed", "context_management"),
    *_rows("safeguards", "deferred_tools", "cache_enabled", "cache_ttl_seconds"),
)

TRANSIENT = frozenset(
    {
        *("messages", "prompt", "input", "system", "instructions", "stream", "stream_options", "n", "debug", "user"),
        *("metadata", "client_metadata", "session_id", "trace", "prompt_cache_key", "safety_identifier", "store"),
        *("background", "previous_response_id", "include", "prediction", "preset", "preset_variables", "usage"),
    }
)
"""What identifies or shapes one call, in any protocol: a preset never keeps it."""

GROUPS: dict[str, str] = {field.name: field.group for field in CONFIG_FIELDS}
"""Canonical field name to the group it belongs to."""

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""How much a model may be asked to reason, the least first."""
