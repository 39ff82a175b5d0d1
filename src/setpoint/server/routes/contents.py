"""What was asked and answered, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict

from msgspec import Raw

from setpoint.ids import generation_age_s
from setpoint.server.guard import missing
from setpoint.server.operation import described
from setpoint.server.respond import Response, json_response
from setpoint.server.routes.generation_filters import NAMED, read_id
from setpoint.server.routes.kinds import Anything, One
from setpoint.server.routes.soon import soon
from setpoint.storage.contents import get

if TYPE_CHECKING:
    from setpoint.records import Content
    from setpoint.server.request import Request
    from setpoint.server.routes.desk import Desk

# How long ago the request of a content that is on its way may have come, in seconds.
_YOUNG_S = 60


class ShownInput(TypedDict, total=False):
    """The conversation: `prompt` where it was a text alone, else `messages`, and what held its system prompt beside it.

    `left_out_bytes` says how long it was where it is too long to be kept.
    """

    prompt: str
    messages: list[Anything]
    system: Anything
    instructions: Anything
    left_out_bytes: int


class ShownCall(TypedDict):
    """A tool that the answer has called."""

    id: str
    name: str
    arguments: str


class ShownOutput(TypedDict):
    """The answer; null where it had none. `media` are the kinds of what is not kept, `cut` says that it went on."""

    completion: str | None
    reasoning: str | None
    tool_calls: NotRequired[list[ShownCall]]
    media: NotRequired[list[str]]
    cut: NotRequired[Literal[True]]
    left_out_bytes: NotRequired[int]


class ShownPrevious(TypedDict):
    """A try that failed before the one that the client was told of, by its HTTP status (`code`)."""

    code: int
    message: str
    provider_name: str
    raw: None


class ShownFailure(TypedDict):
    """The error that the client was told of."""

    message: str
    status: int
    raw: None
    provider_name: str | None
    previous_errors: list[ShownPrevious]


class ShownContent(TypedDict):
    """What was asked and answered."""

    input: ShownInput
    output: ShownOutput
    error: ShownFailure | None


class Contents:
    """The handler of the contents' route. None is waited for where neither server nor workspace has any `recorded`."""

    def __init__(self, desk: Desk, *, recorded: bool) -> None:
        self._desk = desk
        self._recorded = recorded

    @described(
        "What was asked and answered, where it is kept",
        group="Records",
        query=NAMED,
        errors=(404,),
        answer=One[ShownContent],
    )
    async def get(self, request: Request) -> Response:
        """GET /generation/content?id=."""
        id_ = read_id(request.query())
        found = await self._stored(id_, request.key.workspace_id)
        if found is None and self._may_be_on_its_way(id_, request.key.workspace_id):
            found = await soon(lambda: self._stored(id_, request.key.workspace_id))
        if found is None:
            raise missing()
        return json_response({"data": _shown(found)})

    def _may_be_on_its_way(self, id_: str, workspace_id: str) -> bool:
        home = self._desk.snapshots.current.workspaces.get(workspace_id)
        kept = self._recorded or (home is not None and home.is_observability_io_logging_enabled)
        age_s = generation_age_s(id_, self._desk.clock())
        return kept and age_s is not None and age_s <= _YOUNG_S

    async def _stored(self, id_: str, workspace_id: str) -> Content | None:
        return await self._desk.store.read(lambda connection: get(connection, id_, workspace_id))


def _shown(content: Content) -> dict[str, Raw]:
    """A `ShownContent`, as it is stored."""
    return {
        "input": Raw(content.input),
        "output": Raw(content.output),
        "error": Raw(content.error or b"null"),
    }
