"""The composition root: builds every part once, and is the ASGI application."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from setpoint.coordination.leases import Leases
from setpoint.errors import GatewayError
from setpoint.gateway.admission import Admission
from setpoint.gateway.aside import Aside
from setpoint.gateway.contents import Contents, Sampling
from setpoint.gateway.failed import Failed
from setpoint.gateway.lag import LoopLag, Turn
from setpoint.gateway.limits import Limits, Terms
from setpoint.gateway.pipeline import Pipeline, Policy
from setpoint.gateway.relay import Bounds, Relay
from setpoint.gateway.versions import Versions
from setpoint.ids import generation_id, new_key, new_uuid, prefixed_id, utc_now
from setpoint.metrics import Registry
from setpoint.providers.client import HttpClient
from setpoint.providers.offline import EchoClient
from setpoint.routing.budget import RetryBudget
from setpoint.routing.health import Health as UpstreamHealth
from setpoint.routing.sessions import Sessions
from setpoint.server.cors import Cors
from setpoint.server.discovery import Discovery
from setpoint.server.front import Doors, Front
from setpoint.server.model_lists import FOLDER as LISTS_FOLDER
from setpoint.server.model_lists import ModelLists
from setpoint.server.proxies import Proxies
from setpoint.server.request import BodyLimits
from setpoint.server.respond import without_values
from setpoint.server.router import Router
from setpoint.server.routes.activity import Activity
from setpoint.server.routes.answering import Answering, StreamTimes
from setpoint.server.routes.budgets import Budgets
from setpoint.server.routes.catalog.models import Models
from setpoint.server.routes.catalog.performance import Observed
from setpoint.server.routes.contents import Contents as ContentRoutes
from setpoint.server.routes.desk import Desk
from setpoint.server.routes.documents import Documents
from setpoint.server.routes.explain import Explain
from setpoint.server.routes.generations import Generations
from setpoint.server.routes.health import Health
from setpoint.server.routes.inference import Exchanges, Inference
from setpoint.server.routes.keys import Keys
from setpoint.server.routes.ledger import Ledger
from setpoint.server.routes.metrics import Metrics
from setpoint.server.routes.presets import Presets
from setpoint.server.routes.provider_keys import ProviderKeys
from setpoint.server.routes.table import routes
from setpoint.server.routes.workspaces import Workspaces
from setpoint.server.telemetry.figures import Figures
from setpoint.server.telemetry.gauges import (
    look_up_breakers,
    look_up_clients,
    look_up_contents,
    look_up_process,
    look_up_retention,
    look_up_storage,
    look_up_upstream,
    look_up_work,
)
from setpoint.server.telemetry.lag import LoopWatch
from setpoint.server.telemetry.log import log_exchange, log_notice, log_refused
from setpoint.snapshot import SnapshotHolder
from setpoint.storage.contents import ContentRecorder
from setpoint.storage.leasing import leasing
from setpoint.storage.pinned import PinnedVersions
from setpoint.storage.recorder import Recorder
from setpoint.storage.recovery import Recovery
from setpoint.storage.retention import Kept, Retention
from setpoint.storage.sealing import Sealer
from setpoint.storage.secret import derived
from setpoint.storage.segments import FOLDER as SPOOL_FOLDER
from setpoint.storage.spool import Spool
from setpoint.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from datetime import datetime

    from setpoint.coordination.board import Seat
    from setpoint.gateway.exchange import Exchange
    from setpoint.records import Generation, Provider, ProviderKey
    from setpoint.routing.health import Notice
    from setpoint.server.configuration import Configuration
    from setpoint.server.connection.asgi import Receive, Scope, Send
    from setpoint.server.connection.connections import Connections
    from setpoint.settings import Settings
    from setpoint.storage.database import Database


_log = logging.getLogger("setpoint.server")


class Application:
    """Setpoint as one ASGI callable. Make it inside the running event loop; end it with `close`."""

    def __init__(self, found: Configuration, database: Database, secret: bytes, seat: Seat) -> None:
        settings = found.loaded.settings
        self._secret = secret
        self._dice = random.SystemRandom()
        self._quick_dice = random.Random(self._dice.getrandbits(128))  # noqa: S311 ids and draws are no secrets
        self._siblings = seat if settings.workers > 1 else None
        self._snapshots = SnapshotHolder(found.catalog)
        self._failed = Failed(self._snapshots)
        self._sealer = Sealer(secret, self._dice)
        self._store = Store(database, self._snapshots, seat, self._sealer)
        spools = settings.data_dir / SPOOL_FOLDER
        spool = Spool(spools)
        self._recorder = Recorder(database, spool, seat)
        self._retention = Retention(database, _kept(settings), clock=utc_now, works=seat.index == 0)
        self._content_recorder = ContentRecorder(database)
        self._contents = Contents(self._content_recorder.keep)
        self._recovery = Recovery(database, spools)
        self._versions = Versions(PinnedVersions(self._store).find)
        self._client = HttpClient()
        self._client.trust(found.verify)
        self._tasks: list[asyncio.Task[None]] = []
        self._registry = registry = Registry()
        self._figures = Figures(registry, self._snapshots)
        self._aside = Aside()
        self._admission = Admission(settings.max_concurrent_requests, Turn(), settings.workers)
        self._upstreams = UpstreamHealth(time.monotonic, self._quick_dice.random, self._noticed)
        self._sessions = Sessions(time.monotonic)
        self._observed = Observed(self._upstreams, seat.board.vitals, seat.index)
        self._leases = Leases(*leasing(self._store, spool, settings.workers), time.monotonic)
        self._budget = RetryBudget(settings.retry_budget, time.monotonic)
        self._lag = LoopLag(self._turned)
        self._watch = LoopWatch(self._lag)
        look_up_work(registry, self._admission, self._lag)
        look_up_storage(registry, self._snapshots, self._recorder, spool)
        look_up_retention(registry, self._retention)
        look_up_contents(registry, self._contents, self._content_recorder)
        look_up_upstream(registry, self._snapshots, self._client)
        look_up_breakers(registry, self._upstreams)
        look_up_process(registry, seat.board)
        self._metrics = Metrics(registry, seat.board, seat.index)
        self._discovery = Discovery(
            self._client,
            ModelLists(settings.data_dir / LISTS_FOLDER),
            found.catalog,
            self._snapshots.replace_catalog,
            key=self._key_to_look,
            dice=self._quick_dice.random,
            asks=seat.index == 0,
        )
        self.health = Health()
        self._build(settings)

    async def apply(self, found: Configuration) -> None:
        """Answer by this configuration from the next request on; what is under way ends by the one it began with.

        Raises: `GatewayError` when it names a CA file that cannot be used, and then nothing is changed.
        """
        settings = found.loaded.settings
        await asyncio.to_thread(self._client.trust, found.verify)
        await self._discovery.apply(found.catalog)
        self._admission.resize(settings.max_concurrent_requests)
        self._upstreams.forget(self._snapshots.current.catalog.endpoint_keys())
        self._budget.share = settings.retry_budget
        self._budget.fill()
        self._retention.kept = _kept(settings)
        self._build(settings)

    def _build(self, settings: Settings) -> None:
        """All that depends on settings and keeps nothing from one request to the next."""
        self._contents.sampling = Sampling(on=settings.record_content, share=settings.record_content_sample)
        relay = Relay(
            self._client,
            EchoClient(settings.echo_interval_ms / 1000),
            Bounds(
                max_answer_bytes=settings.max_answer_bytes,
                max_event_bytes=settings.max_event_bytes,
                max_json_depth=settings.max_json_depth,
                max_json_members=settings.max_json_members,
            ),
            derived(self._secret, "identity"),
            self._item_id,
            self._aside,
            self._failed,
        )
        terms = Terms(
            default_output_tokens=settings.default_output_reservation_tokens,
            allow_unpriced=settings.allow_unpriced_on_limited_keys,
        )
        policy = Policy(system_prompt_merge=settings.system_prompt_merge, default_model=settings.default_model)
        pipeline = Pipeline(
            self._snapshots,
            self._versions,
            relay,
            policy,
            self._aside,
            self._quick_dice.random,
            self._upstreams,
            self._budget,
            self._sessions,
            self._admission,
            Limits(self._leases, terms),
        )
        answering = Answering(
            pipeline,
            StreamTimes(settings.stream_commit_s, settings.keep_alive_s),
            new_id=self._item_id,
            show_upstream=settings.show_upstream_errors,
            refused=self._refused,
        )
        exchanges = Exchanges(
            clock=utc_now,
            new_id=self._new_id,
            begin=self._recorder.begin,
            record=self._record,
            proxies=Proxies(settings.trusted_proxies),
            contents=self._contents,
            snapshots=self._snapshots,
        )
        desk = Desk(self._store, self._snapshots, utc_now, lambda: new_uuid(self._dice))
        rows = routes(
            Inference(pipeline, answering, self._admission, exchanges),
            Explain(pipeline, self._admission, exchanges),
            Presets(desk, self._versions, pipeline),
            Keys(desk, new_key=lambda: new_key(self._dice)),
            ProviderKeys(desk, self._sealer),
            Workspaces(desk),
            Budgets(desk),
            Generations(desk, self._recorder, self._siblings),
            ContentRoutes(desk, recorded=settings.record_content),
            Activity(desk),
            Ledger(desk),
            Models(self._snapshots, self._observed, clock=utc_now),
            self.health,
            Documents(lambda: rows),
            self._metrics if settings.metrics else None,
        )
        doors = Doors(
            Router(rows),
            BodyLimits(settings.max_body_bytes, settings.max_json_depth, settings.max_json_members),
            Cors(settings.cors_origins) if settings.cors_origins else None,
        )
        self._front = Front(
            doors, self._store, self._snapshots, self._figures, self._aside, clock=utc_now, new_id=self._new_id
        )

    def load(self) -> None:
        """Load all that is stored. Blocks; may be called from any thread, before `start`. Raises: `GatewayError`."""
        self._store.load()
        self._discovery.load()

    def start(self) -> None:
        """Begin, with what was loaded: from then on the application can answer."""
        self._discovery.start()
        loop = asyncio.get_running_loop()
        for running in (
            self._store.follow(),
            self._lag.watch(),
            self._metrics.keep_up(),
            self._observed.keep_up(),
            self._discovery.run(),
            self._leases.run(),
            self._retention.run(),
        ):
            task = loop.create_task(running)
            task.add_done_callback(_say_end)
            self._tasks.append(task)
        self._watch.start()
        self.health.ready = True

    def show_clients(self, connections: Connections) -> None:
        """Have the metrics show the connections of clients."""
        look_up_clients(self._registry, connections)

    async def close(self) -> None:
        """End what runs, and write every record that waits."""
        self.health.ready = False
        self._watch.stop()
        for task in self._tasks:
            task.cancel()
        self._aside.close()
        await self._client.close()
        with suppress(GatewayError):  # the storage is away: whoever brings home what this process leaves releases them
            await self._leases.close()
        self._retention.close()
        self._store.close()
        self._recovery.close()
        self._recorder.close()
        self._content_recorder.close()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one HTTP request."""
        return self._front.answer(scope, receive, send)

    def _refused(self, exchange: Exchange) -> None:
        error = exchange.error
        self._figures.refused(exchange.skin.name, exchange.stream, error.type if error is not None else None)
        log_refused(exchange)

    def _new_id(self, now: datetime) -> str:
        return generation_id(now, self._quick_dice)

    def _item_id(self, prefix: str) -> str:
        return prefixed_id(prefix, self._quick_dice)

    def _key_to_look(self, provider: Provider) -> ProviderKey | None:
        """What a provider is asked with for its list: its first key of the file, else the first that was added."""
        ring = self._snapshots.current.provider_keys.get(provider.slug)
        added = (row.key for row in ring.usable if row.key is not None) if ring is not None else ()
        return next(iter((*provider.keys, *added)), None)

    def _turned(self, late_s: float) -> None:
        self._figures.lag(late_s)
        self._admission.observe(late_s)
        self._watch.observe(late_s)

    def _noticed(self, notice: Notice) -> None:
        self._figures.noticed(notice)
        log_notice(notice)

    def _record(self, generation: Generation, client: str) -> None:
        self._recorder.record(generation)
        self._figures.ended(generation)
        log_exchange(generation, client)


def _kept(settings: Settings) -> Kept:
    return Kept(records_days=settings.record_days, contents_days=settings.record_content_days)


def _say_end(task: asyncio.Task[None]) -> None:
    """Say so when something that runs as long as the server does has ended by a fault."""
    if not task.cancelled() and (fault := task.exception()) is not None:
        _log.critical("a part of the server has ended: %s", type(fault).__name__, exc_info=without_values(fault))
