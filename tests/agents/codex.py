"""Codex, which speaks responses."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from agents.agent import FINAL, PROMPT, THOUGHT, WRITTEN
from clients.npm import NODE
from clients.said import Call, Said, compact
from support.processes import clean_environment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.agent import Place
    from clients.upstreams import Dialect

_CONFIG = """
model = "{model}"
model_provider = "setpoint"
model_catalog_json = "{catalog}"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false

[analytics]
enabled = false

[model_providers.setpoint]
name = "Setpoint"
base_url = "{origin}/api/v1"
wire_api = "responses"
env_key = "SETPOINT_API_KEY"
"""


class Codex:
    """`codex exec`, with a function, a tool of free text and a tool in a namespace."""

    name = "codex"
    skin: Dialect = "responses"
    route = "/v1/responses"
    terminal: Sequence[str] = ("response.completed", "response.incomplete", "response.failed", "error")

    def prepare(self, place: Place) -> None:
        """Its configuration, and a catalogue in which our model has the tools of one of its own."""
        folder = place.home / ".codex"
        folder.mkdir()
        catalog = folder / "models.json"
        catalog.write_text(json.dumps({"models": [self._model(place)]}), "utf-8")
        text = _CONFIG.format(model=place.model, catalog=catalog, origin=place.origin)
        (folder / "config.toml").write_text(text, "utf-8")

    def script(self, place: Place) -> list[Said]:
        """A command is run, a patch applied, a tool in a namespace called to no avail, and that is all."""
        patch = f"*** Begin Patch\n*** Add File: {place.answer.name}\n+{WRITTEN}*** End Patch\n"
        nobody = "01a1fe9c-0000-7000-8000-000000000000"
        return [
            Said(
                "I read it.", (Call("call_read", "exec_command", compact({"cmd": "cat note.txt more.txt"})),), THOUGHT
            ),
            Said("", (Call("call_patch", "apply_patch", patch, custom=True),)),
            Said("", (Call("call_close", "close_agent", compact({"target": nobody}), namespace="multi_agent_v1"),)),
            Said(FINAL),
        ]

    def command(self, place: Place) -> list[str]:
        """The way that its package starts it."""
        return [*_started(place), "exec", "--strict-config", "--skip-git-repo-check", "--json", PROMPT]

    def environment(self, place: Place) -> dict[str, str]:
        """Its key."""
        return {"SETPOINT_API_KEY": place.key}

    def final_text(self, output: str) -> str:
        """The last message among the events that it prints."""
        events = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        items = [event["item"] for event in events if event["type"] == "item.completed"]
        return str([item["text"] for item in items if item["type"] == "agent_message"][-1])

    def _model(self, place: Place) -> dict[str, Any]:
        """The first model of its own catalogue that applies patches by free text, under our model's name."""
        done = subprocess.run(
            [*_started(place), "debug", "models"],
            env=clean_environment(place.home),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        known: list[dict[str, Any]] = json.loads(done.stdout)["models"]
        model = next(
            one for one in known if one.get("apply_patch_tool_type") == "freeform" and not one.get("tool_mode")
        )
        # With a tool to search for tools it would keep those in namespaces to itself.
        return {**model, "slug": place.model, "supports_search_tool": False}


def _started(place: Place) -> list[str]:
    return [NODE, str(place.packages / "node_modules" / "@openai" / "codex" / "bin" / "codex.js")]
