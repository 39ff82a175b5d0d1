"""Models that providers list themselves: asked for off the hot path, kept in files, merged into the catalog.

One worker of a server asks; it writes each list as a file of the data folder, from which the others take it, and which
outlives a restart. A list that does not come changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from setpoint.errors import ProviderError
from setpoint.providers.discovery import ask
from setpoint.routing.discovered import with_discovered

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.providers.client import HttpClient
    from setpoint.records import ListedModel, Provider, ProviderKey
    from setpoint.routing.catalog import Catalog
    from setpoint.server.model_lists import ModelLists

_log = logging.getLogger("setpoint.discovery")

_LOOK_S = 1.0
"""How often a worker looks whom it should ask, or else for newer lists, in seconds."""

_FIRST_S = 0.5
"""Within how long after the start a provider is first asked, in seconds."""

_AGAIN_S = 15.0
"""How soon a provider of which there is no list yet is asked again, in seconds."""


class Discovery:
    """The lists that are known, and the catalog that they make of the one that the user has written.

    `use` takes a new catalog, in the event loop's thread. `key` gives what a provider is asked with, None where it has
    no key. `asks` is whether this worker does the asking.
    """

    def __init__(
        self,
        client: HttpClient,
        files: ModelLists,
        written: Catalog,
        use: Callable[[Catalog], None],
        *,
        key: Callable[[Provider], ProviderKey | None],
        dice: Callable[[], float],
        asks: bool,
    ) -> None:
        self._client = client
        self._files = files
        self._use = use
        self._key = key
        self._dice = dice
        self._asks = asks
        self._written = written
        self._lists: dict[str, tuple[ListedModel, ...]] = {}
        self._silent: set[str] = set()
        self._unkept: set[str] = set()
        self._changed = asyncio.Event()

    def load(self) -> None:
        """Read the lists of last time. Blocks; may be called from any thread, before `start`."""
        self._lists = self._files.read(_listing(self._written))

    def start(self) -> None:
        """Use what was loaded."""
        if self._lists:
            self._use(with_discovered(self._written, self._lists))

    async def apply(self, written: Catalog) -> None:
        """Go on with something else that the user wrote."""
        before = self._written
        kept = {slug: models for slug, models in self._lists.items() if _same(before, written, slug)}
        found = await asyncio.to_thread(self._files.read, _listing(written))
        self._written, self._lists = written, {**found, **kept}
        await self._merge()
        self._changed.set()

    async def run(self) -> None:
        """Keep the lists new, until cancelled."""
        if self._asks:
            await self._keep_asking()
        else:
            await self._follow()

    async def _keep_asking(self) -> None:
        asking: dict[str, tuple[Provider, asyncio.Task[None]]] = {}
        try:
            while True:
                self._changed.clear()
                wanted = {provider.slug: provider for provider in self._asked()}
                for slug, (provider, task) in tuple(asking.items()):
                    if wanted.get(slug) != provider:
                        task.cancel()
                        del asking[slug]
                for slug, provider in wanted.items():
                    if slug not in asking:
                        asking[slug] = provider, asyncio.create_task(self._ask_on(provider))
                with suppress(TimeoutError):  # a provider may have got its first key meanwhile, or lost its last
                    await asyncio.wait_for(self._changed.wait(), _LOOK_S)
        finally:
            for _, task in asking.values():
                task.cancel()

    def _asked(self) -> list[Provider]:
        """The providers that are asked now: of those that sleep for want of a key, the ones that were given one."""
        dormant = self._written.dormant
        return [one for one in _listing(self._written) if one.slug not in dormant or self._key(one) is not None]

    async def _ask_on(self, provider: Provider) -> None:
        """Ask one provider again and again, not at the same moment as others."""
        await asyncio.sleep(_FIRST_S * self._dice())
        while True:
            try:
                await self._ask(provider)
            except ProviderError as error:
                self._say_silent(provider.slug, str(error))
            except Exception as error:  # a mistake of ours with one list must not end the asking
                self._say_silent(provider.slug, type(error).__name__)
            every_s = provider.discover_every_s
            pause_s = every_s if provider.slug in self._lists else min(every_s, _AGAIN_S)
            await asyncio.sleep(pause_s * (0.9 + 0.2 * self._dice()))

    async def _ask(self, provider: Provider) -> None:
        slug = provider.slug
        found = await ask(self._client, provider, self._key(provider))
        if slug in self._silent:
            self._silent.discard(slug)
            _log.info("the model list of %s can be read again", slug)
        if found != self._lists.get(slug):
            self._lists = {**self._lists, slug: found}
            await self._merge()
            self._unkept.add(slug)
            _log.info("%s lists %d models", slug, len(found))
        if slug in self._unkept and await asyncio.to_thread(self._files.write, provider, found):
            self._unkept.discard(slug)

    def _say_silent(self, slug: str, why: str) -> None:
        """Say once that a list does not come, until it does."""
        if slug not in self._silent:
            self._silent.add(slug)
            _log.warning("the model list of %s cannot be had, the last one stays: %s", slug, why)

    async def _follow(self) -> None:
        """Take the lists that another worker of this server writes."""
        while True:
            await asyncio.sleep(_LOOK_S)
            found = await asyncio.to_thread(self._files.newer, _listing(self._written))
            if found:
                self._lists = {**self._lists, **found}
                await self._merge()

    async def _merge(self) -> None:
        """Use the catalog of now with the lists of now, even should either change meanwhile."""
        while True:
            written, lists = self._written, self._lists
            made = await asyncio.to_thread(with_discovered, written, lists)
            if written is self._written and lists is self._lists:
                self._use(made)
                return


def _listing(written: Catalog) -> list[Provider]:
    """The providers whose own lists count, once they are awake."""
    everyone = (*written.providers.values(), *(offer.provider for offer in written.dormant.values()))
    return [provider for provider in everyone if provider.discover and provider.enabled]


def _same(before: Catalog, after: Catalog, slug: str) -> bool:
    """Whether a provider's list still holds: it is asked for as before, at the same place."""
    one, other = ({provider.slug: provider for provider in _listing(of)}.get(slug) for of in (before, after))
    return one is not None and other is not None and one.base_url == other.base_url
