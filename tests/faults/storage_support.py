"""What a storage that is away must not touch, and what must be so when it is back."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from statistics import median
from threading import Lock
from typing import TYPE_CHECKING, Any

from simulator import script
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path

    from simulator.client import Simulator
    from support.http import Answer
    from support.processes import Gateway

HANG_S = 30
WRITE_BOUND_S = 15
"""Three times what a write may take."""
PIN_BOUND_S = 3.0
"""Twelve times what a version may take that is not in memory."""

BODY: dict[str, Any] = {"model": "sim/model", "messages": [{"role": "user", "content": "Say it."}]}


class Patient:
    """A gateway whose storage goes away and comes back: what it is asked, and what must have become of it."""

    def __init__(self, gateway: Gateway, simulator: Simulator) -> None:
        self.gateway = gateway
        self._ids: list[str] = []
        self._lock = Lock()
        simulator.script(script.ok())
        made = self.write()
        assert made.status == 200, made.body
        self._old = made.json()["data"]["designated_version"]["version"]
        assert self.write().status == 200
        self.caller = self._new_key()
        self.control_s = self.infer()

    def infer(self, times: int = 20) -> float:
        """Ask for so many answers, each of which comes, and return how long the middle one took, in seconds."""
        return median(self._infer(number) for number in range(times))

    def _infer(self, number: int) -> float:
        model = "@preset/told" if number % 2 else "sim/model"
        start = time.monotonic()
        answer = self.gateway.call("POST", "/chat/completions", {**BODY, "model": model}, key=self.caller)
        took_s = time.monotonic() - start
        assert answer.status == 200, answer.body
        with self._lock:
            self._ids.append(answer.json()["id"])
        return took_s

    def write(self, prompt: str = "Be brief.") -> Answer:
        """Make one more version of the preset."""
        messages = [{"role": "system", "content": prompt}]
        return self.gateway.call("POST", "/presets/told/chat/completions", {"model": "sim/model", "messages": messages})

    def _add_provider_key(self) -> Answer:
        return self.gateway.call("POST", "/byok", {"provider": "sim", "key": "sk-never-0123456789"})

    def _new_key(self) -> str:
        made = self.gateway.call("POST", "/keys", {"name": "caller"})
        assert made.status == 201, made.body
        return str(made.json()["key"])

    def suffer(self, *, reads_fail: bool) -> None:
        """What must hold while the storage is away."""
        with ThreadPoolExecutor(24) as threads:
            writes = [threads.submit(timed, self.write) for _ in range(20)]
            writes.append(threads.submit(timed, self._add_provider_key))
            listing = threads.submit(timed, lambda: self.gateway.call("GET", "/presets"))
            away_s = self.infer()
            assert away_s < 5 * self.control_s + 0.05, (away_s, self.control_s)
            assert self._find(self._ids[-1]).status == 200  # from memory, or from the spool
            self.unknown_keys(10)
            if reads_fail:
                pinned, took_s = timed(self._pinned)
                refused(pinned)
                assert took_s < PIN_BOUND_S
            self._refused(writes)
            listed, took_s = listing.result(HANG_S)
            assert took_s < WRITE_BOUND_S
            if reads_fail:
                refused(listed)
            else:
                assert listed.status == 200

    def unknown_keys(self, times: int) -> None:
        """Ask with so many keys that nobody has: each is refused, and none is looked up."""
        start = time.monotonic()
        for number in range(times):
            assert self.gateway.call("POST", "/chat/completions", BODY, key=f"sk-sp-v1-{number:064x}").status == 401
        assert time.monotonic() - start < HANG_S

    @staticmethod
    def _refused(writes: list[Future[tuple[Answer, float]]]) -> None:
        for write in writes:
            answer, took_s = write.result(HANG_S)
            refused(answer)
            assert took_s < WRITE_BOUND_S

    def recover(self) -> None:
        """What must be so afterwards, without a restart: everything works, and every record is there once."""
        until(lambda: self.write().status == 200)
        listed = self.gateway.call("GET", "/byok").json()["data"]
        assert {row["source"] for row in listed} == {"configuration"}, "what was refused was not done"
        assert self.gateway.call("GET", "/key", key=self.caller).status == 200
        pinned = self._pinned()
        assert pinned.status == 200, pinned.body
        with self._lock:
            self._ids.append(pinned.json()["id"])
        self.infer(2)
        self.all_recorded(self.gateway.data_dir)
        assert [self._find(id_).status for id_ in self._ids] == [200] * len(self._ids)

    def all_recorded(self, data_dir: Path) -> None:
        """Every answer that was given has its one record in the database."""
        expected = dict.fromkeys(self._ids, "completed")
        until(lambda: expected.keys() <= recorded(data_dir).keys())
        assert expected.items() <= recorded(data_dir).items()

    def _find(self, id_: str) -> Answer:
        return self.gateway.call("GET", f"/generation?id={id_}")

    def _pinned(self) -> Answer:
        return self.gateway.call("POST", "/chat/completions", {**BODY, "model": f"@preset/told@{self._old}"})


def refused(answer: Answer) -> None:
    """The answer says that the storage is away, and nothing else."""
    assert answer.status == 503, answer.body
    error = answer.json()["error"]
    assert error["metadata"]["error_type"] == "unavailable"
    assert error["message"] == "Service temporarily unavailable"
    assert answer.header("retry-after") == "1"


def timed(ask: Callable[[], Answer]) -> tuple[Answer, float]:
    """An answer, and how long it took, in seconds."""
    start = time.monotonic()
    return ask(), time.monotonic() - start


def recorded(data_dir: Path) -> dict[str, str]:
    """The status of every record in the database, by its id, which is there once."""
    with closing(sqlite3.connect(data_dir / "setpoint.db")) as connection:
        return dict(connection.execute("SELECT id, status FROM generations").fetchall())
