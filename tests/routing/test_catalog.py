"""Models and endpoints of the catalog: prices, inheritance, and which model an id means."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from routing.catalog_support import OWN, catalog_of, problems
from setpoint.providers.known import known
from setpoint.records import RATES, EndpointFacts, Price
from setpoint.routing.offers import FREE

if TYPE_CHECKING:
    from pathlib import Path


# --- prices --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "price"),
    [
        ('"0.0000025"', "0.0000025"),
        ("0.0000025", "0.0000025"),
        ("0.1234567890123456789", "0.1234567890123456789"),
        ("2.5e-6", "0.0000025"),
        ("25e-7", "0.0000025"),
        (".5", "0.5"),
        ('"0"', "0"),
        ("0", "0"),
        ("${PRICE}", "0.5"),
    ],
)
def test_a_price_keeps_every_digit_however_it_is_written(written: str, price: str, tmp_path: Path) -> None:
    text = f"{OWN}models:\n  m:\n    endpoints:\n      - provider: own\n        pricing:\n          prompt: {written}\n"
    made, _ = catalog_of(text, tmp_path, {"PRICE": "0.5"})
    assert made.models["m"].endpoints[0].price == Price(prompt=Decimal(price))


@pytest.mark.parametrize(
    "written",
    [
        *("-1", '"-0"', "+1", ".nan", '"NaN"', ".inf", '"Infinity"', "null", '""', "1_000", "0x10", "1e99", "1e-99"),
        *("free", "[1]", '"1 "', "1" + "0" * 80, "٣"),
    ],
)
def test_what_is_no_price_is_refused(written: str, tmp_path: Path) -> None:
    text = f"{OWN}models:\n  m: {{endpoints: [{{provider: own, pricing: {{completion: {written}}}}}]}}\n"
    [problem] = problems(text, tmp_path)
    assert problem.startswith("f.yaml:4: models.m.endpoints[0].pricing.completion: must be US dollars per single token")


def test_what_has_no_price_is_unknown_but_free_on_one_s_own_machine(tmp_path: Path) -> None:
    text = (
        f"{OWN}  local: {{}}\n"
        "models:\n"
        "  m: {endpoints: [{provider: own}, {provider: local}, {provider: local, pricing: {prompt: 1}}]}\n"
    )
    made, _ = catalog_of(text, tmp_path)
    unknown, free, said = (endpoint.price for endpoint in made.models["m"].endpoints)
    assert unknown is None
    assert free is not None
    assert {getattr(free, rate) for rate in RATES} == {Decimal(0)}
    assert said == Price(prompt=Decimal(1))


class _Facts:
    """Facts of one model, at two providers and at its author."""

    def endpoint(self, slug: str, model: str) -> EndpointFacts | None:
        known = EndpointFacts(tier_prices={"default": Price(prompt=Decimal(7))}, context_length=70)
        return known if (slug, model) in {("own", "known"), ("local", "known")} else None

    def context_length(self, model_id: str) -> int | None:
        return 90 if model_id == "author/known" else None


def test_what_the_file_does_not_say_of_a_model_may_be_known(tmp_path: Path) -> None:
    text = (
        f"{OWN}  local: {{}}\n"
        "models:\n"
        "  a/known: {endpoints: [{provider: own}]}\n"
        "  a/said: {endpoints: [{provider: own, model: known, context_length: 1, pricing: {completion: 1}}]}\n"
        "  a/short: {context_length: 2, endpoints: [{provider: own, model: known}]}\n"
        "  a/free: {endpoints: [{provider: local, model: known}]}\n"
        "  author/known: {endpoints: [{provider: own, model: other}]}\n"
        "  a/other: {endpoints: [{provider: own}]}\n"
    )
    made, _ = catalog_of(text, tmp_path, facts=_Facts())
    lengths = {name: model.context_length for name, model in made.models.items() if name != "setpoint/echo"}
    assert lengths == {
        "a/known": 70,
        "a/said": 1,
        "a/short": 2,
        "a/free": 70,
        "author/known": 90,
        "a/other": None,
    }
    ends = {name: model.endpoints[0] for name, model in made.models.items()}
    assert ends["a/known"].price == ends["a/short"].price == Price(prompt=Decimal(7))
    assert (ends["a/said"].price, ends["a/said"].context_length) == (Price(completion=Decimal(1)), 1)
    assert (ends["a/free"].price, ends["author/known"].price) == (FREE, None)


def test_a_model_that_nothing_names_has_what_is_known_of_it(tmp_path: Path) -> None:
    made, _ = catalog_of(OWN, tmp_path, facts=_Facts())
    known, other = made.find("own/known"), made.find("own/other")
    assert known is not None
    assert other is not None
    assert (known.endpoints[0].price, known.context_length) == (Price(prompt=Decimal(7)), 70)
    assert (other.endpoints[0].price, other.context_length) == (None, None)


# --- models and endpoints ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model_id", "model"), [("openai/gpt-4o", "gpt-4o"), ("llama3:8b", "llama3:8b"), ("a/b/c:d", "b/c:d")]
)
def test_the_name_sent_upstream_is_the_id_behind_its_author(model_id: str, model: str, tmp_path: Path) -> None:
    made, _ = catalog_of(f"{OWN}models: {{'{model_id}': {{endpoints: [{{provider: own}}]}}}}", tmp_path)
    assert made.models[model_id].endpoints[0].model == model


def test_context_lengths_go_both_ways(tmp_path: Path) -> None:
    text = (
        f"{OWN}models:\n"
        "  said: {context_length: 9, endpoints: [{provider: own}, {provider: own, context_length: 5}]}\n"
        "  found: {endpoints: [{provider: own, context_length: 5}, {provider: own, context_length: 7}]}\n"
        "  unknown: {endpoints: [{provider: own}]}\n"
    )
    made, _ = catalog_of(text, tmp_path)
    lengths = {
        name: (model.context_length, [endpoint.context_length for endpoint in model.endpoints])
        for name, model in made.models.items()
    }
    assert lengths["said"] == (9, [9, 5])
    assert lengths["found"] == (7, [5, 7])
    assert lengths["unknown"] == (None, [None])


def test_an_endpoint_inherits_from_its_provider(tmp_path: Path) -> None:
    text = (
        "providers:\n"
        "  own: {dialect: [chat, messages], base_url: 'http://own.test', zdr: true,"
        " data_collection: deny, region: eu}\n"
        "models:\n"
        "  m: {moderated: true, endpoints: [{provider: own}, {provider: own, zdr: false, data_collection: allow,"
        " region: us, moderated: false, dialect: messages, base_url: 'http://other.test/'}]}\n"
    )
    first, second = catalog_of(text, tmp_path)[0].models["m"].endpoints
    assert (first.zdr, first.data_collection, first.region, first.moderated) == (True, "deny", "eu", True)
    assert (first.dialects, first.base_url, first.tag) == (("chat", "messages"), "http://own.test", "own")
    assert (second.zdr, second.data_collection, second.region, second.moderated) == (False, "allow", "us", False)
    assert (second.dialects, second.base_url) == (("messages",), "http://other.test")


def test_an_endpoint_of_a_known_provider_takes_what_its_reference_lists(tmp_path: Path) -> None:
    text = "models: {m: {endpoints: [{provider: groq}, {provider: groq, parameters: [tools]}]}}"
    made, _ = catalog_of(text, tmp_path, {"GROQ_API_KEY": "k"})
    first, second = made.models["m"].endpoints
    assert first.parameters == known()["groq"].parameters
    assert second.parameters == {"tools"}


def test_an_endpoint_of_a_disabled_provider_is_disabled(tmp_path: Path) -> None:
    text = "providers: {groq: {enabled: false}}\nmodels: {m: {endpoints: [{provider: groq}]}}"
    assert not catalog_of(text, tmp_path)[0].models["m"].endpoints[0].enabled


@pytest.mark.parametrize(
    ("provider", "problem"),
    [
        ("onw", "there is no such provider, did you mean 'own'?"),
        ("groq", "groq has no key: set GROQ_API_KEY, or name it under providers"),
        ("zzz", "there is no such provider"),
    ],
)
def test_an_endpoint_of_an_unknown_provider_is_an_error(provider: str, problem: str, tmp_path: Path) -> None:
    text = f"{OWN}models:\n  m:\n    endpoints:\n      - model: x\n        provider: {provider}\n"
    assert problems(text, tmp_path) == [f"f.yaml:7: models.m.endpoints[0].provider: {problem}"]


def test_a_provider_that_is_wrong_is_told_once_and_not_again_at_its_endpoints(tmp_path: Path) -> None:
    text = "providers:\n  own: {dialect: x, base_url: 'http://own.test'}\nmodels: {m: {endpoints: [{provider: own}]}}"
    assert problems(text, tmp_path) == ["f.yaml:2: providers.own.dialect: must be one of chat, messages, responses"]


def test_a_tag_belongs_to_its_provider(tmp_path: Path) -> None:
    text = f"{OWN}models:\n  m: {{endpoints: [{{provider: own, tag: other/fp8}}]}}\n"
    assert problems(text, tmp_path) == ["f.yaml:4: models.m.endpoints[0].tag: must be own or own/…"]


@pytest.mark.parametrize("model_id", ['"a b"', '"a/@preset/b"', '"@preset/b"', '""', '"a\\tb"', '"a\\u00a0b"'])
def test_what_cannot_be_a_model_id_is_refused(model_id: str, tmp_path: Path) -> None:
    [problem] = problems(f"{OWN}models: {{{model_id}: {{endpoints: [{{provider: own}}]}}}}", tmp_path)
    assert "must be a model id" in problem


@pytest.mark.parametrize("aliases", ["a/m: [b/m]", "a/m: [x, x]", "a/m: [setpoint/echo]", "a/m: [a/m]"])
def test_an_alias_names_one_model_only(aliases: str, tmp_path: Path) -> None:
    model_id, names = aliases.split(": ")
    text = (
        f"{OWN}models:\n  {model_id}: {{endpoints: [{{provider: own}}], aliases: {names}}}\n"
        "  b/m: {endpoints: [{provider: own}]}\n"
    )
    [problem] = problems(text, tmp_path)
    assert problem.startswith("f.yaml:4: models.a/m.aliases: ")
    assert problem.endswith(" already")


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = (
        "providers:\n"
        "  Bad: {}\n"
        "  own: {dialect: chat, base_url: x, zrd: true}\n"
        "models:\n"
        "  m: {}\n"
        "  n: {endpoints: [{provider: nobody, weight: -1}, {}]}\n"
    )
    lines = [int(problem.split(":")[1]) for problem in problems(text, tmp_path)]
    assert lines == [2, 3, 3, 5, 6, 6, 6]


# --- the echo model ------------------------------------------------------------------------------------------


def test_the_echo_model_is_always_there_and_free(tmp_path: Path) -> None:
    for text in ("", OWN):
        made, _ = catalog_of(text, tmp_path)
        model = made.find("setpoint/echo")
        assert model is not None
        (endpoint,) = model.endpoints
        assert (endpoint.provider.slug, endpoint.provider.name, endpoint.provider.builtin) == (
            "setpoint",
            "Setpoint",
            True,
        )
        assert (endpoint.tag, endpoint.dialects) == ("setpoint", ("chat", "messages", "responses"))
        assert endpoint.price is not None
        assert {getattr(endpoint.price, rate) for rate in RATES} == {Decimal(0)}
        assert made.find("setpoint/other") is None


def test_a_model_of_the_file_may_stand_on_the_echo_provider(tmp_path: Path) -> None:
    made, _ = catalog_of("models: {demo: {endpoints: [{provider: setpoint}]}}", tmp_path)
    assert made.models["demo"].endpoints[0].provider.builtin


def test_the_echo_model_cannot_be_named(tmp_path: Path) -> None:
    assert problems(f"{OWN}models:\n  setpoint/echo: {{endpoints: [{{provider: own}}]}}\n", tmp_path) == [
        "f.yaml:4: models.setpoint/echo: is built in, and cannot be named here"
    ]


# --- which model an id means ---------------------------------------------------------------------------------

LOOKUPS = (
    "providers:\n"
    "  own: {dialect: chat, base_url: 'http://own.test/v1'}\n"
    "  shut: {dialect: chat, base_url: 'http://shut.test/v1', enabled: false}\n"
    "models:\n"
    "  own/named: {aliases: [short, own/alias, 'own/a:free'], endpoints: [{provider: own, model: upstream}]}\n"
    "  llama3:8b: {endpoints: [{provider: own}]}\n"
    "  own/x:free: {endpoints: [{provider: own, model: exact}]}\n"
    "  shut/named: {enabled: false, endpoints: [{provider: shut}]}\n"
)


@pytest.mark.parametrize(
    ("asked", "model_id", "upstream"),
    [
        ("own/named", "own/named", "upstream"),
        ("short", "own/named", "upstream"),
        ("own/alias", "own/named", "upstream"),
        ("own/a:free", "own/named", "upstream"),
        ("llama3:8b", "llama3:8b", "llama3:8b"),
        ("own/x:free", "own/x:free", "exact"),
        ("shut/named", "shut/named", "named"),
        ("own/x", "own/x", "x"),
        ("own/deep/er:7b/q4", "own/deep/er:7b/q4", "deep/er:7b/q4"),
        ("own/named:nitro", "own/named:nitro", "named:nitro"),
        ("groq/own/named", "groq/own/named", "own/named"),
    ],
)
def test_an_id_means_what_is_named_else_the_name_at_its_provider(
    asked: str, model_id: str, upstream: str, tmp_path: Path
) -> None:
    made, _ = catalog_of(LOOKUPS, tmp_path, {"GROQ_API_KEY": "k"})
    model = made.find(asked)
    assert model is not None
    assert (model.id, model.endpoints[0].model, model.endpoints[0].model_id) == (model_id, upstream, model_id)


@pytest.mark.parametrize(
    "asked",
    [
        *("", "/", "own", "own/", "/x", "nobody/x", "shut/x", "local/x", "OWN/x", "named", "llama3", "setpoint/x"),
        *("own/@preset/x", "own/a b", "own/a\n", "own/" + "x" * 600),
    ],
)
def test_an_id_that_leads_nowhere_is_none(asked: str, tmp_path: Path) -> None:
    assert catalog_of(LOOKUPS, tmp_path, {"GROQ_API_KEY": "k"})[0].find(asked) is None


def test_what_is_named_is_told_apart_from_what_is_made_on_the_spot(tmp_path: Path) -> None:
    made, _ = catalog_of(LOOKUPS, tmp_path)
    assert made.named("short") is made.models["own/named"]
    assert made.named("own/x") is None


def test_a_model_made_on_the_spot_knows_neither_price_nor_context(tmp_path: Path) -> None:
    made, _ = catalog_of(LOOKUPS, tmp_path, {"GROQ_API_KEY": "k", "LOCAL_KEY": "k"})
    model = made.find("groq/x")
    assert model is not None
    (endpoint,) = model.endpoints
    assert (model.context_length, endpoint.context_length, endpoint.price) == (None, None, None)
    assert (endpoint.provider, endpoint.tag) == (made.providers["groq"], "groq")
    assert endpoint.parameters == known()["groq"].parameters
    free = made.find("local/x")
    assert free is not None
    assert free.endpoints[0].price == made.models["setpoint/echo"].endpoints[0].price
