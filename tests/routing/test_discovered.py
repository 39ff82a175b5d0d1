"""What providers list, merged into what the file names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routing.catalog_support import OWN, catalog_of
from setpoint.records import ListedModel
from setpoint.routing.discovered import with_discovered
from setpoint.routing.offers import FREE

if TYPE_CHECKING:
    from pathlib import Path

    from setpoint.routing.catalog import Catalog

FILE = (
    f"{OWN}  local: {{}}\n  off: {{dialect: chat, base_url: 'http://off.test', enabled: false}}\n"
    "models:\n"
    "  local/named: {context_length: 5, endpoints: [{provider: own, model: elsewhere}]}\n"
    "  team/aliased: {aliases: [local/alias], endpoints: [{provider: own}]}\n"
    "  local/gone: {enabled: false, endpoints: [{provider: local}]}\n"
)


def merged(folder: Path, **lists: list[str]) -> tuple[Catalog, Catalog]:
    """The catalog of the file, and the same with these lists; every model has a context of 100 tokens."""
    made, _ = catalog_of(FILE, folder)
    given = {slug: tuple(ListedModel(id=one, context_length=100) for one in ids) for slug, ids in lists.items()}
    return made, with_discovered(made, given)


def test_a_listed_model_is_one_of_its_provider(tmp_path: Path) -> None:
    before, after = merged(tmp_path, local=["llama3:8b", "hf.co/a/b"], own=["m"])
    assert [*after.models] == [
        *("local/named", "team/aliased", "local/gone", "local/llama3:8b", "local/hf.co/a/b", "own/m", "setpoint/echo")
    ]
    model = after.models["local/hf.co/a/b"]
    [endpoint] = model.endpoints
    assert (endpoint.model, endpoint.model_id, endpoint.tag) == ("hf.co/a/b", "local/hf.co/a/b", "local")
    assert (model.context_length, endpoint.context_length, endpoint.price) == (100, 100, FREE)
    assert after.models["own/m"].endpoints[0].price is None
    assert len({one.endpoints[0].key for one in after.models.values()}) == len(after.models)
    assert "local/llama3:8b" not in before.models


def test_what_the_file_names_is_never_touched(tmp_path: Path) -> None:
    before, after = merged(tmp_path, local=["named", "alias", "gone", "new"])
    assert [name for name in after.models if name not in before.models] == ["local/new"]
    assert all(after.models[name] is model for name, model in before.models.items())
    assert after.named("local/alias") is before.models["team/aliased"]


def test_who_is_not_there_adds_nothing(tmp_path: Path) -> None:
    before, after = merged(tmp_path, off=["m"], stranger=["m"], setpoint=["m"], local=["x" * 600, "a b", "@preset/x"])
    assert after is before


def test_a_model_that_is_listed_no_more_is_gone(tmp_path: Path) -> None:
    _, after = merged(tmp_path, local=["a", "b"])
    _, later = merged(tmp_path, local=["b"])
    assert set(after.models) - set(later.models) == {"local/a"}


def test_the_models_of_a_provider_that_sleeps_sleep_with_it(tmp_path: Path) -> None:
    before, after = merged(tmp_path, ollama=["llama3:8b"], local=["a"])
    assert "ollama/llama3:8b" not in after.models
    awake = after.awake(["ollama"])
    assert [name for name in awake.models if name not in before.models] == ["local/a", "ollama/llama3:8b"]
    assert [*awake.models][-1] == "setpoint/echo"
    assert after.awake([]).models == after.models
