"""Text that tries to break out of where it is put: out of a header, out of a log line, onto a terminal."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from simulator.answers import completion
from simulator.script import body, ok, status
from support.http import RawConnection, call, request_bytes

if TYPE_CHECKING:
    from simulator.client import Simulator
    from support.processes import Gateway, StartGateway

HOSTILE = {
    "a header": "a\r\nX-Injected: 1",
    "a bare newline": "a\nX-Injected: 1",
    "a bare return": "a\rX-Injected: 1",
    "an answer": "a\r\n\r\nHTTP/1.1 200 OK\r\nX-Injected: 1\r\n\r\n",
    "colour": "a\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "NUL": "a\0b",
    "a line separator": "a\u2028b\u2029c\x85d",
    "another direction": "a\u202eb",
    "a forged line": 'a"} \n{"level":"error","message":"forged"}',
    "a lone surrogate": "a\ud800b",
    "very long": "a" * 200_000,
}
TEXT_LINE = re.compile(r"\d\d:\d\d:\d\d\.\d{3} (info|warning|error) [ \w]+( \w+=(\S+|\"[ -~]*\"))*")


def post(gateway: Gateway, content: dict[str, Any], *headers: str) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
    """The answer to a chat request, read byte by byte: what was injected would be a header of its own."""
    lines = [("Authorization", f"Bearer {gateway.key}"), *(tuple(one.split(": ", 1)) for one in headers)]
    data = json.dumps({"model": "sim/solo", "messages": [{"role": "user", "content": "hi"}], **content}).encode()
    with RawConnection(gateway.origin) as connection:
        connection.send(request_bytes("POST", f"{gateway.url}/chat/completions", data, headers=_pairs(lines)))
        answer = connection.read_answer()
        connection.send(request_bytes("GET", f"{gateway.origin}/health"))
        following = connection.read_answer()
    assert (following.status, following.body) == (200, b'{"status":"ok"}'), "nothing was left on the connection"
    assert "x-injected" not in {name.lower() for name, _ in answer.headers}
    assert all(re.fullmatch(r"[\x20-\x7e]*", content) for _, content in answer.headers)
    return answer.status, answer.headers, answer.body


def _pairs(lines: list[Any]) -> list[tuple[str, str]]:
    return [(name, content) for name, content in lines]


# --- headers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_nothing_that_a_request_says_makes_a_header(shared_gateway: Gateway, simulator: Simulator, text: str) -> None:
    del simulator
    shared_gateway.call("POST", "/presets/kept/messages", {"model": "sim/solo"})
    for content in (
        {"model": f"@preset/{text}"},
        {"model": f"@preset/kept@{text}"},
        {"model": f"@preset/kept:{text}"},
        {"model": f"{text}@preset/kept"},
        {"model": text},
        {"model": f"sim/{text}"},
        {"preset": text},
        {"preset": f"kept@{text}"},
        {"model": "sim/solo", "models": [text]},
        {"user": text},
        {"session_id": text},
        {"metadata": {text: text}},
        {"messages": [{"role": text, "content": text}]},
        {"tools": [{"type": text}]},
        {"tools": [{"type": "function", "function": {"name": text}}]},
        {"provider": {"only": [text]}},
        {text: text},
    ):
        code, headers, _ = post(shared_gateway, content)
        assert code in (200, 400, 404)
        assert code != 200 or dict(headers).get("x-setpoint-preset") in (None, "kept@1")


def test_names_of_what_was_left_out_are_encoded_and_bounded(start_gateway: StartGateway, simulator: Simulator) -> None:
    gateway = start_gateway(
        providers={"sim": {"dialect": "chat", "base_url": simulator.url("/a/v1")}},
        models={"sim/solo": {"endpoints": [{"provider": "sim", "parameters": ["reasoning_effort"]}]}},
    )
    names = ["a\r\nX-Injected: 1", "comma,and space", "\u00fcml\u00e4ut", "per%cent", "\x1b[31m"]
    code, headers, _ = post(gateway, {"reasoning": {"effort": "low", **dict.fromkeys(names, 1)}})
    said = dict(headers)["x-setpoint-unsaid"]
    assert code == 200
    assert said.split(",")[0] == "/reasoning/a%0D%0AX-Injected: 1"
    assert len(said.split(",")) == len(names)
    assert "comma%2Cand space" in said
    assert "%C3%BCml%C3%A4ut" in said
    many = {f"{'x' * 40}{number}": 1 for number in range(500)}
    _, headers, _ = post(gateway, {"reasoning": {"effort": "low", **many}})
    said = dict(headers)["x-setpoint-unsaid"]
    assert len(said) < 2_100
    shown, _, rest = said.rpartition(",+")
    assert len(shown.split(",")) + int(rest) == 500


def test_nothing_that_a_provider_says_makes_a_header(shared_gateway: Gateway, simulator: Simulator) -> None:
    evil = "x\r\nX-Injected: 1"
    hostile = completion(evil, (1, 1), model=evil)
    hostile["id"] = hostile["system_fingerprint"] = hostile["provider"] = evil
    hostile["choices"][0]["finish_reason"] = evil
    for script in (
        body(hostile),
        body(hostile, headers={"X-Request-Id": "1", "Set-Cookie": "a=b", "X-Injected": "1", "Location": "http://x"}),
        status(429, {"error": {"message": evil, "code": evil}}, headers={"Retry-After": "1, X-Injected: 1"}),
        status(400, {"error": {"message": evil, "code": evil}}, headers={"X-Injected": "1"}),
    ):
        simulator.script(script)
        for streaming in (False, True):
            code, headers, _ = post(shared_gateway, {"stream": streaming})
            assert code in (200, 400, 429, 502)
            assert {"set-cookie", "location", "x-request-id"}.isdisjoint(name.lower() for name, _ in headers)


# --- log lines -----------------------------------------------------------------------------------------------


def drive(gateway: Gateway, simulator: Simulator) -> int:
    """Calls with something hostile in every place that may come near a log. Gives how many were sent upstream."""
    hostile = completion("x", (1, 1))
    sent = 0
    for text in HOSTILE.values():
        for name in ("id", "model", "system_fingerprint"):
            hostile[name] = text
        hostile["choices"][0]["finish_reason"] = text
        simulator.script(body(hostile), status(500, {"error": {"message": text, "code": text, "type": text}}), ok())
        for content in (
            {"user": text[:256], "session_id": text[:256], "metadata": {text[:64]: text[:512]}},
            {"user": text[:256]},
            {"model": f"sim/{text}"},
            {"model": f"sim/{text}:free"},
            {"model": f"@preset/{text}"},
            {"model": text, "models": [text]},
            {"preset": text},
            {text: text},
        ):
            code, _, _ = post(gateway, content)
            assert code in (200, 400, 404, 502)
            sent += code in (200, 502)
        for path in (
            "/presets/{}",
            "/presets/{}/versions",
            "/keys/{}",
            "/{}",
            "/generation?id={}",
            "/presets?offset={}",
        ):
            quoted = "".join(f"%{byte:02x}" for byte in text[:200].encode("utf-8", "surrogatepass"))
            assert gateway.call("GET", path.format(quoted)).status in (400, 404)
    raw = b"\x80\xff caf\xc3\xa9 %0a %1b[31m {level=error} \t tab"
    head = [("Authorization", f"Bearer {gateway.key}"), ("User-Agent", raw.decode("latin-1"))]
    head += [("HTTP-Referer", raw.decode("latin-1")), ("X-Title", raw.decode("latin-1"))]
    data = b'{"model":"sim/solo","messages":[{"role":"user","content":"x"}]}'
    request = request_bytes("POST", f"{gateway.url}/chat/completions", headers=head)
    framing = f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    with RawConnection(gateway.origin) as connection:
        connection.send(request[:-2] + framing + data)
        assert connection.read_answer().status == 200
    assert call("GET", f"{gateway.origin}/health").status == 200
    return sent + 1


ALWAYS = {"at", "level", "logger", "pid", "message", "id", "status", "skin", "key", "streamed", "total_ms", "client"}
REFUSED = {*ALWAYS, "error"}
ENDED = {*REFUSED, "model", "provider", "preset", "attempts", "input_tokens", "output_tokens", "cost", "first_event_ms"}


def test_every_exchange_is_one_line_of_json(start_gateway: StartGateway, simulator: Simulator) -> None:
    gateway = start_gateway(settings={"log_format": "json", "log_level": "debug"})
    sent = drive(gateway, simulator)
    assert gateway.stop() == 0
    lines = gateway.process.stderr_text().split("\n")
    assert lines.pop() == ""
    ended = 0
    for line in lines:
        assert re.fullmatch(r"[\x20-\x7e]+", line)
        said = json.loads(line)
        assert said["level"] == "info"
        assert ALWAYS <= set(said) <= {"exchange": ENDED, "refused": REFUSED}[said["message"]]
        ended += said["message"] == "exchange"
    assert ended == sent > 20


def test_every_exchange_is_one_line_of_text(start_gateway: StartGateway, simulator: Simulator) -> None:
    gateway = start_gateway(settings={"log_format": "text", "log_level": "debug"})
    sent = drive(gateway, simulator)
    assert gateway.stop() == 0
    lines = gateway.process.stderr_text().split("\n")
    assert lines.pop() == ""
    assert sum(" info    exchange " in line for line in lines) == sent > 20
    for line in lines:
        assert TEXT_LINE.fullmatch(line), line
        assert re.search(r" info    (exchange|refused) id=\S+ status=", line)
        assert "forged" not in line


def test_a_key_in_the_wrong_place_is_kept_nowhere(shared_gateway: Gateway, simulator: Simulator) -> None:
    simulator.script(ok())
    key, other = shared_gateway.key, "sk-sp-v1-" + "ab" * 32
    answer = shared_gateway.call(
        "POST",
        "/chat/completions",
        {
            "model": "sim/solo",
            "messages": [{"role": "user", "content": "Hi"}],
            "user": f"me {key}",
            "session_id": other,
        },
        headers={"X-Title": f"t {key}", "HTTP-Referer": f"http://x/{other}", "User-Agent": key},
    )
    record = shared_gateway.call("GET", f"/generation?id={answer.header('x-generation-id')}")
    told = record.json()["data"]
    assert (told["external_user"], told["session_id"]) == ("me [redacted]", "[redacted]")
    assert (told["app_title"], told["http_referer"]) == ("t [redacted]", "http://x/[redacted]")
    assert told["user_agent"] == "[redacted]"
    assert key.encode() not in record.body
    assert other not in record.body.decode() + shared_gateway.settled_log_text()


@pytest.mark.parametrize("key", [None, "sk-sp-v1-unknown-0123456789"])
def test_a_refused_inference_request_has_an_id_too(shared_gateway: Gateway, key: str | None) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    answer = call("POST", f"{shared_gateway.url}/chat/completions", {}, headers=headers)
    assert answer.status == 401
    assert (answer.header("x-generation-id") or "").startswith("gen-")
    assert call("GET", f"{shared_gateway.url}/models").header("x-generation-id") is None
