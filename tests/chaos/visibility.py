"""How long after a write is answered every worker knows of it, asked on many connections at once."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from support.load import ask, asking
from support.processes import KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaos.stage import Stage
    from support.http import Answer

_SLUG = "seen"


@dataclass
class Sight:
    """What was seen of many writes. Every question has a connection of its own, so any worker may get it.

    `delays` tells for each reader of each write how long behind the write's answer its question began that saw it,
    in seconds; 0 when its first one did.
    """

    delays: list[float] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    """The ids of the answers of inference, by which the log tells who gave them."""


async def watch(stage: Stage, writes: int, *, readers: int, first: int = 0) -> Sight:
    """Versions, keys and revocations, each looked for by so many readers at once as soon as it is answered.

    `first` is how many versions there are already.
    """
    sight = Sight()
    for number in range(first + 1, first + writes + 1):
        asked = _body(model="setpoint/echo", seed=number)
        await _write(stage, "POST", f"/presets/{_SLUG}/chat/completions", asked)
        await _look(stage, sight, readers, KEY, lambda answer, wanted=number: _version(answer) >= wanted)
        made = await _write(stage, "POST", "/keys", json.dumps({"name": f"key {number}"}).encode())
        await _look(stage, sight, readers, made["key"], lambda answer: answer.status == 200)
        await _write(stage, "DELETE", f"/keys/{made['data']['hash']}", None)
        await _look(stage, sight, readers, made["key"], lambda answer: answer.status == 401)
    return sight


async def _look(stage: Stage, sight: Sight, readers: int, key: str, seen: Callable[[Answer], bool]) -> None:
    """Ask until the answer shows the write, each reader for itself."""
    written = asyncio.get_running_loop().time()
    request = asking("POST", f"{stage.gateway.url}/chat/completions", _body(model=f"@preset/{_SLUG}"), key=key)

    async def read() -> None:
        for turn in count():
            heard = await ask(stage.origin(), request)
            assert heard.answer is not None, heard
            if heard.id is not None and heard.answer.status == 200:
                sight.answers.append(heard.id)
            if seen(heard.answer):
                sight.delays.append(heard.began_s - written if turn else 0.0)
                return

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for _ in range(readers):
            group.create_task(read())


async def _write(stage: Stage, method: str, path: str, body: bytes | None) -> dict[str, Any]:
    heard = await ask(stage.origin(), asking(method, stage.gateway.url + path, body, key=KEY))
    assert heard.answer is not None, heard
    assert heard.answer.status in (200, 201), heard
    return heard.answer.json()


def _body(**fields: Any) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": "Do you see it?"}], **fields}).encode()


def _version(answer: Answer) -> int:
    """The version that answered; 0 where not even the preset is known."""
    if answer.status == 404:
        return 0
    assert answer.status == 200, answer.body
    slug, _, version = (answer.header("x-setpoint-preset") or "").partition("@")
    assert slug == _SLUG
    return int(version)
