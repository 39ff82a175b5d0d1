"""What a capture says beside the version that it made: what became of each field, and what its author should know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal

from msgspec import Raw, Struct

from setpoint.presets.accounts import Account, accounts
from setpoint.presets.merge import said
from setpoint.presets.reference import parse_model, reference
from setpoint.presets.schemas import flaw
from setpoint.presets.secrets import suspect
from setpoint.protocols.tools import identity
from setpoint.wire.body import Body, as_array, as_pointer, as_text, members
from setpoint.wire.shown import readable

if TYPE_CHECKING:
    from setpoint.presets.capture import Captured
    from setpoint.protocols.base import Room
    from setpoint.protocols.tools import Identity
    from setpoint.records import Version

Code = Literal[
    "preset_resolved",
    "tool_duplicate",
    "tool_schema_invalid",
    "looks_like_secret",
    "model_unknown",
    "parameter_unsupported",
    "tool_unsupported",
]


class Caveat(Struct, frozen=True):
    """Something that its author should know of a version. `path` is a JSON pointer into the body that made it.

    The message names, and never quotes.
    """

    code: Code
    path: str
    message: str


class Receipt(Struct, frozen=True):
    """The account of every field, and the warnings."""

    fields: tuple[Account, ...]
    warnings: tuple[Caveat, ...]


def receipt(
    skin: Room, body: Body, base: Version | None, captured: Captured, rehearsed: Iterable[Caveat] = ()
) -> Receipt:
    """The receipt of a capture, whose arguments and outcome these are.

    `rehearsed` is what a request would meet with that has nothing but this configuration, the paths being pointers
    into that request. They come out as pointers into the body.
    """
    tools = list(map(identity, as_array(body.get("tools"))))
    kept = tuple(accounts(skin, body, tools, resolved=base is not None))
    places = _Places(skin, body, captured, tools)
    return Receipt(
        kept,
        (
            *_resolved(body, base),
            *_duplicates(tools),
            *_flawed(body, tools),
            *_secrets(body, captured, kept),
            *(Caveat(one.code, readable(places.of(one.path)), readable(one.message)) for one in rehearsed),
        ),
    )


def _reference_field(body: Body) -> str | None:
    """The field in which a body names a preset, None where it names none."""
    model = as_text(body.get("model"))
    if model is not None and parse_model(model).preset is not None:
        return "/model"
    return None if reference(body) is None else "/preset"


def _resolved(body: Body, base: Version | None) -> Iterator[Caveat]:
    named, path = reference(body), _reference_field(body)
    if named is None or path is None:
        return
    if base is None:
        told = (
            f"preset {named.slug} does not exist yet, so nothing is taken from it; what is stored refers to no preset"
        )
    else:
        told = (
            f"version {base.version} of preset {named.slug} is stored with the body; what is stored refers to no preset"
        )
    yield Caveat("preset_resolved", path, told)


def _duplicates(tools: list[Identity]) -> Iterator[Caveat]:
    last = {one: place for place, one in enumerate(tools)}
    for place, one in enumerate(tools):
        if last[one] != place:
            yield Caveat("tool_duplicate", f"/tools/{place}", f"is the same tool as /tools/{last[one]}, which is kept")


def _flawed(body: Body, tools: list[Identity]) -> Iterator[Caveat]:
    last = {one: place for place, one in enumerate(tools)}
    for place, tool in enumerate(as_array(body.get("tools"))):
        if last[tools[place]] == place and (found := flaw(tool)) is not None:
            yield Caveat("tool_schema_invalid", f"/tools/{place}{found.path}", found.problem)


def _secrets(body: Body, captured: Captured, kept: Iterable[Account]) -> Iterator[Caveat]:
    """What looks like a secret in what is stored of the body: the first of each field, and of each tool."""
    outcomes = {one.path: one.outcome for one in kept}
    for name, content in body.items():
        at = readable(as_pointer(name))
        stored: list[tuple[str, Raw]] = []
        if outcomes[at] == "system_prompt" and captured.system_prompt is not None:
            stored = [(at, Raw(captured.system_prompt))]
        elif name == "tools" and suspect(content):
            stored = [(f"{at}/{place}", tool) for place, tool in enumerate(as_array(content))]
        elif outcomes[at] in ("stored", "renamed"):
            stored = [(at, content)]
        for place, told in stored:
            if outcomes[place] != "transient" and (one := suspect(told)) is not None:
                yield Caveat(
                    "looks_like_secret", place + one.path, f"looks like {one.kind}; all who may read the preset see it"
                )


class _Places:
    """Where a body says what is stored of it: from pointers into a request that has nothing but the preset."""

    def __init__(self, skin: Room, body: Body, captured: Captured, tools: list[Identity]) -> None:
        self._named = _reference_field(body)
        told = said(body)
        self._fields = frozenset(map(as_pointer, told))
        self._tools = {one: place for place, one in enumerate(tools)}
        self._stored = as_array(members(captured.config).get("tools"))
        self._spelled = {
            _first(skin.pointer(word)): as_pointer(name)
            for name, content in told.items()
            if name != "model"
            for word in skin.read_config({name: content})
        }

    def of(self, pointer: str) -> str:
        """A pointer into the body: to the field itself, to that which says the same, else to the preset's name."""
        first = _first(pointer)
        if first == "/tools":
            return self._tool(pointer)
        if first in self._fields:
            return pointer
        if first == "/models" and "/fallbacks" in self._fields:
            return f"/fallbacks{pointer.removeprefix(first)}/model"
        return self._spelled.get(first) or self._named or pointer

    def _tool(self, pointer: str) -> str:
        place, _, within = pointer.removeprefix("/tools").removeprefix("/").partition("/")
        if not place:
            return pointer if "/tools" in self._fields else self._named or pointer
        own = self._tools.get(identity(self._stored[int(place)]))
        if own is None:
            return self._named or pointer
        return f"/tools/{own}/{within}" if within else f"/tools/{own}"


def _first(pointer: str) -> str:
    """The first step of a pointer."""
    return "/" + pointer.split("/", 2)[1]
