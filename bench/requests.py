"""The requests that are sent: one conversation, said to the upstream's own API, as a preset, and in another skin."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from support.processes import KEY

if TYPE_CHECKING:
    from pathlib import Path

    from bench.scenarios import Scenario

_SYSTEM = (
    "You are a helpful assistant. Answer briefly and to the point, in plain words, and ask when the request is not "
    "clear."
)
_USER = "Hello! Please tell me in two or three sentences what you can do for me today, and give one example of each."


class Request(NamedTuple):
    """One POST: its path, and its body before it is JSON."""

    path: str
    body: dict[str, Any]

    def data(self) -> bytes:
        """All its bytes, as they are sent."""
        body = json.dumps(self.body, separators=(",", ":")).encode()
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nAuthorization: Bearer {KEY}\r\nAccept: */*\r\nUser-Agent: load\r\n\r\n"
        )
        return head.encode() + body

    def write(self, folder: Path, name: str) -> Path:
        """The file with its bytes."""
        file = folder / f"{name}.http"
        file.write_bytes(self.data())
        return file


def chat_body(model: str, *, streamed: bool) -> dict[str, Any]:
    """A chat completions body of some 370 bytes."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": _USER}],
        "temperature": 0.7,
        "max_tokens": 256,
        "user": "user-1234",
    }
    return {**body, "stream": True, "stream_options": {"include_usage": True}} if streamed else body


def upstream(scenario: Scenario) -> Request:
    """To the upstream itself, or through what forwards it as it is."""
    path = f"/{scenario.behaviour}/v1/chat/completions"
    return Request(path, chat_body("gpt-4.1-mini", streamed=scenario.streamed))


def plain(scenario: Scenario) -> Request:
    """To Setpoint, naming a model."""
    return Request("/api/v1/chat/completions", chat_body(model(scenario.behaviour), streamed=scenario.streamed))


def by_preset(scenario: Scenario) -> Request:
    """To Setpoint, naming a preset that holds all but the conversation."""
    body: dict[str, Any] = {
        "model": f"@preset/{scenario.behaviour}",
        "messages": [{"role": "user", "content": _USER}],
        "stream": scenario.streamed,
    }
    return Request("/api/v1/chat/completions", body)


def translated(scenario: Scenario) -> Request:
    """To Setpoint's messages skin; the upstream speaks chat completions."""
    body: dict[str, Any] = {
        "model": model(scenario.behaviour),
        "system": _SYSTEM,
        "messages": [{"role": "user", "content": _USER}],
        "temperature": 0.7,
        "max_tokens": 256,
        "stream": scenario.streamed,
    }
    return Request("/api/v1/messages", body)


def model(behaviour: str) -> str:
    """The model at Setpoint that makes the upstream behave so."""
    return f"bench/{behaviour}"
