"""The control plane under `/_sim/`: tests set scripts and read records here, on the port that the upstream listens on.

PUT    /_sim/script     {"prefix": "/a", "scripts": [...]}   how the next requests under a prefix are treated; with
                        "again": true, from the first one on when all were
GET    /_sim/requests   ?count=N&closed=I&wait_ms=T          what was received, all of it; with a condition, when
                                                             there are N of them, when the peer of number I closed
DELETE /_sim/requests                                        forget what was received
DELETE /_sim            forget scripts and requests, and reset the connections where a script still runs
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from simulator.answers import dumps, head
from simulator.steps import Script

if TYPE_CHECKING:
    from simulator.records import Memory


async def control(memory: Memory, method: str, target: str, body: bytes) -> bytes:
    """The HTTP answer to one request to the control plane."""
    url = urlsplit(target)
    match method, url.path:
        case "PUT", "/_sim/script":
            try:
                wanted = json.loads(body)
                scripts = [Script.from_json(it) for it in wanted["scripts"]]
                memory.set_scripts(wanted.get("prefix", ""), scripts, again=wanted.get("again", False))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                return _answer(400, {"error": f"no script: {error!r}"})
        case "GET", "/_sim/requests":
            query = {name: int(contents[0]) for name, contents in parse_qs(url.query).items()}
            await _wait(memory, query.get("count", 0), query.get("closed"), query.get("wait_ms", 0) / 1_000)
            return _answer(200, {"requests": [record.to_json() for record in memory.records]})
        case "DELETE", "/_sim/requests":
            memory.records.clear()
        case "DELETE", "/_sim":
            memory.clear()
        case _:
            return _answer(404, {"error": f"no such route: {method} {url.path}"})
    return _answer(200, {})


async def _wait(memory: Memory, count: int, closed: int | None, seconds: float) -> None:
    def holds() -> bool:
        records = memory.records
        if len(records) < count:
            return False
        if closed is None:
            return True
        return -len(records) <= closed < len(records) and records[closed].closed_ms is not None

    await memory.wait(holds, seconds)


def _answer(status: int, content: object) -> bytes:
    body = dumps(content)
    return head(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]) + body
