"""One pair of a skin and a dialect: a gateway whose model is at one upstream, which says what the test wants."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from clients.heard import Step, heard
from clients.said import MODEL
from clients.scenes import PRICING
from clients.upstreams import DIALECTS, Dialect, answer, broken, refusal
from simulator.script import body
from support.processes import UPSTREAM_KEY, config_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from clients.said import Said
    from simulator.client import Received, Simulator
    from support.processes import Gateway

_BASES: dict[Dialect, str] = {"chat": "/chat/v1", "messages": "/messages", "responses": "/responses/v1"}


def pairs_config(folder: Path, simulator: Simulator) -> Path:
    """The file of a gateway with a provider, and a model, of each dialect."""
    return config_file(
        folder,
        providers={
            dialect: {"dialect": dialect, "base_url": simulator.url(_BASES[dialect]), "api_key": UPSTREAM_KEY}
            for dialect in DIALECTS
        },
        models={
            f"pair/{dialect}": {
                "endpoints": [
                    {"provider": dialect, "model": MODEL, "pricing": PRICING, "max_output_tokens": 4_096},
                ]
            }
            for dialect in DIALECTS
        },
    )


def anthropic_url(gateway: Gateway) -> str:
    """The address that Anthropic's clients are given: they put `/v1` behind it themselves."""
    return f"{gateway.origin}/api"


class Pair:
    """The gateway in front of the upstream of one dialect."""

    def __init__(self, gateway: Gateway, simulator: Simulator, dialect: Dialect) -> None:
        self.gateway = gateway
        self.simulator = simulator
        self.dialect: Dialect = dialect
        self.model = f"pair/{dialect}"
        self.key = gateway.key
        self.answers = 0
        """How often the upstream is to be asked, all in all."""

    def says(self, *answers: Said, streamed: bool = False) -> None:
        """What the upstream answers next, in turn; all of it must be asked for, and nothing else."""
        self.says_each([(said, streamed) for said in answers])

    def says_each(self, answers: Sequence[tuple[Said, bool]]) -> None:
        """The same, where each answer is streamed or not."""
        self.answers += len(answers)
        scripts = [answer(self.dialect, said, streamed=streamed) for said, streamed in answers]
        self.simulator.script(*scripts, prefix=_BASES[self.dialect])

    def counts(self, tokens: int) -> None:
        """An upstream of messages, asked to count tokens, says so many."""
        self.answers += 1
        self.simulator.script(body({"input_tokens": tokens}), prefix=_BASES[self.dialect])

    def refuses(self, code: int, kind: str) -> None:
        """An error of the upstream's own."""
        self.answers += 1
        self.simulator.script(refusal(self.dialect, code, kind), prefix=_BASES[self.dialect])

    def breaks(self, said: Said) -> None:
        """A stream that says this and is cut before its end."""
        self.answers += 1
        self.simulator.script(broken(self.dialect, said), prefix=_BASES[self.dialect])

    def received(self) -> list[Received]:
        """What the upstream received so far."""
        return self.simulator.requests(_BASES[self.dialect])

    def bodies(self) -> list[dict[str, Any]]:
        """The bodies of it."""
        return [one.json() for one in self.received()]

    def heard(self) -> list[list[Step]]:
        """The conversation of each request so far."""
        return [heard(self.dialect, body) for body in self.bodies()]


def verify(pairs: Sequence[Pair], simulator: Simulator) -> None:
    """Every upstream was asked once for each of its answers, nobody else was asked, and none was told our key."""
    for pair in pairs:
        assert len(pair.received()) == pair.answers, f"requests of {pair.model}"
    requests = simulator.requests()
    assert len(requests) == sum(pair.answers for pair in pairs)
    for pair, request in product(pairs, requests):
        assert pair.key.encode() not in request.head + request.body, "the caller's key went upstream"
