"""What the official SDKs make of a key's end and of its limits: the right class, in the words of the skin, at once.

Two workers, as a key is limited at all of them.
"""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import anthropic
import openai
import pytest
from openrouter import errors as openrouter

from api.api_support import create, data_of, fresh, new_key, new_workspace
from clients.buyers import BUYERS, Buyer
from clients.pair import anthropic_url
from support.processes import Gateway, config_file, simulated
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simulator.client import Simulator

MODEL = "sim/solo"
CLASSES: dict[str, dict[int, type[Exception]]] = {
    "openai": {
        401: openai.AuthenticationError,
        402: openai.APIStatusError,
        403: openai.PermissionDeniedError,
        429: openai.RateLimitError,
        503: openai.InternalServerError,
    },
    "anthropic": {
        401: anthropic.AuthenticationError,
        402: anthropic.PaymentRequiredError,
        403: anthropic.PermissionDeniedError,
        429: anthropic.RateLimitError,
        529: anthropic.OverloadedError,
    },
    "openrouter": {
        401: openrouter.UnauthorizedResponseError,
        402: openrouter.PaymentRequiredResponseError,
        403: openrouter.ForbiddenResponseError,
        429: openrouter.TooManyRequestsResponseError,
        503: openrouter.ServiceUnavailableResponseError,
    },
}
"""The class that each SDK has for a status."""
ANTHROPICS = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}


class Refused(NamedTuple):
    """What an SDK says of a refusal, in one form for all of them."""

    status: int
    type: str
    message: str
    headers: Any


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    config = config_file(folder, **simulated(simulator_process))
    gateway = Gateway(folder, config=config, arguments=["--workers", "2"])
    yield gateway
    assert gateway.stop() == 0, gateway.log_text()


def used_up(gateway: Gateway) -> str:
    return new_key(gateway, limit=0.0000001)[0]


def over_budget(gateway: Gateway) -> str:
    home = new_workspace(gateway, {"daily": 0.0000001, "monthly": 0.0000002, "lifetime": 500})
    return new_key(gateway, workspace_id=home)[0]


def too_often(gateway: Gateway) -> str:
    return new_key(gateway, requests_per_minute=1)[0]


def too_much(gateway: Gateway) -> str:
    return new_key(gateway, tokens_per_minute=1)[0]


