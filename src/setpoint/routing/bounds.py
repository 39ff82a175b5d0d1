"""Where the requests of an API key may go: to the models and providers of its lists, where it has any."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from setpoint.records import Key, Model, Provider


def is_bounded(key: Key) -> bool:
    """Whether the key has lists of models or providers."""
    return key.allowed_models is not None or key.allowed_providers is not None


def may_go(key: Key, model: Model, provider: Provider) -> bool:
    """Whether the key's requests may go to this model at this provider."""
    return (key.allowed_models is None or is_named(model, key.allowed_models)) and (
        key.allowed_providers is None or provider.slug in key.allowed_providers
    )


def is_named(model: Model, names: Collection[str]) -> bool:
    """Whether a model is named among these: by its id or an alias."""
    return model.id in names or any(alias in names for alias in model.aliases)
