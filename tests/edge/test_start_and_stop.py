"""From nothing to the first answer, from one start to the next, and to a clean end; and what keeps it from starting."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from simulator.script import stream
from support.http import RawConnection, call, open_stream, request_bytes
from support.processes import KEY, Process, clean_environment
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from simulator.client import Simulator
    from support.processes import Gateway, StartGateway

ECHO = {"model": "setpoint/echo", "messages": [{"role": "user", "content": "hi"}]}
READY = re.compile(r"^Setpoint \S+ on (http://\S+)$", re.MULTILINE)
SHOWN_KEY = re.compile(r"sk-sp-v1-[0-9a-f]{64}")


@pytest.fixture
def started() -> Iterator[list[Process]]:
    """Where processes that tests start are put, to be ended behind them."""
    processes: list[Process] = []
    yield processes
    for process in processes:
        process.stop()


def setpoint(folder: Path, *words: str, **environment: str) -> Process:
    """A `setpoint` command in this folder, with its data under it and nothing else said."""
    variables = {**clean_environment(folder), "SETPOINT_DATA_DIR": str(folder / "data"), **environment}
    return Process([sys.executable, "-m", "setpoint", *words], folder=folder, environment=variables)


def fails(folder: Path, *words: str, **environment: str) -> str:
    """What a command says that must end by itself with an error, in plain words."""
    process = setpoint(folder, *words, **environment)
    assert process.wait(20) == 1
    said = process.stdout_text() + process.stderr_text()
    assert "Traceback" not in said
    return said


# --- the first start -----------------------------------------------------------------------------------------


def test_without_any_configuration_it_answers(tmp_path: Path, started: list[Process]) -> None:
    began = time.monotonic()
    started.append(process := setpoint(tmp_path, "serve", "--port", "0"))
    origin = process.wait_for_output(READY.pattern)[1]
    (key,) = SHOWN_KEY.findall(process.stdout_text())
    answer = call("POST", f"{origin}/api/v1/chat/completions", ECHO, key=key)
    took_s = time.monotonic() - began
    assert answer.status == 200
    assert answer.json()["model"] == "setpoint/echo"
    assert took_s < 10, "a bound against hanging; the goal is measured elsewhere"
    assert origin.startswith("http://127.0.0.1:"), "nobody else can reach it unless told so"
    assert call("GET", f"{origin}/ready").status == 200
    assert process.stop() == 0


def test_the_first_key_is_shown_once_and_never_again(tmp_path: Path, started: list[Process]) -> None:
    started.append(process := setpoint(tmp_path, "serve", "--port", "0", "--host", "127.0.0.1"))
    process.wait_for_output(READY.pattern)
    (key,) = SHOWN_KEY.findall(process.stdout_text())
    assert process.stop() == 0
    started.append(process := setpoint(tmp_path, "serve", "--port", "0"))
    origin = process.wait_for_output(READY.pattern)[1]
    rows = call("GET", f"{origin}/api/v1/keys", key=key).json()["data"]
    assert [(row["hash"], row["role"]) for row in rows] == [(hashlib.sha256(key.encode()).hexdigest(), "admin")]
    assert process.stop() == 0
    assert key not in process.stdout_text() + process.stderr_text()
    assert SHOWN_KEY.search(process.stdout_text()) is None


def test_its_files_are_for_their_owner_only(tmp_path: Path, started: list[Process]) -> None:
    previous = os.umask(0)  # as open as can be, so that what is closed was closed on purpose
    try:
        started.append(process := setpoint(tmp_path, "serve", "--port", "0"))
    finally:
        os.umask(previous)
    process.wait_for_output(READY.pattern)
    data = tmp_path / "data"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [data, *data.rglob("*")]}
    [spool] = [path.name for path in (data / "spool").iterdir()]
    assert [modes.pop(folder) for folder in ("data", "spool", spool)] == [0o700] * 3
    assert {"setpoint.db", "setpoint.db-wal", "secret.key", "0000000001.jsonl"} <= set(modes)
    assert set(modes.values()) == {0o600}


def test_it_serves_though_nobody_reads_what_it_says(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**clean_environment(tmp_path), "SETPOINT_DATA_DIR": str(tmp_path / "data"), "SETPOINT_API_KEY": KEY}
    words = [sys.executable, "-m", "setpoint", "serve", "--port", str(port)]
    with subprocess.Popen(words, stdout=writing, stderr=subprocess.PIPE, env=environment, cwd=tmp_path) as process:
        os.close(writing)
        try:
            until(lambda: _answers(f"http://127.0.0.1:{port}/ready"))
        finally:
            process.terminate()
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert b"BrokenPipe" not in process.stderr.read()


def _answers(url: str) -> bool:
    try:
        return call("GET", url).status == 200
    except OSError:
        return False


# --- the next start ------------------------------------------------------------------------------------------


def test_everything_is_there_after_a_restart(start_gateway: StartGateway) -> None:
    first = start_gateway()
    for seed in (1, 2):
        assert first.call("POST", "/presets/kept/messages", {"top_k": seed}).status == 200
    first.call("POST", "/presets/kept/versions/1/designate", {})
    plain = first.call("POST", "/keys", {"name": "kept", "role": "editor"}).json()["key"]
    gone = first.call("POST", "/keys", {"name": "gone"}).json()
    first.call("DELETE", f"/keys/{gone['data']['hash']}")
    before = [first.call("GET", path).body for path in ("/presets", "/presets/kept", "/presets/kept/versions", "/keys")]
    secret = (first.data_dir / "secret.key").read_bytes()
    assert first.stop() == 0
    again = start_gateway(data_dir=first.data_dir)
    paths = ("/presets", "/presets/kept", "/presets/kept/versions", "/keys")
    assert [again.call("GET", path).body for path in paths] == before
    assert again.call("PATCH", "/presets/kept", {"name": "n"}, key=plain).status == 200
    assert again.call("GET", "/presets", key=gone["key"]).status == 401
    assert (again.data_dir / "secret.key").read_bytes() == secret
    third = again.call("POST", "/presets/kept/messages", {}).json()["data"]["designated_version"]["version"]
    assert third == 3


def test_a_kill_loses_nothing_that_was_acknowledged(start_gateway: StartGateway) -> None:
    first = start_gateway()
    made = first.call("POST", "/presets/kept/messages", {"top_k": 1}).json()["data"]
    plain = first.call("POST", "/keys", {"name": "kept"}).json()["key"]
    first.kill()
    again = start_gateway(data_dir=first.data_dir)
    assert again.call("GET", "/presets/kept").json()["data"] == made
    assert again.call("GET", "/presets", key=plain).status == 200


def test_the_configured_key_is_ensured_at_every_start(start_gateway: StartGateway, tmp_path: Path) -> None:
    data, second_key = tmp_path / "data", "another phrase of mine"
    first = start_gateway(data_dir=data)
    assert SHOWN_KEY.search(first.log_text()) is None, "no other key is made then"
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    change = {"disabled": True, "role": "read_only", "expires_at": "2020-01-01T00:00:00Z"}
    assert first.call("PATCH", f"/keys/{digest}", change).status == 200
    assert first.call("GET", "/keys").status == 401
    assert first.stop() == 0
    second = start_gateway(data_dir=data, key=second_key)
    assert second.call("GET", "/keys").status == 200
    assert second.call("GET", "/keys", key=KEY).status == 401, "the other one is left as it is"
    assert second.stop() == 0
    third = start_gateway(data_dir=data)
    rows = {row["hash"]: row for row in third.call("GET", "/keys").json()["data"]}
    assert (rows[digest]["role"], rows[digest]["expires_at"]) == ("admin", None)
    assert third.call("GET", "/keys", key=second_key).status == 200, "once ensured, it stays a key"
    assert len(rows) == 2
    third.call("DELETE", f"/keys/{digest}")
    assert third.stop() == 0
    assert start_gateway(data_dir=data).call("GET", "/keys").status == 200, "deleted is not for ever"


def test_two_servers_on_the_same_data_do_not_harm_it(start_gateway: StartGateway) -> None:
    first = start_gateway()
    second = start_gateway(data_dir=first.data_dir)
    for number, gateway in enumerate([first, second] * 5, start=1):
        made = gateway.call("POST", "/presets/shared/messages", {"top_k": number}).json()["data"]
        assert made["designated_version"]["version"] == number
    for gateway in (first, second):
        assert gateway.call("GET", "/presets/shared/versions").json()["total_count"] == 10
        assert gateway.stop() == 0
    with closing(sqlite3.connect(f"file:{first.data_dir / 'setpoint.db'}?mode=ro", uri=True)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_what_one_server_writes_another_on_the_same_data_hears_of(start_gateway: StartGateway) -> None:
    first = start_gateway()
    second = start_gateway(data_dir=first.data_dir)
    made = first.call("POST", "/keys", {"name": "caller"}).json()
    first.call("POST", "/presets/heard/chat/completions", {"model": "setpoint/echo"})
    body = {"model": "@preset/heard", "messages": [{"role": "user", "content": "Hi"}]}

    def answers() -> int:
        return second.call("POST", "/chat/completions", body, key=made["key"]).status

    until(lambda: answers() == 200, timeout_s=10)
    first.call("DELETE", f"/keys/{made['data']['hash']}")
    until(lambda: answers() == 401, timeout_s=10)


# --- what keeps it from starting -----------------------------------------------------------------------------


def test_a_wrong_file_is_told_by_line_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "setpoint.yaml").write_text(
        "settings:\n"
        "  log_levle: debug\n"
        "  port: many\n"
        "providers:\n"
        '  openai: {api_key: "${NO_SUCH_VARIABLE}"}\n'
        "  mine: {dialect: chat, base_ulr: http://x}\n"
        "modles: {}\n"
    )
    expected = [
        "setpoint.yaml:2: settings.log_levle: there is no such key, did you mean 'log_level'?",
        "setpoint.yaml:3: settings.port: must be an integer from 0 to 65535",
        "setpoint.yaml:5: the environment has no NO_SUCH_VARIABLE",
        "setpoint.yaml:6: providers.mine.base_ulr: there is no such key, did you mean 'base_url'?",
        "setpoint.yaml:7: modles: there is no such key, did you mean 'models'?",
    ]
    for command in ("serve", "check"):
        said = fails(tmp_path, command).splitlines()
        assert [line for line in expected if line not in said] == []
    assert not (tmp_path / "data").exists(), "nothing was begun"


def test_a_right_file_is_found_right(tmp_path: Path) -> None:
    (tmp_path / "setpoint.yaml").write_text("settings: {log_level: error}\n")
    process = setpoint(tmp_path, "check")
    assert process.wait(20) == 0
    assert "nothing is wrong" in process.stdout_text()
    process = setpoint(tmp_path, "check", "--show", SETPOINT_LOG_LEVEL="info")
    assert process.wait(20) == 0
    assert re.search(r"log_level +info +SETPOINT_LOG_LEVEL", process.stdout_text())
    assert not (tmp_path / "data").exists()


def test_what_cannot_be_is_refused_in_plain_words(tmp_path: Path) -> None:
    said = fails(
        tmp_path,
        *("serve", "--workers", "0", "--port", "65536"),
        SETPOINT_LOG_LEVLE="debug",
        SETPOINT_API_KEY="too short",
        SETPOINT_DATABASE_URL="postgres://x/y",
    )
    for complaint in (
        "--workers: workers: must be an integer from 1 to 256",
        "--port: port: must be an integer from 0 to 65535",
        "SETPOINT_LOG_LEVLE: there is no such option, did you mean 'SETPOINT_LOG_LEVEL'?",
        "SETPOINT_API_KEY: api_key: must be a printable string of at least 16 characters",
        "SETPOINT_DATABASE_URL: database_url: only the SQLite database in data_dir is built",
    ):
        assert complaint in said
    assert "nowhere.yaml: cannot be read: No such file" in fails(tmp_path, "serve", "--config", "nowhere.yaml")
    assert not (tmp_path / "data").exists(), "nothing was begun"


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for command in ("serve", "echo"):
            said = fails(tmp_path, command, "--port", str(port))
            assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in said
            assert READY.search(said) is None
    said = fails(tmp_path, "echo", "--port", "0", "--host", "no.such.host.invalid")
    assert "cannot listen on no.such.host.invalid:0: " in said


def test_a_database_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "setpoint.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE recipes (title TEXT)")
        database.commit()
    assert f"{path} is a database, but not one of Setpoint's" in fails(tmp_path, "serve", "--port", "0")
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]


# --- the end -------------------------------------------------------------------------------------------------


def wait_until_refused(gateway: Gateway) -> None:
    """Returns when nobody can connect any more: the signal has been heard."""
    for _ in range(1_000):
        try:
            call("GET", f"{gateway.origin}/health")
        except ConnectionError:
            return
    raise AssertionError("it still listens")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_whoever_is_connected(start_gateway: StartGateway, number: signal.Signals) -> None:
    gateway = start_gateway(settings={"log_format": "json", "log_level": "debug"})
    with RawConnection(gateway.origin) as idle, RawConnection(gateway.origin) as kept:
        kept.send(request_bytes("GET", f"{gateway.origin}/health"))
        assert kept.read_answer().status == 200
        gateway.process.send_signal(number)
        assert gateway.process.wait(20) == 0
        assert (idle.read_all(), kept.read_all()) == (b"", b"")
    assert gateway.process.stderr_text() == ""
    with closing(socket.socket()) as client, pytest.raises(ConnectionRefusedError):
        client.connect(("127.0.0.1", int(gateway.origin.rpartition(":")[2])))


def test_a_second_signal_does_not_wait(start_gateway: StartGateway, simulator: Simulator) -> None:
    gateway = start_gateway(settings={"shutdown_grace_s": 60})
    simulator.script(stream(["a", "b"], finish=None, tokens=None, done=False, end="hang"))
    body = {**ECHO, "model": "sim/solo", "stream": True}
    with open_stream(f"{gateway.url}/chat/completions", body, key=gateway.key) as answer:
        assert next(answer.frames()).data is not None
        gateway.process.send_signal(signal.SIGINT)
        wait_until_refused(gateway)
        gateway.process.send_signal(signal.SIGINT)
        assert gateway.process.wait(20) == 0


def test_the_version_is_told(tmp_path: Path) -> None:
    process = setpoint(tmp_path, "--version")
    assert process.wait(20) == 0
    assert re.fullmatch(r"setpoint \d+\.\d+\.\d+\S*\n", process.stdout_text())
