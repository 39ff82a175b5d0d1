"""The route table and the one way a path finds its route.

A path is split once, as it came, and each segment is decoded by itself: an encoded slash stays inside its segment,
nothing is normalised, nothing redirected. What does not match exactly does not exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from setpoint.errors import RequestError
from setpoint.records import Dialect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from setpoint.server.request import Request
    from setpoint.server.respond import Response

    Handler = Callable[[Request], Awaitable[Response | None]]

Access = Literal["open", "any", "inference", "explain", "capture", "editor", "admin", "admin_read"]
"""Who may call a route: everybody; any valid key; those that may call models; those that may ask what would become of a
call; those that may capture presets; editors and admins; admins; admins and read-only keys."""

BASES = ("/api/v1", "/v1")


class Route(Struct, frozen=True):
    """One operation: `{name}` segments of the path are handed to its handler, decoded.

    `based` routes stand under every base path, the others only where they are written. `skin` is whose words its
    errors are in, None for those of the preset and management routes. `browsers` says that pages of other origins may
    call it, when the settings name them.
    """

    method: str
    path: str
    handler: Handler
    access: Access
    based: bool = True
    skin: Dialect | None = None
    browsers: bool = False


class Match(Struct, frozen=True):
    """A route with what its path's parameters were."""

    route: Route
    params: dict[str, str]


class _Node:
    __slots__ = ("children", "name", "parameter", "routes")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.name = ""
        self.routes: dict[str, Route] = {}


class Router:
    """All routes as a tree of segments. A literal segment wins over a parameter."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._root = _Node()
        for route in routes:
            for base in BASES if route.based else ("",):
                self._add(base + route.path, route)

    def _add(self, path: str, route: Route) -> None:
        node = self._root
        for segment in path.split("/")[1:]:
            if segment.startswith("{"):
                if node.parameter is None:
                    node.parameter = _Node()
                node = node.parameter
                if node.name not in ("", segment[1:-1]):
                    raise ValueError(f"{path}: the same segment is called {node.name} elsewhere")
                node.name = segment[1:-1]
            else:
                node = node.children.setdefault(segment, _Node())
        node.routes[route.method] = route

    def match(self, method: str, raw_path: bytes) -> Match:
        """The route of a request. Raises: `RequestError` (not_found, or method_not_allowed with an `Allow` header)."""
        params: dict[str, str] = {}
        node = self._find(raw_path, params)
        if node is None or not node.routes:
            raise _unknown()
        route = node.routes.get(method) or (node.routes.get("GET") if method == "HEAD" else None)
        if route is None:
            allowed = ", ".join(sorted(node.routes))
            raise RequestError("method_not_allowed", f"{method} is not allowed here", headers={"Allow": allowed})
        return Match(route, params)

    def skin(self, raw_path: bytes) -> Dialect | None:
        """Whose words a refusal at this path is in, whatever the method."""
        node = self._find(raw_path, {})
        return next((route.skin for route in node.routes.values()), None) if node else None

    def methods_for_browsers(self, raw_path: bytes) -> list[str]:
        """The methods of the routes at this path that pages of other origins may call."""
        node = self._find(raw_path, {})
        return [method for method, route in node.routes.items() if route.browsers] if node else []

    def _find(self, raw_path: bytes, params: dict[str, str]) -> _Node | None:
        """The node of a path, and its parameters put into `params`; None for a path that leads nowhere."""
        node = self._root
        for segment in _segments(raw_path):
            child = node.children.get(segment)
            if child is None:
                child = node.parameter
                if child is None:
                    return None
                params[child.name] = segment
            node = child
        return node


def _segments(raw_path: bytes) -> list[str]:
    # What is not UTF-8 stays visible as such: no literal segment and no slug is written so.
    return [unquote_to_bytes(part).decode("utf-8", "surrogateescape") for part in raw_path.split(b"/")[1:]]


def _unknown() -> RequestError:
    return RequestError("not_found", "No such route")
