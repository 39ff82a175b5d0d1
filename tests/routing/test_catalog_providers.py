"""Providers: the known list and the environment, keys that nobody is told, URLs and headers that cannot be bent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.catalog_support import OWN, SECRET, catalog_of, problems
from setpoint.records import Timeouts
from setpoint.routing.tables import ProviderTable
from setpoint.routing.words import BASE_URL
from setpoint.settings import Place
from setpoint.settings.kinds import read_as
from setpoint.settings.nodes import Report, Scalar

if TYPE_CHECKING:
    from pathlib import Path


# --- providers -----------------------------------------------------------------------------------------------


def test_a_known_provider_needs_only_its_key(tmp_path: Path) -> None:
    made, warnings = catalog_of(f"providers: {{groq: {{api_key: {SECRET}}}}}", tmp_path)
    groq = made.providers["groq"]
    assert (groq.name, groq.base_url, groq.dialects) == ("Groq", "https://api.groq.com/openai/v1", ("chat",))
    assert (groq.takes, groq.reasoning_form, groq.server_tools) == (frozenset({"user"}), "effort", False)
    assert [key.secret for key in groq.keys] == [SECRET]
    assert warnings == []


def test_an_unknown_provider_needs_its_dialect_and_base_url(tmp_path: Path) -> None:
    assert problems("providers:\n  mine:\n    name: M\n", tmp_path) == [
        "f.yaml:3: providers.mine: needs the key dialect, as it is not on the list of known providers",
        "f.yaml:3: providers.mine: needs the key base_url, as it is not on the list of known providers",
    ]


@pytest.mark.parametrize(("dialect", "auth"), [("chat", "bearer"), ("responses", "bearer"), ("messages", "x-api-key")])
def test_the_auth_header_follows_the_dialect(dialect: str, auth: str, tmp_path: Path) -> None:
    text = f"providers: {{mine: {{dialect: {dialect}, base_url: 'http://m.test'}}}}"
    assert catalog_of(text, tmp_path)[0].providers["mine"].auth == auth


@pytest.mark.parametrize("slug", ["Groq", "a_b", "-a", '"a b"', "a/b", '""', "a@b"])
def test_a_slug_has_its_own_alphabet(slug: str, tmp_path: Path) -> None:
    [problem] = problems(f"providers: {{{slug}: {{dialect: chat, base_url: 'http://m.test'}}}}", tmp_path)
    assert "must be a slug of a-z, 0-9 and -" in problem


def test_the_built_in_provider_cannot_be_named(tmp_path: Path) -> None:
    assert problems("providers:\n  setpoint: {dialect: chat, base_url: 'http://m.test'}\n", tmp_path) == [
        "f.yaml:2: providers.setpoint: is built in, and cannot be named here"
    ]


def test_the_time_limits_of_an_endpoint_are_its_own_else_its_provider_s_else_the_settings(tmp_path: Path) -> None:
    text = (
        "settings: {connect_timeout_s: 1, first_token_timeout_s: 2, idle_timeout_s: null}\n"
        "providers:\n"
        "  own: {dialect: chat, base_url: 'http://own.test', first_token_timeout_s: 20, total_timeout_s: null}\n"
        "models:\n"
        "  a/m: {endpoints: [{provider: own, connect_timeout_s: 100}, {provider: own, total_timeout_s: 400}]}\n"
    )
    made, _ = catalog_of(text, tmp_path)
    first, second = made.models["a/m"].endpoints
    assert made.providers["own"].timeouts == Timeouts(connect_s=1, first_token_s=20, idle_s=None, total_s=None)
    assert first.timeouts == Timeouts(connect_s=100, first_token_s=20, idle_s=None, total_s=None)
    assert second.timeouts == Timeouts(connect_s=1, first_token_s=20, idle_s=None, total_s=400)


# --- keys ----------------------------------------------------------------------------------------------------


def test_a_key_s_id_is_stable_and_does_not_tell_the_secret(tmp_path: Path) -> None:
    text = f"providers: {{groq: {{api_keys: [{SECRET}, {{key: other, name: second}}]}}}}"
    first, second = catalog_of(text, tmp_path)[0].providers["groq"].keys
    assert first.id == "groq:333b9e16"
    assert (second.secret, second.name) == ("other", "second")
    assert second.id != first.id
    assert SECRET not in repr(first)


def test_one_of_api_key_and_api_keys(tmp_path: Path) -> None:
    assert problems("providers:\n  groq:\n    api_key: a\n    api_keys: [b]\n", tmp_path) == [
        "f.yaml:4: providers.groq: api_key and api_keys are both there; write one of the two"
    ]


def test_the_same_key_twice_is_an_error_that_does_not_tell_it(tmp_path: Path) -> None:
    [problem] = problems(f"providers: {{groq: {{api_keys: [{SECRET}, {SECRET}]}}}}", tmp_path)
    assert "the same key is there twice" in problem
    assert SECRET not in problem


def test_known_providers_come_from_the_environment_with_and_without_a_file(tmp_path: Path) -> None:
    environ = {"GROQ_API_KEY": SECRET}
    for text in ("", OWN):
        made, warnings = catalog_of(text, tmp_path, environ)
        assert [key.secret for key in made.providers["groq"].keys] == [SECRET]
        assert warnings == []
    assert set(catalog_of(OWN, tmp_path)[0].providers) == {"own", "setpoint"}
    assert set(catalog_of("", tmp_path, {"GROQ_API_KEY": ""})[0].providers) == {"setpoint"}


def test_known_providers_without_a_key_sleep_until_somebody_brings_one(tmp_path: Path) -> None:
    text = "settings: {connect_timeout_s: 3}\nproviders: {mistral: {enabled: false}}"
    made, _ = catalog_of(text, tmp_path, {"GROQ_API_KEY": SECRET})
    assert {"openai", "anthropic", "vllm"} < made.dormant.keys()
    assert not {"groq", "mistral", "azure", "setpoint"} & made.dormant.keys()
    assert made.find("openai/gpt-4o") is None
    awake = made.awake(["openai", "nobody"])
    model = awake.find("openai/gpt-4o")
    assert model is not None
    (endpoint,) = model.endpoints
    assert (endpoint.base_url, endpoint.timeouts.connect_s) == ("https://api.openai.com/v1", 3)
    assert awake.providers.keys() == made.providers.keys() | {"openai"}
    assert list(awake.providers)[-1] == "setpoint"
    assert made.awake(["nobody"]) is made


def test_a_provider_from_the_environment_has_the_time_limits_of_the_settings(tmp_path: Path) -> None:
    made, _ = catalog_of("settings: {connect_timeout_s: 3, total_timeout_s: null}", tmp_path, {"GROQ_API_KEY": SECRET})
    assert made.providers["groq"].timeouts == Timeouts(connect_s=3, total_s=None)


def test_a_key_in_the_environment_that_cannot_be_a_header_is_an_error_that_does_not_tell_it(tmp_path: Path) -> None:
    [problem] = problems("", tmp_path, {"GROQ_API_KEY": f"{SECRET}\n"})
    assert problem == "GROQ_API_KEY: the key: must be a string of visible ASCII characters"


def test_a_provider_that_the_file_names_takes_the_usual_variable_at_the_usual_place_only(tmp_path: Path) -> None:
    environ = {"GROQ_API_KEY": SECRET}
    here, warnings = catalog_of("providers: {groq: {idle_timeout_s: 5}}", tmp_path, environ)
    assert [key.secret for key in here.providers["groq"].keys] == [SECRET]
    assert warnings == []
    elsewhere, warnings = catalog_of("providers: {groq: {base_url: 'https://b.test'}}", tmp_path, environ)
    assert elsewhere.providers["groq"].keys == ()
    assert warnings == ["f.yaml:1: providers.groq: has no api_key, so its requests carry no credential"]


@pytest.mark.parametrize("provider", ["groq: {enabled: false}", "local: {}"])
def test_a_missing_key_is_no_matter_where_none_is_needed(provider: str, tmp_path: Path) -> None:
    assert catalog_of(f"providers: {{{provider}}}", tmp_path)[1] == []


def test_a_provider_s_key_in_the_file_wins_over_the_environment(tmp_path: Path) -> None:
    made, _ = catalog_of("providers: {groq: {api_key: mine}}", tmp_path, {"GROQ_API_KEY": SECRET})
    assert [key.secret for key in made.providers["groq"].keys] == ["mine"]


def test_no_message_tells_a_secret(tmp_path: Path) -> None:
    text = (
        "providers:\n"
        "  groq: {api_key: '${KEY}', base_url: 'https://${KEY}@b.test', proxy: '${KEY}', auth: '${KEY}'}\n"
        "  mine: {dialect: '${KEY}', base_url: '${KEY} ', headers: {Host: '${KEY}'}, api_keys: [{kee: '${KEY}'}]}\n"
        "models: {m: {endpoints: [{provider: '${KEY}', pricing: {prompt: '${KEY}'}}]}}\n"
    )
    found = problems(text, tmp_path, {"KEY": f"{SECRET}\t"})
    assert len(found) > 8
    assert SECRET not in "".join(found)


def test_what_is_read_of_a_provider_does_not_show_its_secrets(tmp_path: Path) -> None:
    made, _ = catalog_of(f"providers: {{groq: {{api_key: {SECRET}}}}}", tmp_path)
    assert SECRET not in repr(made)
    table = ProviderTable(places={"": Place("f.yaml")}, api_key=SECRET)
    assert SECRET not in repr(table)


# --- URLs and headers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "base_url"),
    [
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("https://host", "https://host"),
        ("https://host/", "https://host"),
        ("https://host/v1///", "https://host/v1"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1"),
        ("http://my_service:1/a-b/~c", "http://my_service:1/a-b/~c"),
        (
            "https://a.b.test/accounts/1/openai/deployments/gpt-4.1",
            "https://a.b.test/accounts/1/openai/deployments/gpt-4.1",
        ),
    ],
)
def test_a_base_url_is_kept_without_its_trailing_slashes(url: str, base_url: str, tmp_path: Path) -> None:
    made, _ = catalog_of(f"providers: {{mine: {{dialect: chat, base_url: {json.dumps(url)}}}}}", tmp_path)
    assert made.providers["mine"].base_url == base_url


@pytest.mark.parametrize(
    "url",
    [
        *("", "host", "//host", "ftp://host", "file:///etc/passwd", "gopher://host", "data:text/plain,x"),
        *("http://", "http:///v1", "http://:80", "http://host:0", "http://host:65536", "http://host:x", "http://host:"),
        *("http://host?x", "http://host/v1?x=1", "http://host#x", "http://host/v1#", "http://host/v1?"),
        *("http://u@host", "http://u:p@host", "http://host@evil/v1", "http://host/@x", "http://host\\@evil"),
        *(
            "http://host/..",
            "http://host/../x",
            "http://host/a/./b",
            "http://host/%2e%2e",
            "http://host/%23",
            "http://host//x",
        ),
        *("http://ho st", "http://host/a b", " http://host", "http://host ", "http://host\n", "http://host/\u00e9"),
        *(
            "http://-host",
            "http://h\u00f6st",
            "http://[::1",
            "http://[::g]",
            "http://[127.0.0.1]",
            "http://[::1%25eth0]",
        ),
    ],
)
def test_a_base_url_that_could_be_read_in_two_ways_is_refused(url: str, tmp_path: Path) -> None:
    text = f"providers: {{mine: {{dialect: chat, base_url: {json.dumps(url)}}}}}"
    assert problems(text, tmp_path) == [f"f.yaml:1: providers.mine.base_url: must be {BASE_URL.words}"]


@given(st.text(alphabet=st.sampled_from("ahtps:/.@#?%[]\\ \n0-_é"), max_size=12))
def test_whatever_follows_the_scheme_no_base_url_leaves_its_host(rest: str) -> None:
    url = read_as(BASE_URL, Scalar(f"http://{rest}", Place("f.yaml", 1), "quoted"), "base_url", Report())
    if isinstance(url, str):
        assert not set(url) & set("@#?%\\ \n")
        assert "/." not in url
        assert url.count("//") == 1


@pytest.mark.parametrize(
    "header",
    [
        *("Authorization: x", "authorization: x", "X-Api-Key: x", "api-key: x", "Host: x", "CONTENT-LENGTH: '5'"),
        *("Transfer-Encoding: chunked", "Connection: close", "'a b': x", "'': x", "'a:': x", 'X: "a\\nb"'),
        *('X: "\\u00e9"', "X: [a]", "X: ' a'"),
    ],
)
def test_headers_cannot_replace_what_the_gateway_writes_nor_break_the_request(header: str, tmp_path: Path) -> None:
    assert len(problems(f"providers: {{groq: {{api_key: k, headers: {{{header}}}}}}}", tmp_path)) == 1


def test_a_header_twice_in_another_case_is_an_error(tmp_path: Path) -> None:
    assert problems("providers:\n  groq:\n    headers:\n      X-A: b\n      x-a: c\n", tmp_path) == [
        "f.yaml:5: providers.groq.headers: 'x-a' is there already, in line 4"
    ]


def test_verify_false_is_warned_about_and_a_path_is_kept(tmp_path: Path) -> None:
    made, warnings = catalog_of("providers:\n  groq:\n    api_key: k\n    verify: false\n", tmp_path)
    assert made.providers["groq"].verify is False
    assert [warning.split(";")[0] for warning in warnings] == ["f.yaml:4: providers.groq.verify: TLS is not verified"]
    assert catalog_of("providers: {groq: {api_key: k}}", tmp_path)[0].providers["groq"].verify is True
