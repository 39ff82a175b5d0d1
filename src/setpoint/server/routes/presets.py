"""Presets over HTTP: the seven compatible operations, and what we add to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from setpoint.errors import FieldError, RequestError
from setpoint.gateway.versions import check_allowed, known, version_number
from setpoint.ids import KEY
from setpoint.presets.capture import capture
from setpoint.presets.diff import diff
from setpoint.presets.receipt import receipt
from setpoint.presets.reference import parse_ref, parse_slug, reference
from setpoint.protocols import chat, messages, responses
from setpoint.records import PresetStatus
from setpoint.server.guard import missing
from setpoint.server.operation import Named, Query, described
from setpoint.server.respond import Response, json_response
from setpoint.server.routes.kinds import One, Page
from setpoint.server.routes.members import Members, line, one_of, prose
from setpoint.server.routes.paging import PAGE, Flag, flag, page
from setpoint.server.routes.preset_shapes import (
    CreatedPreset,
    DesignatedPreset,
    ShownPreset,
    ShownVersion,
    designated,
    shown_preset,
    shown_version,
)
from setpoint.storage import presets as stored
from setpoint.storage.workspaces import exists

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.gateway.pipeline import Pipeline
    from setpoint.gateway.versions import Versions
    from setpoint.presets.capture import Captured
    from setpoint.presets.receipt import Receipt
    from setpoint.protocols.base import Room
    from setpoint.records import Preset, Version
    from setpoint.server.operation import Described
    from setpoint.server.request import Request
    from setpoint.server.routes.desk import Desk
    from setpoint.storage.database import Connection
    from setpoint.wire.body import Body

_NAME_CHARACTERS = 200
_DESCRIPTION_CHARACTERS = 2_000
_CHANGES = Members(
    noun="a preset",
    checks={
        "name": line(_NAME_CHARACTERS),
        "description": prose(_DESCRIPTION_CHARACTERS),
        "status": one_of(*get_args(PresetStatus)),
    },
    required=(),
    cleared_by_null=frozenset({"description"}),
    never_null=frozenset({"name", "status"}),
)
_NOTHING = Members(noun="a designation", checks={}, required=())
_CREATION = (
    Query("dry_run", Flag, "Not supported yet: only `false` is taken."),
    Query("designate", Flag, "Not supported yet: only `true` is taken."),
)


def _creates(skin: Room) -> Callable[[Described], Described]:
    return described(
        "Make a preset, or a version of one, of a working request",
        group="Presets",
        body=Named(f"{skin.name.capitalize()}Capture", skin.schema(creating=True)),
        query=_CREATION,
        errors=(409,),
        answer=CreatedPreset,
    )


class Presets:
    """The handlers of the preset routes."""

    def __init__(self, desk: Desk, versions: Versions, pipeline: Pipeline) -> None:
        self._desk = desk
        self._versions = versions
        self._pipeline = pipeline

    @described("The presets of the workspace", group="Presets", query=PAGE, answer=Page[ShownPreset])
    async def list(self, request: Request) -> Response:
        """GET /presets."""
        offset, limit = page(request.query())
        workspace, slugs = request.key.workspace_id, request.key.allowed_presets
        rows, total = await self._desk.store.read(
            lambda connection: stored.list_presets(connection, workspace, slugs=slugs, offset=offset, limit=limit)
        )
        return json_response({"data": [shown_preset(row) for row in rows], "total_count": total})

    @described("A preset with its designated version", group="Presets", errors=(400,), answer=One[DesignatedPreset])
    async def get(self, request: Request) -> Response:
        """GET /presets/{slug}."""
        slug = _slug(request)
        workspace = request.key.workspace_id
        preset = await self._desk.store.read(lambda connection: _existing(connection, workspace, slug))
        return _one(preset)

    @described("The versions of a preset, the first one first", group="Presets", query=PAGE, answer=Page[ShownVersion])
    async def versions(self, request: Request) -> Response:
        """GET /presets/{slug}/versions."""
        slug = _slug(request)
        offset, limit = page(request.query())
        workspace = request.key.workspace_id

        def read(connection: Connection) -> tuple[list[Version], int]:
            preset = _existing(connection, workspace, slug)
            return stored.list_versions(connection, preset.id, offset=offset, limit=limit)

        rows, total = await self._desk.store.read(read)
        return json_response({"data": [shown_version(row) for row in rows], "total_count": total})

    @described("A version of a preset", group="Presets", errors=(400,), answer=One[ShownVersion])
    async def version(self, request: Request) -> Response:
        """GET /presets/{slug}/versions/{version}."""
        slug, ref = _slug(request), parse_ref(request.params["version"])
        workspace = request.key.workspace_id
        version = await self._desk.store.read(
            lambda connection: _referred(
                connection, _existing(connection, workspace, slug), ref, request.params["version"]
            )
        )
        return json_response({"data": shown_version(version)})

    @_creates(chat)
    async def create_chat(self, request: Request) -> Response:
        """POST /presets/{slug}/chat/completions."""
        return await self._create(request, chat)

    @_creates(messages)
    async def create_messages(self, request: Request) -> Response:
        """POST /presets/{slug}/messages."""
        return await self._create(request, messages)

    @_creates(responses)
    async def create_responses(self, request: Request) -> Response:
        """POST /presets/{slug}/responses."""
        return await self._create(request, responses)

    @described(
        "Change what is said of a preset",
        group="Presets",
        body=Named("PresetChanges", _CHANGES.schema(creating=False)),
        answer=One[DesignatedPreset],
    )
    async def update(self, request: Request) -> Response:
        """PATCH /presets/{slug}."""
        slug = _slug(request)
        _refuse_conditions(request)
        wanted = _CHANGES.read(await request.body(), creating=False)
        workspace, now = request.key.workspace_id, self._desk.clock()

        def write(connection: Connection) -> Preset:
            preset = _existing(connection, workspace, slug)
            return stored.update(connection, preset.id, now=now, **wanted)

        return _one(await self._desk.store.write(write))

    @described("Archive a preset", group="Presets", errors=(400,), answer=One[DesignatedPreset])
    async def archive(self, request: Request) -> Response:
        """DELETE /presets/{slug}: archives it; nothing is ever taken away from its history."""
        slug = _slug(request)
        _refuse_conditions(request)
        workspace, now = request.key.workspace_id, self._desk.clock()
        return _one(
            await self._desk.store.write(
                lambda connection: stored.archive(connection, _existing(connection, workspace, slug).id, now=now)
            )
        )

    @described(
        "Let the name of a preset mean this version",
        group="Presets",
        body=Named("Nothing", _NOTHING.schema(creating=False)),
        needs_body=False,
        answer=One[DesignatedPreset],
    )
    async def designate(self, request: Request) -> Response:
        """POST /presets/{slug}/versions/{version}/designate."""
        slug, ref = _slug(request), parse_ref(request.params["version"])
        _refuse_conditions(request)
        data = await request.read()
        _NOTHING.read(request.parsed(data) if data else {}, creating=False)
        workspace, now = request.key.workspace_id, self._desk.clock()

        def write(connection: Connection) -> Preset:
            preset = _existing(connection, workspace, slug)
            version = _referred(connection, preset, ref, request.params["version"])
            return stored.designate(connection, preset.id, version.version, now=now)

        return _one(await self._desk.store.write(write))

    async def _create(self, request: Request, skin: Room) -> Response:
        slug = _slug(request)
        if KEY.search(slug):  # it would be in every record of an answer with this preset
            raise FieldError("slug", "has an API key in it")
        _refuse_unsupported(request)
        data = await request.read()

        def checked() -> Body:
            body = request.parsed(data)
            skin.check(body, creating=True)
            return body

        body = await request.aside(len(data), checked)
        base = await self._base(request, slug, body)
        captured = await request.aside(len(data), lambda: capture(skin, body, base))
        rehearsed = await self._pipeline.rehearse(skin, request.key, captured, self._desk.clock())
        told = await request.aside(len(data), lambda: receipt(skin, body, base, captured, rehearsed))
        before, preset = await self._save(request, slug, captured)
        size = len(data) + (len(before.config) if before is not None else 0)
        return await request.aside(size, lambda: _created(before, preset, told))

    async def _base(self, request: Request, slug: str, body: Body) -> Version | None:
        """The version that the body itself names. A preset that names itself before it exists contributes nothing."""
        named = reference(body)
        if named is None:
            return None
        snapshot = self._desk.snapshots.current
        workspace = request.key.workspace_id
        if named.slug == slug and (workspace, slug) not in snapshot.presets:
            return None
        preset = known(named.slug, request.key, snapshot)
        if named.slug != slug and preset.status == "disabled":
            raise RequestError("not_found", f"Preset {named.slug} is disabled")
        return await self._versions.pick(preset, named.pin)

    async def _save(self, request: Request, slug: str, captured: Captured) -> tuple[Version | None, Preset]:
        """The version that was designated before, None for a new preset, and the preset with its new one."""
        key, now = request.key, self._desk.clock()

        def write(connection: Connection) -> tuple[Version | None, Preset]:
            if not exists(connection, key.workspace_id):
                raise missing()
            found = stored.get(connection, key.workspace_id, slug)
            preset = stored.save_version(
                connection,
                workspace_id=key.workspace_id,
                slug=slug,
                creator_id=key.creator_user_id,
                config=captured.config,
                system_prompt=captured.system_prompt,
                now=now,
                new_id=self._desk.new_id,
            )
            return found.designated if found is not None else None, preset

        return await self._desk.store.write(write)


def _slug(request: Request) -> str:
    """The slug in the path. Raises: `FieldError`; `RequestError` (permission_denied) for one that is not the key's."""
    slug = parse_slug(request.params["slug"])
    check_allowed(slug, request.key)
    return slug


