"""Pages of other origins, and what clients say of themselves through proxies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from edge.edge_support import serving
from simulator.script import status
from support.http import call
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator
    from support.http import Answer
    from support.processes import Gateway, StartGateway

PAGE = "https://app.example"
BODY = {"model": "sim/solo", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5, "input": "Hi"}
OPEN = ["/chat/completions", "/messages", "/responses", "/messages/count_tokens"]
CLOSED = ["/keys", "/presets", "/key", "/generation", "/presets/p/chat/completions", "/presets/p", "/nowhere"]


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serving(tmp_path_factory, simulator_process, {"cors_origins": [PAGE, "http://127.0.0.1:3000"]}) as gateway:
        yield gateway


def told(answer: Answer) -> dict[str, str]:
    """What an answer says to browsers."""
    return {name.lower(): text for name, text in answer.headers if name.lower().startswith("access-control-")}


def asking(gateway: Gateway, path: str, origin: str = PAGE, **headers: str) -> Answer:
    """The answer to a browser that asks before it calls."""
    more = {"Origin": origin, "Access-Control-Request-Method": "POST", **headers}
    return call("OPTIONS", gateway.url + path, headers=more)


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("path", OPEN)
def test_a_page_that_is_named_may_call_models(gateway: Gateway, path: str) -> None:
    wanted = "authorization,content-type,x-stainless-lang,anthropic-version"
    asked = asking(gateway, path, **{"Access-Control-Request-Headers": wanted})
    assert (asked.status, asked.body, asked.header("content-length")) == (204, b"", None)
    assert told(asked) == {
        "access-control-allow-origin": PAGE,
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": wanted,
        "access-control-max-age": "7200",
    }
    answer = gateway.call("POST", path, BODY, headers={"Origin": PAGE})
    assert (answer.status, answer.header("vary")) == (200, "Origin")
    shown = told(answer)
    assert shown.pop("access-control-allow-origin") == PAGE
    assert "X-Generation-Id" in shown.pop("access-control-expose-headers")
    assert shown == {}, "and never with credentials"


@pytest.mark.parametrize("fields", [{"stream": True}, {"model": 7}, {"model": "no/such"}])
@pytest.mark.parametrize("path", OPEN[:3])
def test_a_page_can_read_streams_and_errors_too(
    gateway: Gateway, simulator: Simulator, path: str, fields: dict[str, Any]
) -> None:
    answer = gateway.call("POST", path, {**BODY, **fields}, headers={"Origin": PAGE})
    assert told(answer)["access-control-allow-origin"] == PAGE
    simulator.script(status(500))
    for key in (gateway.key, "nobody"):
        answer = gateway.call("POST", path, BODY, key=key, headers={"Origin": PAGE})
        assert answer.status >= 400
        assert told(answer)["access-control-allow-origin"] == PAGE


def test_a_page_may_list_models(gateway: Gateway) -> None:
    for origin in (PAGE, "http://127.0.0.1:3000"):
        answer = gateway.call("GET", "/models", headers={"Origin": origin})
        assert (answer.status, told(answer)["access-control-allow-origin"]) == (200, origin)
    assert (
        told(asking(gateway, "/models", **{"Access-Control-Request-Method": "GET"}))["access-control-allow-methods"]
        == "GET"
    )


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", PAGE + ".evil.example", "http://app.example", PAGE + ":444", "*", ""]
)
def test_any_other_page_is_told_nothing(gateway: Gateway, origin: str) -> None:
    asked = asking(gateway, "/chat/completions", origin)
    assert (asked.status, asked.header("allow"), told(asked)) == (405, "POST", {})
    answer = gateway.call("POST", "/chat/completions", BODY, headers={"Origin": origin})
    assert (answer.status, told(answer)) == (200, {})
    assert answer.header("vary") == "Origin", "what is kept for one page is not shown to another"


@pytest.mark.parametrize("path", CLOSED)
def test_no_page_may_manage(gateway: Gateway, path: str) -> None:
    for credentials in ({}, {"Cookie": "session=1", "Access-Control-Request-Headers": "authorization"}):
        asked = asking(gateway, path, **credentials)
        assert asked.status in (404, 405)
        assert told(asked) == {}
        assert told(gateway.call("GET", path, headers={"Origin": PAGE, **credentials})) == {}


def test_without_origins_that_are_named_no_page_may_call(shared_gateway: Gateway) -> None:
    answer = shared_gateway.call("GET", "/models", headers={"Origin": PAGE})
    assert (told(answer), answer.header("vary")) == ({}, None)
    assert asking(shared_gateway, "/chat/completions").status == 405


@pytest.mark.usefixtures("simulator")
def test_every_page_may_call_when_the_settings_say_so(start_gateway: StartGateway) -> None:
    gateway = start_gateway(environment={"SETPOINT_CORS_ORIGINS": "*"})
    answer = gateway.call("POST", "/chat/completions", BODY, headers={"Origin": "https://any.example"})
    assert told(answer)["access-control-allow-origin"] == "https://any.example"
    assert told(gateway.call("GET", "/keys", headers={"Origin": PAGE})) == {}


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize(("trusted", "client"), [([], "127.0.0.1"), (["127.0.0.0/8", "10.0.0.0/8"], "198.51.100.7")])
def test_a_log_line_says_who_asked(start_gateway: StartGateway, trusted: list[str], client: str) -> None:
    gateway = start_gateway(settings={"trusted_proxies": trusted, "log_format": "json"})
    spoofed = {
        "X-Forwarded-For": "6.6.6.6, 198.51.100.7, 10.0.0.9",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "X-Real-IP": "6.6.6.6",
        "Forwarded": "for=6.6.6.6;host=evil.example",
    }
    assert gateway.call("POST", "/chat/completions", BODY, headers=spoofed).status == 200
    until(lambda: '"exchange"' in gateway.log_text())
    (line,) = [json.loads(line) for line in gateway.process.stderr_text().splitlines() if '"exchange"' in line]
    assert line["client"] == client
    assert "evil.example" not in gateway.log_text() + gateway.call("GET", "/models", headers=spoofed).body.decode()
