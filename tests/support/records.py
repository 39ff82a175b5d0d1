"""What Setpoint remembers, as tests make it: everyday values, save for what a test says of them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from msgspec import structs

from setpoint.records import (
    AddedKey,
    Attempt,
    Endpoint,
    Generation,
    Key,
    KeyTerms,
    Model,
    Preset,
    Price,
    Provider,
    ProviderKey,
    Version,
    Workspace,
)

NOW = datetime(2026, 4, 20, 10, tzinfo=UTC)
"""The moment at which all of it was made."""


def provider(slug: str = "acme", *keys: str, **more: Any) -> Provider:
    """A provider of the dialect chat, with keys of these ids."""
    everything: dict[str, Any] = {
        "slug": slug,
        "name": slug.title(),
        "dialects": ("chat",),
        "base_url": f"http://{slug}.test/v1",
        "keys": tuple(ProviderKey(id=key, secret=key) for key in keys),
    }
    return Provider(**(everything | more))


def endpoint(of: Provider | str = "acme", model_id: str = "m", **more: Any) -> Endpoint:
    """A model at a provider, or at one of this tag; `dollars` is its price for a million tokens of input or output."""
    at = provider(of.split("/", 1)[0]) if isinstance(of, str) else of
    tag = of if isinstance(of, str) else of.slug
    if (dollars := more.pop("dollars", None)) is not None:
        rate = Decimal(str(dollars)) / 1_000_000
        more["price"] = Price(prompt=rate, completion=rate)
    everything: dict[str, Any] = {
        "key": f"{model_id} {more.get('tag', tag)}",
        "provider": at,
        "model_id": model_id,
        "model": model_id,
        "tag": tag,
        "dialects": at.dialects,
        "base_url": at.base_url,
        "timeouts": at.timeouts,
    }
    return Endpoint(**(everything | more))


def model(id_: str, *endpoints: Endpoint, **more: Any) -> Model:
    """A model with these endpoints."""
    return Model(id=id_, name=id_, endpoints=endpoints, **more)


def key(**more: Any) -> Key:
    """A key of workspace `w1`, with which anybody may ask a model."""
    everything: dict[str, Any] = {
        "digest": "d" * 64,
        "name": "k",
        "label": "k",
        "role": "caller",
        "inference": True,
        "disabled": False,
        "deleted": False,
        "workspace_id": "w1",
        "creator_user_id": "u1",
        "created_at": NOW,
        "updated_at": None,
        "expires_at": None,
        "revision": 1,
    }
    return Key(**(everything | more))


def added_key(name: str, revision: int = 1, *, secret: str | None = "", **given: Any) -> AddedKey:
    """A provider key that was added, for `acme` unless it is said otherwise; one without a secret is deleted."""
    everything: dict[str, Any] = {"provider": "acme", "deleted": False, "sort_order": 0, "workspace_id": None}
    everything |= {one: given.pop(one) for one in everything.keys() & given.keys()}
    return AddedKey(
        id=name,
        label="...",
        key=None if secret is None else ProviderKey(id=f"{name}:{secret}", secret=secret or f"of-{name}"),
        terms=KeyTerms(**given),
        creator_user_id="u1",
        created_at=NOW,
        updated_at=None,
        revision=revision,
        **everything,
    )


def workspace(id_: str = "w1", revision: int = 1, **more: Any) -> Workspace:
    """A workspace that is called by its id."""
    everything: dict[str, Any] = {
        "id": id_,
        "slug": id_,
        "name": id_,
        "is_default": False,
        "owner_id": "u1",
        "created_at": NOW,
        "updated_at": NOW,
        "revision": revision,
    }
    return Workspace(**(everything | more))


def version(number: int = 1, **more: Any) -> Version:
    """A version of a preset that says nothing."""
    everything: dict[str, Any] = {
        "id": f"v{number}",
        "preset_id": "p1",
        "creator_id": "u1",
        "version": number,
        "system_prompt": None,
        "config": b"{}",
        "created_at": NOW,
    }
    return Version(**(everything | more))


def preset(designated: Version, **more: Any) -> Preset:
    """The preset `triage`, whose designated version is also its latest."""
    everything: dict[str, Any] = {
        "id": designated.preset_id,
        "workspace_id": "w1",
        "creator_user_id": "u1",
        "slug": "triage",
        "name": "Triage",
        "description": None,
        "status": "active",
        "designated": designated,
        "latest_version": designated.version,
        "created_at": NOW,
        "updated_at": NOW,
        "status_updated_at": None,
        "revision": 1,
    }
    return Preset(**(everything | more))


def attempt(**more: Any) -> Attempt:
    """A try at an endpoint of `acme`, which answered."""
    everything: dict[str, Any] = {
        "provider": "acme",
        "provider_name": "Acme",
        "model": "acme/m",
        "upstream_model": "m",
        "tag": "acme",
        "key_id": None,
        "status": 200,
        "error": None,
        "latency_ms": 30,
    }
    return Attempt(**(everything | more))


def generation(**more: Any) -> Generation:
    """The record of an answer by `acme`, with one try of which nothing is known."""
    everything: dict[str, Any] = {
        **{field.name: None for field in structs.fields(Generation) if field.required},
        "id": "gen-1776679200-00000000000000000001",
        "created_at": NOW,
        "skin": "chat",
        "status": "completed",
        "workspace_id": "w1",
        "key_digest": "d" * 64,
        "model": "acme/m",
        "provider": "acme",
        "provider_name": "Acme",
        "streamed": False,
        "cancelled": False,
        "unsaid": (),
        "not_honoured": (),
        "attempts": (attempt(),),
        "user_id": "u1",
    }
    return Generation(**(everything | more))
