"""`setpoint demo`: the main job, end to end, with two real processes on this machine and nothing from outside.

The echo model runs as an upstream of its own; the gateway stands in front of it. A working request becomes a preset;
later requests of all three skins that name only the preset reach the upstream with the preset applied. It is asked
where a request would go whose first provider is away, and the request goes there. At last the books of all that close.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Generator

_START_S = 30
_CONFIG = """\
providers:
  upstream: {{dialect: chat, base_url: "{upstream}/v1", name: Upstream}}
  away: {{dialect: chat, base_url: "{away}/v1", name: Away}}
models:
  demo/model:
    context_length: 8192
    endpoints:
      - {{provider: upstream, model: echo, pricing: {{prompt: "0.0000025", completion: "0.00001"}}}}
  demo/two:
    endpoints:
      - {{provider: upstream, model: echo, pricing: {{prompt: "0.0000025", completion: "0.00001"}}}}
      - {{provider: away, model: echo, pricing: {{prompt: "0.000001", completion: "0.000004"}}}}
settings:
  data_dir: "{data}"
"""
_REQUEST: dict[str, Any] = {
    "model": "demo/model",
    "temperature": 0.2,
    "max_tokens": 60,
    "messages": [
        {"role": "system", "content": "You sort parcels. Answer in one line."},
        {"role": "user", "content": "Parcel 17 is wet."},
    ],
}
_LATER: dict[str, Any] = {
    "model": "@preset/parcels",
    "stream": True,
    "messages": [{"role": "user", "content": "Parcel 18 has no address."}],
}
_OTHER_SKINS: dict[str, dict[str, Any]] = {
    "/api/v1/messages": {
        "model": "@preset/parcels",
        "messages": [{"role": "user", "content": "Parcel 19 hums."}],
    },
    "/api/v1/responses": {"model": "@preset/parcels", "input": "Parcel 20 ticks."},
}
"""Requests of the other two skins, by their route."""
_ROUTED: dict[str, Any] = {
    "model": "demo/two@preset/parcels",
    "provider": {"order": ["away", "upstream"]},
    "messages": [{"role": "user", "content": "Parcel 21 has two labels."}],
}
"""A request to a model at two providers, the first of which is away."""

_BOOKED_S = 10.0
_LOOK_AGAIN_S = 0.05


def configure(parser: ArgumentParser) -> None:
    """The command has no options."""
    parser.set_defaults()


def run(_args: Namespace) -> int:
    """Show the main job. Returns 0 when every step did what it shows."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="setpoint-demo-")))
        upstream = _start(stack, ["echo", "--port", "0", "--interval-ms", "20"], {})
        key = f"sk-sp-demo-{secrets.token_hex(16)}"
        config = folder / "setpoint.yaml"
        away = stack.enter_context(_nobody())
        config.write_text(_CONFIG.format(upstream=upstream, away=away, data=folder / "data"))
        environ = {"SETPOINT_API_KEY": key, "SETPOINT_LOG_LEVEL": "warning"}
        gateway = _start(stack, ["serve", "--config", str(config), "--port", "0"], environ)
        print(f"Two processes: the gateway on {gateway}, an upstream model on {upstream}.")
        return _show(_Caller(gateway, key), _Caller(upstream, ""))


