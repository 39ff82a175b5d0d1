"""A provider's own list of models, in every form that it comes in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.errors import ProviderError
from setpoint.providers.discovery import MOST_MODELS, address, listed
from setpoint.records import ListedModel, Provider

if TYPE_CHECKING:
    from setpoint.records import Dialect


def of(*entries: Any) -> tuple[ListedModel, ...]:
    return listed(json.dumps({"object": "list", "data": entries}).encode())


@pytest.mark.parametrize(
    ("entry", "context_length"),
    [
        ({"id": "m", "object": "model", "created": 1, "owned_by": "library"}, None),
        ({"id": "m", "max_model_len": 32_768, "root": "m", "permission": ["p"]}, 32_768),
        ({"id": "m", "meta": {"n_ctx": 4_096, "n_ctx_train": 131_072, "n_params": 8}}, 4_096),
        ({"id": "m", "meta": {"n_ctx_train": 131_072}}, 131_072),
        ({"id": "m", "meta": None}, None),
        ({"id": "m", "meta": "large"}, None),
        ({"id": "m", "context_length": 8_192}, 8_192),
        ({"id": "m", "context_window": 8_192}, 8_192),
        ({"id": "m", "max_context_length": 8_192}, 8_192),
        ({"id": "m", "display_name": "M", "type": "model", "max_input_tokens": 200_000}, 200_000),
        ({"id": "m", "max_model_len": "32768", "context_length": 8_192}, 8_192),
        ({"id": "m", "max_model_len": 0}, None),
        ({"id": "m", "max_model_len": -1}, None),
        ({"id": "m", "max_model_len": True}, None),
        ({"id": "m", "max_model_len": 1.5}, None),
        ({"id": "m", "max_model_len": 10**30}, None),
    ],
)
def test_a_model_may_say_its_context_length_in_many_words(entry: dict[str, Any], context_length: int | None) -> None:
    assert of(entry) == (ListedModel(id="m", context_length=context_length),)


def test_a_bare_list_and_an_empty_one_are_lists() -> None:
    assert listed(b'[{"id": "a"}]') == (ListedModel(id="a"),)
    assert of() == listed(b"[]") == listed(b'{"object": "list", "data": null}') == ()


@pytest.mark.parametrize(
    "entry",
    [
        *(None, 1, "m", [], {}, {"id": None}, {"id": 7}, {"name": "m"}),
        *({"id": name} for name in ("", "a b", "a\tb", "a\n", "@preset/x", "a@preset/x", "\x1b[2J", "x" * 401)),
    ],
)
def test_what_cannot_be_a_model_s_name_is_passed_over(entry: Any) -> None:
    assert of({"id": "good"}, entry, {"id": "also:good/name"}) == (
        ListedModel(id="good"),
        ListedModel(id="also:good/name"),
    )


def test_a_model_that_is_listed_twice_is_there_once_and_a_list_has_an_end() -> None:
    assert of({"id": "a", "context_length": 1}, {"id": "b"}, {"id": "a", "context_length": 2}) == (
        ListedModel(id="a", context_length=1),
        ListedModel(id="b"),
    )
    assert len(of(*({"id": f"m{at}"} for at in range(MOST_MODELS + 10)))) == MOST_MODELS


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"null", b"7", b'"m"', b"{}", b'{"data": {}}', b'{"data": "m"}', b'{"data": [', b"<html>", b"\xff\xfe"),
        *(b'{"data": ' + b"[" * 100_000, b'{"error": {"message": "no"}}'),
    ],
)
def test_what_is_no_list_of_models_is_refused(body: bytes) -> None:
    with pytest.raises(ProviderError, match="cannot be read"):
        listed(body)


@given(st.binary(max_size=200) | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(str).map(str.encode))
def test_nothing_that_comes_is_more_than_a_refused_list(body: bytes) -> None:
    for sent in (body, b'{"data": [' + body + b"]}", b'{"data": [{"id": ' + body + b"}]}"):
        try:
            listed(sent)
        except ProviderError:
            continue


@pytest.mark.parametrize(
    ("dialects", "base_url", "url"),
    [
        (("chat",), "http://h/v1", "http://h/v1/models"),
        (("responses", "messages"), "http://h/x", "http://h/x/models"),
        (("messages",), "http://h", "http://h/v1/models?limit=1000"),
        (("messages",), "http://h/v1", "http://h/v1/models?limit=1000"),
    ],
)
def test_the_list_stands_beside_the_paths_of_the_first_dialect(
    dialects: tuple[Dialect, ...], base_url: str, url: str
) -> None:
    assert address(Provider(slug="p", name="P", dialects=dialects, base_url=base_url)) == url
