"""What a route takes and gives, said in front of its handler: the document of the API is made of it.

```python
@described("The keys of a workspace, newest first", query=(OFFSET,), answer=Listed[ShownKey])
async def list(self, request: Request) -> Response: ...
```

A content is a type that msgspec knows, mostly a `TypedDict` that the handler's own functions give back, so that the
type checker holds the one to the other; or a `Named` schema, where something else knows what may be said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar, cast

from msgspec import Struct

if TYPE_CHECKING:
    Described = TypeVar("Described", bound=Callable[..., object])

_MARK = "_operation"


class Named(Struct, frozen=True):
    """A JSON Schema under its name in the document."""

    name: str
    schema: Mapping[str, object]


class Query(Struct, frozen=True):
    """A parameter of the query: its name, the type of its value, and what it is for."""

    name: str
    kind: object
    about: str
    required: bool = False


class Operation(Struct, frozen=True, kw_only=True):
    """What one route takes and gives.

    `answer` is the content of the success, under `status`; None: it has none. `media` are contents of other types than
    JSON, by media type, and `events` is the data of each event of a stream. `errors` are the statuses that do not
    follow from who may call the route and what it takes. `group` is the heading that it stands under. `forwards` says
    that answers are a provider's, who may say more than is known here.
    """

    summary: str
    group: str
    status: int
    answer: object | None
    body: object | None
    needs_body: bool
    query: tuple[Query, ...]
    errors: tuple[int, ...]
    media: Mapping[str, object]
    events: object | None
    forwards: bool


def described(
    summary: str,
    *,
    group: str,
    answer: object | None,
    status: int = 200,
    body: object | None = None,
    needs_body: bool = True,
    query: tuple[Query, ...] = (),
    errors: tuple[int, ...] = (),
    media: Mapping[str, object] | None = None,
    events: object | None = None,
    forwards: bool = False,
) -> Callable[[Described], Described]:
    """The same handler, which says of itself what an `Operation` says."""
    operation = Operation(
        summary=summary,
        group=group,
        answer=answer,
        status=status,
        body=body,
        needs_body=needs_body,
        query=query,
        errors=errors,
        media=media or {},
        events=events,
        forwards=forwards,
    )

    def describe(handler: Described) -> Described:
        setattr(handler, _MARK, operation)
        return handler

    return describe


def operation_of(handler: Callable[..., object]) -> Operation:
    """What a handler says of itself. Raises: `ValueError` for one that says nothing."""
    operation = getattr(handler, _MARK, None)
    if operation is None:
        raise ValueError(f"{handler!r} is not described")
    return cast("Operation", operation)
