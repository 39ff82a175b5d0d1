"""Request targets written in every odd way: one meaning each, and never a way around the key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.http import RawConnection, call

if TYPE_CHECKING:
    from support.http import Answer
    from support.processes import Gateway

LIST = 200
"""What the list of presets answers."""
NOWHERE = 404
MALFORMED = 400

TARGETS: dict[str, int] = {
    "/api/v1/presets": LIST,
    "/v1/presets": LIST,
    "/api/v1/presets?": LIST,
    "/api/v1/presets?#@evil.example": LIST,
    "/api/v1/presets#@evil.example": LIST,
    "/api/v1/presets#/../keys": LIST,
    "/api/v1/presets?x=/../../keys": LIST,
    "/api/v1/%70resets": LIST,
    "/%61pi/%76%31/presets": LIST,
    "http://evil.example/api/v1/presets": LIST,
    "http://user@evil.example:9/api/v1/presets": LIST,
    "//api/v1/presets": NOWHERE,
    "//evil.example/api/v1/presets": NOWHERE,
    "/api//v1/presets": NOWHERE,
    "/api/v1//presets": NOWHERE,
    "/./api/v1/presets": NOWHERE,
    "/api/v1/./presets": NOWHERE,
    "/api/v1/models/../presets": NOWHERE,
    "/api/v1/%2e%2e/v1/presets": NOWHERE,
    "/api/v1/%2e/presets": NOWHERE,
    "/api/v1/..;/presets": NOWHERE,
    "/health/../api/v1/presets": NOWHERE,
    "/health/api/v1/presets": NOWHERE,
    "/health%2f..%2fapi/v1/presets": NOWHERE,
    "/api%2fv1/presets": NOWHERE,
    "/api/v1%2fpresets": NOWHERE,
    "/api/v1/presets%2f": NOWHERE,
    "/api/v1/presets%3f": NOWHERE,
    "/api/v1/presets%23": NOWHERE,
    "/api/v1/presets%20": NOWHERE,
    "/api/v1/presets%09": NOWHERE,
    "/api/v1/presets%00": NOWHERE,
    "/api/v1/presets%0d%0a": NOWHERE,
    "/api/v1/%2570resets": NOWHERE,
    "/api/v1/presets;x=1": NOWHERE,
    "/api/v1;x/presets": NOWHERE,
    "/api/v1/presets.": NOWHERE,
    "/api/v1/presets.json": NOWHERE,
    "/api/v1/presets\\": NOWHERE,
    "/api/v1/Presets": NOWHERE,
    "/API/V1/PRESETS": NOWHERE,
    "/Api/v1/presets": NOWHERE,
    "/api/v1/presets%": NOWHERE,
    "/api/v1/presets%f": NOWHERE,
    "/api/v1/presets%zz": NOWHERE,
    "/api/v1/presets%ff": NOWHERE,
    "/api/v1/presets%c0%af": NOWHERE,
    "/api/v1/presets%e2%80%ae": NOWHERE,
    "/api/v2/presets": NOWHERE,
    "/presets": NOWHERE,
    "*": NOWHERE,
    "/api/v1/presets/": MALFORMED,  # a preset whose slug is empty
    "/api/v1/presets/.": MALFORMED,
    "/api/v1/presets/%2e%2e": MALFORMED,
    "/api/v1/presets/..%2fkeys": MALFORMED,
    "\\api\\v1\\presets": MALFORMED,
    "api/v1/presets": MALFORMED,
    "?/api/v1/presets": MALFORMED,
    "/api/v1/presets\u00e9": MALFORMED,
    "/api/v1/pre sets": MALFORMED,
}


def ask(gateway: Gateway, target: str, *, method: str = "GET", key: str | None = None, more: str = "") -> Answer:
    """The answer to a request whose target goes out as it is."""
    auth = f"Authorization: Bearer {key}\r\n" if key is not None else ""
    with RawConnection(gateway.origin) as connection:
        connection.send(f"{method} {target} HTTP/1.1\r\nHost: x\r\n{auth}{more}\r\n".encode())
        return connection.read_answer()


@pytest.mark.parametrize(("target", "status"), TARGETS.items())
def test_a_target_has_one_meaning_and_no_way_around_the_key(shared_gateway: Gateway, target: str, status: int) -> None:
    answer = ask(shared_gateway, target, key=shared_gateway.key)
    assert answer.status == status
    if status == LIST:
        assert set(answer.json()) == {"data", "total_count"}
    else:
        assert answer.json()["error"]["code"] == status
    for key in (None, "sk-sp-v1-nobody"):
        closed = ask(shared_gateway, target, key=key)
        assert closed.status in (401, status)
        assert closed.status >= 400


@pytest.mark.parametrize(
    "header",
    [
        "X-Original-URL: /api/v1/keys",
        "X-Rewrite-URL: /api/v1/keys",
        "X-Forwarded-Prefix: /api/v1/keys",
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-For: 127.0.0.1",
        "Forwarded: for=127.0.0.1;host=localhost",
        "X-HTTP-Method-Override: DELETE",
        "X-Method-Override: DELETE",
    ],
)
def test_headers_that_other_servers_believe_change_nothing(shared_gateway: Gateway, header: str) -> None:
    shared_gateway.call("POST", "/presets/kept/messages", {})
    more = f"{header}\r\n"
    assert ask(shared_gateway, "/health", more=more).body == b'{"status":"ok"}'
    assert ask(shared_gateway, "/api/v1/presets", more=more).status == 401
    kept = ask(shared_gateway, "/api/v1/presets/kept", key=shared_gateway.key, more=more)
    assert (kept.status, kept.json()["data"]["status"]) == (200, "active")


@pytest.mark.parametrize("method", ["get", "Get", "FOO", "GET\t", "", "G" * 100])
def test_a_method_that_is_none_is_refused(shared_gateway: Gateway, method: str) -> None:
    answer = ask(shared_gateway, "/api/v1/presets", method=method, key=shared_gateway.key)
    assert (answer.status, answer.header("connection")) == (400, "close")


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT", "PROPFIND", "PUT", "DELETE", "LINK"])
def test_a_method_that_a_path_has_not_is_a_405(shared_gateway: Gateway, method: str) -> None:
    for key in (None, shared_gateway.key):
        answer = ask(shared_gateway, "/api/v1/presets", method=method, key=key)
        assert (answer.status, answer.header("allow")) == (405, "GET")
        assert shared_gateway.key.encode() not in answer.body


@pytest.mark.parametrize("path", ["/", "/api", "/api/v1", "/v1"])
def test_asking_whether_anybody_is_there_needs_no_key(shared_gateway: Gateway, path: str) -> None:
    answer = call("HEAD", shared_gateway.origin + path)
    assert (answer.status, answer.body) == (200, b"")
    refused = ask(shared_gateway, path)
    assert (refused.status, refused.header("allow")) == (405, "HEAD")


def test_a_head_has_the_length_and_not_the_body(shared_gateway: Gateway) -> None:
    whole = call("GET", f"{shared_gateway.origin}/health")
    with RawConnection(shared_gateway.origin) as connection:
        connection.send(b"HEAD /health HTTP/1.1\r\nHost: x\r\n\r\nGET /ready HTTP/1.1\r\nHost: x\r\n\r\n")
        status, headers = connection.read_head()
        assert (status, dict(headers)["content-length"]) == (200, str(len(whole.body)))
        assert connection.read_answer().body == b'{"status":"ready"}', "the next answer follows at once"


def test_an_unknown_path_is_a_404_in_the_documented_form(shared_gateway: Gateway) -> None:
    for path in ("/api/v1/nothing", "/v1/nothing", "/favicon.ico", "/api/v1/chat", "/api/v1/presets/x/y"):
        for method in ("GET", "POST", "HEAD", "OPTIONS"):
            answer = call(method, shared_gateway.origin + path)
            assert answer.status == 404
            assert method == "HEAD" or answer.json()["error"] == {
                "code": 404,
                "message": "No such route",
                "metadata": {"error_type": "not_found"},
            }
