"""The upstreams behind one client's models, which count what they serve; and what that comes to at our prices."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from clients.said import Said, Tokens
from clients.upstreams import DIALECTS, Dialect, answer, billed, broken, empty, left_open, refusal
from support.processes import UPSTREAM_KEY

if TYPE_CHECKING:
    from simulator.client import Simulator
    from simulator.steps import Script

PRICES = {"prompt": "0.00000123", "completion": "0.0000071"}
MORE_PRICES = {"input_cache_read": "0.000000031", "internal_reasoning": "0.0000097"}

ANSWERS = Said("Rain in Bonn, as ever.", tokens=Tokens(120, 80, 45, 30))
FAILS = Said(tokens=Tokens(311, 200, 17, 9))
"""What is counted of a try that gives nothing."""
BREAKS = Said("Rain in Bonn, and sun in K\u00f6ln.", tokens=Tokens(97, 13, 31, 0))
"""What is said in a stream that does not come to its count."""

_BASES: dict[Dialect, str] = {"chat": "/v1", "messages": "", "responses": "/v1"}
SCENES = ("whole", "streamed", "empty", "billed", "refused", "repeated", "broken", "left")
"""What happens to a client, each time at a model of its own, so that nothing is known of its endpoints."""


def cost(tokens: Tokens) -> Decimal:
    """What so many tokens cost, in US dollars, worked out from the prices above."""
    fresh, plain = tokens.input - tokens.cached, tokens.output - tokens.reasoning
    return (
        fresh * Decimal("0.00000123")
        + tokens.cached * Decimal("0.000000031")
        + plain * Decimal("0.0000071")
        + tokens.reasoning * Decimal("0.0000097")
    )


class _Serving(NamedTuple):
    """What one upstream does to a request, and what it counts of it, if it ever says."""

    script: Script
    counted: Tokens | None


class Till:
    """Two upstreams, one behind the other, of which the first speaks this dialect. Nobody else asks them."""

    def __init__(self, simulator: Simulator, name: str, dialect: Dialect) -> None:
        self.name = name
        self.dialect: Dialect = dialect
        self.counted: list[Tokens] = []
        self._simulator = simulator
        self._behind: Dialect = DIALECTS[(DIALECTS.index(dialect) + 1) % len(DIALECTS)]
        self._places: dict[str, Dialect] = {"first": dialect, "second": self._behind}
        self._asked = dict.fromkeys(self._places, 0)

    def providers(self) -> dict[str, Any]:
        """Both, as a file of a gateway names them."""
        return {
            f"{self.name}-{place}": {
                "dialect": dialect,
                "base_url": self._simulator.url(f"/{self.name}/{place}{_BASES[dialect]}"),
                "api_key": UPSTREAM_KEY,
            }
            for place, dialect in self._places.items()
        }

    def models(self) -> dict[str, Any]:
        """One for each scene."""
        pricing = {**PRICES, **MORE_PRICES}

        def endpoints(scene: str) -> list[dict[str, Any]]:
            offers = [
                {"provider": f"{self.name}-{place}", "model": scene, "pricing": pricing, "weight": weight}
                for place, weight in (("first", 1), ("second", 0))
            ]
            return offers[:1] if scene == "repeated" else offers

        return {self.model(scene): {"endpoints": endpoints(scene)} for scene in SCENES}

    def model(self, scene: str) -> str:
        """The model that a scene takes place at."""
        return f"{self.name}/{scene}"

    def stage(self, scene: str) -> None:
        """Let the upstreams do from now on what the scene is made of."""
        first, second = self._scene(scene)
        for place, servings in (("first", first), ("second", second)):
            if servings:
                self._simulator.script(*(one.script for one in servings), prefix=f"/{self.name}/{place}/")
                self._asked[place] += len(servings)
                self.counted += [one.counted for one in servings if one.counted is not None]

    def verify(self) -> None:
        """Each was asked as often as it was to be, so that all that is counted was served."""
        for place, asked in self._asked.items():
            received = self._simulator.requests(f"/{self.name}/{place}/")
            assert len(received) == asked, f"{self.name}, the {place}"

    def _scene(self, scene: str) -> tuple[list[_Serving], list[_Serving]]:
        """What the first and the second of them do."""
        mine, behind = self.dialect, self._behind
        whole, fallback = self._answer(mine), self._answer(behind)
        match scene:
            case "streamed":
                return [self._answer(mine, streamed=True)], []
            case "empty":
                return [_Serving(empty(mine, FAILS), FAILS.tokens)], [fallback]
            case "billed":
                return [_Serving(billed(mine, FAILS), FAILS.tokens)], [fallback]
            case "refused":
                return [_Serving(refusal(mine, 429, "rate_limit_error"), None)], [self._answer(behind, streamed=True)]
            case "repeated":
                return [_Serving(billed(mine, FAILS), FAILS.tokens), whole], []
            case "broken":
                return [_Serving(broken(mine, BREAKS), None)], []
            case "left":
                return [_Serving(left_open(mine, BREAKS), None)], []
            case _:
                return [whole], []

    def _answer(self, dialect: Dialect, *, streamed: bool = False) -> _Serving:
        return _Serving(answer(dialect, ANSWERS, streamed=streamed), ANSWERS.tokens)
