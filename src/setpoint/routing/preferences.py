"""The `provider` object of a request: which endpoints its caller wants, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw, Struct

from setpoint.wire.body import as_object, as_pointer, as_text, is_null, items

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.records import Endpoint, Order
    from setpoint.routing.standing import Standings
    from setpoint.wire.body import Body


class Preferences(Struct, frozen=True):
    """Provider slugs or display names, as the caller wrote them; None where the caller did not say."""

    order: tuple[str, ...] | None = None
    only: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    allow_fallbacks: bool | None = None
    require_parameters: bool = False
    not_honoured: tuple[str, ...] = ()


_NONE = Preferences()
# Options are handed on, or named, where the body for the endpoint is made.
_HONOURED = frozenset({"order", "only", "ignore", "allow_fallbacks", "require_parameters", "options"})


def read_preferences(body: Body) -> Preferences:
    """The preferences in a checked body. Those that routing does not follow are named as JSON pointers."""
    provider = body.get("provider")
    others = ("/route",) if "route" in body else ()
    if provider is None:
        return Preferences(not_honoured=others) if others else _NONE
    asked = {name: content for name, content in as_object(provider).items() if not is_null(content)}
    unmet = tuple(as_pointer("provider", name) for name in asked if name not in _HONOURED)
    return Preferences(
        order=_slugs(asked.get("order")),
        only=_slugs(asked.get("only")),
        ignore=_slugs(asked.get("ignore")),
        allow_fallbacks=asked["allow_fallbacks"] == Raw(b"true") if "allow_fallbacks" in asked else None,
        require_parameters=asked.get("require_parameters") == Raw(b"true"),
        not_honoured=unmet + others,
    )


def _slugs(listed: Raw | None) -> tuple[str, ...] | None:
    return None if listed is None else tuple(as_text(entry) or "" for entry in items(listed))


def matches(entry: str, endpoint: Endpoint) -> bool:
    """Whether a slug of the caller's means this endpoint.

    A provider's slug or display name means all of its endpoints but those of another service tier; a slug with a
    suffix means exactly the endpoint of that tag.
    """
    word = entry.lower()
    if word == endpoint.tag.lower():
        return True
    return endpoint.tier == "default" and word in (endpoint.provider.slug, endpoint.provider.name.lower())


def ordered(
    endpoints: Sequence[Endpoint], preferences: Preferences, standings: Standings
) -> list[tuple[Endpoint, Order]]:
    """The endpoints in the order in which to try them, each with why it stands where it does."""
    first: dict[str, Endpoint] = {}
    for entry in preferences.order or ():
        for endpoint in endpoints:
            if matches(entry, endpoint):
                first.setdefault(endpoint.key, endpoint)
    stable: list[tuple[Endpoint, Order]] = []
    unstable: list[tuple[Endpoint, Order]] = []
    for endpoint in endpoints:
        if endpoint.key in first:
            continue
        standing = standings.of(endpoint.key)
        if standing is None or standing.stable:
            stable.append((endpoint, "listed"))
        else:
            unstable.append((endpoint, "unstable"))
    return [*((endpoint, "order") for endpoint in first.values()), *stable, *unstable]
