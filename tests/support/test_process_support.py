"""What the other tests lean on: processes start, say that they are ready and end; HTTP is read strictly."""

from __future__ import annotations

import signal
import socket
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from support.http import SseFrame, read_sse
from support.ports import hanging_origin, refusing_origin
from support.processes import KEY, Gateway, Process, clean_environment, config_file

SERVER = """
import json, os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print(json.dumps([sys.argv[1:], dict(os.environ)]), file=sys.stderr, flush=True)
print("warming up")
print("Setpoint 9.8.7 on http://127.0.0.1:4321", flush=True)
time.sleep(60)
"""
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("child", os.fork() or os.getpid(), flush=True)
time.sleep(60)
"""


def _runs(pid: int) -> bool:
    """Whether the process is there and not a zombie, which runs no more and waits only to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def python(folder: Path, program: str) -> Process:
    return Process([sys.executable, "-c", program], folder=folder, environment=clean_environment(folder))


def test_a_gateway_is_ready_when_it_says_so_and_ends_when_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-this-machine")
    config = config_file(tmp_path, settings={"stream_commit_s": 1})
    gateway = Gateway(tmp_path, config=config, command=[sys.executable, "-c", SERVER], arguments=["--workers", "2"])
    assert (gateway.version, gateway.origin) == ("9.8.7", "http://127.0.0.1:4321")
    assert gateway.url == "http://127.0.0.1:4321/api/v1"
    gateway.process.wait_for_output("warming")
    assert gateway.stop() == 7
    arguments, environment = yaml.safe_load(gateway.process.stderr_text())
    assert arguments == ["serve", "--port", "0", "--config", str(config), "--workers", "2"]
    assert environment["SETPOINT_API_KEY"] == KEY
    assert environment["SETPOINT_DATA_DIR"] == str(tmp_path / "data")
    assert "OPENAI_API_KEY" not in environment
    assert "warming up" in gateway.log_text()
    assert gateway.stop() == 7, "stopping twice changes nothing"


def test_a_gateway_that_ends_at_its_start_shows_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"ended with 3[\s\S]*no such setting"):
        Gateway(tmp_path, command=[sys.executable, "-c", "import sys; print('no such setting'); sys.exit(3)"])


def test_a_process_that_does_not_get_ready_is_given_up(tmp_path: Path) -> None:
    process = python(tmp_path, "import time; time.sleep(60)")
    with pytest.raises(RuntimeError, match="is not ready"):
        process.wait_for_output("ready", timeout_s=0.05)
    assert process.stop() == -signal.SIGTERM


def test_a_process_that_ignores_its_end_is_killed_with_its_children(tmp_path: Path) -> None:
    process = python(tmp_path, STUBBORN)
    child = int(process.wait_for_output(r"child (\d+)")[1])
    assert process.stop(timeout_s=0.1) == -signal.SIGKILL
    assert not process.running
    until = time.monotonic() + 10
    while _runs(child):
        assert time.monotonic() < until, "the child is still there"
        time.sleep(0.005)


def test_a_config_file_holds_the_sections_that_are_given(tmp_path: Path) -> None:
    path = config_file(tmp_path, models={"a/b": {"endpoints": [{"provider": "p", "pricing": {"prompt": "0.10"}}]}})
    assert yaml.safe_load(path.read_text()) == {
        "models": {"a/b": {"endpoints": [{"provider": "p", "pricing": {"prompt": "0.10"}}]}}
    }


def test_nobody_answers_at_a_refusing_or_a_hanging_port() -> None:
    with refusing_origin() as origin, socket.socket() as client, pytest.raises(ConnectionRefusedError):
        client.connect(("127.0.0.1", urlsplit(origin).port))
    with hanging_origin() as origin, socket.socket() as client:
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.connect(("127.0.0.1", urlsplit(origin).port))


def test_server_sent_events_are_read() -> None:
    stream = b": wait\n\nevent: a\ndata: 1\ndata: 2\n\ndata: {}\n\n"
    assert read_sse(stream) == [SseFrame(None, None, ("wait",)), SseFrame("a", "1\n2"), SseFrame(None, "{}")]


@pytest.mark.parametrize(
    "stream", [b"data: 1\n", b"data: 1\r\n\r\n\n", b"data 1\n\n", b"id: 1\n\n", b"event: a\n\n", b"data: \xff\n\n"]
)
def test_malformed_events_are_refused(stream: bytes) -> None:
    with pytest.raises(ValueError, match=r"event|utf-8"):
        read_sse(stream)
