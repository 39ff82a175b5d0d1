"""Unlike any other text, a string in each secret place: none of them is found in logs, errors or files afterwards."""

from __future__ import annotations

import json
import secrets
import signal
import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from simulator.answers import chunk, completion, data_frame
from simulator.script import body, cut, ok, sse, status, stream
from support.http import call, open_stream
from support.processes import Process, clean_environment

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.client import Simulator
    from simulator.steps import Script
    from support.http import Answer
    from support.processes import Gateway, StartGateway


class Canaries:
    """Strings that stand nowhere else. `keys` are credentials, `content` is what people and models say."""

    def __init__(self) -> None:
        self.provider_key = "sk-provider-" + secrets.token_hex(16)
        self.plain_provider_key = secrets.token_hex(16)  # has not the shape of a key
        self.provider_header = "header-" + secrets.token_hex(16)
        self.added_key = secrets.token_hex(16)
        self.resting_key = secrets.token_hex(16)
        self.former_key = secrets.token_hex(16)
        self.secret_key = "sealing-" + secrets.token_hex(16)
        self.admin_key = "sk-sp-admin-" + secrets.token_hex(16)
        self.caller_key = ""
        self.prompt = "prompt-" + secrets.token_hex(8)
        self.system = "system-" + secrets.token_hex(8)
        self.preset_system = "house-" + secrets.token_hex(8)
        self.answer = "answer-" + secrets.token_hex(8)
        self.arguments = "arguments-" + secrets.token_hex(8)
        self.tool = "tool_" + secrets.token_hex(8)

    @property
    def credentials(self) -> list[str]:
        return [
            *(self.provider_key, self.plain_provider_key, self.provider_header, self.secret_key),
            *(self.added_key, self.resting_key, self.former_key, self.admin_key, self.caller_key),
        ]

    @property
    def said_in_calls(self) -> list[str]:
        return [self.prompt, self.system, self.answer, self.arguments]

    @property
    def content(self) -> list[str]:
        return [*self.said_in_calls, self.preset_system, self.tool]


def found(canaries: list[str], text: str) -> list[str]:
    """Those that are in the text, whole or in their middle."""
    return [one for one in canaries if one in text or one[8:-4] in text]


def gateway_with(start: StartGateway, simulator: Simulator, canaries: Canaries, **settings: Any) -> Gateway:
    sim = {
        "dialect": "chat",
        "base_url": simulator.url("/a/v1"),
        "api_key": "${CANARY}",
        "headers": {"X-Team": canaries.provider_header},
    }
    plain = {"dialect": "chat", "base_url": simulator.url("/b/v1"), "api_keys": [canaries.plain_provider_key]}
    gateway = start(
        providers={"sim": sim, "plain": plain},
        models={"sim/both": {"endpoints": [{"provider": "sim"}, {"provider": "plain", "weight": 0}]}},
        settings=settings,
        key=canaries.admin_key,
        environment={"CANARY": canaries.provider_key, "SETPOINT_SECRET_KEY": canaries.secret_key},
    )
    canaries.caller_key = gateway.call("POST", "/keys", {"name": "caller"}).json()["key"]
    for key in (canaries.former_key, canaries.resting_key):
        made = gateway.call("POST", "/byok", {"provider": "sim", "key": key, "is_fallback": True})
        change = {"key": canaries.added_key} if key == canaries.former_key else {"disabled": True}
        changed = gateway.call("PATCH", f"/byok/{made.json()['data']['id']}", change)
        assert (made.status, changed.status) == (201, 200)
        assert found(canaries.credentials, (made.body + changed.body).decode()) == []
    return gateway


