"""A restart that nobody notices: the next process takes the listening socket over, and no request fails."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from server.process.process_support import ended_behind, successor
from support.http import RawConnection, call, request_bytes
from support.processes import KEY, clean_environment
from support.waiting import children, lives, until

if TYPE_CHECKING:
    from pathlib import Path

    from support.processes import StartGateway

ECHO = {"model": "setpoint/echo", "messages": [{"role": "user", "content": "hi"}]}
BY_WORKERS = pytest.mark.parametrize("workers", ["1", "2"])


def asking(origin: str, key: str) -> bytes:
    """A request to the echo model as it goes over the wire."""
    headers = (("Authorization", f"Bearer {key}"), ("Content-Type", "application/json"))
    return request_bytes("POST", f"{origin}/api/v1/chat/completions", json.dumps(ECHO).encode(), headers=headers)


class Clients:
    """Clients of every kind that never rest; what went wrong for any of them is in `faults`."""

    def __init__(self, origin: str, key: str) -> None:
        self.origin, self.key = origin, key
        self.asked = 0
        self.faults: list[str] = []
        self._done = threading.Event()
        self._threads = [threading.Thread(target=one) for one in (self._fresh, self._fresh, self._kept, self._streams)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _fresh(self) -> None:
        """A connection for each request."""
        while not self._done.is_set():
            self._ask({**ECHO})

    def _streams(self) -> None:
        while not self._done.is_set():
            self._ask({**ECHO, "stream": True}, ending=b"data: [DONE]\n\n")

    def _ask(self, body: dict[str, object], ending: bytes = b"") -> None:
        try:
            answer = call("POST", f"{self.origin}/api/v1/chat/completions", body, key=self.key)
            if answer.status != 200 or not answer.body.endswith(ending):
                self.faults.append(f"{answer.status}: {answer.body[-200:]!r}")
        except OSError as error:
            self.faults.append(repr(error))
        self.asked += 1

    def _kept(self) -> None:
        """One connection for as long as the server keeps it."""
        request = asking(self.origin, self.key)
        while not self._done.is_set():
            try:
                with RawConnection(self.origin) as connection:
                    while not self._done.is_set():
                        connection.send(request)
                        answer = connection.read_answer()
                        self.asked += 1
                        if answer.status != 200:
                            self.faults.append(f"{answer.status}: {answer.body!r}")
                        if answer.header("connection") == "close":
                            break
            except (OSError, AssertionError, EOFError) as error:
                self.faults.append(f"kept: {error!r}")


@BY_WORKERS
def test_restarts_under_load_fail_no_request(start_gateway: StartGateway, workers: str) -> None:
    gateway = start_gateway(arguments=["--workers", workers], settings={"log_format": "json", "shutdown_grace_s": 5})
    pids: list[int] = []
    with ended_behind(pids), Clients(gateway.origin, gateway.key) as clients:
        pid = gateway.pid
        for _ in range(2):  # the second one hands on a socket that it was handed
            before = clients.asked
            until(lambda before=before: clients.asked > before + 10)
            os.kill(pid, signal.SIGUSR2)
            after = successor(gateway, pid)
            pids.append(after)
            until(lambda pid=pid: not lives(pid))
            pid = after
        before = clients.asked
        until(lambda: clients.asked > before + 10)
        clients.__exit__()
        assert clients.faults == []
    assert gateway.process.wait(20) == 0


@BY_WORKERS
def test_a_successor_that_cannot_start_changes_nothing(
    start_gateway: StartGateway, workers: str, tmp_path: Path
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("settings: {log_format: json}\n")
    gateway = start_gateway(config=path, arguments=["--workers", workers])
    path.write_text("settings: {prot: 1}\n")
    gateway.process.send_signal(signal.SIGUSR2)
    until(lambda: "has ended before it was ready: this one goes on" in gateway.process.stderr_text())
    assert "settings.prot: there is no such key" in gateway.process.stderr_text()
    assert gateway.call("POST", "/chat/completions", ECHO).status == 200
    path.write_text("settings: {log_format: json}\n")
    pids: list[int] = []
    with ended_behind(pids):
        gateway.process.send_signal(signal.SIGUSR2)
        pids.append(successor(gateway, gateway.pid))
        assert gateway.process.wait(40) == 0
        assert gateway.call("POST", "/chat/completions", ECHO).status == 200


def test_clients_that_rest_during_a_restart_may_send_one_more_request(start_gateway: StartGateway) -> None:
    gateway = start_gateway(settings={"log_format": "json"})
    request = asking(gateway.origin, gateway.key)
    pids: list[int] = []
    with ended_behind(pids), RawConnection(gateway.origin) as connection:
        connection.send(request)
        assert connection.read_answer().header("connection") is None
        gateway.process.send_signal(signal.SIGUSR2)
        pids.append(successor(gateway, gateway.pid))
        connection.send(request)
        answer = connection.read_answer()
        assert (answer.status, answer.header("connection")) == (200, "close")
        assert gateway.process.wait(20) == 0


def test_a_socket_that_a_service_manager_holds_is_served_across_stops(tmp_path: Path) -> None:
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        held.listen(1000)
        origin = f"http://127.0.0.1:{held.getsockname()[1]}"
        first = activated(tmp_path, held)
        try:
            assert call("GET", f"{origin}/health").status == 200
            with Clients(origin, KEY) as clients:
                for _ in range(2):
                    before = clients.asked
                    until(lambda before=before: clients.asked > before + 10)
                    first.terminate()
                    assert first.wait(20) == 0
                    first = activated(tmp_path, held)
                before = clients.asked
                until(lambda: clients.asked > before + 10)
            assert [fault for fault in clients.faults if not fault.startswith("kept")] == []
        finally:
            first.terminate()
            assert first.wait(20) == 0


def activated(folder: Path, held: socket.socket) -> subprocess.Popen[bytes]:
    """A server that is started with this socket, as a service manager does it."""
    environment = {
        **clean_environment(folder),
        "SETPOINT_DATA_DIR": str(folder / "data"),
        "SETPOINT_API_KEY": KEY,
        "LISTEN_FDS": "1",
    }
    words = f"exec {sys.executable} -m setpoint serve 3<&{held.fileno()}"
    return subprocess.Popen(["bash", "-c", words], env=environment, cwd=folder, pass_fds=[held.fileno()])


def test_the_service_manager_hears_when_it_is_ready_and_who_took_over(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        where = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        gateway = start_gateway(environment=where, settings={"log_format": "json"})
        assert manager.recv(100) == b"READY=1"
        pids: list[int] = []
        with ended_behind(pids):
            gateway.process.send_signal(signal.SIGUSR2)
            assert manager.recv(100) == b"READY=1", "the successor"
            pids.append(successor(gateway, gateway.pid))
            assert manager.recv(100) == b"MAINPID=%d" % pids[0]
            os.kill(pids[0], signal.SIGTERM)
            assert manager.recv(100) == b"STOPPING=1"


def test_what_is_not_one_listening_socket_is_refused_in_plain_words(tmp_path: Path) -> None:
    environment = {**clean_environment(tmp_path), "SETPOINT_DATA_DIR": str(tmp_path / "data"), "LISTEN_FDS": "1"}
    with (tmp_path / "file").open("wb") as file:
        words = f"exec {sys.executable} -m setpoint serve 3>&{file.fileno()}"
        ran = subprocess.run(
            ["bash", "-c", words],
            env=environment,
            capture_output=True,
            pass_fds=[file.fileno()],
            timeout=30,
            check=False,
        )
    assert ran.returncode == 1
    assert b"LISTEN_FDS: one listening TCP socket is expected" in ran.stderr
    assert b"Traceback" not in ran.stderr
    assert not (tmp_path / "data").exists()


def test_descriptors_that_are_for_another_process_are_left_alone(start_gateway: StartGateway) -> None:
    gateway = start_gateway(environment={"LISTEN_FDS": "1", "LISTEN_PID": "1"})
    assert gateway.call("POST", "/chat/completions", ECHO).status == 200
    assert children(gateway.pid) == set()
