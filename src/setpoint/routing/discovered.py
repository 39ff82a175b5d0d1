"""The catalog with the models that providers list themselves. A pure function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from setpoint.routing.catalog import MAX_MADE_ID
from setpoint.routing.offers import unnamed_model
from setpoint.settings.kinds import is_model_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from setpoint.records import Endpoint, ListedModel, Model
    from setpoint.routing.catalog import Catalog


def with_discovered(catalog: Catalog, lists: Mapping[str, tuple[ListedModel, ...]]) -> Catalog:
    """The catalog, and behind what it names each listed model as `<slug>/<its id>`, at that provider.

    What the catalog names is never touched, by an id or an alias; the models of a dormant provider sleep with it, and
    one that is nowhere adds nothing.
    """
    found: dict[str, Model] = {}
    sleeping: dict[str, Mapping[str, Model]] = {}
    for slug, models in lists.items():
        if (base := catalog.offers.get(slug)) is not None:
            found |= _listed(catalog, slug, base, models)
        elif (base := catalog.dormant.get(slug)) is not None:
            sleeping[slug] = _listed(catalog, slug, base, models)
    if sleeping:
        catalog = structs.replace(catalog, sleeping=sleeping)
    return catalog.with_models(found)


def _listed(catalog: Catalog, slug: str, base: Endpoint, models: Iterable[ListedModel]) -> dict[str, Model]:
    """The models of one list that the catalog does not name, by id."""
    found: dict[str, Model] = {}
    for one in models:
        model_id = f"{slug}/{one.id}"
        if catalog.named(model_id) is None and len(model_id) <= MAX_MADE_ID and is_model_id(one.id):
            own = structs.replace(base, key=f"{model_id} {base.tag}", context_length=one.context_length)
            found[model_id] = unnamed_model(own, catalog.facts, model_id, one.id)
    return found
