"""The headers towards a provider: its credential, its row's own, and what a messages upstream is told of the caller."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from setpoint.providers.auth import AnthropicHeaders, headers, secrets
from setpoint.records import Provider, ProviderKey

if TYPE_CHECKING:
    from setpoint.records import Dialect

KEY = ProviderKey(id="k1", secret="sk-of-the-provider")
TOLD = AnthropicHeaders(version="2026-10-21", beta="one-2025-01-01,two-2025-02-02")


def provider(auth: str = "bearer", added: tuple[tuple[str, str], ...] = ()) -> Provider:
    assert auth in ("bearer", "x-api-key", "api-key")
    dialects: tuple[Dialect, ...] = ("chat", "messages", "responses")
    return Provider(slug="p", name="P", dialects=dialects, base_url="https://p.test", auth=auth, headers=added)


def sent(dialect: Dialect, anthropic: AnthropicHeaders = TOLD, *added: tuple[str, str]) -> dict[str, str]:
    """The headers by their lower-case names, each of which is there once."""
    pairs = headers(provider(added=added), KEY, dialect=dialect, stream=False, anthropic=anthropic)
    names = [name.lower() for name, _ in pairs]
    assert len(set(names)) == len(names)
    return {name.lower(): content for name, content in pairs}


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ("bearer", ("Authorization", "Bearer sk-of-the-provider")),
        ("x-api-key", ("x-api-key", "sk-of-the-provider")),
        ("api-key", ("api-key", "sk-of-the-provider")),
    ],
)
def test_the_key_goes_in_the_header_of_the_row_and_in_no_other(auth: str, header: tuple[str, str]) -> None:
    pairs = headers(provider(auth), KEY, dialect="chat", stream=True)
    assert [pair for pair in pairs if "sk-of-the-provider" in pair[1]] == [header]


def test_without_a_key_there_is_no_credential() -> None:
    names = {name.lower() for name, _ in headers(provider(), None, dialect="messages", stream=False)}
    assert not names & {"authorization", "x-api-key", "api-key"}


def test_all_that_a_provider_could_quote_is_secret_and_the_longest_of_it_first() -> None:
    row = structs.replace(provider(added=(("X-Team", "of-the-header"), ("X-Short", "1"))), keys=(KEY,))
    sent = ProviderKey(id="k2", secret="sk-of-the-provider-once")
    told = secrets(row, sent, ["an-added-one", "sk-of-the-provider"])
    assert told == ["sk-of-the-provider-once", "sk-of-the-provider", "of-the-header", "an-added-one"]
    assert secrets(row, None) == ["sk-of-the-provider", "of-the-header"]


@pytest.mark.parametrize(("stream", "accepts"), [(True, "text/event-stream"), (False, "application/json")])
def test_it_asks_for_what_it_reads(stream: bool, accepts: str) -> None:
    assert ("Accept", accepts) in headers(provider(), None, dialect="responses", stream=stream)


def test_a_messages_upstream_is_told_the_callers_version_and_betas() -> None:
    told = sent("messages")
    assert (told["anthropic-version"], told["anthropic-beta"]) == ("2026-10-21", "one-2025-01-01,two-2025-02-02")


def test_a_messages_upstream_is_told_some_version_in_any_case() -> None:
    told = sent("messages", AnthropicHeaders())
    assert told["anthropic-version"] == "2023-06-01"
    assert "anthropic-beta" not in told


@pytest.mark.parametrize("dialect", ["chat", "responses"])
def test_other_dialects_are_told_neither(dialect: Dialect) -> None:
    assert not {"anthropic-version", "anthropic-beta"} & sent(dialect).keys()


def test_what_the_row_says_itself_goes_before_the_caller() -> None:
    told = sent("messages", TOLD, ("Anthropic-Version", "2023-01-01"), ("ANTHROPIC-BETA", "ours"))
    assert (told["anthropic-version"], told["anthropic-beta"]) == ("2023-01-01", "ours")
    assert sent("messages", TOLD, ("Anthropic-Beta", "ours"))["anthropic-version"] == "2026-10-21"


@pytest.mark.parametrize("version", ["", " ", "\r\n", "2023-06-01\u00e9", "\u4e8c"])
def test_a_version_that_no_header_can_say_is_left_out(version: str) -> None:
    assert sent("messages", AnthropicHeaders(version=version))["anthropic-version"] == "2023-06-01"


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_value_of_the_callers_breaks_a_header(version: str, beta: str) -> None:
    told = sent("messages", AnthropicHeaders(version=version, beta=beta))
    for name in ("anthropic-version", "anthropic-beta"):
        assert re.fullmatch(r"[\x20-\x7e]*", told.get(name, ""))


def test_a_line_break_cannot_begin_another_header() -> None:
    told = sent("messages", AnthropicHeaders(beta="a\r\nx-api-key: stolen"))
    assert told["anthropic-beta"] == "ax-api-key: stolen"
    assert "x-api-key" not in told
