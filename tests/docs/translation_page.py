"""`docs/translation.md`, made by the code that translates: every field, part and tool of a request, for every pair.

`python -m docs.translation_page` (in `tests/`) writes the page; a test compares it with what would be written.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast, get_args

from docs.translation_samples import CONTENT, FIELDS, LEAST, TOOLS
from setpoint.errors import RequestError
from setpoint.protocols.forward import lower
from setpoint.protocols.registry import PROTOCOLS
from setpoint.protocols.rules import RULES
from setpoint.records import Dialect
from setpoint.wire.body import raw, value
from support.records import endpoint, provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.protocols.forward import Lowered
    from setpoint.wire.body import Body

PAGE = Path(__file__).resolve().parents[2] / "docs/translation.md"
DIALECTS: tuple[Dialect, ...] = get_args(Dialect)

# It takes what any of its dialects has a word for, and knows nobody.
_ENDPOINT = endpoint(provider(dialects=DIALECTS))

_HEAD = """\
# Translation

A request that meets a provider of its own protocol is an edit: nothing below the top level is touched, and what
Setpoint does not know goes on as it came. This page says what becomes of a request that meets a provider of another
protocol. It is made by the code that translates (`make docs`) and compared with it by the tests.

| word | means |
|---|---|
| lossless | the same field with the same value |
| mapped | said in the other protocol's words, which stand beside it |
| unsaid | the other protocol has no word for it: it is left out, and named in `X-Setpoint-Unsaid` and in the record |
| hint | the other protocol has no word for it, and its absence changes no answer: it is left out |
| own | the gateway's own business: no provider is told |
| refused | the request is a 400 that names the place |

