"""The models that can be asked for, and who offers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict
from urllib.parse import urlencode

from setpoint.errors import RequestError
from setpoint.routing.bounds import may_go
from setpoint.routing.keyring import KeyRing
from setpoint.routing.naming import known
from setpoint.server.operation import described
from setpoint.server.respond import Response, json_response
from setpoint.server.routes.catalog.performance import NOTHING_KNOWN
from setpoint.server.routes.catalog.search import FILTERS, PAGING, read_search
from setpoint.server.routes.catalog.shapes import (
    Architecture,
    ShownEndpoint,
    ShownModel,
    shown_architecture,
    shown_endpoint,
    shown_model,
    usable,
)
from setpoint.server.routes.kinds import One, Several
from setpoint.server.routes.paging import integer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from setpoint.records import Model
    from setpoint.server.request import Request
    from setpoint.server.routes.catalog.performance import Performances
    from setpoint.snapshot import SnapshotHolder

_MOST = 1_000
_MODEL_BYTES = 1_200


class Following(TypedDict):
    """Where the next page is, null behind the last."""

    next: str | None


class ModelList(TypedDict):
    """A page of models, in the words of OpenRouter, OpenAI and Anthropic."""

    object: Literal["list"]
    data: list[ShownModel]
    total_count: int
    links: Following
    has_more: bool
    first_id: str | None
    last_id: str | None


class Count(TypedDict):
    """How many there are."""

    count: int


class ModelEndpoints(TypedDict):
    """A model, and who offers it."""

    id: str
    name: str
    created: int
    description: str
    architecture: Architecture
    endpoints: list[ShownEndpoint]


class ShownProvider(TypedDict):
    """A provider that is configured here."""

    name: str
    slug: str
    privacy_policy_url: None
    terms_of_service_url: None
    status_page_url: None
    headquarters: None
    datacenters: None


class Models:
    """The handlers of the catalog's routes. `performances` says how endpoints have done, over all workers."""

    def __init__(
        self, snapshots: SnapshotHolder, performances: Callable[[], Performances], *, clock: Callable[[], datetime]
    ) -> None:
        self._snapshots = snapshots
        self._performances = performances
        self._clock = clock

    @described("The models that can be asked for", group="Models", query=(*PAGING, *FILTERS), answer=ModelList)
    async def list(self, request: Request) -> Response:
        """GET /models; without a page everything that is found."""
        return await self._page(request, self._listed(request))

    @described(
        "The models that the requests of this key may go to",
        group="Models",
        query=(*PAGING, *FILTERS),
        answer=ModelList,
    )
    async def own(self, request: Request) -> Response:
        """GET /models/user: as the list, of what the requests of the key that asks may go to."""
        key = request.key
        mine = [
            one for one in self._listed(request) if any(may_go(key, one, offer.provider) for offer in one.endpoints)
        ]
        return await self._page(request, mine)

    async def _page(self, request: Request, models: Sequence[Model]) -> Response:
        query = request.query()
        find = self._finding(query, models)

        def page() -> Response:
            found = find()
            start, end, limit, backwards = _window(found, query)
            data = [shown_model(model) for model in found[start:end]]
            more = end < len(found)
            following = urlencode({**query, "offset": end, "limit": limit})
            return json_response(
                {
                    "object": "list",
                    "data": data,
                    "total_count": len(found),
                    "links": {"next": f"{request.scope['path']}?{following}" if more else None},
                    "has_more": start > 0 if backwards else more,
                    "first_id": data[0]["id"] if data else None,
                    "last_id": data[-1]["id"] if data else None,
                }
            )

        return await request.aside(_MODEL_BYTES * len(models), page)

    @described("How many models there are", group="Models", query=FILTERS, answer=One[Count])
    async def count(self, request: Request) -> Response:
        """GET /models/count, with the filters of the list."""
        models = self._listed(request)
        find = self._finding(request.query(), models)
        count = await request.aside(_MODEL_BYTES * len(models), lambda: len(find()))
        return json_response({"data": {"count": count}})

    @described("A model", group="Models", answer=One[ShownModel])
    async def get(self, request: Request) -> Response:
        """GET /model/{author}/{slug}: by id or alias, with or without a variant."""
        return json_response({"data": shown_model(self._named(request))})

    @described("The endpoints of a model", group="Models", answer=One[ModelEndpoints])
    async def endpoints(self, request: Request) -> Response:
        """GET /models/{author}/{slug}/endpoints."""
        model = self._named(request)
        return json_response(
            {
                "data": {
                    "id": model.id,
                    "name": model.name,
                    "created": model.created,
                    "description": model.description,
                    "architecture": shown_architecture(model),
                    "endpoints": self._offers([model]),
                }
            }
        )

    @described("The endpoints that retain nothing", group="Models", answer=Several[ShownEndpoint])
    async def zdr(self, request: Request) -> Response:
        """GET /endpoints/zdr: the endpoints that retain nothing."""
        return json_response({"data": self._offers(self._listed(request), zdr=True)})

    @described("The providers that are configured", group="Models", answer=Several[ShownProvider])
    async def providers(self, request: Request) -> Response:
        """GET /providers: who is configured. What only their own pages say is not known here."""
        keys = self._keys(request)
        listed = [one for one in self._snapshots.current.catalog.providers.values() if one.enabled and keys.knows(one)]
        unknown = dict.fromkeys(
            ("privacy_policy_url", "terms_of_service_url", "status_page_url", "headquarters", "datacenters")
        )
        return json_response({"data": [{"name": one.name, "slug": one.slug, **unknown} for one in listed]})

    def _listed(self, request: Request) -> list[Model]:
        models, keys = self._snapshots.current.catalog.models.values(), self._keys(request)
        return [one for one in models if one.enabled and usable(one) and keys.knows_model(one)]

    def _keys(self, request: Request) -> KeyRing:
        """What the caller's requests may carry: whom another workspace alone has a key for is not there."""
        return KeyRing(self._snapshots.current.provider_keys, request.key)

    def _finding(self, query: Mapping[str, str], models: Iterable[Model]) -> Callable[[], list[Model]]:
        """What finds those that are looked for, wherever it is done. Raises: `FieldError`."""
        search, now_s = read_search(query), self._clock().timestamp()
        performances: Performances = self._performances() if search.asks_performance else {}
        return lambda: search.ordered((one for one in models if search.finds(one, now_s)), performances)

    def _named(self, request: Request) -> Model:
        text = f"{request.params['author']}/{request.params['slug']}"
        try:
            return known(text, self._snapshots.current.catalog, self._keys(request)).model
        except RequestError:
            raise RequestError("not_found", f"{text} is not a valid model ID") from None

    def _offers(self, models: list[Model], *, zdr: bool = False) -> list[ShownEndpoint]:
        performances = self._performances()
        return [
            shown_endpoint(one, model, performances.get(one.key, NOTHING_KNOWN))
            for model in models
            for one in usable(model)
            if one.zdr or not zdr
        ]


def _window(models: Sequence[Model], query: Mapping[str, str]) -> tuple[int, int, int, bool]:
    """Where the page that is asked for begins and ends, how long one is, and whether pages are read from the end.

    An `offset` comes before `after_id` and `before_id`, by which Anthropic clients go on; an id that is not there says
    nothing. Raises: `FieldError`.
    """
    offset = integer(query, "offset", default=0)
    limit = integer(query, "limit", default=max(len(models), 1), least=1, most=_MOST)
    if "offset" not in query:
        places = {model.id: at for at, model in enumerate(models)}
        if (last := places.get(query.get("after_id", ""))) is not None:
            offset = last + 1
        elif (first := places.get(query.get("before_id", ""))) is not None:
            return max(0, first - limit), first, limit, True
    return offset, offset + limit, limit, False
