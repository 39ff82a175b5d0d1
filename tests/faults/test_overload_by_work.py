"""More work than the loop can do: what comes too late is refused, what is let in stays quick, and it is over soon."""

from __future__ import annotations

import json
import threading
import time
from statistics import median
from typing import TYPE_CHECKING

from faults.faults_support import HANG_S, plain_gateway
from support.http import RawConnection, call, request_bytes
from support.processes import KEY

if TYPE_CHECKING:
    from support.processes import Gateway

CLIENTS = 100
ENOUGH = 40
"""How many of those that are let in behind the first refusals are looked at."""
AGAIN_S = 0.1
RECOVERY_S = 10.0

# As many parts as a body may have that is worked on at once: ten milliseconds and more of the loop's time each.
MESSAGES = [{"role": ("user", "assistant")[at % 2], "content": "x"} for at in range(1_500)]
WORK = json.dumps({"model": "setpoint/echo", "messages": MESSAGES}, separators=(",", ":")).encode()


gateway = plain_gateway


class Crowd:
    """Clients that ask for as long as the block runs, and come again soon when they are refused."""

    def __init__(self, gateway: Gateway) -> None:
        self.answers: list[tuple[float, float, int, str | None]] = []
        """When each answer came, how long it took, in seconds; its status, and its Retry-After."""
        self._url = gateway.url + "/chat/completions"
        self._leaving = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]

    def __enter__(self) -> Crowd:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        for thread in self._threads:
            thread.join()

    def refused(self) -> list[tuple[float, str | None]]:
        """When each refusal came, and its Retry-After."""
        return [(at, retry) for at, _, status, retry in list(self.answers) if status == 503]

    def let_in(self) -> list[float]:
        """How long those took, in seconds, that were let in when it had been busy for a second."""
        if not (refused := self.refused()):
            return []
        busy = min(at for at, _ in refused) + 1
        return [took for at, took, status, _ in list(self.answers) if status == 200 and at > busy]

    def _ask(self) -> None:
        request = request_bytes("POST", self._url, WORK, headers=[("Authorization", f"Bearer {KEY}")])
        with RawConnection(self._url, timeout_s=60) as connection:
            while not self._leaving.is_set():
                began = time.monotonic()
                connection.send(request)
                answer = connection.read_answer()
                ended = time.monotonic()
                self.answers.append((ended, ended - began, answer.status, answer.header("retry-after")))
                if answer.status != 200:
                    time.sleep(AGAIN_S)


def test_what_is_let_in_stays_quick_whatever_comes(gateway: Gateway) -> None:
    url = gateway.url + "/chat/completions"
    began = time.monotonic()
    for _ in range(10):
        assert call("POST", url, body=WORK, key=KEY, timeout_s=HANG_S).status == 200
    alone = (time.monotonic() - began) / 10

    began = time.monotonic()
    with Crowd(gateway) as crowd:
        while len(crowd.let_in()) < ENOUGH:
            assert time.monotonic() < began + HANG_S, "they are not let in"
            assert call("GET", gateway.origin + "/health", timeout_s=60).status == 200
            time.sleep(0.05)
    left = time.monotonic()
    while call("POST", url, body=WORK, key=KEY, timeout_s=60).status != 200:
        assert time.monotonic() < left + RECOVERY_S

    refused, took = crowd.refused(), crowd.let_in()
    assert {status for _, _, status, _ in crowd.answers} == {200, 503}
    assert {retry for _, retry in refused} == {"1"}
    first = min(at for at, _ in refused)
    print(
        f"{len(crowd.answers)} answers, {len(refused)} refused, the first after {first - began:.1f} s; let in, median: "
        f"{median(took) * 1e3:.0f} ms, {alone * 1e3:.0f} ms alone"
    )
    assert median(took) < CLIENTS * alone / 4, "what is let in does not wait for the work of all others"
