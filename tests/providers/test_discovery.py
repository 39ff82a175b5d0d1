"""A provider's own list of models, in every form that it comes in."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.errors import ProviderError
from setpoint.providers.client import HttpClient
from setpoint.providers.discovery import MOST_MODELS, address, ask, read_page
from setpoint.records import ListedModel, Provider
from simulator.script import body as answering
from simulator.script import status

if TYPE_CHECKING:
    from setpoint.records import Dialect
    from simulator.client import Simulator
    from simulator.steps import Script


def listed(body: bytes) -> tuple[ListedModel, ...]:
    return read_page(body, "chat").models


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


# --- several pages -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "dialect", "following"),
    [
        ({}, "chat", {}),
        ({"has_more": False, "last_id": "b"}, "messages", {}),
        ({"has_more": True, "last_id": "z"}, "messages", {"after_id": "z"}),
        ({"has_more": True, "last_id": "z"}, "responses", {"after": "z"}),
        ({"has_more": True}, "chat", {"after": "b"}),
        ({"has_more": "yes", "last_id": 7}, "chat", {}),
        ({"next_page_token": "t/1=", "has_more": True}, "chat", {"page_token": "t/1="}),
        ({"nextPageToken": "t"}, "chat", {"pageToken": "t"}),
        ({"nextPageToken": ""}, "chat", {}),
        ({"next_page_token": "t" * 3_000}, "chat", {}),
        ({"links": {"next": "/api/v1/models?offset=2&limit=2"}}, "chat", {"offset": "2", "limit": "2"}),
        ({"links": {"next": "http://elsewhere.test/x?offset=2"}}, "chat", {"offset": "2"}),
        ({"links": {"next": None}}, "chat", {}),
        ({"links": ["next"]}, "chat", {}),
    ],
)
def test_a_page_says_how_the_next_is_asked_for(
    said: dict[str, Any], dialect: Dialect, following: dict[str, str]
) -> None:
    page = read_page(json.dumps({"data": [{"id": "a"}, {"id": "b"}], **said}).encode(), dialect)
    assert (page.models, page.following) == ((ListedModel(id="a"), ListedModel(id="b")), following)


def page(*names: str, **said: Any) -> Script:
    return answering({"data": [{"id": name} for name in names], **said})


def all_of(simulator: Simulator, *pages: Script, dialect: Dialect = "chat") -> list[str]:
    """The models of a list of these pages, the last of which stands for all behind it."""
    simulator.script(*pages)
    provider = Provider(slug="p", name="P", dialects=(dialect,), base_url=simulator.url("/v1"))

    async def asked() -> tuple[ListedModel, ...]:
        client = HttpClient()
        try:
            return await ask(client, provider, None)
        finally:
            await client.close()

    return [model.id for model in asyncio.run(asked())]


def test_a_list_is_read_to_its_end(simulator: Simulator) -> None:
    first, last = page("a", "b", has_more=True, last_id="b"), page("b", "c", has_more=False, last_id="c")
    assert all_of(simulator, first, last, dialect="messages") == ["a", "b", "c"]
    assert [one.path for one in simulator.requests()] == [
        "/v1/models?limit=1000",
        "/v1/models?limit=1000&after_id=b",
    ]


def test_a_link_to_the_next_page_leads_nowhere_else(simulator: Simulator) -> None:
    elsewhere = simulator.url("/elsewhere?offset=1")
    assert all_of(simulator, page("a", links={"next": elsewhere}), page("b", links={"next": None})) == ["a", "b"]
    assert [one.path for one in simulator.requests()] == ["/v1/models", "/v1/models?offset=1"]


def test_a_list_that_says_that_there_is_more_and_has_no_more_ends(simulator: Simulator) -> None:
    assert all_of(simulator, page("a", has_more=True)) == ["a"]
    assert len(simulator.requests()) == 2


def test_a_list_that_never_ends_has_an_end(simulator: Simulator) -> None:
    pages = [page(f"m{at}", next_page_token=f"t{at}") for at in range(101)]
    assert len(all_of(simulator, *pages)) == len(simulator.requests()) == 100


def test_of_a_list_of_which_a_page_does_not_come_nothing_counts(simulator: Simulator) -> None:
    with pytest.raises(ProviderError, match="status 500"):
        all_of(simulator, page("a", nextPageToken="t"), status(500))


def test_all_pages_of_a_list_together_are_bounded(simulator: Simulator) -> None:
    long = [page(f"m{at}", padding="x" * 3_000_000, nextPageToken=f"t{at}") for at in range(3)]
    with pytest.raises(ProviderError, match="too large"):
        all_of(simulator, *long)