def request(canaries: Canaries, **more: Any) -> dict[str, Any]:
    """A call with something secret in every place that has content."""
    function = {"name": canaries.tool, "description": canaries.tool, "parameters": {"type": "object"}}
    told = {"name": canaries.tool, "arguments": json.dumps({"a": canaries.arguments})}
    return {
        "model": "sim/x",
        "messages": [
            {"role": "system", "content": canaries.system},
            {"role": "user", "content": canaries.prompt},
            {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": told}]},
            {"role": "tool", "tool_call_id": "c", "content": canaries.prompt},
        ],
        "tools": [{"type": "function", "function": function}],
        **more,
    }


def run(folder: Path, *words: str, **environment: str) -> tuple[int, str]:
    """The exit code and all output of a command that ends by itself."""
    process = Process(
        [sys.executable, "-m", "setpoint", *words],
        folder=folder,
        environment={**clean_environment(folder), **environment},
    )
    code = process.wait(20)
    return code, process.stdout_text() + process.stderr_text()


def broken_off(gossip: dict[str, Any], content: str = "message") -> dict[str, Any]:
    """A chat answer, or a chunk of one, whose one choice has an error beside what was said up to there."""
    choice = {"index": 0, content: {"role": "assistant", "content": "so far"}, "finish_reason": None, **gossip}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


def provoke(gateway: Gateway, simulator: Simulator, canaries: Canaries) -> list[str]:
    """Every kind of good and bad end that a call can have. Gives the answers of those that were errors."""
    errors: list[str] = []
    calls = [{"id": "c", "type": "function", "function": {"name": canaries.tool, "arguments": canaries.arguments}}]
    good = [ok(canaries.answer), stream([canaries.answer]), body(completion(None, (1, 1), tool_calls=calls))]

    def bad(seen: str) -> list[Script]:
        """Of a provider that tells everybody what it was sent."""
        gossip = {"error": {"message": f"I was sent {seen}", "code": seen, "type": seen}}
        return [
            cut(stream([canaries.answer, "x"]), after=700),
            sse([data_frame(chunk({"content": canaries.answer})), data_frame(gossip)]),
            sse([data_frame(gossip)]),
            body(gossip),
            body(broken_off(gossip)),
            sse([data_frame(chunk({"content": canaries.answer})), data_frame(broken_off(gossip, "delta"))]),
            body(b'{"choices": [' + seen.encode()),
            body(f"<html>{seen}", content_type="text/html"),
            *(status(code, gossip) for code in (400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 503)),
            status(500, seen, content_type="text/plain"),
        ]

    def answers(*models: str) -> list[str]:
        said: list[str] = []
        for streaming in (False, True):
            gateway.forget()  # they are asked again, however they failed
            for model in models:
                asked = request(canaries, model=model, user=canaries.prompt, stream=streaming)
                answer = gateway.call("POST", "/chat/completions", asked, key=canaries.caller_key)
                said.append(answer.body.decode())
        return said

    for script in good:
        simulator.script(script)
        answers("sim/x")
    added = f"{canaries.added_key} not {canaries.former_key} nor {canaries.resting_key}"
    by_key = bad(f"{canaries.provider_key} with X-Team {canaries.provider_header}, {added}")
    for first, second in zip(by_key, bad(canaries.plain_provider_key), strict=True):
        simulator.script(first, prefix="/a")
        simulator.script(second, prefix="/b")
        errors += answers("sim/x", "plain/x", "sim/both")
    for wrong in (
        request(canaries, temperature=9),
        request(canaries, model="@preset/nobody"),
        request(canaries, model=7),
        {**request(canaries), "messages": [canaries.prompt]},
        {**request(canaries), "tools": canaries.tool},
    ):
        errors.append(gateway.call("POST", "/chat/completions", wrong).body.decode())
        errors.append(gateway.call("POST", "/presets/p/messages", wrong).body.decode())
    half = json.dumps(request(canaries)).encode()[:-40]
    errors.append(gateway.call("POST", "/chat/completions", body=half).body.decode())
    for key in (canaries.caller_key + "x", canaries.provider_key, canaries.secret_key):
        errors.append(gateway.call("GET", "/keys", key=key).body.decode())
        errors.append(gateway.call("GET", f"/keys?key={key}", key="x" + key).body.decode())
    errors.append(gateway.call("GET", "/keys", key=canaries.caller_key).body.decode())
    errors.append(gateway.call("GET", "/byok").body.decode())
    for members in (
        {"key": canaries.added_key + "\n"},
        {"key": [canaries.added_key]},
        {"key": {canaries.added_key: 1}},
    ):
        errors.append(gateway.call("POST", "/byok", {"provider": "sim", "key": "k", **members}).body.decode())
    half = json.dumps({"provider": "sim", "key": canaries.added_key}).encode()[:-2]
    errors.append(gateway.call("POST", "/byok", body=half).body.decode())
    return errors


def break_the_database(gateway: Gateway, simulator: Simulator, canaries: Canaries) -> list[str]:
    """Faults that nobody foresaw, with secrets in hand: the database refuses rows, then tables are gone."""

    def unforeseen(*answers: Answer) -> list[str]:
        for answer in answers:
            assert answer.status == 500
            assert answer.json()["error"]["message"] == "Internal Server Error"
            assert answer.json()["error"]["metadata"] == {"error_type": "server"}
        return [answer.body.decode() for answer in answers]

    with closing(sqlite3.connect(gateway.data_dir / "setpoint.db")) as database:
        for table in ("versions", "generations", "provider_keys"):
            database.execute(
                f"CREATE TRIGGER no_{table} BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
        database.commit()
        simulator.clear()
        gateway.forget()
        asked = request(canaries, user=canaries.prompt, session_id=canaries.arguments)
        assert gateway.call("POST", "/chat/completions", asked, key=canaries.caller_key).status == 200
        errors = unforeseen(
            gateway.call("POST", "/presets/other/chat/completions", request(canaries)),
            gateway.call("POST", "/byok", {"provider": "sim", "key": canaries.added_key}),
        )
        database.execute("ALTER TABLE versions RENAME TO gone")
        database.execute("ALTER TABLE generations RENAME TO lost")
        database.execute("ALTER TABLE spend RENAME TO spent")
        database.commit()
    return errors + unforeseen(
        gateway.call("GET", "/presets"),
        gateway.call("GET", "/generation?id=gen-1-x", key=canaries.caller_key),
        gateway.call("GET", "/key", key=canaries.caller_key),
    )


@pytest.mark.parametrize(("log_format", "show_upstream"), [("text", False), ("json", True)])
def test_nothing_secret_is_in_any_output(
    start_gateway: StartGateway, simulator: Simulator, log_format: str, *, show_upstream: bool
) -> None:
    canaries = Canaries()
    settings = {"log_format": log_format, "log_level": "debug", "show_upstream_errors": show_upstream}
    gateway = gateway_with(start_gateway, simulator, canaries, **settings)
    preset = request(canaries, messages=[{"role": "system", "content": canaries.preset_system}])
    assert gateway.call("POST", "/presets/p/chat/completions", preset).status == 200
    errors = provoke(gateway, simulator, canaries)
    errors += break_the_database(gateway, simulator, canaries)
    assert gateway.stop() == 0

    log = gateway.log_text()
    assert log.count("exchange") > 20, "it was logged"
    assert "unforeseen error" in log
    assert "cannot be written" in log
    assert found(canaries.credentials, log) == []
    assert found(canaries.content, log) == []
    assert all("Traceback" not in error for error in errors)
    assert [hit for error in errors for hit in found(canaries.credentials, error)] == []


def test_what_was_sent_upstream_is_shown_without_keys(start_gateway: StartGateway, simulator: Simulator) -> None:
    canaries = Canaries()
    gateway = gateway_with(start_gateway, simulator, canaries, log_level="debug")
    asked = request(canaries, stream=True, debug={"echo_upstream_body": True})
    asked["messages"][1]["content"] += f" my key is {canaries.provider_key}"
    with open_stream(f"{gateway.url}/chat/completions", asked, key=canaries.caller_key) as answer:
        shown = "".join(frame.data or "" for frame in answer.frames())
    assert canaries.prompt in shown, "the caller's own words"
    assert found(canaries.credentials, shown) == []
    assert gateway.stop() == 0
    assert found([*canaries.credentials, *canaries.content], gateway.log_text()) == []


def test_no_key_and_nothing_said_is_in_the_data_folder(start_gateway: StartGateway, simulator: Simulator) -> None:
    canaries = Canaries()
    gateway = gateway_with(start_gateway, simulator, canaries)
    preset = request(canaries, messages=[{"role": "system", "content": canaries.preset_system}])
    assert gateway.call("POST", "/presets/p/chat/completions", preset).status == 200
    for script in (ok(canaries.answer), status(401), cut(stream([canaries.answer]), after=600)):
        simulator.script(script)
        gateway.call("POST", "/chat/completions", request(canaries), key=canaries.caller_key)
        gateway.call("POST", "/chat/completions", request(canaries, stream=True), key=canaries.caller_key)

    def files() -> str:
        paths = [path for path in gateway.data_dir.rglob("*") if path.is_file()]
        assert "setpoint.db" in {path.name for path in paths}
        return "".join(path.read_bytes().decode("latin-1") for path in paths)

    running = files()
    gateway.kill()
    assert canaries.preset_system in running, "what a preset is made of is stored"
    for text in (running, files()):
        assert found(canaries.credentials, text) == []
        assert found(canaries.said_in_calls, text) == []


def test_nothing_secret_is_said_when_it_is_killed_or_stopped_in_the_middle(
    start_gateway: StartGateway, simulator: Simulator
) -> None:
    for number in (signal.SIGTERM, signal.SIGABRT):
        canaries = Canaries()
        gateway = gateway_with(start_gateway, simulator, canaries, log_level="debug", shutdown_grace_s=0.1)
        simulator.forget_requests()
        simulator.script(stream([canaries.answer, "more"], end="hang"))
        asked = request(canaries, stream=True)
        with open_stream(f"{gateway.url}/chat/completions", asked, key=canaries.caller_key) as answer:
            assert canaries.answer in (
                next(frame.data for frame in answer.frames() if "answer" in (frame.data or "")) or ""
            )
            gateway.process.send_signal(number)
            gateway.process.wait(20)
        assert found([*canaries.credentials, *canaries.content], gateway.log_text()) == []


WRONG_VALUES = """
providers:
  openai: {{api_key: ["{0}"], headers: {{Authorization: "{0}"}}, proxy: "http://user:{0}@host/path"}}
  groq: {{api_keys: {{key: "{0}"}}}}
  mistral: {{api_key: "two\\nlines {0}"}}
settings: {{api_key: "{0}", secret_key: ["{0}"], database_url: "postgres://u:{0}@host/db", valkey_url: "redis://:{0}@h"}}
"""


@pytest.mark.parametrize(
    "written",
    [
        WRONG_VALUES,
        'providers:\n  openai: {{api_key: "{0}"\n',
        "providers:\n  openai:\n    api_key: &key {0}\n",
    ],
)
def test_what_is_wrong_with_a_file_is_told_without_its_secrets(tmp_path: Path, written: str) -> None:
    secret = secrets.token_hex(16)
    (tmp_path / "setpoint.yaml").write_text(written.format(secret))
    code, said = run(tmp_path, "serve")
    assert code == 1
    assert "setpoint.yaml:" in said
    assert found([secret], said) == []


def test_the_effective_settings_are_shown_without_secrets(tmp_path: Path) -> None:
    canaries = Canaries()
    canaries.caller_key = canaries.admin_key
    (tmp_path / "setpoint.yaml").write_text(
        "providers:\n"
        f'  openai: {{api_key: "{canaries.provider_key}", headers: {{X-A: "{canaries.provider_header}"}}}}\n'
        f'  other: {{dialect: chat, base_url: "http://x/v1", proxy: "http://u:{canaries.plain_provider_key}@h:1"}}\n'
    )
    environment = {"SETPOINT_API_KEY": canaries.admin_key, "SETPOINT_SECRET_KEY": canaries.secret_key}
    code, said = run(tmp_path, "check", "--show", **environment)
    assert code == 0
    assert "********" in said
    assert found(canaries.credentials, said) == []


def test_a_key_is_in_the_answer_that_makes_it_and_in_no_other(start_gateway: StartGateway) -> None:
    gateway = start_gateway()
    plain = gateway.call("POST", "/keys", {"name": "x"}).json()["key"]
    for path in ("/keys", "/keys?include_disabled=true", "/key", "/presets", "/models"):
        assert found([plain], gateway.call("GET", path, key=gateway.key).body.decode()) == []
        assert found([plain], call("GET", gateway.url + path, key=plain).body.decode()) == []
