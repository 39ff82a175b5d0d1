"""The catalog with the models that providers list themselves. A pure function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from setpoint.routing.catalog import MAX_MADE_ID
from setpoint.routing.offers import unnamed_model
from setpoint.settings.kinds import is_model_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.records import ListedModel, Model
    from setpoint.routing.catalog import Catalog


def with_discovered(catalog: Catalog, lists: Mapping[str, tuple[ListedModel, ...]]) -> Catalog:
    """The catalog, and behind what it names each listed model as `<slug>/<its id>`, at that provider.

    What the catalog names is never touched, by an id or an alias; a provider that is not there adds nothing.
    """
    found: dict[str, Model] = {}
    for slug, models in lists.items():
        base = catalog.offers.get(slug)
        if base is None:
            continue
        for one in models:
            model_id = f"{slug}/{one.id}"
            if catalog.named(model_id) is None and len(model_id) <= MAX_MADE_ID and is_model_id(one.id):
                own = structs.replace(base, key=f"{model_id} {base.tag}", context_length=one.context_length)
                found[model_id] = unnamed_model(own, catalog.facts, model_id, one.id)
    if not found:
        return catalog
    builtin = {model_id: model for model_id, model in catalog.models.items() if _is_builtin(model)}
    named = {model_id: model for model_id, model in catalog.models.items() if model_id not in builtin}
    return structs.replace(catalog, models={**named, **found, **builtin})


def _is_builtin(model: Model) -> bool:
    return any(endpoint.provider.builtin for endpoint in model.endpoints)
