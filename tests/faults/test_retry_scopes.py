"""How far each failure of an upstream reaches, and what it becomes when nothing is left: one row, one case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest

from faults.faults_support import (
    Front,
    attempts,
    endpoint,
    error_of,
    front_of_gateway,
    in_line,
    provider,
    secret,
    serving,
)
from simulator.script import body, hang, reset, sse, status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator
    from simulator.steps import Script
    from support.processes import Gateway

Scope = Literal["next_endpoint", "next_model"]


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    keys = [{"key": secret("first"), "name": "first"}, {"key": secret("second"), "name": "second", "weight": 0}]
    rotating = provider(simulator_process.origin, "gamma") | {"name": "Rotating", "api_keys": keys}
    del rotating["api_key"]
    more = {
        "two/keys": {"endpoints": in_line({"provider": "rotating", "model": "m"}, endpoint("beta"))},
        "rising/rooms": {
            "endpoints": in_line(endpoint("alpha", context_length=8_000), endpoint("beta", context_length=9_000))
        },
        "equal/rooms": {
            "endpoints": in_line(endpoint("alpha", context_length=8_000), endpoint("beta", context_length=8_000))
        },
    }
    impatient = provider(simulator_process.origin, "alpha", first_token_timeout_s=0.3, total_timeout_s=0.3)
    told = {"rotating": rotating, "alpha": impatient}
    with serving(tmp_path_factory, simulator_process, more_providers=told, more_models=more) as gateway:
        yield gateway


front = front_of_gateway


def told(message: str, **more: Any) -> dict[str, Any]:
    """An error body of a provider."""
    return {"error": {"message": message, **more}}


QUOTA = told("You exceeded your current quota", type="insufficient_quota", code="insufficient_quota")
LENGTH = told("This model's maximum context length is 8192 tokens", code="context_length_exceeded")

# What the upstream does; what the caller reads of it, as status and type; how far it reaches; its status in the record.
ROWS: dict[str, tuple[Script, int, str, Scope, int | None]] = {
    "reset": (reset(), 502, "provider_unavailable", "next_endpoint", None),
    "silence": (hang(), 504, "timeout", "next_endpoint", None),
    "400-context-length": (status(400, LENGTH), 400, "context_length_exceeded", "next_model", 400),
    "400-context-length-in-words": (
        status(400, told("prompt is too long: 9000 tokens > 8192 maximum", type="invalid_request_error")),
        400,
        "context_length_exceeded",
        "next_model",
        400,
    ),
    "400-content-filter": (
        status(400, told("Filtered", code="content_filter")),
        400,
        "content_policy_violation",
        "next_model",
        400,
    ),
    "400-refusal": (status(400, told("No", type="refusal")), 400, "content_policy_violation", "next_model", 400),
    "400-parameter": (
        status(400, told("Unsupported parameter: 'top_k'", code="unsupported_parameter")),
        400,
        "invalid_request",
        "next_endpoint",
        400,
    ),
    "400-other": (status(400, told("Bad")), 400, "invalid_request", "next_model", 400),
    "400-without-a-body": (status(400, ""), 400, "invalid_request", "next_model", 400),
    "401": (status(401), 502, "provider_unavailable", "next_endpoint", 401),
    "402": (status(402), 502, "provider_unavailable", "next_endpoint", 402),
    "403": (status(403), 502, "provider_unavailable", "next_endpoint", 403),
    "404": (status(404), 404, "not_found", "next_endpoint", 404),
    "408": (status(408), 504, "timeout", "next_endpoint", 408),
    "409": (status(409), 502, "provider_unavailable", "next_endpoint", 409),
    "413": (status(413), 413, "payload_too_large", "next_endpoint", 413),
    "418": (status(418), 502, "provider_unavailable", "next_endpoint", 418),
    "422": (status(422), 422, "unprocessable", "next_model", 422),
    "429": (status(429), 429, "rate_limit_exceeded", "next_endpoint", 429),
    "429-quota": (status(429, QUOTA), 502, "provider_unavailable", "next_endpoint", 429),
    "500": (status(500), 502, "provider_unavailable", "next_endpoint", 500),
    "500-overloaded": (
        status(500, told("Overloaded", type="overloaded_error")),
        503,
        "provider_overloaded",
        "next_endpoint",
        500,
    ),
    "501": (status(501), 502, "provider_unavailable", "next_endpoint", 501),
    "502-html": (
        status(502, "<html>bad gateway</html>", content_type="text/html"),
        502,
        "provider_unavailable",
        "next_endpoint",
        502,
    ),
    "503": (status(503), 503, "provider_overloaded", "next_endpoint", 503),
    "504": (status(504), 502, "provider_unavailable", "next_endpoint", 504),
    "529": (status(529), 503, "provider_overloaded", "next_endpoint", 529),
    "307": (
        status(307, "", headers={"Location": "http://127.0.0.1:1/"}),
        502,
        "provider_unavailable",
        "next_endpoint",
        307,
    ),
    "200-html": (body("<html>", content_type="text/html"), 502, "provider_unavailable", "next_endpoint", None),
    "200-empty": (body(""), 502, "provider_unavailable", "next_endpoint", None),
    "200-error-429": (body(told("Slow", code=429)), 429, "rate_limit_exceeded", "next_endpoint", 429),
    "200-error-context-length": (body(LENGTH), 400, "context_length_exceeded", "next_model", 400),
    "200-error-unknown": (body(told("Hm", code="hm")), 502, "provider_unavailable", "next_endpoint", 502),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_failure_reaches_as_far_as_its_row_says(
    front: Front, row: tuple[Script, int, str, Scope, int | None], streamed: bool
) -> None:
    script, _, type_, scope, status_ = row
    front.simulator.script(script, prefix="/a")
    answer = front.ask("pair/model", models=["solo/gamma"], stream=streamed)
    assert answer.status == 200
    assert front.reached() == ["alpha", {"next_endpoint": "beta", "next_model": "gamma"}[scope]]
    first, second = attempts(front.record(answer))
    assert first == ("Alpha", status_, type_)
    assert second[1:] == (200, None)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_failure_becomes_what_its_row_says(
    front: Front, row: tuple[Script, int, str, Scope, int | None], streamed: bool
) -> None:
    script, code, type_, _, status_ = row
    front.simulator.script(script)
    answer = front.ask("solo/alpha", stream=streamed)
    error = error_of(answer)
    assert (answer.status, error["metadata"]["error_type"]) == (code, type_)
    assert error["metadata"]["provider_name"] == "Alpha"
    assert "previous_errors" not in error["metadata"]
    record = front.record(answer)
    assert (record["status"], record["error_type"], record["total_cost"]) == ("failed", type_, None)
    assert attempts(record) == [("Alpha", status_, type_)]
    permanent = status_ in (401, 402, 403) or "quota" in error["message"]
    assert answer.header("x-should-retry") == ("false" if permanent else None)


def test_no_quota_is_named_and_not_repeated(front: Front) -> None:
    for script in (status(402), status(429, QUOTA)):
        front.forget()
        front.simulator.script(script)
        answer = front.ask()
        assert error_of(answer)["message"] == "provider Alpha has no quota left"
        assert error_of(answer)["metadata"]["provider_code"] == "insufficient_quota"


def test_a_model_that_is_unknown_there_is_said_to_be_unavailable(front: Front) -> None:
    front.simulator.script(status(404))
    availability = error_of(front.ask())["availability"]
    assert availability["code"] == "model_unavailable_upstream"
    assert availability["retryable"] is False
    assert availability["requested_models"] == ["solo/alpha"]


# --- keys ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "tried"),
    [
        (status(401), ["first", "second", "beta"]),
        (status(402), ["first", "second", "beta"]),
        (status(403), ["first", "second", "beta"]),
        (status(429), ["first", "second", "beta"]),
        (status(429, QUOTA), ["first", "second", "beta"]),
        (status(500), ["first", "beta"]),
        (status(404), ["first", "beta"]),
        (reset(), ["first", "beta"]),
        (sse([": nothing"]), ["first", "beta"]),
    ],
    ids=["401", "402", "403", "429", "429-quota", "500", "404", "reset", "no-stream"],
)
def test_the_next_key_is_tried_where_a_key_was_refused(front: Front, script: Script, tried: list[str]) -> None:
    front.simulator.script(script, prefix="/c")
    answer = front.stream("two/keys")
    assert answer.status == 200
    sent = [one.header("authorization") for one in front.simulator.requests()]
    assert sent == [f"Bearer {secret(slug)}" for slug in tried]
    record = front.record(answer)
    assert len({one["key_id"] for one in record["provider_responses"]}) == len(tried)
    assert secret("first") not in str(record)


# --- room ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "second"), [("rising/rooms", "beta"), ("equal/rooms", "gamma")])
def test_a_prompt_that_is_too_long_goes_to_more_room_first(front: Front, model: str, second: str) -> None:
    front.simulator.script(status(400, LENGTH), prefix="/a")
    assert front.ask(model, models=["solo/gamma"]).status == 200
    assert front.reached() == ["alpha", second]


# --- when nothing is left ------------------------------------------------------------------------------------


def all_fail(front: Front, *scripts: Script) -> Any:
    """The answer when alpha, beta and gamma fail so, in this order."""
    for prefix, script in zip(("/a", "/b", "/c"), scripts, strict=True):
        front.simulator.script(script, prefix=prefix)
    answer = front.ask("pair/model", models=["solo/gamma"])
    assert len(front.record(answer)["provider_responses"]) == len(front.simulator.requests())
    return answer


def test_all_refused_by_rate_is_no_capacity(front: Front) -> None:
    waits = [status(429, headers={"Retry-After": wait}) for wait in ("30", "8", "20")]
    answer = all_fail(front, *waits)
    error = error_of(answer)
    assert answer.status == 429
    assert answer.header("retry-after") == "8"
    assert error["availability"] == {
        "code": "capacity_exhausted",
        "retryable": True,
        "retry_after": 8,
        "affected_providers": ["Alpha", "Beta", "Gamma"],
        "requested_models": ["pair/model", "solo/gamma"],
        "docs_url": error["availability"]["docs_url"],
    }
    assert (error["error_type"], error["http_status"]) == ("rate_limit_exceeded", 429)
    assert error["metadata"]["previous_errors"] == [
        {"provider": name, "code": "simulated_error", "status": 429} for name in ("Alpha", "Beta")
    ]


def test_all_misconfigured_is_nothing_to_repeat(front: Front) -> None:
    answer = all_fail(front, status(401), status(402), status(429, QUOTA))
    error = error_of(answer)
    assert answer.status == 502
    assert answer.header("x-should-retry") == "false"
    assert error["message"] == "provider Gamma has no quota left"
    assert error["metadata"]["error_type"] == "provider_unavailable"
    assert [one["status"] for one in error["metadata"]["previous_errors"]] == [401, 402]


MIXED: dict[str, tuple[Script, Script, Script]] = {
    "5xx": (status(500), status(503), status(502)),
    "timeouts": (hang(), status(500), status(502)),
    "bad-answers": (body("<html>"), status(529), reset()),
}


@pytest.mark.parametrize("scripts", MIXED.values(), ids=MIXED)
def test_passing_troubles_of_several_kinds_are_unavailable_for_now(
    front: Front, scripts: tuple[Script, Script, Script]
) -> None:
    answer = all_fail(front, *scripts)
    error = error_of(answer)
    assert answer.status == 503
    assert error["metadata"]["error_type"] == "provider_overloaded"
    assert error["availability"]["code"] == "temporarily_unavailable"
    assert error["availability"]["retryable"] is True
    assert len(error["metadata"]["previous_errors"]) == 2
    assert answer.header("x-should-retry") is None


LAST: dict[str, tuple[tuple[Script, Script, Script], int, str]] = {
    "one-key-among-rates": ((status(429), status(401), status(429)), 429, "rate_limit_exceeded"),
    "rate-among-5xx": ((status(500), status(429), status(500)), 502, "provider_unavailable"),
    "bad-request-at-the-end": ((status(500), status(429), status(400)), 400, "invalid_request"),
    "not-found-at-the-end": ((status(500), status(500), status(404)), 404, "not_found"),
}


@pytest.mark.parametrize(("scripts", "code", "type_"), LAST.values(), ids=LAST)
def test_else_the_last_error_counts(
    front: Front, scripts: tuple[Script, Script, Script], code: int, type_: str
) -> None:
    answer = all_fail(front, *scripts)
    error = error_of(answer)
    assert (answer.status, error["metadata"]["error_type"]) == (code, type_)
    assert error["metadata"]["provider_name"] == "Gamma"
    assert [one["provider"] for one in error["metadata"]["previous_errors"]] == ["Alpha", "Beta"]
    assert answer.header("x-should-retry") is None