def _existing(connection: Connection, workspace_id: str, slug: str) -> Preset:
    preset = stored.get(connection, workspace_id, slug)
    if preset is None:
        raise missing()
    return preset


def _referred(connection: Connection, preset: Preset, ref: int | str, written: str) -> Version:
    number = ref if isinstance(ref, int) else version_number(preset, ref)
    version = stored.get_version(connection, preset.id, number)
    if version is None:
        raise RequestError("not_found", f"Preset {preset.slug} has no version {written}")
    return version


def _refuse_unsupported(request: Request) -> None:
    """A creation that asks for what cannot be done yet must not be taken for a plain one."""
    query = request.query()
    asked = {
        "dry_run": flag(query, "dry_run", default=False),
        "designate": not flag(query, "designate", default=True),
        "message": "message" in query,
        "Idempotency-Key": request.header(b"idempotency-key") is not None,
    }
    for name, is_asked in asked.items():
        if is_asked:
            raise FieldError(name, "is not supported yet", metadata={"reason": "unsupported"})
    _refuse_conditions(request)


def _refuse_conditions(request: Request) -> None:
    """A precondition that would not be checked must not be taken for one that holds."""
    if request.header(b"if-match") is not None:
        raise FieldError("If-Match", "is not supported yet", metadata={"reason": "unsupported"})


def _one(preset: Preset) -> Response:
    return json_response({"data": designated(preset)})


def _created(before: Version | None, preset: Preset, told: Receipt) -> Response:
    changed = diff(before, preset.designated) if before is not None else None
    return json_response(
        {
            "data": designated(preset),
            "receipt": {"fields": told.fields, "warnings": told.warnings, "diff": changed},
        }
    )
