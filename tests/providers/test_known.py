"""The list of known providers: every row can be used as it stands."""

from __future__ import annotations

import re

import pytest

from setpoint.providers.known import KnownProvider, known
from setpoint.routing.catalog import build
from setpoint.routing.words import BASE_URL, SLUG
from setpoint.settings import Place, load
from setpoint.settings.kinds import read_as
from setpoint.settings.nodes import Report, Scalar

ROWS = known()


def test_the_list_is_that_of_the_manual() -> None:
    assert {slug: (row.provider.base_url, row.variable) for slug, row in ROWS.items()} == {
        "openai": ("https://api.openai.com/v1", "OPENAI_API_KEY"),
        "openrouter": ("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
        "groq": ("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
        "mistral": ("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    }


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_keeps_the_rules_that_a_file_must_keep(row: KnownProvider) -> None:
    for kind, text in ((SLUG, row.provider.slug), (BASE_URL, row.provider.base_url)):
        assert read_as(kind, Scalar(text, Place("known.toml"), "quoted"), "row", Report()) == text
    assert re.fullmatch(r"[A-Z]+_API_KEY", row.variable)
    assert row.provider.keys == ()
    assert row.provider.dialects


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_says_one_thing_about_reasoning_and_the_output_limit(row: KnownProvider) -> None:
    if row.parameters is not None:
        listed = {"reasoning", "reasoning_effort"} & row.parameters
        assert listed == ({"reasoning_effort"} if row.provider.reasoning_form == "effort" else {"reasoning"})
        assert len({"max_tokens", "max_completion_tokens"} & row.parameters) == 1
        assert not row.parameters & row.provider.takes


def test_only_openrouter_takes_server_tools() -> None:
    assert [slug for slug, row in ROWS.items() if row.provider.server_tools] == ["openrouter"]


@pytest.mark.parametrize("slug", ROWS)
def test_a_key_in_the_environment_is_all_that_a_known_provider_needs(
    slug: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))
    environ = {ROWS[slug].variable: "sk-1"}
    catalog, warnings = build(load(None, environ, {}), ROWS, environ)
    assert warnings == ()
    assert set(catalog.providers) == {slug, "setpoint"}
    model = catalog.find(f"{slug}/some-model")
    assert model is not None
    assert (model.endpoints[0].model, model.endpoints[0].provider.keys[0].secret) == ("some-model", "sk-1")