An endpoint whose `parameters` do not list a field is not told of it either; with `provider.require_parameters` such an
endpoint, and one for which anything is unsaid, is not chosen at all.
"""


class Outcome(NamedTuple):
    """What becomes of one thing in one dialect: a word of the page, and how it is said there."""

    word: str
    said: str = ""

    def __str__(self) -> str:
        return f"{self.word}: {self.said}" if self.said else self.word


def _lowered(skin: Dialect, dialect: Dialect, body: dict[str, Any]) -> Lowered:
    written: Body = {name: raw(content) for name, content in body.items()}
    return lower(
        written,
        _ENDPOINT,
        skin=PROTOCOLS[skin],
        dialect=PROTOCOLS[dialect],
        stream=body.get("stream") is True,
        identity_key=b"",
    )


def _plain(body: Body) -> dict[str, Any]:
    return {name: value(content) for name, content in body.items()}


# --- fields --------------------------------------------------------------------------------------------------


def field_outcome(skin: Dialect, dialect: Dialect, path: str, sample: Any) -> Outcome:
    """What becomes of one field, or a member of one (`text.format`), with this value."""
    name, _, member = path.partition(".")
    body = {**LEAST[skin], **(FIELDS[path].beside), name: {member: sample} if member else sample}
    try:
        told = _lowered(skin, dialect, body)
        without = {other: content for other, content in body.items() if other != name or other in LEAST[skin]}
        plain = _plain(_lowered(skin, dialect, without).body)
    except RequestError as error:
        return Outcome("refused", f"`{error.message.partition(':')[0]}`")
    if any(pointer.startswith("/" + path.replace(".", "/")) for pointer in told.unsaid) or (
        member and f"/{name}" in told.unsaid
    ):
        return Outcome("unsaid")
    added = {other: content for other, content in _plain(told.body).items() if plain.get(other) != content}
    if added == {path: sample}:
        return Outcome("lossless")
    if added:
        return Outcome("mapped", ", ".join(f"`{other}`" for other in added))
    canonical = PROTOCOLS[skin].FIELDS.get(name, name)
    return Outcome("own" if RULES.get(canonical) in ("own", "identity") else "hint")


def _field_rows(skin: Dialect) -> Iterator[str]:
    others: list[Dialect] = [dialect for dialect in DIALECTS if dialect != skin]
    for path in sorted(_paths(skin)):
        outcomes = [field_outcome(skin, dialect, path, FIELDS[path].of(skin)) for dialect in others]
        yield f"| `{path}` | {outcomes[0]} | {outcomes[1]} |"


def _paths(skin: Dialect) -> Iterator[str]:
    """Every field of a skin but those that are there in any request."""
    room = PROTOCOLS[skin]
    for name in room.FIELDS:
        if name not in ("model", "messages", "input", "tools"):
            yield name
    for name, parts in room.PARTS.items():
        yield from (f"{name}.{member}" for member in parts)


# --- content and tools ---------------------------------------------------------------------------------------


def content_outcome(skin: Dialect, dialect: Dialect, body: dict[str, Any]) -> Outcome:
    """What becomes of the last thing that a conversation says."""
    try:
        told = _lowered(skin, dialect, {**LEAST[skin], **body})
    except RequestError as error:
        return Outcome("refused", f"`{error.message.partition(':')[0]}`")
    plain = _plain(_lowered(skin, dialect, LEAST[skin]).body)
    found = _words(_plain(told.body)) - _words(plain)
    return Outcome("mapped", ", ".join(f"`{word}`" for word in sorted(found))) if found else Outcome("text")


def _words(content: Any) -> set[str]:
    """The types of what a body holds, and the names of members that say something by themselves."""
    if isinstance(content, dict):
        body = cast("dict[str, Any]", content)
        own = {str(body["type"])} if isinstance(body.get("type"), str) else set[str]()
        telling = {name for name in _TELLING if body.get(name)}
        inner = (said for name, said in body.items() if name not in _INSIDE and not (name == "input" and said == {}))
        return own.union(telling, *map(_words, inner))
    if isinstance(content, list):
        return set[str]().union(*map(_words, cast("list[Any]", content)))
    return set()


_TELLING = ("tool_calls", "reasoning_details", "refusal", "cache_control", "tool_call_id")
_INSIDE = ("parameters", "input_schema", "schema", "source")


def _content_rows(skin: Dialect) -> Iterator[str]:
    others: list[Dialect] = [dialect for dialect in DIALECTS if dialect != skin]
    for what, body in CONTENT[skin].items():
        outcomes = [content_outcome(skin, dialect, body) for dialect in others]
        yield f"| {what} | {outcomes[0]} | {outcomes[1]} |"


def tool_outcome(dialect: Dialect, tool: dict[str, Any]) -> Outcome:
    """What becomes of a tool in any request, whichever skin it came from."""
    skin: Dialect = next(other for other in DIALECTS if other != dialect)
    told = _lowered(skin, dialect, {**LEAST[skin], "tools": [tool]})
    sent = _plain(told.body).get("tools", [])
    if sent == [tool]:
        return Outcome("as it is")
    if not sent:
        return Outcome("unsaid")
    return Outcome("mapped", "a function" if len(sent) == 1 else "functions")


def _tool_rows() -> Iterator[str]:
    for what, tool in TOOLS.items():
        outcomes = [str(tool_outcome(dialect, tool)) for dialect in DIALECTS]
        yield f"| {what} | {' | '.join(outcomes)} |"


# --- the page ------------------------------------------------------------------------------------------------


def page() -> str:
    """The page as it should be."""
    pieces = [_HEAD]
    for skin in DIALECTS:
        others = [f"to {dialect}" for dialect in DIALECTS if dialect != skin]
        head = f"| {' | '.join(others)} |\n|---|---|---|\n"
        pieces.append(f"\n## From {skin}\n\n| field {head}" + "\n".join(_field_rows(skin)) + "\n")
        pieces.append(f"\n| content {head}" + "\n".join(_content_rows(skin)) + "\n")
    tools = "\n## Tools\n\nThe request's own and a preset's, whichever skin they came from.\n\n"
    tools += f"| tool | {' | '.join(DIALECTS)} |\n|---|---|---|---|\n"
    pieces.append(tools + "\n".join(_tool_rows()) + "\n")
    pieces.append(
        "\n## How many\n\n| from | to | lossless | mapped | unsaid | hint | own | refused |\n|" + "---|" * 8 + "\n"
    )
    pieces.append("\n".join(_counts()) + "\n")
    return "".join(pieces)


def _counts() -> Iterator[str]:
    words = ("lossless", "mapped", "unsaid", "hint", "own", "refused")
    for skin in DIALECTS:
        for dialect in DIALECTS:
            if skin == dialect:
                yield f"| {skin} | {dialect} | all that is sent | | | | | |"
                continue
            found = [field_outcome(skin, dialect, path, FIELDS[path].of(skin)).word for path in _paths(skin)]
            yield f"| {skin} | {dialect} | {' | '.join(str(found.count(word)) for word in words)} |"


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