def expired(gateway: Gateway) -> str:
    return new_key(gateway, expires_at=(datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"))[0]


def disabled(gateway: Gateway) -> str:
    plain, told = new_key(gateway)
    data_of(gateway.call("PATCH", f"/keys/{told['hash']}", {"disabled": True}))
    return plain


def deleted(gateway: Gateway) -> str:
    plain, told = new_key(gateway)
    assert gateway.call("DELETE", f"/keys/{told['hash']}").status == 200
    return plain


def of_another_model(gateway: Gateway) -> str:
    return new_key(gateway, allowed_models=["sim/model"])[0]


def of_another_provider(gateway: Gateway) -> str:
    return new_key(gateway, allowed_providers=["other"])[0]


def of_another_preset(gateway: Gateway) -> str:
    create(gateway, slug := fresh(), {"model": MODEL})
    return new_key(gateway, allowed_presets=[slug])[0]


def that_reads(gateway: Gateway) -> str:
    return new_key(gateway, role="read_only")[0]


REFUSALS: list[tuple[Callable[[Gateway], str], int, str, str]] = [
    (used_up, 402, "payment_required", "$0.0000001"),
    (
        over_budget,
        403,
        "permission_denied",
        "Workspace monthly budget of $0.0000002 exceeded. Contact your org admin.",
    ),
    (too_often, 429, "rate_limit_exceeded", "Rate limit exceeded: 1 requests per minute"),
    (too_much, 429, "rate_limit_exceeded", "Rate limit exceeded: 1 tokens per minute"),
    (expired, 401, "authentication", "Invalid credentials"),
    (disabled, 401, "authentication", "Invalid credentials"),
    (deleted, 401, "authentication", "Invalid credentials"),
    (of_another_model, 403, "permission_denied", MODEL),
    (of_another_provider, 403, "permission_denied", MODEL),
    (of_another_preset, 403, "permission_denied", "@preset/"),
    (that_reads, 403, "permission_denied", "read_only"),
]
"""Whose key it is; with what its requests are refused, and what the message has in it."""


@pytest.mark.parametrize("name", BUYERS)
@pytest.mark.parametrize(("made", "status", "kind", "words"), REFUSALS, ids=[one[0].__name__ for one in REFUSALS])
def test_a_refusal_is_of_its_class_and_comes_once(
    gateway: Gateway,
    simulator: Simulator,
    name: str,
    made: Callable[[Gateway], str],
    status: int,
    kind: str,
    words: str,
) -> None:
    buyer = BUYERS[name](gateway, made(gateway), **({"retries": 0} if status == 429 else {}))
    model = MODEL
    if made is of_another_preset:
        create(gateway, slug := fresh(), {"model": MODEL})
        model, words = f"@preset/{slug}", slug
    for ask in (buyer.whole, buyer.streamed):
        told = refused(name, ask, model)
        assert (told.status, told.type) == (status, kind)
        assert words in told.message
        assert told.headers["content-type"] == "application/json"
        if status == 429:
            assert 1 <= int(told.headers["retry-after"]) <= 60
            assert (told.headers["x-ratelimit-limit"], told.headers["x-ratelimit-remaining"]) == (
                "1",
                "0" if made is too_often else "1",
            )
            assert int(told.headers["x-ratelimit-reset"]) % 60_000 == 0
    buyer.close()
    if status != 429:
        assert buyer.heard == [status] * 2, "nobody repeats what cannot be cured"
    assert len(simulator.requests()) <= (2 if made is too_often else 0)


def refused(name: str, ask: Callable[[str], object], model: str) -> Refused:
    """What the SDK says of it, when it is refused at last: in one minute somebody may ask once."""
    sdk, _, skin = name.partition("-")
    for _ in range(3):
        try:
            ask(model)
        except (openai.APIStatusError, anthropic.APIStatusError, openrouter.OpenRouterError) as error:
            return _told(sdk, skin, error)
    raise AssertionError("it was not refused")


def _told(sdk: str, skin: str, error: Any) -> Refused:
    status: int = error.status_code
    assert error.__class__ is CLASSES[sdk][status], error
    if sdk == "openrouter":
        content, headers = error.data.error, error.headers
        assert content.code == status
        return Refused(status, content.metadata["error_type"], content.message, headers)
    content, headers = error.body, error.response.headers
    if skin == "messages":
        assert (content["type"], content["error"]["type"]) == ("error", ANTHROPICS[status])
        return Refused(status, content["error"]["error_type"], content["error"]["message"], headers)
    assert content["code"] == status
    return Refused(status, content["metadata"]["error_type"], content["message"], headers)


# --- with repetitions ----------------------------------------------------------------------------------------


class EagerOpenAI(openai.OpenAI):
    """Notes how long it would wait before it repeats, and how long it was told to; and does not wait."""

    waits: list[tuple[float, float]]

    def _sleep_for_retry(self, *, retries_taken: int, max_retries: int, options: Any, response: Any) -> None:
        wait = self._calculate_retry_timeout(max_retries - retries_taken, options, response.headers)
        self.waits.append((wait, float(response.headers["retry-after"])))


class EagerAnthropic(anthropic.Anthropic):
    """The same."""

    waits: list[tuple[float, float]]

    def _sleep_for_retry(self, *, retries_taken: int, max_retries: int, options: Any, response: Any) -> None:
        wait = self._calculate_retry_timeout(max_retries - retries_taken, options, response.headers)
        self.waits.append((wait, float(response.headers["retry-after"])))


def test_whoever_repeats_waits_for_the_next_minute(gateway: Gateway) -> None:
    key = too_much(gateway)
    messages: list[Any] = [{"role": "user", "content": "hi"}]
    with (
        EagerOpenAI(api_key=key, base_url=gateway.url, max_retries=2) as one,
        EagerAnthropic(api_key=key, base_url=anthropic_url(gateway), max_retries=2) as other,
    ):
        one.waits, other.waits = [], []
        with pytest.raises(openai.RateLimitError):
            one.chat.completions.create(model=MODEL, messages=messages)
        with pytest.raises(openai.RateLimitError):
            one.responses.create(model=MODEL, input="hi")
        with pytest.raises(anthropic.RateLimitError):
            other.messages.create(model=MODEL, max_tokens=9, messages=messages)
        assert (len(one.waits), len(other.waits)) == (4, 2), "as often as it was to repeat"
        for waited, told in (*one.waits, *other.waits):
            assert waited == told, "it does as it is told, and not as it would"
            assert 1 <= told <= 60


def test_while_the_storage_is_away_whoever_repeats_is_answered_in_the_end(
    gateway: Gateway, simulator: Simulator
) -> None:
    def make(name: str, retries: int) -> Buyer:
        return BUYERS[name](gateway, new_key(gateway, limit=1)[0], retries)

    once, often = ({name: make(name, retries) for name in BUYERS} for retries in (0, 3))
    with (
        closing(sqlite3.connect(gateway.data_dir / "setpoint.db", isolation_level=None)) as other,
        ThreadPoolExecutor(2 * len(BUYERS)) as threads,
    ):
        other.execute("BEGIN IMMEDIATE")
        asked = {name: threads.submit(refused, name, buyer.whole, MODEL) for name, buyer in once.items()}
        going_on = [threads.submit(buyer.whole, MODEL) for buyer in often.values()]
        told = {name: one.result() for name, one in asked.items()}
        until(lambda: all(buyer.heard for buyer in often.values()))
        other.execute("ROLLBACK")
        for answer in going_on:
            answer.result()
    for name, one in told.items():
        assert (one.status, one.type) == (529 if name.startswith("anthropic") else 503, "unavailable")
        assert int(one.headers["retry-after"]) >= 1
    for name, buyer in often.items():
        first = 529 if name.startswith("anthropic") else 503
        assert buyer.heard == [first, 200], "it was told when to come again"
    assert len(simulator.requests()) == len(often)
    for buyer in (*once.values(), *often.values()):
        buyer.close()
