"""One path finds one route or none: exactly as written, each segment decoded by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from setpoint.errors import RequestError
from setpoint.server.router import BASES, Route, Router

if TYPE_CHECKING:
    from setpoint.server.request import Request
    from setpoint.server.respond import Response


async def handler(request: Request) -> Response | None:
    raise AssertionError(request)


def route(method: str, path: str, *, based: bool = True) -> Route:
    return Route(method, path, handler, "any", based=based)


ROUTER = Router(
    [
        route("POST", "/chat/completions"),
        route("GET", "/presets"),
        route("GET", "/presets/{slug}"),
        route("PATCH", "/presets/{slug}"),
        route("DELETE", "/presets/{slug}"),
        route("POST", "/presets/{slug}/chat/completions"),
        route("GET", "/presets/{slug}/versions"),
        route("GET", "/presets/{slug}/versions/{version}"),
        route("GET", "/key"),
        route("GET", "/keys"),
        route("POST", "/keys"),
        route("GET", "/health", based=False),
        route("HEAD", "/", based=False),
        route("HEAD", ""),
    ]
)


def found(method: str, path: str | bytes) -> tuple[str, str, dict[str, str]]:
    match = ROUTER.match(method, path.encode() if isinstance(path, str) else path)
    return match.route.method, match.route.path, match.params


def refused(method: str, path: str | bytes) -> RequestError:
    with pytest.raises(RequestError) as caught:
        found(method, path)
    return caught.value


@pytest.mark.parametrize("base", BASES)
def test_a_based_route_stands_under_every_base_and_nowhere_else(base: str) -> None:
    assert found("GET", f"{base}/presets") == ("GET", "/presets", {})
    assert refused("GET", "/presets").type == "not_found"


def test_a_route_without_base_stands_where_it_is_written() -> None:
    assert found("GET", "/health") == ("GET", "/health", {})
    assert refused("GET", "/v1/health").type == "not_found"


@pytest.mark.parametrize(
    ("method", "path", "route", "params"),
    [
        ("GET", "/v1/presets/triage", "/presets/{slug}", {"slug": "triage"}),
        ("PATCH", "/v1/presets/triage", "/presets/{slug}", {"slug": "triage"}),
        ("GET", "/v1/presets/a/versions/7", "/presets/{slug}/versions/{version}", {"slug": "a", "version": "7"}),
        ("GET", "/v1/presets/versions/versions", "/presets/{slug}/versions", {"slug": "versions"}),
        ("POST", "/v1/presets/chat/chat/completions", "/presets/{slug}/chat/completions", {"slug": "chat"}),
        ("GET", "/v1/presets/a%2Fb", "/presets/{slug}", {"slug": "a/b"}),
        ("GET", "/v1/presets/%2e%2e", "/presets/{slug}", {"slug": ".."}),
        ("GET", "/v1/presets/a%00b", "/presets/{slug}", {"slug": "a\0b"}),
        ("GET", "/v1/presets/%C3%BC", "/presets/{slug}", {"slug": "ü"}),
        ("GET", "/v1/presets/a%20b;x=1", "/presets/{slug}", {"slug": "a b;x=1"}),
        ("GET", "/v1/presets/100%", "/presets/{slug}", {"slug": "100%"}),
        ("GET", "/v1/presets/a+b", "/presets/{slug}", {"slug": "a+b"}),
        ("GET", b"/v1/presets/%ff", "/presets/{slug}", {"slug": "\udcff"}),
        ("GET", "/v1/presets/%2561", "/presets/{slug}", {"slug": "%61"}),
        ("GET", "/v1/%6Bey", "/key", {}),
    ],
)
def test_parameters_are_whole_segments_decoded_once(
    method: str, path: str | bytes, route: str, params: dict[str, str]
) -> None:
    assert found(method, path) == (method, route, params)


@pytest.mark.parametrize(
    "path",
    [
        *("", "*", "/v1/nothing", "/v1/Presets", "/V1/presets", "/v2/presets", "/v1/presets/a/", "//v1/presets"),
        *("/v1//presets", "/v1/./presets", "/v1/x/../presets", "/v1/presets%2Fa%2Fversions", "/v1%2Fkey"),
        *("/v1/presets.", "/v1/presets;x=1", "/v1/presets?x", "/v1/key#", "/v1/chat", "/v1/presets/a/b", "/v1/key/"),
        *(b"/v1/pr\xc3\xa9sets", b"/v1/%ff", b"\xff", "/api/v1/api/v1/key", "/health/"),
    ],
)
def test_what_does_not_match_exactly_does_not_exist(path: str | bytes) -> None:
    for method in ("GET", "POST", "HEAD"):
        assert refused(method, path).type == "not_found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/presets", "GET"),
        ("PUT", "/v1/presets/a", "DELETE, GET, PATCH"),
        ("get", "/v1/keys", "GET, POST"),
        ("OPTIONS", "/v1/chat/completions", "POST"),
        ("GET", "/v1", "HEAD"),
    ],
)
def test_another_method_is_told_which_are_allowed(method: str, path: str, allowed: str) -> None:
    error = refused(method, path)
    assert (error.type, error.headers) == ("method_not_allowed", {"Allow": allowed})


def test_a_head_is_answered_by_its_own_route_or_else_by_the_one_for_get() -> None:
    assert found("HEAD", "/v1/key") == ("GET", "/key", {})
    assert found("HEAD", "/") == ("HEAD", "/", {})
    assert found("HEAD", "/v1") == ("HEAD", "", {})
    assert refused("HEAD", "/v1/chat/completions").type == "method_not_allowed"


_SEGMENTS = st.sampled_from(
    [
        "v1",
        "api",
        "presets",
        "versions",
        "key",
        "keys",
        "chat",
        "completions",
        "",
        ".",
        "..",
        "%2e",
        "%2F",
        "%",
        "%ff",
        "a",
    ]
)


@given(
    st.sampled_from(["GET", "POST", "HEAD", "TRACE", ""]),
    st.lists(_SEGMENTS, max_size=6).map(lambda parts: "/" + "/".join(parts)).map(str.encode) | st.binary(),
)
@example("GET", b"/" * 10_000)
def test_every_path_has_one_route_or_a_typed_error(method: str, path: bytes) -> None:
    try:
        match = ROUTER.match(method, path)
    except RequestError as error:
        refusal = error
    else:
        assert match.route.path.count("/") <= path.count(b"/")
        assert match.route.path.count("{") == len(match.params)
        return
    assert refusal.type in ("not_found", "method_not_allowed")
