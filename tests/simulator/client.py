"""The handle on a simulator process that tests hold: set scripts, look at what was received. Synchronous."""

from __future__ import annotations

import http.client
import json
from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.steps import Script


@dataclass(frozen=True)
class Received:
    """One request as the upstream saw it.

    `head` is the request line and the headers as they were on the wire, `body` the body without transfer coding,
    `whole` whether it came to its end. Times in ms count from the moment the head was complete: `answered_ms` when
    the script was done with the answer, `closed_ms` when the peer closed the connection; None while that has not
    happened. `went_away` says that the peer closed before its answer was done. `connection` numbers connections.
    `sent_bytes` is how much of the answer the operating system has taken.
    """

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    head: bytes
    body: bytes
    whole: bool
    received_at: float
    answered_ms: float | None
    closed_ms: float | None
    went_away: bool
    connection: int
    sent_bytes: int

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """The value of the first header of this name, in any case; None when there is none."""
        return next((content for it, content in self.headers if it.lower() == name.lower()), None)


class Simulator:
    """A running simulator. Where a method takes a `prefix`, it means the requests whose path starts so."""

    def __init__(self, port: int, closing_port: int) -> None:
        self.port = port
        self.origin = f"http://127.0.0.1:{port}"
        self.closing_origin = f"http://127.0.0.1:{closing_port}"
        """Where every connection is closed as soon as it is accepted."""
        self.unwell = False
        """Whether any script was set that is more than right answers, also when it is forgotten by now."""

    def url(self, path: str = "") -> str:
        """The address of a path on it: `/a/v1` makes it one provider, `/b/v1` another."""
        return self.origin + path

    def script(self, *scripts: Script, prefix: str = "") -> None:
        """What happens to the next requests, one script each; the last one is for all that follow."""
        self._set(scripts, {"prefix": prefix})

    def cycle(self, *scripts: Script, prefix: str = "") -> None:
        """What happens to the next requests, one script each, and then from the first one on again."""
        self._set(scripts, {"prefix": prefix, "again": True})

    def requests(self, prefix: str = "") -> list[Received]:
        """What was received since the last `clear`, in order."""
        return self._requests("", prefix)

    def wait_for_requests(self, count: int = 1, *, timeout_s: float = 10) -> list[Received]:
        """What was received, as soon as there are so many. Raises: `TimeoutError`."""
        received = self._requests(f"?count={count}&wait_ms={timeout_s * 1_000:.0f}", "")
        if len(received) < count:
            raise TimeoutError(f"{len(received)} requests of {count} after {timeout_s} s")
        return received

    def wait_for_disconnect(self, index: int = -1, *, timeout_s: float = 10) -> Received:
        """The request of this index, as soon as its peer has closed the connection. Raises: `TimeoutError`."""
        received = self._requests(f"?count=1&closed={index}&wait_ms={timeout_s * 1_000:.0f}", "")
        if not -len(received) <= index < len(received) or received[index].closed_ms is None:
            raise TimeoutError(f"no disconnect of request {index} among {len(received)} after {timeout_s} s")
        return received[index]

    def forget_requests(self) -> None:
        """Forget what was received; scripts stay."""
        self._call("DELETE", "/_sim/requests")

    def clear(self) -> None:
        """As new: no scripts, no requests, and no script running."""
        self._call("DELETE", "/_sim")

    def _set(self, scripts: Sequence[Script], members: Mapping[str, Any]) -> None:
        self.unwell = self.unwell or not all(script.is_well for script in scripts)
        self._call("PUT", "/_sim/script", {**members, "scripts": [script.to_json() for script in scripts]})

    def _requests(self, query: str, prefix: str) -> list[Received]:
        found = self._call("GET", f"/_sim/requests{query}")["requests"]
        return [_received(record) for record in found if record["path"].startswith(prefix)]

    def _call(self, method: str, path: str, content: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, None if content is None else json.dumps(content))
            answer = connection.getresponse()
            said = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(said["error"])
        return said


def _received(record: Mapping[str, Any]) -> Received:
    read: dict[str, Any] = {
        "headers": tuple((name, content) for name, content in record["headers"]),
        "head": b64decode(record["head"]),
        "body": b64decode(record["body"]),
    }
    return Received(**{**record, **read})
