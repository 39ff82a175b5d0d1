"""What a request to a chat upstream needs in any case, and the form in which it asks for reasoning."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs

from setpoint.protocols.chat import finish_request, path
from setpoint.protocols.terms import Terms
from setpoint.wire.body import join, split

EFFORT = Terms(reasoning_form="effort")
OBJECT = Terms(reasoning_form="object")


def finished(members: str, terms: Terms | None = None, body: str = "{}") -> tuple[dict[str, Any], tuple[str, ...]]:
    """What goes out of a request with these members, and what could not be said."""
    sent, unsaid = finish_request(split(f"{{{members}}}".encode()), terms or Terms(), split(body.encode()))
    return json.loads(join(sent)), unsaid


@pytest.mark.parametrize("base_url", ["https://api.acme.test", "https://api.acme.test/v1"])
def test_the_path_is_the_same_behind_every_base_url(base_url: str) -> None:
    assert path(base_url) == "/chat/completions"


def test_a_request_keeps_its_bytes_and_the_one_that_came_is_not_changed() -> None:
    sent = split(b'{"model":"m","temperature":0.20,"stream":true,"stream_options":{"x":1},"x_new":[ 1e2 ]}')
    before = dict(sent)
    done, _ = finish_request(sent, Terms(), {})
    assert join(done) == b'{"model":"m","temperature":0.20,"stream":true,"x_new":[ 1e2 ]}'
    assert sent == before


def test_a_stream_has_its_usage_counted_and_keeps_other_options() -> None:
    stream = Terms(stream=True)
    assert finished('"a":1', stream)[0] == {"a": 1, "stream": True, "stream_options": {"include_usage": True}}
    assert finished('"stream_options":{"include_usage":false,"x":1}', stream)[0]["stream_options"] == {
        "include_usage": True,
        "x": 1,
    }
    assert finished('"stream_options":{"x":1}')[0] == {}


@pytest.mark.parametrize(
    ("members", "listed", "sent"),
    [
        ('"max_tokens":1', None, {"max_tokens": 1}),
        ('"max_tokens":1', {"seed"}, {"max_tokens": 1}),
        ('"max_tokens":1', {"max_tokens"}, {"max_tokens": 1}),
        ('"max_tokens":1', {"max_completion_tokens"}, {"max_completion_tokens": 1}),
        ('"max_completion_tokens":1', {"max_tokens"}, {"max_tokens": 1}),
        ('"max_tokens":1', {"max_tokens", "max_completion_tokens"}, {"max_tokens": 1}),
        ('"max_tokens":1,"max_completion_tokens":2', {"max_completion_tokens"}, {"max_completion_tokens": 1}),
    ],
)
def test_the_output_limit_has_the_name_that_the_endpoint_lists(members: str, listed: Any, sent: object) -> None:
    parameters = None if listed is None else frozenset[str](listed)
    assert finished(members, Terms(parameters=parameters))[0] == sent


@pytest.mark.parametrize("body", ['{"input":"Hi"}', '{"messages":[]}'])
@pytest.mark.parametrize(
    ("members", "listed", "switch"),
    [
        ('"top_logprobs":3', None, {"logprobs": True}),
        ('"top_logprobs":0,"logprobs":null', None, {"logprobs": True}),
        ('"top_logprobs":3', ("logprobs", "top_logprobs"), {"logprobs": True}),
        ('"top_logprobs":3', ("top_logprobs",), {}),
        ('"top_logprobs":3,"logprobs":false', None, {"logprobs": False}),
        ('"top_logprobs":null', None, {}),
    ],
)
def test_a_number_of_likely_tokens_comes_with_the_switch_that_chat_has_for_it(
    members: str, listed: Any, switch: dict[str, bool], body: str
) -> None:
    terms = Terms(parameters=None if listed is None else frozenset[str](listed))
    sent = finished(members, terms, body)[0]
    assert {name: said for name, said in sent.items() if name != "top_logprobs"} == switch


# --- reasoning -----------------------------------------------------------------------------------------------


def test_reasoning_goes_as_it_came_where_the_form_is_not_known() -> None:
    members = '"reasoning":{"effort":"low"},"include_reasoning":false'
    assert finished(members) == (json.loads(f"{{{members}}}"), ())


def test_an_object_keeps_its_bytes_where_that_is_the_form() -> None:
    sent = split(b'{"reasoning":{ "effort":"low", "x":1.50 }}')
    for terms in (OBJECT, Terms(parameters=frozenset({"reasoning"}))):
        assert finish_request(sent, terms, {})[0] == sent


@pytest.mark.parametrize(
    ("members", "asked"),
    [
        ('"reasoning_effort":"low"', {"effort": "low"}),
        ('"include_reasoning":true', {}),
        ('"reasoning":{"summary":"auto"},"include_reasoning":false', {"summary": "auto", "exclude": True}),
    ],
)
def test_the_shorthands_become_one_object_where_that_is_the_form(members: str, asked: object) -> None:
    assert finished(members, OBJECT) == ({"reasoning": asked}, ())


@pytest.mark.parametrize(
    ("members", "verbosity", "effort"),
    [
        ('"reasoning":{"effort":"xhigh","enabled":true}', "low", "xhigh"),
        ('"reasoning":{"enabled":false}', "low", "none"),
        ('"reasoning":{"enabled":true}', None, "medium"),
        ('"reasoning":{"enabled":true}', "low", "low"),
        ('"reasoning":{"enabled":true}', "xhigh", "xhigh"),
        ('"reasoning":{"enabled":true}', "max", "xhigh"),
        ('"reasoning":{"enabled":true,"max_tokens":80},"max_tokens":100', "low", "high"),
        ('"reasoning":{"max_tokens":20},"max_completion_tokens":100', None, "low"),
        ('"reasoning":{"max_tokens":20}', None, "medium"),
    ],
)
def test_reasoning_becomes_the_nearest_effort_where_that_is_the_form(
    members: str, verbosity: str | None, effort: str
) -> None:
    for terms in (EFFORT, Terms(parameters=frozenset({"reasoning_effort", "verbosity"}))):
        sent, unsaid = finished(members, structs.replace(terms, verbosity=verbosity))
        assert (sent["reasoning_effort"], unsaid) == (effort, ())
        assert "reasoning" not in sent


@pytest.mark.parametrize(
    ("members", "sent", "unsaid"),
    [
        ('"reasoning":{"summary":"auto"}', {}, ("reasoning.summary",)),
        ('"reasoning":{"effort":"low","exclude":true}', {"reasoning_effort": "low"}, ("reasoning.exclude",)),
        ('"reasoning":{"effort":"low","summary":null}', {"reasoning_effort": "low"}, ()),
        ('"include_reasoning":true', {}, ()),
    ],
)
def test_what_no_effort_can_say_is_named(members: str, sent: object, unsaid: tuple[str, ...]) -> None:
    assert finished(members, EFFORT) == (sent, unsaid)
