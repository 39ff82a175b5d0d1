"""One case of chaos: a request, what its upstreams do to it, how its client behaves, and what it may come to.

A case is made by its seed and its number alone, so that any of them can be made again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from api.skins_support import ROUTES, SKINS, least
from simulator.orders import Fault, Order, marker
from support.load import WELL, Manner, asking
from support.processes import KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.records import Dialect
    from simulator.client import Simulator

CANARY = "never-to-be-logged-5ec2e7"
"""Stands in every prompt."""
PROVIDER_KEY = "sk-upstream-chaos-5ec2e7c0ffee"
WRONG_KEY = "sk-wrong-chaos-5ec2e7c0ffee"
SECRETS = (CANARY, PROVIDER_KEY, WRONG_KEY, KEY)

PRICE = {"prompt": "0.000001", "completion": "0.000002"}
_AT: dict[Dialect, str] = {"chat": "c", "messages": "m", "responses": "r"}
_ROOTS: dict[Dialect, str] = {"chat": "/c/v1", "messages": "/m", "responses": "/r/v1"}

Expected = Literal["answer", "error", "either", "refused", "gone"]
"""What a client is told that waits for it: its own answer, an error that is complete, one of the two, a refusal of
its own doing; or it has gone."""

Spoilt = Literal["garbage", "key", "method", "model"]


def providers(simulator: Simulator, refusing: str) -> dict[str, Any]:
    """One provider for each dialect, and `down`, which refuses every connection."""
    speaking: dict[str, Any] = {
        dialect: {"dialect": dialect, "base_url": simulator.origin + root, "api_key": PROVIDER_KEY}
        for dialect, root in _ROOTS.items()
    }
    return {**speaking, "down": {"dialect": "chat", "base_url": f"{refusing}/v1", "api_key": PROVIDER_KEY}}


def models() -> dict[str, Any]:
    """`at/chat` and its like at one provider, `down/solo` at the one that refuses, pairs such as `down-chat/pair`.

    `broken/chat` and its like are for what goes wrong there: the others at the same provider are asked all the same.
    """
    offers = {slug: {"provider": slug, "model": f"{slug}-model", "pricing": PRICE} for slug in (*SKINS, "down")}
    made = {f"at/{slug}": {"endpoints": [offers[slug]]} for slug in SKINS}
    made |= {f"broken/{slug}": {"endpoints": [offers[slug]]} for slug in SKINS}
    made["down/solo"] = {"endpoints": [offers["down"]]}
    for first in ("down", *SKINS):
        made |= {
            f"{first}-{then}/pair": {"endpoints": [offers[first], {**offers[then], "weight": 0}]}
            for then in SKINS
            if then != first
        }
    return made


@dataclass(frozen=True)
class Case:
    """One request of a storm."""

    number: int
    skin: Dialect
    stream: bool
    model: str
    order: Order
    manner: Manner = WELL
    spoilt: Spoilt | None = None
    expected: Expected = "answer"

    @property
    def hangs(self) -> bool:
        """Whether an upstream says nothing any more until it is given up."""
        return any(fault.name == "hang" for _, fault in self.order.faults)

    def request(self, url: str) -> bytes:
        """The request as it goes over the wire, on a connection of its own."""
        prompt = f"{CANARY} {self.order.prompt()}"
        content = least(self.skin, prompt, model=self.model, stream=self.stream)
        if self.skin == "messages":
            content["max_tokens"] = 4_000
        body = json.dumps(content).encode()
        if self.spoilt == "garbage":
            body = body[:-2] + b"]]"
        return asking(
            "PUT" if self.spoilt == "method" else "POST",
            url + ROUTES[self.skin],
            body,
            key=WRONG_KEY if self.spoilt == "key" else KEY,
            headers=[("X-Session-Id", self.order.marker)],
        )


def quiet_case(seed: int, number: int, *, most_words: int = 12, most_pause_ms: int = 40) -> Case:
    """A stream in which nothing goes wrong, at a pace of its own, in any skin, at any one dialect."""
    dice = _dice(seed, number)
    order = Order(marker(number), dice.randint(3, most_words), _tokens(dice), dice.randint(0, most_pause_ms))
    return Case(number, dice.choice(SKINS), stream=True, model=f"at/{dice.choice(SKINS)}", order=order)


def leaving_case(seed: int, number: int) -> Case:
    """The same, whose client goes away in the middle of it."""
    dice = _dice(seed, number)
    manner = Manner(leaves_after=dice.randint(600, 2_000), leaves_with_reset=dice.random() < 0.5)
    return replace(quiet_case(seed, number), manner=manner, expected="gone")


def gathered(cases: Sequence[Case]) -> list[Case]:
    """The same, none of which begins to be answered before all of them are open."""
    return [replace(case, order=replace(case.order, gate=len(cases))) for case in cases]


def ending_case(seed: int, number: int) -> Case:
    """A stream of a second or so, which a server that stops may let end or not."""
    case = quiet_case(seed, number)
    return replace(case, order=replace(case.order, words=20, pause_ms=20 + number % 40), expected="either")


def hanging_case(seed: int, number: int) -> Case:
    """A stream that begins, and then says nothing any more."""
    dice = _dice(seed, number)
    at: Dialect = dice.choice(SKINS)
    order = Order(marker(number), words=30, tokens=_tokens(dice))
    case = Case(number, dice.choice(SKINS), stream=True, model=f"at/{at}", order=order)
    return _faulty(case, at, Fault("hang", dice.randint(2_500, 4_000)), "error")


def killed_case(seed: int, number: int) -> Case:
    """A right request, whole or streamed, for a gateway that may be killed while it is answered."""
    dice = _dice(seed, number)
    return replace(quiet_case(seed, number, most_words=8, most_pause_ms=30), stream=dice.random() < 0.7)


def chaos_case(seed: int, number: int) -> Case:
    """A request of any kind, with any fault or none, of a client of any manners."""
    dice = _dice(seed, number)
    at: Dialect = dice.choice(SKINS)
    skin: Dialect = dice.choice(SKINS)
    stream = dice.random() < 0.6
    right = Order(marker(number), dice.randint(1, 8), _tokens(dice), dice.choice((0, 0, 0, 5)))
    plain = Case(number, skin, stream, f"at/{at}", right)
    kind = dice.choices(("right", "before", "mid", "pair", "down", "client", "spoilt"), (30, 12, 16, 12, 4, 16, 10))[0]
    match kind:
        case "before":
            return _faulty(plain, at, _before(dice), "error")
        case "mid":
            return _faulty(plain, at, _amid(dice), "either")
        case "pair":
            first = dice.choice(("down", *(it for it in SKINS if it != at)))
            wrong = _faulty(plain, at, _before(dice), "answer", where=first)
            return replace(wrong, model=f"{first}-{at}/pair")
        case "down":
            return replace(plain, model="down/solo", expected="error")
        case "client":
            return _of_a_client(plain, dice)
        case "spoilt":
            spoilt: Spoilt = dice.choice(("garbage", "key", "method", "model"))
            return replace(
                plain, spoilt=spoilt, expected="refused", model="no/such" if spoilt == "model" else plain.model
            )
        case _:
            return plain


def _before(dice: Random) -> Fault:
    """What goes wrong before an answer begins, and is tried elsewhere."""
    name, numbers = dice.choice(
        (
            ("status", (500, 502, 429, 529)),
            ("cut", (0, 20, 60)),
            ("reset", (0, 60)),
            ("html", (0,)),
            ("empty", (0,)),
            ("garbage", (0,)),
        )
    )
    return Fault(name, dice.choice(numbers))


def _amid(dice: Random) -> Fault:
    """What may go wrong anywhere in an answer, or behind it, or only make it slow."""
    name, least_, most = dice.choice(
        (
            ("cut", 100, 3_000),
            ("reset", 100, 3_000),
            ("crumbs", 7, 60),
            ("late", 1, 300),
            ("noise", 0, 0),
            ("hang", 0, 1_500),
        )
    )
    if name == "hang" and dice.random() < 0.9:  # each holds its connection for seconds
        name = "cut"
    return Fault(name, dice.randint(least_, most))


def _of_a_client(case: Case, dice: Random) -> Case:
    reset = dice.random() < 0.5
    match dice.choice(("half", "before", "mid", "mid", "slow")):
        case "half":
            manner = Manner(sends=dice.randint(1, 300), leaves_with_reset=reset)
        case "before":
            manner = Manner(leaves_after=0, leaves_with_reset=reset)
        case "mid":
            manner = Manner(leaves_after=dice.randint(1, 1_500), leaves_with_reset=reset)
        case _:
            return replace(case, manner=Manner(sips=dice.randint(500, 3_000)))
    return replace(case, manner=manner, expected="gone")


def _faulty(case: Case, at: str, fault: Fault, expected: Expected, *, where: str | None = None) -> Case:
    place = where or at
    faults = ((_AT[place], fault),) if place in _AT else ()
    right = case.order
    order = replace(right, faults=faults)
    if fault.name in ("crumbs", "late"):
        return replace(case, order=order, expected="answer")
    return replace(case, order=order, expected=expected, model=f"broken/{at}")


def _tokens(dice: Random) -> tuple[int, int]:
    return dice.randint(1, 900), dice.randint(1, 900)


def _dice(seed: int, number: int) -> Random:
    return Random(seed * 1_000_003 + number)
