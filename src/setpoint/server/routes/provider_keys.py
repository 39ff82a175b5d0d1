"""Provider keys over HTTP: those of the configuration, to be seen; those that were added, to be changed as well.

The key itself goes in and never comes out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

from msgspec import UNSET

from setpoint.errors import FieldError, RequestError
from setpoint.ids import timestamp
from setpoint.records import KeyTerms
from setpoint.server.guard import manages, missing
from setpoint.server.guard import workspace as workspace_of
from setpoint.server.operation import Named, Query, described
from setpoint.server.respond import Response, json_response
from setpoint.server.routes.key_terms import MEMBERS, read_wanted
from setpoint.server.routes.keys import masked
from setpoint.server.routes.kinds import Deleted, One, Page, Time
from setpoint.server.routes.paging import PAGE, page
from setpoint.storage import keys as stored_keys
from setpoint.storage import provider_keys as stored
from setpoint.storage import workspaces

if TYPE_CHECKING:
    from datetime import datetime

    from setpoint.records import AddedKey
    from setpoint.routing.catalog import Catalog
    from setpoint.server.request import Request
    from setpoint.server.routes.desk import Desk
    from setpoint.storage.database import Connection
    from setpoint.storage.sealing import Sealer


_LISTED = (
    *PAGE,
    Query("provider", str, "The slug of the provider whose keys are listed; those of all unless said."),
    Query("workspace_id", str, "The workspace whose keys are listed; the caller's own unless said."),
)


class ShownProviderKey(TypedDict):
    """A provider key, without the key. Those whose `source` is the configuration are changed there."""

    id: str
    provider: str
    label: str
    name: str | None
    disabled: bool
    is_fallback: bool
    allowed_models: tuple[str, ...] | None
    allowed_api_key_hashes: tuple[str, ...] | None
    allowed_user_ids: tuple[str, ...] | None
    declared_region: str | None
    declared_zdr: bool | None
    is_byok_only: bool
    is_required: bool
    sort_order: int
    workspace_id: str | None
    created_at: Time
    usable: bool
    source: Literal["configuration", "api"]


class ProviderKeys:
    """The handlers of the routes of provider keys."""

    def __init__(self, desk: Desk, sealer: Sealer) -> None:
        self._desk = desk
        self._sealer = sealer
        self._began = desk.clock()

    @described(
        "Provider keys, in the order of trying",
        group="Provider keys",
        query=_LISTED,
        errors=(404,),
        answer=Page[ShownProviderKey],
    )
    async def list(self, request: Request) -> Response:
        """GET /byok: the configuration's first, then the added ones in the order of trying."""
        query = request.query()
        offset, limit = page(query)
        about, provider = self._workspace(request, query.get("workspace_id")), query.get("provider")
        written = [row for row in self._written(request).values() if provider in (None, row["provider"])]
        rows, total = await self._desk.store.read(
            lambda connection: stored.list_keys(
                connection,
                self._sealer,
                about,
                everyones=self._knows_everyones(request),
                provider=provider,
                offset=max(0, offset - len(written)),
                limit=max(0, limit - len(written[offset:])),
            )
        )
        shown = [*written[offset : offset + limit], *map(self._added, rows)]
        return json_response({"data": shown, "total_count": len(written) + total})

    @described("A provider key", group="Provider keys", answer=One[ShownProviderKey])
    async def get(self, request: Request) -> Response:
        """GET /byok/{id}."""
        if (row := self._written(request).get(request.params["id"])) is not None:
            return json_response({"data": row})
        return self._one(await self._desk.store.read(lambda connection: self._existing(connection, request)))

    @described(
        "Add a key of a provider",
        group="Provider keys",
        body=Named("ProviderKeyToAdd", MEMBERS.schema(creating=True)),
        errors=(404,),
        status=201,
        answer=One[ShownProviderKey],
    )
    async def create(self, request: Request) -> Response:
        """POST /byok."""
        wanted = read_wanted(await request.body(), creating=True)
        maker, now, secret = request.key, self._desk.clock(), wanted.key or ""
        provider, workspace = wanted.fixed["provider"], wanted.fixed.get("workspace_id")
        if workspace is not None or not self._knows_everyones(request):
            workspace = self._workspace(request, workspace)
        if not _takes_keys(self._desk.snapshots.current.catalog, provider):
            raise FieldError("provider", "is none that is configured or known here")
        terms = wanted.applied(KeyTerms())

        def write(connection: Connection) -> AddedKey:
            if workspace is not None and not workspaces.exists(connection, workspace):
                raise missing()
            _check_hashes(connection, terms, workspace)
            return stored.save(
                connection,
                self._sealer,
                key_id=self._desk.new_id(),
                provider=provider,
                secret=secret,
                label=masked(secret),
                terms=terms,
                workspace_id=workspace,
                creator_user_id=maker.creator_user_id,
                now=now,
            )

        return self._one(await self._desk.store.write(write), status=201)

    @described(
        "Change a provider key",
        group="Provider keys",
        body=Named("ProviderKeyChanges", MEMBERS.schema(creating=False)),
        errors=(409,),
        answer=One[ShownProviderKey],
    )
    async def update(self, request: Request) -> Response:
        """PATCH /byok/{id}. A new `key` takes the place of the old one."""
        now = self._desk.clock()
        self._refuse_written(request)
        wanted = read_wanted(await request.body(), creating=False)

        def write(connection: Connection) -> AddedKey:
            known = self._existing(connection, request)
            terms = wanted.applied(known.terms)
            if "allowed_api_key_hashes" in wanted.terms:
                _check_hashes(connection, terms, known.workspace_id)
            return stored.update(
                connection,
                self._sealer,
                known,
                terms=terms,
                secret=UNSET if wanted.key is None else wanted.key,
                label=UNSET if wanted.key is None else masked(wanted.key),
                now=now,
            )

        return self._one(await self._desk.store.write(write))

    @described("Delete a provider key", group="Provider keys", errors=(409,), answer=Deleted)
    async def delete(self, request: Request) -> Response:
        """DELETE /byok/{id}."""
        now = self._desk.clock()
        self._refuse_written(request)

        def write(connection: Connection) -> None:
            stored.delete(connection, self._existing(connection, request).id, now=now)

        await self._desk.store.write(write)
        return json_response({"deleted": True})

    def _existing(self, connection: Connection, request: Request) -> AddedKey:
        key = stored.get(connection, self._sealer, request.params["id"])
        if key is None or not self._sees(request, key.workspace_id):
            raise missing()
        return key

    def _sees(self, request: Request, workspace_id: str | None) -> bool:
        if workspace_id is None:
            return self._knows_everyones(request)
        return manages(request.key, workspace_id, self._desk.snapshots.current)

    def _knows_everyones(self, request: Request) -> bool:
        """Whether what is there for all workspaces is the caller's to see: those of the default one look after it."""
        home = self._desk.snapshots.current.workspaces.get(request.key.workspace_id)
        return home is not None and home.is_default

    def _workspace(self, request: Request, asked: str | None) -> str:
        return workspace_of(request.key, asked, self._desk.snapshots.current)

    def _refuse_written(self, request: Request) -> None:
        if request.params["id"] in self._written(request):
            raise RequestError("conflict", "This key is set in the configuration, and can only be changed there")

    def _one(self, key: AddedKey, *, status: int = 200) -> Response:
        return json_response({"data": self._added(key)}, status=status)

    def _written(self, request: Request) -> dict[str, ShownProviderKey]:
        """The configuration's keys by id, as they are shown to this caller."""
        if not self._knows_everyones(request):
            return {}
        return {
            key.id: _row(
                key.id,
                provider.slug,
                masked(key.secret),
                KeyTerms(name=key.name, allowed_models=key.models),
                sort_order=at,
                created_at=self._began,
                workspace_id=None,
                usable=provider.enabled,
                source="configuration",
            )
            for provider in self._desk.snapshots.current.catalog.providers.values()
            for at, key in enumerate(provider.keys)
        }

    def _added(self, key: AddedKey) -> ShownProviderKey:
        """An added key as it is shown: its place is behind those of the configuration."""
        provider = self._desk.snapshots.current.catalog.providers.get(key.provider)
        return _row(
            key.id,
            key.provider,
            key.label,
            key.terms,
            sort_order=key.sort_order + (len(provider.keys) if provider is not None else 0),
            created_at=key.created_at,
            workspace_id=key.workspace_id,
            usable=key.key is not None and provider is not None and provider.enabled and not key.terms.disabled,
            source="api",
        )


