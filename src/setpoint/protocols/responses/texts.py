"""What is said in words, a content part each, and the links that it rests on.

Source: the content parts and annotations of the Responses reference, read 2026-11.
"""

from __future__ import annotations

from msgspec import Raw

from setpoint.canonical.parts import Citation, Refusal, Text
from setpoint.errors import FieldError
from setpoint.protocols.responses.scores import filled_scores
from setpoint.wire.body import NULL, Body, as_array, as_object, as_text, is_string, join, raw

_EMPTY = Raw(b'""')
_EMPTY_LIST = Raw(b"[]")

SAID = frozenset({"output_text", "input_text", "text", "refusal"})
"""The types of the content parts that say words."""


def unsupported(path: str, kind: str) -> FieldError:
    """The error for an item or a part that only this protocol can say."""
    return FieldError(path, f"{kind} has no word in another protocol", metadata={"reason": "unsupported"})


def string_member(body: Body, name: str, path: str) -> Raw:
    """A member that must be a string. Raises: `FieldError`."""
    content = body.get(name, NULL)
    if not is_string(content):
        raise FieldError(f"{path}.{name}", "must be a string")
    return content


def write_said(part: Text | Refusal, logprobs: Raw | None = None) -> Body:
    """A content part of a message of the assistant's."""
    if isinstance(part, Refusal):
        return {"type": raw("refusal"), "refusal": part.text}
    annotations = [written for citation in part.citations if (written := write_annotation(citation)) is not None]
    return {
        "type": raw("output_text"),
        "text": part.text,
        "annotations": raw(annotations),
        "logprobs": _EMPTY_LIST if logprobs is None else filled_scores(logprobs),
    }


def read_said(part: Body, path: str) -> Text | Refusal | None:
    """A content part that says words, whoever speaks; None for any other."""
    kind = as_text(part.get("type"))
    if kind == "refusal":
        return Refusal(text=string_member(part, "refusal", path), path=path)
    if kind not in SAID:
        return None
    citations = [read_annotation(entry) for entry in as_array(part.get("annotations"))]
    return Text(
        text=string_member(part, "text", path),
        citations=tuple(citation for citation in citations if citation is not None),
        path=path,
    )


def write_annotation(citation: Citation) -> Raw | None:
    """The annotation of a citation, None when it is no link. Its place in the text is 0 when that is not known."""
    if citation.url is None:
        return None
    told: Body = {
        "type": raw("url_citation"),
        "url": citation.url,
        "title": citation.title or _EMPTY,
        "start_index": raw(citation.start or 0),
        "end_index": raw(citation.end or 0),
    }
    if citation.quoted is not None:
        told["content"] = citation.quoted
    return Raw(join(told))


def read_annotation(data: Raw) -> Citation | None:
    """The citation of an annotation that is a link; None for any other."""
    told = as_object(data)
    url = told.get("url", NULL)
    if as_text(told.get("type")) != "url_citation" or not is_string(url):
        return None
    title, quoted = told.get("title", NULL), told.get("content", NULL)
    return Citation(
        url=url,
        title=title if is_string(title) else None,
        quoted=quoted if is_string(quoted) else None,
        start=_read_index(told, "start_index"),
        end=_read_index(told, "end_index"),
    )


def _read_index(told: Body, name: str) -> int | None:
    digits = bytes(told.get(name, NULL))
    return int(digits) if digits.isdigit() and len(digits) <= len("9007199254740991") else None
