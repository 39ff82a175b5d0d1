"""A gateway whose standard error is a pipe that nobody reads: it answers as before, and loses no line of it."""

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

    from support.processes import StartGateway

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