def _show(gateway: _Caller, upstream: _Caller) -> int:
    _step("1. A request that works today", "POST /api/v1/chat/completions")
    _json(_REQUEST)
    answer = gateway.call("POST", "/api/v1/chat/completions", _REQUEST)
    print(f"answer: {json.loads(answer)['choices'][0]['message']['content']!r}")

    _step("2. The same body, captured as a preset", "POST /api/v1/presets/parcels/chat/completions")
    preset = json.loads(gateway.call("POST", "/api/v1/presets/parcels/chat/completions", _REQUEST))["data"]
    version = preset["designated_version"]
    print(f"preset {preset['slug']}, version {version['version']}, which is designated:")
    _json({"system_prompt": version["system_prompt"], "config": version["config"]})

    _step("3. A later request that names only the preset", "POST /api/v1/chat/completions")
    _json(_LATER)
    stream = gateway.call("POST", "/api/v1/chat/completions", _LATER)
    chunks = [json.loads(line[6:]) for line in stream.decode().splitlines() if line.startswith("data: {")]
    text = "".join(choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"])

    _step("4. The body that the upstream received", "GET /requests of the upstream")
    received = json.loads(upstream.call("GET", "/requests"))["data"][-1]["body"]
    _json(received)

    _step("5. The answer, streamed back", f"{len(chunks)} events, then [DONE]")
    print(textwrap.indent(text, "  "))

    others = {path: _other_skin(gateway, upstream, path) for path in _OTHER_SKINS}

    _step("8. What the streamed answer was and what it cost", "GET /api/v1/generation?id=…")
    record = json.loads(gateway.call("GET", f"/api/v1/generation?id={chunks[0]['id']}"))["data"]
    shown = ("id", "status", "model", "provider_name", "preset_slug", "preset_version", "tokens_prompt")
    more = ("tokens_completion", "total_cost", "finish_reason", "latency", "generation_time")
    _json({name: record[name] for name in shown + more})
    facts = _facts(received, text, record, finished=stream.rstrip().endswith(b"[DONE]"))
    facts |= {f"{path} applied the same preset": good for path, good in others.items()}
    return _verdict(facts | _routed(gateway) | _books(gateway, upstream))


def _routed(gateway: _Caller) -> dict[str, bool]:
    """Show where a request would go, and that it goes there. Returns what should be so, and whether it is."""
    _step("9. Where a request would go, without sending it", "POST /api/v1/explain/chat/completions")
    _json(_ROUTED)
    told = json.loads(gateway.call("POST", "/api/v1/explain/chat/completions", _ROUTED))["data"]
    print("the answer, in part:")
    _json({name: told[name] for name in ("origin", "endpoints", "estimated_cost")})

    _step("10. The request itself, whose first provider is away", "POST /api/v1/chat/completions")
    answer = json.loads(gateway.call("POST", "/api/v1/chat/completions", _ROUTED))
    print(f"answer of {answer['provider']}: {answer['choices'][0]['message']['content']!r}")
    record = json.loads(gateway.call("GET", f"/api/v1/generation?id={answer['id']}"))["data"]
    print("its record, in part:")
    tries = [
        {name: one[name] for name in ("provider_name", "status", "error_type")} for one in record["provider_responses"]
    ]
    _json({"endpoints": record["endpoints"], "provider_responses": tries, "total_cost": record["total_cost"]})

    origin, cost = told["origin"], told["estimated_cost"]
    places = [{name: said for name, said in one.items() if name != "position"} for one in told["endpoints"]]
    return {
        "the explanation says what is the request's and what the preset's": (origin["/model"], origin["/max_tokens"])
        == ("request", "preset"),
        "the first provider failed, and the second answered": [one["status"] for one in tries] == [None, 200],
        "the record has the endpoints that were explained": record["endpoints"] == places,
        "it cost what it was to cost": float(cost["min"]) <= record["total_cost"] <= float(cost["max"]),
    }


def _books(gateway: _Caller, upstream: _Caller) -> dict[str, bool]:
    """Show that the books close over all of that. Returns what should be so, and whether it is."""
    _step("11. Whether the books close", "GET /api/v1/ledger/verify")
    served = len(json.loads(upstream.call("GET", "/requests"))["data"])
    until = time.monotonic() + _BOOKED_S
    told = json.loads(gateway.call("GET", "/api/v1/ledger/verify"))["data"]
    while told["checked"] < served and time.monotonic() < until:  # the last ones are on their way
        time.sleep(_LOOK_AGAIN_S)
        told = json.loads(gateway.call("GET", "/api/v1/ledger/verify"))["data"]
    _json(told)
    print(f"requests that the upstream has served: {served}")
    return {
        "all that the upstream has served is booked, and the try that was away is not": told["checked"] == served > 0,
        "the books close": told["ok"] and len(set(told["sums"].values())) == 1,
    }


def _other_skin(gateway: _Caller, upstream: _Caller, path: str) -> bool:
    """Show the preset used from another skin. Returns whether the upstream was sent what the preset says."""
    asked = _OTHER_SKINS[path]
    number = 6 + list(_OTHER_SKINS).index(path)
    _step(f"{number}. The same preset from another skin", f"POST {path}")
    _json(asked)
    answer = json.loads(gateway.call("POST", path, asked))
    content = answer["content"] if "content" in answer else answer["output"][0]["content"]
    print(textwrap.indent(content[0]["text"], "  "))
    received = json.loads(upstream.call("GET", "/requests"))["data"][-1]["body"]
    said = str(asked.get("input") or asked["messages"][0]["content"])
    return said in content[0]["text"] and _is_applied(received) and received["messages"][-1]["content"] == said


def _is_applied(received: dict[str, Any]) -> bool:
    """Whether a body that the upstream received has the preset's settings and its system prompt."""
    prompt = {"role": "system", "content": _REQUEST["messages"][0]["content"]}
    same = all(received.get(name) == _REQUEST[name] for name in ("temperature", "max_tokens"))
    return same and received.get("messages", [None])[0] == prompt


def _facts(received: dict[str, Any], text: str, record: dict[str, Any], *, finished: bool) -> dict[str, bool]:
    """What should be so of the streamed answer, and whether it is."""
    prompt = {"role": "system", "content": _REQUEST["messages"][0]["content"]}
    return {
        "the upstream was sent the preset's temperature": received.get("temperature") == _REQUEST["temperature"],
        "the upstream was sent the preset's system prompt": received.get("messages", [None])[0] == prompt,
        "the upstream was sent the later request's message": received["messages"][-1] == _LATER["messages"][0],
        "the answer came back to its end": finished and "Parcel 18" in text,
        "the record names the preset and its version": (record["preset_slug"], record["preset_version"])
        == ("parcels", 1),
        "the record has a cost": (record["total_cost"] or 0) > 0,
    }


def _verdict(facts: dict[str, bool]) -> int:
    """Say whether all that was shown is what should have been."""
    print()
    for fact, holds in facts.items():
        print(f"{'ok ' if holds else 'NOT'} {fact}")
    return 0 if all(facts.values()) else 1


class _Caller:
    """Plain HTTP calls to one address."""

    def __init__(self, address: str, key: str) -> None:
        self._host = address.removeprefix("http://")
        self._key = key

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
        connection = http.client.HTTPConnection(self._host, timeout=_START_S)
        try:
            headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise SystemExit(f"{method} {path} answered {answer.status}: {content.decode(errors='replace')}")
        return content


def _start(stack: ExitStack, words: list[str], environ: dict[str, str]) -> str:
    """Start a subcommand as a process of its own and give the address that it says it answers on."""
    clean = {name: content for name, content in os.environ.items() if not name.startswith("SETPOINT_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "setpoint", *words],
        stdout=subprocess.PIPE,
        text=True,
        env={**clean, **environ},
    )
    stack.callback(_stop, process)
    for line in process.stdout or ():
        if " on http://" in line:
            return line.split(" on ")[-1].strip()
    raise SystemExit(f"setpoint {words[0]} did not start")


@contextmanager
def _nobody() -> Generator[str]:
    """An address where nobody answers, and nobody else can come to be meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_START_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _step(title: str, call: str) -> None:
    print(f"\n{title}\n   {call}")


def _json(content: dict[str, Any]) -> None:
    print(textwrap.indent(json.dumps(content, indent=2, ensure_ascii=False), "  "))
