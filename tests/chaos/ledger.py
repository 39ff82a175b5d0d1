"""What a gateway has acknowledged over all its lives, and the writers that ask it: none of it may ever be missing."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from chaos.books import query
from support.load import WELL, ask, asking
from support.processes import KEY

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from chaos.stage import Stage
    from support.load import Heard, Manner

SLUGS = ("red", "green", "blue")
_PROMPT = "You are one of many. " * 40


@dataclass
class PresetBook:
    """What is known of one preset: the number written into each version, and where its pointer may point.

    `asked` are all numbers that were sent, answered or not. `designated` None: the last change was not answered.
    """

    asked: set[int] = field(default_factory=set)
    versions: dict[int, int] = field(default_factory=dict)
    designated: int | None = None


class Shift:
    """One time of work against one life of a stage. Made inside the event loop."""

    def __init__(self, stage: Stage) -> None:
        self.url = stage.gateway.url
        self.stop = asyncio.Event()
        self._origin = stage.origin()
        self._answers = asyncio.Semaphore(0)

    async def ask(self, request: bytes, manner: Manner = WELL) -> Heard:
        """What one client hears."""
        heard = await ask(self._origin, request, manner)
        self._answers.release()
        return heard

    async def answers(self, count: int) -> None:
        """Returns when so many more have been heard since the last time that somebody waited."""
        for _ in range(count):
            await self._answers.acquire()


class Ledger:
    """All that was acknowledged. One writer at a time has the hand on each preset, and one on the keys."""

    def __init__(self) -> None:
        self.presets = {slug: PresetBook() for slug in SLUGS}
        self.keys: dict[str, str] = {}
        """Keys in plain text, by the hash that stands for them."""
        self.asked_keys = 0
        self.refusals: list[str] = []
        """What was answered, and not with success."""
        self.numbers = count()

    @property
    def acknowledged(self) -> int:
        """How many versions and keys there must be at least."""
        return sum(len(book.versions) for book in self.presets.values()) + len(self.keys)

    async def write_versions(self, shift: Shift, slug: str, dice: Random) -> None:
        """Create versions and designate older ones, one after the other."""
        book, path = self.presets[slug], f"{shift.url}/presets/{slug}"
        while not shift.stop.is_set():
            if book.versions and dice.random() < 0.3:
                wanted = dice.choice(list(book.versions))
                heard = await shift.ask(asking("POST", f"{path}/versions/{wanted}/designate", b"{}", key=KEY))
            else:
                number = next(self.numbers)
                book.asked.add(number)
                body = json.dumps(_captured(number)).encode()
                heard = await shift.ask(asking("POST", f"{path}/chat/completions", body, key=KEY))
                wanted = None
            book.designated = None
            if (preset := self._told(heard, 200)) is not None:
                version = preset["data"]["designated_version"]
                book.designated = version["version"]
                if wanted is None:
                    book.versions[version["version"]] = version["config"]["seed"]
                elif version["version"] != wanted:
                    self.refusals.append(f"{slug}@{wanted} was to be designated: {version}")

    async def write_keys(self, shift: Shift) -> None:
        """Create keys, one after the other."""
        while not shift.stop.is_set():
            self.asked_keys += 1
            body = json.dumps({"name": f"key {self.asked_keys}"}).encode()
            heard = await shift.ask(asking("POST", f"{shift.url}/keys", body, key=KEY))
            if (made := self._told(heard, 201)) is not None:
                self.keys[made["data"]["hash"]] = made["key"]

    def missing(self, data_dir: Path) -> list[str]:
        """What is not as it was acknowledged, or not whole."""
        found = [f"integrity: {row}" for row in query(data_dir, "PRAGMA integrity_check") if row != ("ok",)]
        found += [f"foreign key: {row}" for row in query(data_dir, "PRAGMA foreign_key_check")]
        rows = query(data_dir, "SELECT id, slug, designated_version, latest_version FROM presets")
        known = {slug for _, slug, _, _ in rows}
        found += [f"{slug} is gone" for slug, book in self.presets.items() if book.versions and slug not in known]
        for id_, slug, designated, latest in rows:
            stored = query(data_dir, "SELECT version, config FROM versions WHERE preset_id = ? ORDER BY version", id_)
            found += _other(slug, self.presets[slug], designated, latest, {v: _seed(config) for v, config in stored})
        digests = {digest for (digest,) in query(data_dir, "SELECT digest FROM keys")}
        found += [f"key {digest} is gone" for digest in self.keys.keys() - digests]
        if len(digests) > self.asked_keys + 1:  # beside the key that is there from the start
            found.append(f"{len(digests)} keys, of {self.asked_keys} that were asked for")
        return found

    def _told(self, heard: Heard, success: int) -> dict[str, Any] | None:
        """What a write was answered with; None when it was not answered, or not with success."""
        if heard.end != "whole" or heard.answer is None:
            return None
        if heard.answer.status != success:
            self.refusals.append(f"{heard.answer.status} {heard.answer.body!r}")
            return None
        return heard.answer.json()


def _captured(number: int) -> dict[str, Any]:
    system = {"role": "system", "content": _PROMPT}
    return {"model": "at/chat", "seed": number, "messages": [system]}


def _seed(config: str | bytes) -> int:
    return json.loads(config)["seed"]


def _other(slug: str, book: PresetBook, designated: int, latest: int, stored: dict[int, int]) -> list[str]:
    """What of one preset is other than it must be; `stored` are the numbers in its versions."""
    found: list[str] = []
    if list(stored) != list(range(1, latest + 1)):
        found.append(f"{slug} has versions {list(stored)}, and says {latest}")
    if designated not in stored or (book.designated is not None and designated != book.designated):
        found.append(f"{slug} designates {designated}, not {book.designated}")
    found += [
        f"{slug}@{v} is {stored.get(v)}, not {seed}" for v, seed in book.versions.items() if stored.get(v) != seed
    ]
    if len(set(stored.values())) < len(stored) or not set(stored.values()) <= book.asked:
        found.append(f"{slug} holds what was never asked, or twice: {stored}")
    return found
