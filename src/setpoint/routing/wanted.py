"""What a request asks of routing, read out of its body once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from msgspec import Raw, Struct

from setpoint.protocols.attached import media_in
from setpoint.records import Dialect, Sort
from setpoint.routing.preferences import NO_PREFERENCES, Preferences, read_preferences
from setpoint.wire.body import as_array, as_text, value

if TYPE_CHECKING:
    from setpoint.wire.body import Body

Need = Literal["tools", "response_format", "verbosity"]
Tier = Literal["priority", "flex"]

_CONVERSATIONS = ("messages", "input")
_NO_TOOLS = Raw(b"[]")
_TIERS: dict[str | None, Tier] = {
    "priority": "priority",
    "fast": "priority",
    "ultrafast": "priority",
    "flex": "flex",
}


class Wanted(Struct, frozen=True, kw_only=True):
    """What a request asks for.

    `models` are in the order of trying, the first being the one that was asked for. `needs` are the fields that some
    endpoints do not take, by their canonical names, and that should not get lost; `media` the kinds of media in the
    conversation, where other models may stand in. `most_input` is more tokens than the prompt can have; `input_tokens`
    is our own count, which is asked for only where `most_input` does not settle it. `max_output` is the longest answer
    that is asked for. `conversation` is the caller's name for it, and `sticky` the key of the endpoint that it went to
    before. `default_sort` is the order of those who ask for none. `priced`: only what has a known price may be used.
    """

    models: tuple[str, ...]
    skin: Dialect
    preferences: Preferences = NO_PREFERENCES
    needs: tuple[Need, ...] = ()
    media: frozenset[str] = frozenset()
    tier: Tier | None = None
    most_input: int = 0
    input_tokens: Callable[[], int] | None = None
    max_output: int | None = None
    conversation: str | None = None
    sticky: str | None = None
    default_sort: Sort | None = None
    priced: bool = False


def read_wanted(
    skin: Dialect,
    body: Body,
    config: Body,
    models: tuple[str, ...],
    *,
    session: str | None = None,
    size: int = 0,
    input_tokens: Callable[[], int] | None = None,
    default_sort: Sort | None = None,
) -> Wanted:
    """What an effective body asks for, whose configuration this is, of these models.

    `session` is the conversation as the headers name it, `size` the body's bytes: no token of text is less than one.
    """
    return Wanted(
        models=models,
        skin=skin,
        preferences=read_preferences(body),
        needs=_needs(config),
        media=_media(body) if len(models) > 1 else frozenset(),
        tier=_tier(config),
        most_input=size,
        input_tokens=input_tokens,
        max_output=_limit(config),
        default_sort=default_sort,
        conversation=as_text(body.get("session_id")) or session or as_text(body.get("prompt_cache_key")),
    )


def read_models(body: Body, config: Body, requested: str | None) -> dict[str, str]:
    """The models of an effective body, its first one first, each once, and where it says it: a JSON pointer.

    `requested` is the model that the caller named, None where it named only a list.
    """
    where = "/models/{}" if "models" in body else "/fallbacks/{}/model"
    listed = [as_text(entry) for entry in as_array(config.get("models"))]
    first = as_text(body.get("model"))
    models: dict[str, str] = {}
    if first and not (requested is None and first in listed[:1]):
        models[first] = "/model"
    for at, text in enumerate(listed):
        if text:
            models.setdefault(text, where.format(at))
    return models


def _needs(config: Body) -> tuple[Need, ...]:
    found: list[Need] = []
    if config.get("tools", _NO_TOOLS) != _NO_TOOLS:
        found.append("tools")
    if "response_format" in config:
        found.append("response_format")
    if "verbosity" in config:
        found.append("verbosity")
    return tuple(found)


def _media(body: Body) -> frozenset[str]:
    written = (content for name in _CONVERSATIONS if (content := body.get(name)) is not None)
    return frozenset(kind for content in written for kind in media_in(memoryview(content)))


def _tier(config: Body) -> Tier | None:
    asked = config.get("service_tier")
    if asked is None:
        return "priority" if as_text(config.get("speed")) == "fast" else None
    return _TIERS.get(as_text(asked))


def _limit(config: Body) -> int | None:
    asked = config.get("max_completion_tokens") or config.get("max_tokens")
    tokens = None if asked is None else value(asked)
    return tokens if isinstance(tokens, int) else None
