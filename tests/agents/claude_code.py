"""Claude Code, which speaks messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agents.agent import FINAL, PROMPT, THOUGHT, WRITTEN
from clients.npm import NODE
from clients.said import Call, Said, compact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.agent import Place
    from clients.upstreams import Dialect


class ClaudeCode:
    """`claude -p`, with two tools that it may use unasked."""

    name = "claude"
    skin: Dialect = "messages"
    route = "/v1/messages"
    terminal: Sequence[str] = ("message_stop", "error")

    def prepare(self, place: Place) -> None:
        """It needs no files."""

    def script(self, place: Place) -> list[Said]:
        """Two files are read at once, a tool is searched for, a file is written, and that is all."""
        reads = [place.note, place.folder / "more.txt"]
        calls = [Call(f"call_read_{at}", "Read", compact({"file_path": str(path)})) for at, path in enumerate(reads)]
        write = compact({"file_path": str(place.answer), "content": WRITTEN})
        return [
            Said("I read them.", tuple(calls), THOUGHT),
            Said("", (Call("call_search", "ToolSearch", compact({"query": "select:WebFetch"})),)),
            Said("", (Call("call_write", "Write", write),)),
            Said(FINAL),
        ]

    def command(self, place: Place) -> list[str]:
        """The wrapper that its package has for installations without their own scripts."""
        wrapper = place.packages / "node_modules" / "@anthropic-ai" / "claude-code" / "cli-wrapper.cjs"
        started = [NODE, str(wrapper), "-p", PROMPT, "--output-format", "json", "--model", place.model]
        return [*started, "--allowedTools", "Read,Write"]

    def environment(self, place: Place) -> dict[str, str]:
        """Where the gateway is, and that nothing else is to be called."""
        quiet = (
            "DISABLE_TELEMETRY",
            "DISABLE_ERROR_REPORTING",
            "DISABLE_AUTOUPDATER",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        )
        return {
            "ANTHROPIC_BASE_URL": f"{place.origin}/api",
            "ANTHROPIC_API_KEY": place.key,
            **dict.fromkeys(quiet, "1"),
        }

    def final_text(self, output: str) -> str:
        """The result that it prints."""
        return str(json.loads(output)["result"])
