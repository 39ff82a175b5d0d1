"""The document of the API, as a running gateway gives it to whoever asks."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Any

import pytest
from openapi_spec_validator import validate

from support.http import call

if TYPE_CHECKING:
    from support.processes import Gateway


@pytest.fixture(scope="module")
def document(shared_gateway: Gateway) -> dict[str, Any]:
    """The document of the file's gateway."""
    return call("GET", f"{shared_gateway.origin}/openapi.json").json()


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All operations, by method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "servers"
    }


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    validate(document)


@pytest.mark.parametrize("base", ["", "/api/v1", "/v1"])
def test_nobody_needs_a_key_to_read_it(shared_gateway: Gateway, document: dict[str, Any], base: str) -> None:
    answer = call("GET", f"{shared_gateway.origin}{base}/openapi.json")
    assert answer.status == 200
    assert answer.header("content-type") == "application/json"
    assert answer.json() == document


def test_every_operation_has_a_name_of_its_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for operation in operations(document).values()]
    assert len(names) == len(set(names))
    assert operations(document)["GET /keys/{hash}"]["operationId"] == "getKeysByHash"


def test_what_needs_a_key_says_whose(document: dict[str, Any]) -> None:
    found = operations(document)
    assert found["GET /health"]["security"] == []
    assert found["POST /keys"]["x-setpoint-role"] == ["admin"]
    assert found["GET /keys"]["x-setpoint-role"] == ["admin", "read_only"]
    assert found["POST /chat/completions"]["x-setpoint-inference"] is True
    for operation in found.values():
        assert bool(operation["security"]) == ("401" in operation["responses"])


def test_routes_say_under_which_servers_they_stand(document: dict[str, Any]) -> None:
    servers = {path: [server["url"] for server in item["servers"]] for path, item in document["paths"].items()}
    assert servers["/keys"] == ["/api/v1", "/v1"]
    assert servers["/health"] == ["/"]
    assert servers["/openapi.json"] == ["/api/v1", "/v1", "/"]


def test_bodies_say_what_the_checks_of_the_skin_say(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    chat = schemas["ChatRequest"]["properties"]
    assert chat["temperature"] == {"type": ["number", "null"], "minimum": 0, "maximum": 2}
    assert schemas["MessagesRequest"]["required"] == ["messages"]
    assert schemas["ResponsesRequest"]["properties"]["store"]["anyOf"][0]["const"] is False
    assert chat["provider"] == {"$ref": "#/components/schemas/Provider"}


def test_errors_are_in_the_words_of_the_skin(document: dict[str, Any]) -> None:
    found = operations(document)
    assert found["POST /chat/completions"]["responses"]["503"] == {"$ref": "#/components/responses/Chat503"}
    assert found["POST /messages"]["responses"]["529"] == {"$ref": "#/components/responses/Messages529"}
    assert "503" not in found["POST /messages"]["responses"]
    envelope = document["components"]["responses"]["Messages529"]["content"]["application/json"]["schema"]
    assert envelope == {"$ref": "#/components/schemas/MessagesError"}


def test_streams_are_answers_of_another_type(document: dict[str, Any]) -> None:
    for path in ("/chat/completions", "/messages", "/responses"):
        content = document["paths"][path]["post"]["responses"]["200"]["content"]
        assert set(content) == {"application/json", "text/event-stream"}
        assert content["text/event-stream"]["x-setpoint-event"]["$ref"].startswith("#/components/schemas/")


@pytest.mark.parametrize("base", ["", "/api/v1", "/v1"])
def test_the_page_needs_nothing_from_elsewhere_and_may_ask_nobody_else(shared_gateway: Gateway, base: str) -> None:
    answer = call("GET", f"{shared_gateway.origin}{base}/docs")
    html, policy = answer.body.decode(), answer.header("content-security-policy") or ""
    assert answer.header("content-type") == "text/html; charset=utf-8"
    assert len(answer.body) < 150_000
    assert "://" not in html
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    for tag, name in (("script", "script-src"), ("style", "style-src")):
        [inside] = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in policy


def test_the_page_writes_no_markup(shared_gateway: Gateway) -> None:
    html = call("GET", f"{shared_gateway.origin}/docs").body.decode()
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage", "cookie"):
        assert way not in html
    assert not re.search(r"<[a-z][^>]*\s(on[a-z]+|style)=", html), "which the policy would not let through"
