"""One telling value for every field, kind of content and kind of tool: what the translation page is made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.records import Dialect

_SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
_FUNCTION = {"type": "function", "function": {"name": "find", "parameters": _SCHEMA}}
_PIXEL = "iVBORw0KGgo="


class Sample(NamedTuple):
    """A value of a field, another one on some skins, and what must stand beside it to mean anything."""

    value: Any
    on: Mapping[str, Any] = {}
    beside: Mapping[str, Any] = {}

    def of(self, skin: Dialect) -> Any:
        """The value on a skin."""
        return self.on.get(skin, self.value)


_TOOLS_BESIDE = {"tools": [_FUNCTION]}

FIELDS: dict[str, Sample] = {
    "audio": Sample({"voice": "a", "format": "wav"}),
    "background": Sample(False),
    "cache_control": Sample({"type": "ephemeral"}),
    "cache_enabled": Sample(True),
    "cache_ttl_seconds": Sample(60),
    "client_metadata": Sample({"a": "b"}),
    "context_management": Sample({"edits": []}),
    "debug": Sample({"echo_upstream_body": True}),
    "deferred_tools": Sample({}),
    "fallbacks": Sample([{"model": "a/b"}]),
    "frequency_penalty": Sample(0.5),
    "image_config": Sample({"aspect_ratio": "1:1"}),
    "include": Sample(["reasoning.encrypted_content"]),
    "include_reasoning": Sample(False),
    "instructions": Sample("Be brief."),
    "logit_bias": Sample({"50256": -100}),
    "logprobs": Sample(True),
    "max_completion_tokens": Sample(100),
    "max_output_tokens": Sample(100),
    "max_tokens": Sample(100),
    "max_tool_calls": Sample(3),
    "metadata": Sample({"team": "a"}, {"messages": {"user_id": "u-1"}}),
    "min_p": Sample(0.1),
    "modalities": Sample(["text", "image"]),
    "models": Sample(["a/b"]),
    "n": Sample(2),
    "output_config.effort": Sample("high"),
    "output_config.format": Sample({"type": "json_schema", "schema": _SCHEMA}),
    "output_config.task_budget": Sample({"type": "tokens", "total": 20000}),
    "parallel_tool_calls": Sample(False, beside=_TOOLS_BESIDE),
    "plugins": Sample([{"id": "web"}]),
    "prediction": Sample({"type": "content", "content": "x"}),
    "presence_penalty": Sample(0.5),
    "preset": Sample("a"),
    "preset_variables": Sample({}),
    "preset_variables_schema": Sample({}),
    "previous_response_id": Sample(None),
    "prompt": Sample("Hello.", {"responses": {"id": "pmpt_1"}}),
    "prompt_cache_key": Sample("k"),
    "prompt_cache_options": Sample({"mode": "explicit"}),
    "provider": Sample({"order": ["acme"]}),
    "reasoning": Sample({"effort": "high"}),
    "reasoning_effort": Sample("high"),
    "repetition_penalty": Sample(1.1),
    "response_format": Sample({"type": "json_schema", "json_schema": {"name": "a", "schema": _SCHEMA}}),
    "route": Sample("fallback"),
    "safeguards": Sample({}),
    "safety_identifier": Sample("u-1"),
    "seed": Sample(7),
    "service_tier": Sample("flex"),
    "session_id": Sample("s-1"),
    "speed": Sample("fast"),
    "stop": Sample(["END"]),
    "stop_sequences": Sample(["END"]),
    "stop_server_tools_when": Sample([{"type": "step_count_is", "step_count": 1}]),
    "store": Sample(False),
    "stream": Sample(True),
    "stream_options": Sample({"include_usage": True}),
    "structured_outputs": Sample(True),
    "system": Sample("Be brief."),
    "temperature": Sample(0.5),
    "text.format": Sample({"type": "json_schema", "name": "a", "schema": _SCHEMA}),
    "text.verbosity": Sample("high"),
    "thinking": Sample({"type": "enabled", "budget_tokens": 2048}),
    "tool_choice": Sample(
        {"type": "function", "function": {"name": "find"}},
        {"messages": {"type": "tool", "name": "find"}, "responses": {"type": "function", "name": "find"}},
        beside=_TOOLS_BESIDE,
    ),
    "top_a": Sample(0.1),
    "top_k": Sample(40),
    "top_logprobs": Sample(2),
    "top_p": Sample(0.9),
    "trace": Sample({"trace_id": "t"}),
    "transforms": Sample(["middle-out"]),
    "truncation": Sample("auto"),
    "usage": Sample({"include": True}),
    "user": Sample("u-1"),
    "verbosity": Sample("high"),
    "web_search_options": Sample({}),
    "x_search_filter": Sample({}),
}
"""Field, or member of one, to its sample."""

LEAST: dict[Dialect, dict[str, Any]] = {
    "chat": {"messages": [{"role": "user", "content": "Hi"}]},
    "messages": {"messages": [{"role": "user", "content": "Hi"}]},
    "responses": {"input": [{"role": "user", "content": "Hi"}]},
}
"""The least that each skin answers."""


def _chat(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(parts)}]}


def _chat_said(**assistant: Any) -> dict[str, Any]:
    call = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    said = {"role": "assistant", "content": None, "tool_calls": [call], **assistant}
    return {"messages": [{"role": "user", "content": "Hi"}, said]}


def _blocks(*blocks: dict[str, Any], role: str = "user") -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "Hi"}, {"role": role, "content": list(blocks)}]}


def _items(*items: dict[str, Any]) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": "Hi"}, *items]}


def _parts(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": list(parts)}]}


_BASE64_IMAGE = {"type": "base64", "media_type": "image/png", "data": _PIXEL}
_BASE64_PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}

CONTENT: dict[Dialect, dict[str, dict[str, Any]]] = {
    "chat": {
        "text part": _chat({"type": "text", "text": "a"}),
        "text part with a cache mark": _chat({"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}),
        "image by address": _chat({"type": "image_url", "image_url": {"url": "https://a.test/a.png"}}),
        "image by content": _chat({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PIXEL}"}}),
        "file by content": _chat(
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}
        ),
        "audio": _chat({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}),
        "video": _chat({"type": "video_url", "video_url": {"url": "https://a.test/a.mp4"}}),
        "a part that nobody knows": _chat({"type": "x_new", "x": 1}),
        "tool call": _chat_said(),
        "refusal": _chat_said(tool_calls=None, refusal="No."),
        "reasoning of Anthropic": _chat_said(
            reasoning_details=[
                {"type": "reasoning.text", "text": "a", "signature": "c2ln", "format": "anthropic-claude-v1"}
            ]
        ),
        "reasoning of OpenAI": _chat_said(
            reasoning_details=[
                {"type": "reasoning.encrypted", "data": "eA==", "id": "rs_1", "format": "openai-responses-v1"}
            ]
        ),
        "reasoning without a seal": _chat_said(reasoning="a"),
        "tool result": {
            "messages": [
                *_chat_said()["messages"],
                {"role": "tool", "tool_call_id": "call_1", "content": "a"},
            ]
        },
    },
    "messages": {
        "text block": _blocks({"type": "text", "text": "a"}),
        "image by address": _blocks({"type": "image", "source": {"type": "url", "url": "https://a.test/a.png"}}),
        "image by content": _blocks({"type": "image", "source": _BASE64_IMAGE}),
        "document, PDF": _blocks({"type": "document", "source": _BASE64_PDF}),
        "document, text": _blocks(
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a"}}
        ),
        "document by file id": _blocks({"type": "document", "source": {"type": "file", "file_id": "file_1"}}),
        "search result": _blocks(
            {"type": "search_result", "source": "a", "title": "b", "content": [{"type": "text", "text": "c"}]}
        ),
        "tool use": _blocks({"type": "tool_use", "id": "toolu_1", "name": "find", "input": {}}, role="assistant"),
        "tool result": _blocks({"type": "tool_result", "tool_use_id": "toolu_1", "content": "a"}),
        "tool result with an image": _blocks(
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "image", "source": _BASE64_IMAGE}]}
        ),
        "thinking with a signature": _blocks(
            {"type": "thinking", "thinking": "a", "signature": "c2ln"}, {"type": "text", "text": "b"}, role="assistant"
        ),
        "redacted thinking": _blocks(
            {"type": "redacted_thinking", "data": "eA=="}, {"type": "text", "text": "b"}, role="assistant"
        ),
        "server tool use": _blocks(
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}, role="assistant"
        ),
        "a block that nobody knows": _blocks({"type": "x_new"}),
        "system message between others": _blocks({"type": "text", "text": "a"}, role="system"),
    },
    "responses": {
        "input text": _parts({"type": "input_text", "text": "a"}),
        "image by address": _parts({"type": "input_image", "image_url": "https://a.test/a.png", "detail": "auto"}),
        "image by content": _parts(
            {"type": "input_image", "image_url": f"data:image/png;base64,{_PIXEL}", "detail": "auto"}
        ),
        "file by content": _parts(
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}
        ),
        "file by id": _parts({"type": "input_file", "file_id": "file_1"}),
        "audio": _parts({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}),
        "video": _parts({"type": "input_video", "video_url": "https://a.test/a.mp4"}),
        "function call": _items({"type": "function_call", "call_id": "c", "name": "find", "arguments": "{}"}),
        "function call output": _items({"type": "function_call_output", "call_id": "c", "output": "a"}),
        "custom tool call": _items({"type": "custom_tool_call", "call_id": "c", "name": "apply", "input": "a"}),
        "local shell call": _items(
            {"type": "local_shell_call", "id": "l", "call_id": "c", "action": {"type": "exec", "command": ["ls"]}}
        ),
        "refusal": _items({"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}),
        "reasoning, sealed": _items(
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "eA=="},
            {"role": "assistant", "content": "b"},
        ),
        "web search call": _items(
            {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "a"}}
        ),
        "compaction": _items({"type": "compaction", "encrypted_content": "eA=="}),
        "an item that nobody knows": _items({"type": "x_new"}),
    },
}
"""What a conversation may hold, by skin."""

TOOLS: dict[str, dict[str, Any]] = {
    "function": _FUNCTION,
    "function of messages": {"name": "find", "input_schema": _SCHEMA},
    "function of responses": {"type": "function", "name": "find", "parameters": _SCHEMA, "strict": True},
    "custom (responses)": {"type": "custom", "name": "apply"},
    "custom (chat)": {"type": "custom", "custom": {"name": "apply"}},
    "`namespace`": {
        "type": "namespace",
        "name": "box",
        "description": "",
        "tools": [{"type": "function", "name": name, "parameters": _SCHEMA} for name in ("look", "put")],
    },
    "`bash_…`": {"type": "bash_20250124", "name": "bash"},
    "`text_editor_…`": {"type": "text_editor_20250124", "name": "str_replace_editor"},
    "`local_shell`": {"type": "local_shell"},
    "`shell`": {"type": "shell"},
    "`apply_patch`": {"type": "apply_patch"},
    "`web_search`": {"type": "web_search"},
    "`web_search_…` (messages)": {"type": "web_search_20250305", "name": "web_search"},
    "`mcp`": {"type": "mcp", "server_label": "a", "server_url": "https://a.test"},
    "`file_search`": {"type": "file_search", "vector_store_ids": ["v"]},
    "`code_interpreter`": {"type": "code_interpreter", "container": {"type": "auto"}},
    "`openrouter:…`": {"type": "openrouter:datetime"},
}
"""What a tool may be."""
