"""Every key of the tables of providers, models and endpoints: what it may be, what it may not be, what it becomes."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from routing.catalog_support import OWN, SECRET, catalog_of, problems
from setpoint.records import Endpoint, Model, ModelReasoning, Provider
from setpoint.routing.tables import (
    DefaultParametersTable,
    EndpointTable,
    KeyTable,
    ModalitiesTable,
    ModelTable,
    PricingTable,
    ProviderTable,
    ReasoningTable,
)
from setpoint.settings.rows import Table, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from setpoint.routing.catalog import Catalog


# Each key: what it may be, what the record then has, what the key may not be, and a misspelling of it. Where the record
# has it under another name, the second table says where.
Case = tuple[str, object, str, str]


PROVIDER: dict[str, Case] = {
    "dialect": ("[messages, chat]", ("messages", "chat"), "telnet", "dialects"),
    "auth": ("api-key", "api-key", "basic", "aut"),
    "base_url": ("https://a.test/v1//", "https://a.test/v1", "https://a.test/v1?x=1", "base_ulr"),
    "name": ("A Name", "A Name", "12", "nmae"),
    "api_key": (SECRET, SECRET, "[a]", "api_kee"),
    "api_keys": (f"[{SECRET}, {{key: other, name: n}}]", SECRET, "[]", "apikeys"),
    "headers": ("{X-A: b}", (("X-A", "b"),), "{X-A: [b]}", "header"),
    "connect_timeout_s": ("1.5", 1.5, "0", "connect_timeout"),
    "first_token_timeout_s": ("null", None, "soon", "first_token_timeout"),
    "idle_timeout_s": ("3", 3.0, "-1", "idle_timeout"),
    "total_timeout_s": ("4", 4.0, ".inf", "total_timeout"),
    "concurrency": ("5", 5, "0", "concurency"),
    "discover": ("true", True, "maybe", "discovr"),
    "discover_every_s": ("60", 60.0, "0", "discover_every"),
    "proxy": ("http://u:p@proxy.test:3128", "http://u:p@proxy.test:3128", "socks5://x", "proxi"),
    "verify": ("/etc/ca.pem", "/etc/ca.pem", "no", "verfy"),
    "server_tools": ("true", True, "1", "server_tool"),
    "data_collection": ("deny", "deny", "never", "data_colection"),
    "zdr": ("true", True, "yes", "zrd"),
    "region": ("eu", "eu", "5", "regoin"),
    "enabled": ("false", False, "off", "enable"),
}
PROVIDER_RECORD = {
    "dialect": "dialects",
    "api_key": "secret",
    "api_keys": "secret",
    "connect_timeout_s": "timeouts.connect_s",
    "first_token_timeout_s": "timeouts.first_token_s",
    "idle_timeout_s": "timeouts.idle_s",
    "total_timeout_s": "timeouts.total_s",
}

MODEL: dict[str, Case] = {
    "endpoints": ("[{provider: own}]", "own", "[]", "endpoint"),
    "name": ("A Name", "A Name", "12", "nmae"),
    "description": ('""', "", "12", "descripton"),
    "context_length": ("128000", 128_000, "128k", "context_lenght"),
    "created": ("1700000000", 1_700_000_000, "1700000000000", "createt"),
    "modalities": ("{input: [text, image]}", ("text", "image"), "{input: []}", "modalites"),
    "tokenizer": ("GPT", "GPT", "5", "tokeniser"),
    "instruct_type": ("chatml", "chatml", "5", "instruct_typ"),
    "aliases": ("[gpt, ~openai/gpt-latest]", ("gpt", "~openai/gpt-latest"), "[a b]", "alias"),
    "default_parameters": (
        "{top_p: 0.5, temperature: 1}",
        (("temperature", 1.0), ("top_p", 0.5)),
        "{temperature: hot}",
        "default_parameter",
    ),
    "reasoning": (
        "{mandatory: true, supported_efforts: [low], default_effort: null, supports_max_tokens: false}",
        ModelReasoning(mandatory=True, supported_efforts=("low",), default_effort=None, supports_max_tokens=False),
        "{mandatory: 1}",
        "reasonning",
    ),
    "distillable": ("true", True, "1", "distilable"),
    "moderated": ("true", True, "1", "moderatd"),
    "enabled": ("false", False, "1", "enable"),
}
MODEL_RECORD = {"modalities": "input_modalities", "endpoints": "endpoints.0.provider.slug"}

ENDPOINT: dict[str, Case] = {
    "provider": ("own", "own", "Own", "provder"),
    "model": ("x:y", "x:y", "5", "modell"),
    "tag": ("own/fp8", "own/fp8", "own/a/b", "tags"),
    "tier": ("flex", "flex", "slow", "teir"),
    "dialect": ("responses", ("responses",), "[chat]", "dialects"),
    "base_url": ("http://b.test", "http://b.test", "ftp://b.test", "base_urls"),
    "pricing": ("{prompt: 1e-6}", Decimal("0.000001"), "{prompt: -1}", "prices"),
    "context_length": ("5", 5, "0", "context_lenght"),
    "max_output_tokens": ("5", 5, "0", "max_output_token"),
    "max_prompt_tokens": ("5", 5, "0", "max_prompt_token"),
    "parameters": ("[temperature]", frozenset({"temperature"}), "[Hot Air]", "parameter"),
    "quantization": ("fp8", "fp8", "fp7", "quantisation"),
    "data_collection": ("deny", "deny", "never", "data_colection"),
    "zdr": ("true", True, "yes", "zrd"),
    "region": ("eu", "eu", "5", "regoin"),
    "connect_timeout_s": ("1.5", 1.5, "0", "connect_timeout"),
    "first_token_timeout_s": ("2", 2.0, "soon", "first_token_timeout"),
    "idle_timeout_s": ("3", 3.0, "-1", "idle_timeout"),
    "total_timeout_s": ("4", 4.0, ".inf", "total_timeout"),
    "concurrency": ("5", 5, "0", "concurency"),
    "weight": ("0", 0.0, "-1", "wieght"),
    "variants": ("[free, batch]", ("free", "batch"), "[nitro]", "variant"),
    "moderated": ("true", True, "1", "moderatd"),
    "enabled": ("false", False, "1", "enable"),
}
ENDPOINT_RECORD = {
    "provider": "provider.slug",
    "dialect": "dialects",
    "pricing": "price.prompt",
    "connect_timeout_s": "timeouts.connect_s",
    "first_token_timeout_s": "timeouts.first_token_s",
    "idle_timeout_s": "timeouts.idle_s",
    "total_timeout_s": "timeouts.total_s",
}

TABLES: dict[str, tuple[dict[str, Case], dict[str, str], type[Table]]] = {
    "provider": (PROVIDER, PROVIDER_RECORD, ProviderTable),
    "model": (MODEL, MODEL_RECORD, ModelTable),
    "endpoint": (ENDPOINT, ENDPOINT_RECORD, EndpointTable),
}
PATHS = {"provider": "providers.groq", "model": "models.a/m", "endpoint": "models.a/m.endpoints[0]"}


def file_with(table: str, key: str, value: str) -> str:
    """A file that is right but for one key, which stands in line 5."""
    if table == "provider":
        return f"{OWN}  groq:\n\n    {key}: {value}\n"
    if table == "model":
        others = "" if key == "endpoints" else "    endpoints: [{provider: own}]\n"
        return f"{OWN}models:\n  a/m:\n    {key}: {value}\n{others}"
    others = "" if key == "provider" else "        provider: own\n"
    return f"{OWN}models: {{a/m: {{endpoints: [\n      {{\n        {key}: {value},\n{others}      }}]}}}}\n"


def record_of(made: Catalog, table: str) -> Provider | Model | Endpoint:
    if table == "provider":
        return made.providers["groq"]
    model = made.models["a/m"]
    return model if table == "model" else model.endpoints[0]


def follow(record: Any, path: str) -> object:
    for name in path.split("."):
        record = record[int(name)] if name.isdigit() else getattr(record, name)
    return record


def each_key() -> list[tuple[str, str]]:
    return [(table, key) for table, (cases, _, _) in TABLES.items() for key in cases]


@pytest.mark.parametrize("table", TABLES)
def test_every_key_of_the_table_has_a_case(table: str) -> None:
    cases, _, made = TABLES[table]
    assert list(cases) == list(rows_of(made))


@pytest.mark.parametrize(("table", "key"), each_key())
def test_a_key_reads_into_its_record(table: str, key: str, tmp_path: Path) -> None:
    cases, records, _ = TABLES[table]
    text, expected, _, _ = cases[key]
    made, _ = catalog_of(file_with(table, key, text), tmp_path)
    record = record_of(made, table)
    if key.startswith("api_key"):
        assert isinstance(record, Provider)
        assert record.keys[0].secret == expected
    else:
        assert follow(record, records.get(key, key)) == expected


@pytest.mark.parametrize(("table", "key"), each_key())
def test_a_key_of_the_wrong_type_is_told_with_its_path_and_line(table: str, key: str, tmp_path: Path) -> None:
    wrong = TABLES[table][0][key][2]
    found = problems(file_with(table, key, wrong), tmp_path)
    assert len(found) == 1
    assert found[0].startswith(f"f.yaml:5: {PATHS[table]}.{key}")


@pytest.mark.parametrize(("table", "key"), each_key())
def test_a_key_that_is_misspelt_is_told_with_the_nearest(table: str, key: str, tmp_path: Path) -> None:
    misspelt = TABLES[table][0][key][3]
    assert f"f.yaml:5: {PATHS[table]}.{misspelt}: there is no such key, did you mean {key!r}?" in problems(
        file_with(table, misspelt, "x"), tmp_path
    )


@pytest.mark.parametrize(("table", "required"), [("model", "endpoints"), ("endpoint", "provider")])
def test_a_required_key_that_is_missing_is_told(table: str, required: str, tmp_path: Path) -> None:
    text = (
        f"{OWN}models:\n  a/m: {{}}\n" if table == "model" else f"{OWN}models:\n  a/m: {{endpoints: [{{model: x}}]}}\n"
    )
    assert problems(text, tmp_path) == [f"f.yaml:4: {PATHS[table]}: needs the key {required}"]


@pytest.mark.parametrize(("table", "key"), each_key())
def test_every_key_does_what_it_says(table: str, key: str, tmp_path: Path) -> None:
    _, warnings = catalog_of(file_with(table, key, TABLES[table][0][key][0]), tmp_path)
    assert not [warning for warning in warnings if " yet" in warning]


# Each small table: a key of it, what it may not be, a misspelling, and the text around it.
SMALL: list[tuple[type[Table], str, str, str, str]] = [
    (PricingTable, "prompt", "-1", "promt", "models: {{a/m: {{endpoints: [{{provider: own, pricing: {{{0}}}}}]}}}}"),
    (
        ModalitiesTable,
        "output",
        "text",
        "outptu",
        "models: {{a/m: {{endpoints: [{{provider: own}}], modalities: {{{0}}}}}}}",
    ),
    (
        DefaultParametersTable,
        "top_k",
        "x",
        "topk",
        "models: {{a/m: {{endpoints: [{{provider: own}}], default_parameters: {{{0}}}}}}}",
    ),
    (
        ReasoningTable,
        "supported_efforts",
        "low",
        "efforts",
        "models: {{a/m: {{endpoints: [{{provider: own}}], reasoning: {{{0}}}}}}}",
    ),
    (KeyTable, "models", "x", "model", "  groq: {{api_keys: [{{key: k, {0}}}]}}"),
]


@pytest.mark.parametrize(("table", "key", "wrong", "misspelt", "around"), SMALL)
def test_the_small_tables_are_as_strict(
    table: type[Table], key: str, wrong: str, misspelt: str, around: str, tmp_path: Path
) -> None:
    assert key in rows_of(table)
    assert len(problems(OWN + around.format(f"{key}: {wrong}"), tmp_path)) == 1
    [unknown] = problems(OWN + around.format(f"{misspelt}: 1"), tmp_path)
    assert "there is no such key" in unknown


def test_a_key_s_weight_and_models_are_read(tmp_path: Path) -> None:
    made, warnings = catalog_of("providers:\n  groq: {api_keys: [{key: k, weight: 2, models: [a/b]}]}\n", tmp_path)
    [key] = made.providers["groq"].keys
    assert (key.secret, key.weight, key.models, warnings) == ("k", 2, ("a/b",), [])
