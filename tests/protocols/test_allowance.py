"""What is asked beyond what a model or its endpoint has goes as the nearest that there is, and is named."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from setpoint.errors import FieldError
from setpoint.protocols.allowance import Allowance
from setpoint.protocols.forward import lower
from setpoint.protocols.registry import PROTOCOLS
from setpoint.records import Dialect, Endpoint, ModelReasoning
from setpoint.wire.body import raw, value
from support import records

ENDPOINT = records.endpoint()
TIERED = records.endpoint(records.provider(takes=frozenset({"service_tier"})))
TURNS = [{"role": "user", "content": "Hi"}]
ASKED: dict[Dialect, dict[str, Any]] = {
    "chat": {"messages": TURNS},
    "messages": {"messages": TURNS},
    "responses": {"input": "Hi"},
}
DIALECTS: tuple[Dialect, ...] = ("chat", "messages", "responses")
SOME = ModelReasoning(mandatory=True, supported_efforts=("high", "low"))

Sent = tuple[dict[str, Any], tuple[str, ...]]


def told(
    skin: Dialect,
    dialect: Dialect,
    body: dict[str, Any],
    endpoint: Endpoint = ENDPOINT,
    *,
    own: frozenset[str] | None = None,
    **allowed: Any,
) -> Sent:
    """What is sent of a body beside the conversation, and what is named."""
    whole = {**ASKED[skin], "model": "acme/sage", **body}
    done = lower(
        {name: raw(content) for name, content in whole.items()},
        endpoint,
        skin=PROTOCOLS[skin],
        dialect=PROTOCOLS[dialect],
        stream=False,
        identity_key=b"key",
        own=own,
        allowance=Allowance(**allowed),
    )
    sent = {name: value(content) for name, content in done.body.items()}
    for name in ("messages", "input", "model", "store", "include"):
        sent.pop(name, None)
    return sent, done.unsaid


# --- the output limit ----------------------------------------------------------------------------------------

LIMIT: dict[Dialect, str] = {"chat": "max_tokens", "messages": "max_tokens", "responses": "max_output_tokens"}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("skin", DIALECTS)
def test_a_limit_above_the_longest_answer_becomes_that_and_is_named(skin: Dialect, dialect: Dialect) -> None:
    asked = {LIMIT[skin]: 9000}
    assert told(skin, dialect, asked, max_output=4096) == ({LIMIT[dialect]: 4096}, (f"/{LIMIT[skin]}",))
    assert told(skin, dialect, asked, max_output=9000) == ({LIMIT[dialect]: 9000}, ())
    assert told(skin, dialect, asked) == ({LIMIT[dialect]: 9000}, ())


def test_each_of_chats_names_for_the_limit_is_clamped() -> None:
    sent, unsaid = told("chat", "chat", {"max_tokens": 9000.0, "max_completion_tokens": 9000}, max_output=4096)
    assert (sent, unsaid) == (
        {"max_tokens": 4096, "max_completion_tokens": 4096},
        ("/max_tokens", "/max_completion_tokens"),
    )


def test_an_effort_is_a_share_of_the_limit_that_there_is() -> None:
    sent, _ = told("chat", "messages", {"max_tokens": 90_000, "reasoning": {"effort": "medium"}}, max_output=10_000)
    assert sent == {"max_tokens": 10_000, "thinking": {"type": "enabled", "budget_tokens": 5000}}


def test_a_clients_own_budget_stays_below_a_limit_that_was_clamped() -> None:
    asked = {"max_tokens": 40_000, "thinking": {"type": "enabled", "budget_tokens": 30_000}}
    endpoint = structs.replace(ENDPOINT, max_output_tokens=10_000)
    sent, unsaid = told("messages", "messages", asked, endpoint, max_output=10_000)
    assert sent == {"max_tokens": 10_000, "thinking": {"type": "enabled", "budget_tokens": 8000}}
    assert unsaid == ("/max_tokens", "/thinking/budget_tokens")
    assert told("messages", "messages", asked, endpoint) == (asked, ())


# --- reasoning -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        *[("minimal", "low"), ("low", "low"), ("medium", "low"), ("high", "high"), ("xhigh", "high"), ("max", "high")],
        ("none", "none"),
    ],
)
def test_an_effort_that_the_model_lacks_becomes_the_nearest_that_it_has(asked: str, known: str) -> None:
    reasoning = structs.replace(SOME, mandatory=False)
    named = () if asked == known else ("/reasoning/effort",)
    for dialect in ("chat", "responses"):
        assert told(dialect, dialect, {"reasoning": {"effort": asked, "summary": "auto"}}, reasoning=reasoning) == (
            {"reasoning": {"effort": known, "summary": "auto"}},
            named,
        )
    short = () if asked == known else ("/reasoning_effort",)
    assert told("chat", "chat", {"reasoning_effort": asked}, reasoning=reasoning) == (
        {"reasoning_effort": known},
        short,
    )


def test_any_effort_goes_to_a_model_of_which_none_is_known() -> None:
    for reasoning in (ModelReasoning(), ModelReasoning(supported_efforts=None), ModelReasoning(supported_efforts=())):
        assert told("chat", "chat", {"reasoning_effort": "max"}, reasoning=reasoning) == (
            {"reasoning_effort": "max"},
            (),
        )


def test_an_effort_that_stands_for_a_budget_is_one_that_the_model_has() -> None:
    few = ModelReasoning(supported_efforts=("high", "xhigh"))
    form = structs.replace(ENDPOINT, provider=structs.replace(ENDPOINT.provider, reasoning_form="effort"))
    asked = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 10_000}
    sent, _ = told("messages", "chat", asked, form, reasoning=few)
    assert sent["reasoning_effort"] == "high"
    sent, _ = told("messages", "responses", asked, reasoning=few)
    assert sent["reasoning"] == {"effort": "high"}


def test_the_effort_of_a_budget_is_the_nearest_of_those_that_the_model_has() -> None:
    sent, unsaid = told(
        "chat",
        "messages",
        {"max_tokens": 10_000, "reasoning_effort": "max"},
        reasoning=ModelReasoning(supported_efforts=("low", "medium")),
    )
    assert sent == {"max_tokens": 10_000, "thinking": {"type": "enabled", "budget_tokens": 5000}}
    assert unsaid == ("/reasoning_effort",)


@pytest.mark.parametrize(
    ("skin", "asked", "pointer"),
    [
        ("chat", {"verbosity": "max"}, "/verbosity"),
        ("messages", {"output_config": {"effort": "max"}}, "/output_config/effort"),
        ("responses", {"text": {"verbosity": "max"}}, "/text/verbosity"),
    ],
)
def test_how_much_is_to_be_said_is_an_effort_only_to_the_messages_dialect(
    skin: Dialect, asked: dict[str, Any], pointer: str
) -> None:
    sent, unsaid = told(skin, "messages", {**asked, LIMIT[skin]: 9}, reasoning=SOME)
    assert (sent, unsaid) == ({"output_config": {"effort": "high"}, "max_tokens": 9}, (pointer,))
    sent, unsaid = told(skin, "chat", asked, reasoning=SOME)
    assert (sent, unsaid) == ({"verbosity": "max"}, ())


OFF = [
    ("chat", {"reasoning": {"effort": "none"}}, "reasoning.effort"),
    ("chat", {"reasoning": {"enabled": False}}, "reasoning.enabled"),
    ("chat", {"reasoning": {"max_tokens": 0}}, "reasoning.max_tokens"),
    ("chat", {"reasoning_effort": "none"}, "reasoning_effort"),
    ("chat", {"reasoning_effort": "none", "include_reasoning": False}, "reasoning_effort"),
    ("messages", {"thinking": {"type": "disabled"}}, "thinking.type"),
    ("responses", {"reasoning": {"effort": "none", "summary": "auto"}}, "reasoning.effort"),
    ("responses", {"reasoning": {"enabled": False}}, "reasoning.enabled"),
    ("responses", {"reasoning": {"max_tokens": 0}}, "reasoning.max_tokens"),
]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("skin", "asked", "path"), OFF)
def test_a_model_that_cannot_do_without_reasoning_refuses_to(
    skin: Dialect, asked: dict[str, Any], path: str, dialect: Dialect
) -> None:
    with pytest.raises(FieldError) as refused:
        told(skin, dialect, asked, reasoning=SOME)
    assert refused.value.message == f"{path}: the model cannot do without reasoning"
    told(skin, dialect, asked, reasoning=structs.replace(SOME, mandatory=False))
    told(skin, dialect, {}, reasoning=SOME)


@pytest.mark.parametrize(("skin", "asked", "path"), OFF)
def test_asked_for_by_its_family_such_a_model_reasons_as_little_as_it_can(
    skin: Dialect, asked: dict[str, Any], path: str
) -> None:
    sent, unsaid = told(skin, skin, {**asked, LIMIT[skin]: 10_000}, reasoning=SOME, latest=True)
    del sent[LIMIT[skin]]
    assert unsaid == (f"/{path.replace('.', '/')}",)
    match skin, path:
        case _, "reasoning.max_tokens":
            assert sent == {}
        case "messages", _:
            assert sent == {"thinking": {"type": "enabled", "budget_tokens": 2000}}
        case "chat", "reasoning_effort":
            assert sent == {**asked, "reasoning_effort": "low"}
        case _:
            assert sent["reasoning"] == {**asked["reasoning"], "effort": "low"} or sent["reasoning"] == {
                "effort": "low"
            }


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("skin", "asked", "path"), OFF)
def test_so_it_does_in_every_dialect(skin: Dialect, asked: dict[str, Any], path: str, dialect: Dialect) -> None:
    sent, _ = told(skin, dialect, {**asked, LIMIT[skin]: 10_000}, reasoning=SOME, latest=True)
    if path == "reasoning.max_tokens":
        assert not sent.keys() & {"reasoning", "reasoning_effort", "thinking"}
    elif dialect == "messages":
        assert sent["thinking"]["budget_tokens"] == 2000
    elif (skin, dialect) == ("messages", "chat"):  # in the words that came, where no form of its own is known
        assert sent["reasoning"] == {"enabled": True, "max_tokens": 2000}
    else:
        assert (sent.get("reasoning_effort") or sent["reasoning"]["effort"]) == "low"


def test_the_least_of_a_model_of_which_no_effort_is_known_is_low() -> None:
    mandatory = ModelReasoning(mandatory=True)
    assert told("chat", "chat", {"reasoning_effort": "none"}, reasoning=mandatory, latest=True) == (
        {"reasoning_effort": "low"},
        ("/reasoning_effort",),
    )


def test_reasoning_that_we_switched_on_is_not_the_clients_own() -> None:
    asked = {"thinking": {"type": "disabled"}, "temperature": 0.5, "max_tokens": 10_000}
    sent, unsaid = told("messages", "messages", asked, own=frozenset(asked), reasoning=SOME, latest=True)
    assert sent == {"thinking": {"type": "enabled", "budget_tokens": 2000}, "max_tokens": 10_000}
    assert unsaid == ("/thinking/type", "/temperature")  # which may not stand beside it


def test_a_budget_of_nothing_beside_the_switch_leaves_the_switch() -> None:
    asked = {"reasoning": {"enabled": True, "max_tokens": 0}}
    sent, unsaid = told("chat", "chat", asked, reasoning=SOME, latest=True)
    assert (sent, unsaid) == ({"reasoning": {"enabled": True}}, ("/reasoning/max_tokens",))


# --- the service tier ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("skin", DIALECTS)
@pytest.mark.parametrize(
    ("asked", "told_as"),
    [("fast", "priority"), ("ultrafast", "priority"), ("priority", "priority"), ("flex", "flex"), ("scale", "scale")],
)
def test_a_tier_goes_in_the_word_that_providers_know(skin: Dialect, dialect: Dialect, asked: str, told_as: str) -> None:
    body = {"service_tier": asked, LIMIT[skin]: 9}
    assert told(skin, dialect, body, TIERED) == ({"service_tier": told_as, LIMIT[dialect]: 9}, ())
    assert told(skin, dialect, body) == ({LIMIT[dialect]: 9}, ("/service_tier",))


def test_the_word_of_the_messages_protocol_for_no_tier_is_another_elsewhere() -> None:
    body = {"service_tier": "standard_only", "max_tokens": 9}
    assert told("messages", "messages", body, TIERED) == (body, ())
    assert told("messages", "chat", body, TIERED) == ({"service_tier": "default", "max_tokens": 9}, ())


def test_an_endpoint_that_is_a_tier_is_told_of_it_where_its_provider_knows_the_word() -> None:
    flex, unlisted = structs.replace(TIERED, tier="flex"), structs.replace(ENDPOINT, tier="flex")
    assert told("chat", "chat", {}, flex) == ({"service_tier": "flex"}, ())
    assert told("chat", "chat", {"service_tier": "flex"}, flex) == ({"service_tier": "flex"}, ())
    assert told("chat", "chat", {"service_tier": "priority"}, flex) == ({"service_tier": "flex"}, ("/service_tier",))
    assert told("chat", "chat", {}, unlisted) == ({}, ())
    assert told("chat", "chat", {"service_tier": "flex"}, unlisted) == ({}, ())
    assert told("chat", "chat", {"service_tier": "priority"}, unlisted) == ({}, ("/service_tier",))
    assert told("chat", "chat", {}, structs.replace(TIERED, tier="batch")) == ({}, ())


def test_where_another_endpoint_is_the_tier_the_default_one_is_asked_for_no_other() -> None:
    tiers = frozenset({"default", "priority"})
    asked = {"service_tier": "fast"}
    assert told("chat", "chat", asked, TIERED, tiers=tiers) == ({"service_tier": "default"}, ("/service_tier",))
    assert told("chat", "chat", {"service_tier": "flex"}, TIERED, tiers=tiers) == ({"service_tier": "flex"}, ())
    assert told("chat", "chat", {"service_tier": "default"}, TIERED, tiers=tiers) == ({"service_tier": "default"}, ())


@pytest.mark.parametrize(
    ("asked", "sent", "unsaid"),
    [
        ({"speed": "fast"}, {"service_tier": "priority"}, ()),
        ({"speed": "fast", "service_tier": "ultrafast"}, {"service_tier": "priority"}, ()),
        ({"speed": "fast", "service_tier": "flex"}, {"service_tier": "flex"}, ("/speed",)),
        ({"speed": "standard"}, {}, ()),
        ({"speed": "standard", "service_tier": "fast"}, {"service_tier": "priority"}, ()),
    ],
)
def test_to_be_quick_is_a_tier_where_there_is_no_word_for_speed(
    asked: dict[str, Any], sent: dict[str, Any], unsaid: tuple[str, ...]
) -> None:
    for dialect in ("chat", "responses"):
        assert told("messages", dialect, asked, TIERED) == (sent, unsaid)
    without = structs.replace(TIERED, parameters=frozenset({"service_tier"}))
    assert told("messages", "messages", {**asked, "max_tokens": 9}, without) == ({**sent, "max_tokens": 9}, unsaid)


def test_an_upstream_of_the_messages_dialect_is_told_the_speed_itself() -> None:
    body = {"speed": "fast", "service_tier": "flex", "max_tokens": 9}
    assert told("messages", "messages", body, TIERED) == (body, ())


def test_a_speed_that_nothing_can_say_is_named_unless_it_is_what_everybody_gets() -> None:
    assert told("messages", "chat", {"speed": "fast"}) == ({}, ("/speed",))
    assert told("messages", "chat", {"speed": "standard"}) == ({}, ())
    assert told("messages", "chat", {"speed": "fast"}, structs.replace(ENDPOINT, tier="priority")) == ({}, ())
