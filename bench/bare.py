"""The bare relay: the least that uvicorn and aiohttp can do between a client and an upstream.

It reads the body, sends it to the same path of the upstream, and passes status and bytes back as they come. It knows
no key, no preset, no price and no record: what Setpoint costs beside it is what Setpoint does.
"""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Any

import aiohttp
import uvicorn
import uvloop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_KEPT = (b"content-type", b"content-length")


async def read_body(receive: Receive) -> bytes:
    """The whole body of a request."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def main(upstream: str) -> None:
    """Serve on a free port of 127.0.0.1, which is printed, until the process is ended."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:

        async def relay(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
            body = await read_body(receive)
            headers = {"Content-Type": "application/json"}
            async with session.post(upstream + scope["path"], data=body, headers=headers) as answer:
                kept = [(name.lower(), value) for name, value in answer.raw_headers if name.lower() in _KEPT]
                await send({"type": "http.response.start", "status": answer.status, "headers": kept})
                async for data in answer.content.iter_any():
                    await send({"type": "http.response.body", "body": data, "more_body": True})
                await send({"type": "http.response.body", "body": b""})

        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            config = uvicorn.Config(
                relay,
                loop="uvloop",
                http="httptools",
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_level="warning",
                access_log=False,
                backlog=2048,
            )
            print(listener.getsockname()[1], flush=True)
            await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
