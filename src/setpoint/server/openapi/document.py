"""The OpenAPI document of a table of routes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from setpoint import __version__
from setpoint.server.guard import ROLES
from setpoint.server.openapi.contents import Contents
from setpoint.server.openapi.errors import ENVELOPES, MEANINGS
from setpoint.server.operation import Operation, operation_of
from setpoint.server.router import BASES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from setpoint.records import Dialect
    from setpoint.server.router import Route

_DESCRIPTION = """The API of a Setpoint gateway: three skins for inference, the presets that they may name, and what
manages keys, workspaces, provider keys, records and figures. Every path stands under each of the servers that it names.
"""

_PARAMETERS = {
    "slug": "The slug of a preset, or of a model behind its author's.",
    "workspace": "The id of a workspace, or its slug.",
    "version": "The number of a version, or a label that means one.",
    "hash": "The SHA-256 of a key, in lower-case hex digits.",
    "id": "The id that the list shows.",
    "author": "The part of a model's id before the slash.",
    "interval": "`daily`, `weekly`, `monthly` or `lifetime`.",
}
_INFERENCE_HEADERS = {
    "X-Generation-Id": "The id of the record of this answer.",
    "X-Setpoint-Preset": "The preset that was used, with its version: `slug@version`.",
    "X-Setpoint-Unsaid": "JSON pointers of the parameters that the provider could not be told.",
}
_OF_BODIES = (400, 408, 413, 415)
_OF_CALLERS = (401, 403, 429, 500, 503)
_OF_INFERENCE = (402, 404, 422, 502, 504)
_RETRIED = (429, 503, 529)


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """The document of these routes. Raises: `ValueError` for one that says nothing of itself."""
    known = [(route, operation_of(route.handler)) for route in routes]
    contents = Contents(content for route, operation in known for content in _contents(route, operation))
    paths: dict[str, dict[str, Any]] = {}
    responses: dict[str, Any] = {}
    for route, operation in known:
        for path, servers in _places(route):
            item = paths.setdefault(path, {})
            item["servers"] = [
                *item.get("servers", ()),
                *(one for one in servers if one not in item.get("servers", ())),
            ]
            item[route.method.lower()] = _operation(path, route, operation, contents, responses)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Setpoint",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base} for base in BASES],
        "tags": [{"name": name} for name in dict.fromkeys(operation.group for _, operation in known)],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(contents.components.items())),
            "responses": responses,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A key of this gateway."},
                "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "The same key."},
            },
        },
    }


def _contents(route: Route, operation: Operation) -> Iterator[object]:
    yield from (operation.answer, operation.body, operation.events, ENVELOPES[route.skin])
    yield from operation.media.values()
    yield from (one.kind for one in operation.query)


def _places(route: Route) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Under which paths of the document a route stands, and under which servers."""
    if route.based and route.path:
        yield route.path, [{"url": base} for base in BASES]
        return
    for path in (route.path,) if route.path else BASES:
        yield path, [{"url": "/"}]


def _operation(
    path: str, route: Route, operation: Operation, contents: Contents, responses: dict[str, Any]
) -> dict[str, Any]:
    takes: dict[str, Any] = {}
    if parameters := [*_in_path(path), *_in_query(operation, contents)]:
        takes["parameters"] = parameters
    if operation.body is not None:
        takes["requestBody"] = {
            "required": operation.needs_body,
            "content": {"application/json": {"schema": contents.of(operation.body)}},
        }
    answers = {str(operation.status): _success(route, operation, contents)}
    for status in sorted({_said(status, route.skin) for status in _errors(route, operation)}):
        name = f"{(route.skin or 'management').capitalize()}{status}"
        responses.setdefault(name, _error(status, contents.of(ENVELOPES[route.skin])))
        answers[str(status)] = {"$ref": f"#/components/responses/{name}"}
    return {
        "tags": [operation.group],
        "summary": operation.summary,
        "operationId": _id(route.method, path),
        **takes,
        "responses": answers,
        **_security(route),
    }


def _security(route: Route) -> dict[str, Any]:
    if route.access == "open":
        return {"security": []}
    needs: dict[str, Any] = {
        "security": [{"bearer": []}, {"apiKey": []}],
        "x-setpoint-role": sorted(ROLES[route.access]),
    }
    return needs if route.access != "inference" else {**needs, "x-setpoint-inference": True}


def _in_path(path: str) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"\{(\w+)\}", path):
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PARAMETERS[name],
            "schema": {"type": "string"},
        }


def _in_query(operation: Operation, contents: Contents) -> Iterator[dict[str, Any]]:
    for one in operation.query:
        yield {
            "name": one.name,
            "in": "query",
            "required": one.required,
            "description": one.about,
            "schema": contents.of(one.kind),
        }


def _success(route: Route, operation: Operation, contents: Contents) -> dict[str, Any]:
    found: dict[str, Any] = {"description": operation.summary}
    content: dict[str, Any] = {media: {"schema": contents.of(kind)} for media, kind in operation.media.items()}
    if operation.answer is not None:
        content["application/json"] = {"schema": contents.of(operation.answer)}
    if operation.events is not None:
        content["text/event-stream"] = {
            "schema": {"type": "string"},
            "x-setpoint-event": contents.of(operation.events),
        }
    if content:
        found["content"] = content
    if operation.forwards:
        found["x-setpoint-forwarded"] = True
    if route.access == "inference":
        found["headers"] = {
            name: {"description": about, "schema": {"type": "string"}} for name, about in _INFERENCE_HEADERS.items()
        }
    return found


def _errors(route: Route, operation: Operation) -> Iterator[int]:
    """The statuses of the errors that a route may give, as the chat skin says them."""
    yield from operation.errors
    if route.access == "open":
        return
    yield from _OF_CALLERS
    if "{" in route.path:
        yield 404
    if operation.query:
        yield 400
    if operation.body is not None:
        yield from _OF_BODIES
    if route.access in ("inference", "explain", "capture"):
        yield from _OF_INFERENCE


def _said(status: int, skin: Dialect | None) -> int:
    """A status in the words of a skin: messages has a number of its own for what cannot be answered now."""
    return 529 if skin == "messages" and status == 503 else status


def _error(status: int, envelope: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": MEANINGS[status],
        "content": {"application/json": {"schema": envelope}},
    }
    if status in _RETRIED:
        found["headers"] = {"Retry-After": {"description": "In seconds.", "schema": {"type": "integer"}}}
    return found


def _id(method: str, path: str) -> str:
    """A name for generated clients: `getKeysByHash`."""
    words = [f"by_{part[1:-1]}" if part.startswith("{") else part for part in path.split("/") if part]
    text = "_".join([method.lower(), *(word.replace(".", "_") for word in words or ["root"])])
    first, *rest = text.split("_")
    return first + "".join(word.capitalize() for word in rest)
