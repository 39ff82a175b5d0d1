"""Where a text comes from, both ways: the links among a message's `annotations`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.canonical.parts import Citation
from setpoint.protocols.chat.content import string_or_none
from setpoint.protocols.money import read_count
from setpoint.wire.body import Body, as_object, as_text, raw

if TYPE_CHECKING:
    from msgspec import Raw

_LINK = "url_citation"


def read_citation(annotation: Body) -> Citation | None:
    """One annotation; None for what is no link, or one that leads nowhere."""
    link = as_object(annotation.get(_LINK)) if as_text(annotation.get("type")) == _LINK else {}
    url = string_or_none(link, "url")
    if url is None:
        return None
    return Citation(
        url=url,
        title=string_or_none(link, "title"),
        quoted=string_or_none(link, "content"),
        start=_position(link, "start_index"),
        end=_position(link, "end_index"),
    )


def _position(link: Body, name: str) -> int | None:
    try:
        return read_count(link, name) if name in link else None
    except ValueError:
        return None


def write_citation(citation: Citation, start: int, end: int) -> Raw | None:
    """The annotation for a citation in a text that stands at these characters; None for one that is no link."""
    if citation.url is None:
        return None
    link: Body = {"url": citation.url, "title": citation.title or raw("")}
    if citation.quoted is not None:
        link["content"] = citation.quoted
    link["start_index"] = raw(start if citation.start is None else start + citation.start)
    link["end_index"] = raw(end if citation.end is None else start + citation.end)
    return raw({"type": _LINK, _LINK: link})
