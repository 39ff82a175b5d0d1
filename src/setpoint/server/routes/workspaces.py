"""Workspaces over HTTP. Whoever does not manage one cannot tell it from one that is not there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

from setpoint.errors import FieldError, RequestError
from setpoint.records import Sort, Workspace
from setpoint.server.guard import manages_all, reach
from setpoint.server.operation import Named, described
from setpoint.server.respond import Response, json_response
from setpoint.server.routes.kinds import Deleted, One, Page
from setpoint.server.routes.members import (
    Check,
    Members,
    flag,
    key_hashes,
    line,
    model_id,
    number,
    one_of,
    prose,
    read_text,
    said_by,
)
from setpoint.server.routes.paging import PAGE, page
from setpoint.server.routes.workspace_shapes import WORKSPACES, ShownWorkspace, shown_workspace
from setpoint.storage import keys
from setpoint.storage import workspaces as stored

if TYPE_CHECKING:
    from msgspec import Raw

    from setpoint.server.request import Request
    from setpoint.server.routes.desk import Desk
    from setpoint.storage.database import Connection

_NAME_CHARACTERS = 100
_DESCRIPTION_CHARACTERS = 500
_SLUG_CHARACTERS = 50
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_LEAST_SHARE = 0.0001


# --- what a body may say -------------------------------------------------------------------------------------


def _read_slug(name: str, content: Raw) -> str:
    said = read_text(name, content)
    if len(said) > _SLUG_CHARACTERS or not _SLUG.fullmatch(said):
        problem = f"must be words of a-z and 0-9 with a - between them, of at most {_SLUG_CHARACTERS} characters"
        raise FieldError(name, problem)
    return said


def _nothing_but(usual: object) -> Check:
    """A member that says what is so of every workspace: nothing here could follow anything else."""

    def read(name: str, content: Raw) -> None:
        said = said_by(name, content)
        if said != usual or type(said) is not type(usual):  # 0 is not false
            raise FieldError(name, "is not supported yet", metadata={"reason": "unsupported"})

    return Check(read, {"const": usual})


_CONSTANT: dict[str, Check] = {
    "default_image_model": _nothing_but(None),
    "is_observability_broadcast_enabled": _nothing_but(False),
    "is_data_discount_logging_enabled": _nothing_but(False),
    "disabled_server_tools": _nothing_but([]),
}

_MEMBERS = Members(
    noun="a workspace",
    checks={
        "name": line(_NAME_CHARACTERS),
        "slug": Check(_read_slug, {"type": "string", "pattern": f"^{_SLUG.pattern}$", "maxLength": _SLUG_CHARACTERS}),
        "description": prose(_DESCRIPTION_CHARACTERS),
        "default_text_model": model_id,
        "default_provider_sort": one_of(*get_args(Sort), or_null=True),
        "is_observability_io_logging_enabled": flag,
        "io_logging_sampling_rate": number(_LEAST_SHARE, 1),
        "io_logging_api_key_ids": key_hashes,
        **_CONSTANT,
    },
    required=("name", "slug"),
    cleared_by_null=frozenset({"description", "default_text_model", "default_provider_sort", "io_logging_api_key_ids"}),
)


def _honoured(wanted: dict[str, Any]) -> dict[str, Any]:
    return {name: said for name, said in wanted.items() if name not in _CONSTANT}


class Workspaces:
    """The handlers of the workspace routes."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @described("The workspaces, the oldest first", group=WORKSPACES, query=PAGE, answer=Page[ShownWorkspace])
    async def list(self, request: Request) -> Response:
        """GET /workspaces: the oldest first."""
        offset, limit = page(request.query())
        only = reach(request.key, None, self._desk.snapshots.current)
        rows, total = await self._desk.store.read(
            lambda connection: stored.list_workspaces(connection, only=only, offset=offset, limit=limit)
        )
        return json_response({"data": [shown_workspace(row) for row in rows], "total_count": total})

    @described("A workspace", group=WORKSPACES, answer=One[ShownWorkspace])
    async def get(self, request: Request) -> Response:
        """GET /workspaces/{id or slug}."""
        return _one(await self._desk.store.read(lambda connection: self._desk.workspace(connection, request)))

    @described(
        "Make a workspace",
        group=WORKSPACES,
        body=Named("NewWorkspace", _MEMBERS.schema(creating=True)),
        errors=(409,),
        status=201,
        answer=One[ShownWorkspace],
    )
    async def create(self, request: Request) -> Response:
        """POST /workspaces."""
        if not manages_all(request.key, self._desk.snapshots.current):
            raise RequestError("permission_denied", "Only management keys of the default workspace can make others")
        wanted = _MEMBERS.read(await request.body(), creating=True)
        now = self._desk.clock()
        workspace = Workspace(
            id=self._desk.new_id(),
            is_default=False,
            owner_id=request.key.creator_user_id,
            created_at=now,
            updated_at=now,
            revision=0,
            **_honoured(wanted),
        )

        def write(connection: Connection) -> Workspace:
            _check_keys(connection, workspace.id, wanted)
            return stored.save(connection, workspace)

        return _one(await self._desk.store.write(write), status=201)

    @described(
        "Change a workspace",
        group=WORKSPACES,
        body=Named("WorkspaceChanges", _MEMBERS.schema(creating=False)),
        errors=(409,),
        answer=One[ShownWorkspace],
    )
    async def update(self, request: Request) -> Response:
        """PATCH /workspaces/{id or slug}."""
        wanted, now = _MEMBERS.read(await request.body(), creating=False), self._desk.clock()

        def write(connection: Connection) -> Workspace:
            workspace = self._desk.workspace(connection, request)
            _check_keys(connection, workspace.id, wanted)
            # Slugs are one for all: whoever may try them out hears which there are.
            if wanted.get("slug", workspace.slug) != workspace.slug and not manages_all(
                request.key, self._desk.snapshots.current
            ):
                raise RequestError("permission_denied", "Only management keys of the default workspace change slugs")
            return stored.update(connection, workspace, _honoured(wanted), now=now)

        return _one(await self._desk.store.write(write))

    @described("Delete a workspace that has no active keys", group=WORKSPACES, errors=(409,), answer=Deleted)
    async def delete(self, request: Request) -> Response:
        """DELETE /workspaces/{id or slug}."""
        now = self._desk.clock()
        await self._desk.store.write(
            lambda connection: stored.delete(connection, self._desk.workspace(connection, request), now=now)
        )
        return json_response({"deleted": True})


def _one(workspace: Workspace, *, status: int = 200) -> Response:
    return json_response({"data": shown_workspace(workspace)}, status=status)


def _check_keys(connection: Connection, workspace_id: str, wanted: dict[str, Any]) -> None:
    for at, digest in enumerate(wanted.get("io_logging_api_key_ids") or ()):
        key = keys.get(connection, digest)
        if key is None or key.workspace_id != workspace_id:
            raise FieldError(f"io_logging_api_key_ids[{at}]", "is no key's of this workspace")