def _takes_keys(catalog: Catalog, slug: str) -> bool:
    provider = catalog.providers.get(slug)
    return slug in catalog.dormant if provider is None else not provider.builtin


def _check_hashes(connection: Connection, terms: KeyTerms, workspace_id: str | None) -> None:
    for at, digest in enumerate(terms.allowed_api_key_hashes or ()):
        key = stored_keys.get(connection, digest)
        if key is None or workspace_id not in (None, key.workspace_id):
            raise FieldError(f"allowed_api_key_hashes[{at}]", "is no key's")


def _row(
    key_id: str,
    provider: str,
    label: str,
    terms: KeyTerms,
    *,
    sort_order: int,
    created_at: datetime,
    workspace_id: str | None,
    usable: bool,
    source: Literal["configuration", "api"],
) -> ShownProviderKey:
    return {
        "id": key_id,
        "provider": provider,
        "label": label,
        "name": terms.name,
        "disabled": terms.disabled,
        "is_fallback": terms.is_fallback,
        "allowed_models": terms.allowed_models,
        "allowed_api_key_hashes": terms.allowed_api_key_hashes,
        "allowed_user_ids": terms.allowed_user_ids,
        "declared_region": terms.declared_region,
        "declared_zdr": terms.declared_zdr,
        "is_byok_only": terms.is_byok_only,
        "is_required": terms.is_required,
        "sort_order": sort_order,
        "workspace_id": workspace_id,
        "created_at": timestamp(created_at),
        "usable": usable,
        "source": source,
    }
