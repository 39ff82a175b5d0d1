"""What the tests of the edge share: gateways with short deadlines, sockets by the dozen, a look at a process."""

from __future__ import annotations

import json
import re
import select
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support.http import RawConnection, request_bytes
from support.processes import KEY, Gateway, config_file, simulated

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    import pytest

    from simulator.client import Simulator
    from support.http import Answer

HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"


@contextmanager
def serving(
    tmp_path_factory: pytest.TempPathFactory, simulator: Simulator, settings: Mapping[str, Any], **options: Any
) -> Generator[Gateway]:
    """A gateway in front of the simulator, which answers and ends cleanly whatever was done to it."""
    folder = tmp_path_factory.mktemp("edge")
    gateway = Gateway(folder, config=config_file(folder, **simulated(simulator), settings=settings), **options)
    try:
        yield gateway
        assert gateway.call("GET", "/presets").status == 200, "whatever came before, it still answers"
    finally:
        code = gateway.stop()
    assert code == 0, gateway.log_text()
    assert "Traceback" not in gateway.log_text()


@contextmanager
def crowd(gateway: Gateway, count: int) -> Generator[list[RawConnection]]:
    """So many connections, on which nothing has been sent."""
    with ExitStack() as stack:
        yield [stack.enter_context(RawConnection(gateway.origin)) for _ in range(count)]


def post(
    gateway: Gateway, path: str, content: Any = None, *headers: tuple[str, str], key: str = KEY, version: str = "1.1"
) -> bytes:
    """A POST under the API with the admin key, or another. Without content it is the head alone."""
    body = None if content is None else json.dumps(content).encode()
    whole = request_bytes("POST", gateway.url + path, body, headers=[("Authorization", f"Bearer {key}"), *headers])
    return whole.replace(b"HTTP/1.1", f"HTTP/{version}".encode(), 1)


def chat(gateway: Gateway, *headers: tuple[str, str], version: str = "1.1", **fields: Any) -> bytes:
    """A chat request for the model that only the simulator serves."""
    content = {"model": "sim/solo", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return post(gateway, "/chat/completions", content, *headers, version=version)


def refused(answer: Answer, status: int, type_: str) -> None:
    """The answer is this error in the plain envelope, and the last on its connection."""
    assert answer.status == status, (answer.status, answer.body)
    assert (answer.json()["error"]["code"], answer.json()["error"]["metadata"]["error_type"]) == (status, type_)
    assert answer.header("connection") == "close"


def ended(connection: RawConnection) -> bool:
    """Whether the other end is done with the connection, having said nothing more. Waits for that."""
    try:
        return connection.read_all() == b""
    except ConnectionResetError:
        return True


def answers_at_once(connection: RawConnection) -> bool:
    """Whether there is something to read, or an end, right now."""
    return bool(select.select([connection.fileno()], [], [], 0)[0])


def open_connections(gateway: Gateway) -> int:
    """How many client connections the gateway, or the system in its name, still holds."""
    port = f":{int(gateway.origin.rpartition(':')[2]):04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    # Closed by us with nothing left to send, they belong to nobody; the listener (0A) is none.
    return sum(row[1].endswith(port) and row[3] != "0A" and (row[9] != "0" or row[3] == "04") for row in rows)


def memory_bytes(gateway: Gateway) -> int:
    """The resident memory of the gateway."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{gateway.pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1_024


def cpu_s(gateway: Gateway) -> float:
    """The processor time that the gateway has used, in seconds."""
    fields = Path(f"/proc/{gateway.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
