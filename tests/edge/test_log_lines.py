"""The log of a running gateway: a line for each exchange, and nobody waits for whoever reads it, or does not."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

from support.http import call

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.processes import Gateway, StartGateway

PIPE_BYTES = 4096
ASKED = 60
HANG_S = 20.0
COMMAND = ("/bin/sh", "-c", 'exec "$0" "$@" 2>"$ERRORS"', sys.executable, "-m", "setpoint")


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """The smallest pipe there is, by its name, and the end to read it from."""
    path = tmp_path / "errors"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    yield path, reader
    os.close(reader)


def read_lines(reader: int, count: int) -> list[str]:
    """So many lines, as they come."""
    data, until = b"", time.monotonic() + HANG_S
    while data.count(b"\n") < count and time.monotonic() < until:
        try:
            data += os.read(reader, 65_536)
        except BlockingIOError:
            time.sleep(0.005)
    return data.decode().splitlines()


def test_a_log_that_nobody_reads_holds_nobody_up_and_is_all_there_later(
    start_gateway: StartGateway, pipe: tuple[Path, int]
) -> None:
    path, reader = pipe
    gateway = start_gateway(command=COMMAND, environment={"ERRORS": str(path)}, settings={"log_format": "json"})
    content = {"model": "setpoint/echo", "messages": [{"role": "user", "content": "Hi"}]}
    ids: list[str | None] = []
    for _ in range(ASKED):
        answer = call("POST", f"{gateway.url}/chat/completions", content, key=gateway.key, timeout_s=HANG_S)
        assert answer.status == 200
        ids.append(answer.header("x-generation-id"))
    lines = read_lines(reader, ASKED)
    assert sum(map(len, lines)) > 3 * PIPE_BYTES, "the pipe was full"
    assert [json.loads(line)["id"] for line in lines] == ids


def test_a_log_that_nobody_reads_does_not_keep_the_server_from_its_end(
    start_gateway: StartGateway, pipe: tuple[Path, int]
) -> None:
    gateway = start_gateway(command=COMMAND, environment={"ERRORS": str(pipe[0])}, settings={"log_format": "json"})
    content = {"model": "setpoint/echo", "messages": [{"role": "user", "content": "Hi"}]}
    for _ in range(ASKED):
        assert call("POST", f"{gateway.url}/chat/completions", content, key=gateway.key).status == 200
    assert gateway.stop(HANG_S) == 0


def test_an_exchange_that_never_reached_a_provider_is_a_line_of_its_own(shared_gateway: Gateway) -> None:
    content = {"model": "nobody/nothing", "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}]}
    answer = shared_gateway.call("POST", "/messages", content)
    assert answer.status == 400
    lines = [json.loads(line) for line in shared_gateway.settled_log_text().splitlines() if line[:1] == "{"]
    [said] = [line for line in lines if line.get("id") == answer.header("x-generation-id")]
    assert (said["message"], said["status"], said["skin"]) == ("refused", "refused", "messages")
    assert (said["error"], said["streamed"], said["pid"]) == ("invalid_request", False, shared_gateway.pid)
    assert said["total_ms"] >= 0
    assert said["client"] == "127.0.0.1"
    assert "nobody" not in json.dumps(said)
