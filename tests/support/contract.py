"""The answers of gateways, held against the document of the API: every one that a test gets by `support.http`.

An answer has a status and a type that are documented, and a body that is as the schema says; what was answered well
had been asked as documented, too. Answers of management have no member that the document does not name.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import jsonschema_rs

from setpoint.server.openapi.document import document
from support.table import route_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LONGEST_BYTES = 262_144
_EVENTS = "text/event-stream"
# What the reader of HTTP itself refuses, whatever the path.
_OF_ANY_REQUEST = {"400", "408", "413", "417", "431", "503", "505"}


class Contract:
    """The document, and the gateways that keep to it, by the origins under which they are called."""

    def __init__(self) -> None:
        self._origins: set[str] = set()
        self._validators: dict[str, jsonschema_rs.Validator] = {}

    def binds(self, origin: str) -> None:
        """From now on a gateway answers under this origin."""
        self._origins.add(origin)

    def releases(self, origin: str) -> None:
        """From now on somebody else may."""
        self._origins.discard(origin)

    def is_bound(self, url: str) -> bool:
        """Whether a gateway answers under this address."""
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc}" in self._origins

    def check(
        self, method: str, url: str, status: int, content_type: str | None, body: bytes, *, asked: bytes | None = None
    ) -> None:
        """Fail the test when this answer, to a request with this body, is not as documented."""
        if not self.is_bound(url):
            return
        parts = urlsplit(url)
        path, operation = self._find(method, parts.path)
        what = f"{method} {path or parts.path}: {status}"
        if operation is None:
            known = status in (404, 405) or str(status) in _OF_ANY_REQUEST or (method == "OPTIONS" and status == 204)
            assert known, f"{what} for a path without an operation"
            return
        found = operation["responses"].get(str(status))
        if found is None:
            assert str(status) in _OF_ANY_REQUEST, f"{what} is not documented"
            return
        pointer = f"/paths/{_escaped(path)}/{method.lower()}/responses/{status}"
        if "$ref" in found:
            pointer = found["$ref"].removeprefix("#")
            found = self._at(pointer)
        content = found.get("content", {})
        if method != "HEAD" and content:
            media = (content_type or "").partition(";")[0]
            assert media in content, f"{what} is of type {content_type}, not of {', '.join(content)}"
            forwards = "x-setpoint-forwarded" in found
            self._check_body(f"{pointer}/content/{_escaped(media)}", media, body, what, closed=not forwards)
        if 200 <= status < 300:
            self._check_asked(operation, f"/paths/{_escaped(path)}/{method.lower()}", parts.query, asked, what)

    def _check_body(self, pointer: str, media: str, body: bytes, what: str, *, closed: bool) -> None:
        if len(body) > _LONGEST_BYTES:
            return
        if media == "application/json":
            self._hold(f"{pointer}/schema", [json.loads(body)], what, closed=closed)
        elif media == _EVENTS:
            self._hold(f"{pointer}/x-setpoint-event", _events(body), what, closed=False)

    def _check_asked(self, operation: dict[str, Any], pointer: str, query: str, asked: bytes | None, what: str) -> None:
        if asked and "requestBody" in operation and len(asked) <= _LONGEST_BYTES:
            at = f"{pointer}/requestBody/content/application~1json/schema"
            try:
                said = json.loads(asked)
            except ValueError:  # packed, or with a surrogate that has no other half
                return
            self._hold(at, [said], f"{what}, and its request", closed=False)
        said = dict(parse_qsl(query, keep_blank_values=True))
        for index, parameter in enumerate(operation.get("parameters", ())):
            if parameter["in"] == "query" and parameter["name"] in said:
                value = said[parameter["name"]]
                typed = int(value) if parameter["schema"].get("type") == "integer" else value
                self._hold(f"{pointer}/parameters/{index}/schema", [typed], f"{what}, and its query", closed=False)

    def _hold(self, pointer: str, values: Iterable[object], what: str, *, closed: bool) -> None:
        key = f"{pointer} {closed}"
        validator = self._validators.get(key)
        if validator is None:
            root = self._closed if closed else self._document
            components = {"schemas": root["components"]["schemas"]}
            schema = {**_looked_up(root, pointer), "components": components}
            validator = self._validators[key] = jsonschema_rs.validator_for(schema)
        for value in values:
            try:
                wrong = next(validator.iter_errors(value), None)
            except UnicodeEncodeError:  # half a surrogate pair is no text for a validator
                text = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
                wrong = next(validator.iter_errors(json.loads(text)), None)
            if wrong is not None:
                at = "/".join(map(str, wrong.instance_path))
                raise AssertionError(f"{what} is not as documented: /{at}: {wrong.message[:400]}")

    def _find(self, method: str, path: str) -> tuple[str, dict[str, Any] | None]:
        asked = [unquote(segment) for segment in path.split("/")]
        for segments, known, item in self._paths:
            if len(segments) == len(asked) and all(
                one.startswith("{") or one == other for one, other in zip(segments, asked, strict=True)
            ):
                return known, item.get(method.lower()) or (item.get("get") if method == "HEAD" else None)
        return "", None

    def _at(self, pointer: str) -> dict[str, Any]:
        return _looked_up(self._document, pointer)

    @cached_property
    def _document(self) -> dict[str, Any]:
        return json.loads(json.dumps(document(route_table())))

    @cached_property
    def _closed(self) -> dict[str, Any]:
        return _closed(self._document)

    @cached_property
    def _paths(self) -> list[tuple[list[str], str, dict[str, Any]]]:
        """The segments of every path there is; those with parameters behind the others."""
        paths = sorted(self._document["paths"].items(), key=lambda entry: entry[0].count("{"))
        return [
            ((server["url"].rstrip("/") + path).split("/"), path, item)
            for path, item in paths
            for server in item["servers"]
        ]


CONTRACT = Contract()
"""The one of this run."""


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _looked_up(root: Any, pointer: str) -> dict[str, Any]:
    for part in pointer.split("/")[1:]:
        root = root[int(part) if isinstance(root, list) else part.replace("~1", "/").replace("~0", "~")]
    return cast("dict[str, Any]", root)


def _closed(schema: Any) -> Any:
    """The same schema, in which objects have no members but those that are named."""
    if isinstance(schema, list):
        return [_closed(entry) for entry in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    made = {name: _closed(entry) for name, entry in cast("dict[str, Any]", schema).items()}
    if made.get("type") == "object" and "properties" in made:
        made.setdefault("additionalProperties", False)
    return made


def _events(body: bytes) -> Iterator[object]:
    """The data of the events of a stream, which may be cut."""
    for frame in body.split(b"\n\n")[:-1]:
        data = b"\n".join(line[5:].strip() for line in frame.split(b"\n") if line.startswith(b"data:"))
        if data and data != b"[DONE]":
            yield json.loads(data)
