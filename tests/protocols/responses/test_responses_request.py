"""What every request to a responses upstream gets: nothing is kept there, and reasoning comes back sealed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from setpoint.canonical.parts import Reasoning
from setpoint.protocols.responses.request import finish_request, path
from setpoint.protocols.seals import write_seal
from setpoint.protocols.terms import Terms
from setpoint.wire.body import Body, join, raw, split, value

CHAT: Body = {"messages": raw([])}


def translated(
    sent: dict[str, Any], terms: Terms | None = None, body: Body = CHAT
) -> tuple[dict[str, Any], tuple[str, ...]]:
    done, unsaid = finish_request(split(json.dumps({"input": [], **sent}).encode()), terms or Terms(), body)
    return json.loads(join(done)), unsaid


def edited(body: dict[str, Any], terms: Terms | None = None) -> Body:
    members = split(json.dumps(body).encode())
    done, unsaid = finish_request(dict(members), terms or Terms(), members)
    assert unsaid == ()
    return done


def test_requests_go_to_the_responses_of_a_provider() -> None:
    assert path("https://api.acme.test/v1") == "/responses"


# --- every request -------------------------------------------------------------------------------------------


def test_nothing_is_ever_stored_upstream() -> None:
    assert translated({}) == ({"input": [], "store": False}, ())
    assert join(edited({"input": "Hi", "store": True})) == b'{"input":"Hi","store":false}'


def test_a_stream_is_asked_for_where_one_is_wanted() -> None:
    assert translated({}, Terms(stream=True))[0]["stream"] is True
    assert "stream" not in translated({})[0]


@pytest.mark.parametrize("body", [{"messages": [], "max_tool_calls": 3}, {"input": "Hi", "max_tool_calls": 3}])
def test_the_most_tool_calls_are_told(body: dict[str, Any]) -> None:
    assert translated({}, body=split(json.dumps(body).encode()))[0]["max_tool_calls"] == 3


def test_a_request_that_does_not_limit_its_tool_calls_says_nothing_of_them() -> None:
    assert "max_tool_calls" not in translated({}, body={"max_tool_calls": raw(None)})[0]


# --- a request in the protocol's own words -------------------------------------------------------------------

WRAPPED = value(write_seal(Reasoning(kind="text", seal=raw("sig"), maker="messages"), "responses"))


def test_what_a_client_of_this_protocol_wrote_keeps_its_bytes() -> None:
    body = split(
        b'{"input":[ {"type":"reasoning","id":"rs_1","summary":[], "encrypted_content":"gAAA"}, {"x": 1.50}],'
        b'"reasoning":{"enabled":true,"max_tokens":7},"include":["x"]}'
    )
    done, unsaid = finish_request(dict(body), Terms(), body)
    assert join(done) == join({**body, "store": Raw(b"false")})
    assert unsaid == ()


def test_reasoning_that_another_dialect_sealed_does_not_go_to_this_one() -> None:
    own: dict[str, Any] = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    others: dict[str, Any] = {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": WRAPPED}
    quoted = {"type": "message", "role": "user", "content": WRAPPED}
    assert value(edited({"input": [others, own, quoted, others]})["input"]) == [own, quoted]


# --- a request of another protocol ---------------------------------------------------------------------------

SEALED = ["reasoning.encrypted_content"]


@pytest.mark.parametrize("asked", [{"effort": "high"}, {"summary": "auto"}, {}])
def test_sealed_reasoning_is_asked_for_where_there_is_to_be_reasoning(asked: dict[str, Any]) -> None:
    assert translated({"reasoning": asked}) == (
        {"input": [], "reasoning": asked, "store": False, "include": SEALED},
        (),
    )


def test_what_else_is_to_be_included_stays() -> None:
    for listed, include in ((["x"], ["x", *SEALED]), (SEALED, SEALED)):
        assert translated({"reasoning": {}, "include": listed})[0]["include"] == include


@pytest.mark.parametrize("asked", [{"effort": "none"}, {"enabled": False}])
def test_no_reasoning_needs_no_seal(asked: dict[str, Any]) -> None:
    done, unsaid = translated({"reasoning": asked})
    assert (done["reasoning"], "include" in done, unsaid) == ({"effort": "none"}, False, ())


def test_a_request_that_says_nothing_of_reasoning_includes_nothing() -> None:
    assert "include" not in translated({"temperature": 1})[0]


@pytest.mark.parametrize(
    ("asked", "limit", "told"),
    [
        ({"enabled": True}, None, {"effort": "medium"}),
        ({"enabled": True, "effort": "low"}, None, {"effort": "low"}),
        ({"enabled": False, "effort": "low"}, None, {"effort": "none"}),
        ({"enabled": None, "summary": "auto"}, None, {"summary": "auto"}),
        ({"enabled": True, "max_tokens": 16000}, 20000, {"effort": "high"}),
        ({"max_tokens": 1024}, 4096, {"effort": "low"}),
        ({"max_tokens": 100}, 4096, {"effort": "minimal"}),
        ({"max_tokens": 2048}, None, {"effort": "medium"}),
        ({"max_tokens": 0}, None, {"effort": "none"}),
    ],
)
def test_a_budget_or_a_switch_becomes_the_nearest_effort(
    asked: dict[str, Any], limit: int | None, told: dict[str, Any]
) -> None:
    sent = {"reasoning": asked, **({} if limit is None else {"max_output_tokens": limit})}
    done, unsaid = translated(sent)
    assert done["reasoning"] == told
    assert unsaid == ()


def test_a_budget_is_a_share_of_what_the_endpoint_puts_out_where_the_request_does_not_say() -> None:
    assert translated({"reasoning": {"max_tokens": 2048}}, Terms(max_output_tokens=100_000))[0]["reasoning"] == {
        "effort": "minimal"
    }


@pytest.mark.parametrize(("verbosity", "effort"), [("high", "high"), ("max", "xhigh"), (None, "medium")])
def test_reasoning_that_is_only_switched_on_takes_as_much_effort_as_is_to_be_said(
    verbosity: str | None, effort: str
) -> None:
    done, unsaid = translated({"reasoning": {"enabled": True}}, Terms(verbosity=verbosity))
    assert (done["reasoning"], unsaid) == ({"effort": effort}, ())


def test_a_provider_that_takes_the_whole_object_gets_it() -> None:
    asked = {"enabled": True, "max_tokens": 2048}
    done, unsaid = translated({"reasoning": asked}, Terms(reasoning_form="object"))
    assert (done["reasoning"], done["include"], unsaid) == (asked, SEALED, ())


def test_the_callers_request_is_not_changed() -> None:
    sent = split(b'{"input":[],"reasoning":{"enabled":true}}')
    before = dict(sent)
    finish_request(sent, Terms(stream=True), CHAT)
    assert sent == before
