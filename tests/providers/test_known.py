"""The list of known providers: every row can be used as it stands."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from setpoint.protocols.rules import RULES, takes
from setpoint.providers.known import KnownProvider, known
from setpoint.routing.catalog import build
from setpoint.routing.facts import NoFacts
from setpoint.routing.offers import FREE, offer
from setpoint.routing.words import BASE_URL, SLUG
from setpoint.settings import ConfigError, Place, load
from setpoint.settings.kinds import read_as
from setpoint.settings.nodes import Report, Scalar

if TYPE_CHECKING:
    from pathlib import Path

ROWS = known()


OWN = [slug for slug, row in ROWS.items() if row.provider.own_machine]
BY_KEY = [slug for slug, row in ROWS.items() if row.variable is not None]


def test_the_list_is_that_of_the_manual() -> None:
    assert {slug: (row.provider.base_url, row.variable, row.provider.dialects) for slug, row in ROWS.items()} == {
        "openai": ("https://api.openai.com/v1", "OPENAI_API_KEY", ("chat", "responses")),
        "anthropic": ("https://api.anthropic.com", "ANTHROPIC_API_KEY", ("messages",)),
        "openrouter": ("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", ("chat", "messages", "responses")),
        "google": ("https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY", ("chat",)),
        "mistral": ("https://api.mistral.ai/v1", "MISTRAL_API_KEY", ("chat",)),
        "groq": ("https://api.groq.com/openai/v1", "GROQ_API_KEY", ("chat",)),
        "deepseek": ("https://api.deepseek.com", "DEEPSEEK_API_KEY", ("chat",)),
        "together": ("https://api.together.ai/v1", "TOGETHER_API_KEY", ("chat",)),
        "fireworks": ("https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY", ("chat",)),
        "xai": ("https://api.x.ai/v1", "XAI_API_KEY", ("chat", "responses")),
        "azure": ("", None, ("chat", "responses")),
        "ollama": ("http://127.0.0.1:11434/v1", None, ("chat",)),
        "vllm": ("http://127.0.0.1:8000/v1", None, ("chat",)),
        "llamacpp": ("http://127.0.0.1:8080/v1", None, ("chat",)),
        "lmstudio": ("http://127.0.0.1:1234/v1", None, ("chat",)),
    }


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_keeps_the_rules_that_a_file_must_keep(row: KnownProvider) -> None:
    written = [(SLUG, row.provider.slug), *([(BASE_URL, row.provider.base_url)] if row.provider.base_url else [])]
    for kind, text in written:
        assert read_as(kind, Scalar(text, Place("known.toml"), "quoted"), "row", Report()) == text
    assert row.variable is None or re.fullmatch(r"[A-Z]+_API_KEY", row.variable)
    assert row.provider.keys == ()
    assert row.provider.dialects


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_says_one_thing_about_reasoning_and_the_output_limit(row: KnownProvider) -> None:
    if row.parameters is not None:
        listed = {"reasoning", "reasoning_effort"} & row.parameters
        assert listed == ({"reasoning_effort"} if row.provider.reasoning_form == "effort" else set())
        assert len({"max_tokens", "max_completion_tokens"} & row.parameters) == 1
        assert not row.parameters & row.provider.takes


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_lists_only_fields_that_there_are(row: KnownProvider) -> None:
    limits = {"max_tokens", "max_completion_tokens"}
    assert (row.parameters or frozenset()) - limits <= {name for name, rule in RULES.items() if rule == "supported"}
    assert row.provider.takes <= RULES.keys()
    lacking = {tuple(one.split(".")) for one in row.provider.lacks}
    assert {dialect for dialect, _ in lacking} <= set(row.provider.dialects)
    assert {name for _, name in lacking} <= (row.parameters or frozenset())


@pytest.mark.parametrize("slug", ["openai", "azure"])
def test_a_list_for_two_dialects_has_the_words_of_responses_too(slug: str) -> None:
    endpoint = offer(ROWS[slug].provider, ROWS[slug])
    words = (
        *("include", "truncation", "context_management", "reasoning", "verbosity", "response_format"),
        *("tools", "tool_choice", "parallel_tool_calls", "top_logprobs", "temperature", "top_p", "prompt_cache_key"),
    )
    assert [word for word in words if not takes(endpoint, "responses", word)] == []
    assert [word for word in ("stop", "frequency_penalty") if takes(endpoint, "responses", word)] == []
    assert [word for word in ("stop", "frequency_penalty") if not takes(endpoint, "chat", word)] == []


def test_reasoning_goes_back_to_those_who_want_it_and_to_no_strict_one() -> None:
    back = {slug: row.provider.reasoning_back for slug, row in ROWS.items() if "chat" in row.provider.dialects}
    assert [slug for slug, form in back.items() if form == "content"] == ["deepseek", "fireworks", "llamacpp"]
    assert [slug for slug, form in back.items() if form == "details"] == ["openrouter", "ollama", "vllm"]


def test_only_openrouter_takes_server_tools() -> None:
    assert [slug for slug, row in ROWS.items() if row.provider.server_tools] == ["openrouter"]


def test_only_what_people_run_themselves_costs_nothing() -> None:
    assert OWN == ["ollama", "vllm", "llamacpp", "lmstudio"]


@pytest.mark.parametrize("slug", BY_KEY)
def test_a_key_in_the_environment_is_all_that_a_known_provider_needs(
    slug: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))
    environ = {ROWS[slug].variable or "": "sk-1"}
    catalog, warnings = build(load(None, environ, {}), ROWS, environ, NoFacts())
    assert warnings == ()
    assert set(catalog.providers) == {slug, "setpoint"}
    model = catalog.find(f"{slug}/some-model")
    assert model is not None
    assert (model.endpoints[0].model, model.endpoints[0].provider.keys[0].secret) == ("some-model", "sk-1")


def test_where_nothing_is_said_there_is_no_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for slug in BY_KEY:
        monkeypatch.delenv(ROWS[slug].variable or "", raising=False)
    # The process's own environment: unlike a dictionary it refuses to be asked for None.
    catalog, warnings = build(load(None, os.environ, {}), ROWS, os.environ, NoFacts())
    assert (set(catalog.providers), warnings) == ({"setpoint"}, ())


@pytest.mark.parametrize("slug", OWN)
def test_software_of_ones_own_needs_its_name_in_the_file_and_nothing_else(slug: str, tmp_path: Path) -> None:
    file = tmp_path / "setpoint.yaml"
    file.write_text(f"providers:\n  {slug}: {{}}\n")
    catalog, warnings = build(load(file, {}, {}), ROWS, {}, NoFacts())
    assert warnings == ()
    model = catalog.find(f"{slug}/some-model")
    assert model is not None
    assert (model.endpoints[0].base_url, model.endpoints[0].price) == (ROWS[slug].provider.base_url, FREE)


def test_azure_needs_the_address_of_its_resource(tmp_path: Path) -> None:
    file = tmp_path / "setpoint.yaml"
    file.write_text("providers:\n  azure: {api_key: sk-1}\n")
    with pytest.raises(ConfigError, match="base_url"):
        build(load(file, {}, {}), ROWS, {}, NoFacts())
    address = "https://acme.openai.azure.com/openai/v1"
    file.write_text(f"providers:\n  azure: {{api_key: sk-1, base_url: '{address}'}}\n")
    catalog, warnings = build(load(file, {}, {}), ROWS, {}, NoFacts())
    assert warnings == ()
    made = catalog.providers["azure"]
    assert (made.base_url, made.auth, made.dialects) == (address, "api-key", ("chat", "responses"))
