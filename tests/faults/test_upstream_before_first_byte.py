"""Upstreams that cannot be reached, or say nothing: the next one is asked, else the caller reads why."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from faults.faults_support import (
    PRICE,
    Front,
    attempts,
    chunks,
    endpoint,
    error_of,
    front_of_gateway,
    in_line,
    provider,
    said,
    serving,
)
from faults.tls_front import Authority, TlsFront
from simulator.answers import completion, dumps, head
from simulator.script import cut, deaf, drop, endless_comments, hang, in_pieces, ok, raw, reset, status
from support.ports import hanging_origin, refusing_origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator
    from simulator.steps import Script
    from support.processes import Gateway

UNREACHABLE = {
    "no-name": ("provider_unavailable", 502, "dns"),
    "refusing": ("provider_unavailable", 502, "connect"),
    "no-handshake": ("provider_unavailable", 502, "connect"),
    "untrusted": ("provider_unavailable", 502, "tls"),
    "expired": ("provider_unavailable", 502, "tls"),
    "other-name": ("provider_unavailable", 502, "tls"),
    "hanging": ("timeout", 504, "connect_timeout"),
}
# Longer than any name may be, so it is refused on this machine and no name server is asked.
NO_NAME = ".".join(["upstream" * 7] * 5)
REACHABLE = ("trusted", "unverified")


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Alpha has little patience. Beside the three: one for each way of being out of reach, and two behind TLS."""
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder)
    with ExitStack() as stack:

        def front(name: str, **how: Any) -> str:
            made = TlsFront(folder / name, *authority.issue(name, **how), simulator_process.port)
            stack.callback(made.stop)
            return made.origin

        good, expired = front("good"), front("expired", days=-1)
        other_name = front("other-name", whose="elsewhere.test")
        trust = str(authority.file)
        origins: dict[str, tuple[str, bool | str]] = {
            "no-name": (f"http://{NO_NAME}", True),
            "refusing": (stack.enter_context(refusing_origin()), True),
            "hanging": (stack.enter_context(hanging_origin()), True),
            "no-handshake": (simulator_process.closing_origin.replace("http:", "https:"), trust),
            "untrusted": (good, True),
            "expired": (expired, trust),
            "other-name": (other_name, trust),
            "trusted": (good, trust),
            "unverified": (other_name, False),
        }
        told = {
            slug: {**provider(origin, "alpha"), "name": slug, "verify": verify, "connect_timeout_s": 0.2}
            for slug, (origin, verify) in origins.items()
        }
        offers = {slug: {"provider": slug, "model": "m", "pricing": PRICE} for slug in origins}
        more = {f"at/{slug}": {"endpoints": in_line(offer, endpoint("beta"))} for slug, offer in offers.items()}
        alone = {f"only/{slug}": {"endpoints": [offer]} for slug, offer in offers.items()}
        told["alpha"] = provider(simulator_process.origin, "alpha", first_token_timeout_s=0.3, total_timeout_s=0.4)
        yield stack.enter_context(
            serving(
                tmp_path_factory,
                simulator_process,
                more_providers=told,
                more_models={**more, **alone},
            )
        )


front = front_of_gateway


@pytest.mark.parametrize("slug", UNREACHABLE)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_an_upstream_that_cannot_be_reached_is_passed_over(front: Front, slug: str, streamed: bool) -> None:
    type_, _, _ = UNREACHABLE[slug]
    answer = front.ask(f"at/{slug}", stream=streamed)
    assert answer.status == 200
    assert front.reached() == ["beta"]
    record = front.record(answer)
    assert attempts(record) == [(slug, None, type_), ("Beta", 200, None)]
    # 11 tokens of $1/M and 5 of $2/M
    assert record["total_cost"] == 0.000021, "what was never sent cost nothing"


@pytest.mark.parametrize("slug", UNREACHABLE)
def test_an_upstream_that_cannot_be_reached_is_a_typed_error_when_none_is_left(front: Front, slug: str) -> None:
    type_, status_, code = UNREACHABLE[slug]
    for answer in (front.ask(f"only/{slug}"), front.stream(f"only/{slug}")):
        assert answer.status == status_
        metadata = error_of(answer)["metadata"]
        assert metadata["error_type"] == type_
        assert metadata["provider_code"] == code
        record = front.record(answer)
        assert (record["status"], record["error_type"], record["total_cost"]) == ("failed", type_, None)
        assert attempts(record) == [(slug, None, type_)]
    assert front.simulator.requests() == [], "nothing was sent on a connection that cannot be trusted"


@pytest.mark.parametrize("slug", REACHABLE)
def test_a_certificate_is_trusted_by_its_file_or_when_it_need_not_be(front: Front, slug: str) -> None:
    assert front.ask(f"only/{slug}").status == 200
    assert said(front.stream(f"only/{slug}")) == "Hello from the simulator."


def test_no_verification_is_warned_about_at_the_start(gateway: Gateway) -> None:
    log = gateway.log_text()
    assert "unverified.verify: TLS is not verified" in log
    assert "trusted.verify" not in log


# --- connected, and then nothing -----------------------------------------------------------------------------

SILENT = {"silent": hang(), "deaf": deaf()}
GONE = {"closed": cut(), "reset": reset(), "dropped": drop("reset"), "half-a-head": cut(ok(), after=20)}


@pytest.mark.parametrize("script", SILENT.values(), ids=SILENT)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_an_upstream_that_never_answers_is_given_up_in_time(front: Front, script: Script, streamed: bool) -> None:
    front.simulator.script(script, prefix="/a")
    answer = front.ask("pair/model", stream=streamed)
    assert answer.status == 200
    assert front.reached() == ["alpha", "beta"]
    record = front.record(answer)
    assert attempts(record) == [("Alpha", None, "timeout"), ("Beta", 200, None)]
    assert record["total_cost"] is None, "what was sent may have cost something"


def test_the_connection_of_an_upstream_that_is_given_up_is_closed(front: Front) -> None:
    for script in (hang(), hang(ok(), after=70)):
        front.simulator.script(script, prefix="/a")
        for streamed in (False, True):
            front.forget()
            front.ask("pair/model", stream=streamed)
            assert front.simulator.wait_for_disconnect(-2).went_away


def test_a_stream_that_never_begins_is_a_timeout_when_none_is_left(front: Front) -> None:
    for script in (hang(), hang(ok(), after=70), endless_comments()):
        front.simulator.script(script)
        answer = front.stream()
        assert answer.status == 504
        assert error_of(answer)["metadata"]["error_type"] == "timeout"


def test_an_answer_that_never_ends_is_a_timeout(front: Front) -> None:
    for script in (hang(), hang(ok(), after=200), in_pieces(ok(), size=2, pause_ms=10)):
        front.simulator.script(script)
        answer = front.ask()
        assert answer.status == 504
        assert error_of(answer)["metadata"]["error_type"] == "timeout"
        assert front.record(answer)["status"] == "failed"


def test_a_whole_answer_may_take_longer_than_a_first_token(front: Front) -> None:
    front.simulator.script(ok(delay_ms=350))
    assert front.ask().status == 200


@pytest.mark.parametrize("script", GONE.values(), ids=GONE)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_an_upstream_that_hangs_up_is_passed_over(front: Front, script: Script, streamed: bool) -> None:
    front.simulator.script(script, prefix="/a")
    answer = front.ask("pair/model", stream=streamed)
    assert answer.status == 200
    record = front.record(answer)
    assert attempts(record) == [("Alpha", None, "provider_unavailable"), ("Beta", 200, None)]
    assert record["total_cost"] is None, "what was sent may have cost something"
    failed = front.ask("solo/alpha", stream=streamed)
    assert failed.status == 502
    assert error_of(failed)["metadata"]["provider_code"] == "reset"


def test_connections_that_an_upstream_closes_while_they_rest_are_not_used_again(front: Front) -> None:
    front.simulator.script(ok())
    assert front.ask("solo/gamma").status == 200
    closing = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
    front.simulator.script(raw(closing, then="close"), ok())
    assert front.ask("solo/gamma").status == 503
    # Each has now gone around its event loop once more: the one has closed the connection, the other has noticed.
    front.simulator.requests()
    front.gateway.call("GET", "/key")
    assert front.ask("solo/gamma").status == 200
    first, second, third = front.simulator.requests()
    assert first.connection == second.connection != third.connection


def test_a_connection_that_an_upstream_wants_closed_is_not_used_again(front: Front) -> None:
    content = dumps(completion("Hi", (1, 1)))
    lines = [("Content-Type", "application/json"), ("Content-Length", str(len(content))), ("Connection", "close")]
    front.simulator.script(raw(head(200, lines) + content, then=None))
    assert [front.ask("solo/gamma").status for _ in range(20)] == [200] * 20
    assert len({received.connection for received in front.simulator.requests()}) == 20


# --- behind a committed status -------------------------------------------------------------------------------


def test_the_answer_of_the_next_upstream_is_whole(front: Front) -> None:
    front.simulator.script(status(500), prefix="/a")
    answer = front.stream("pair/model")
    assert {(chunk["model"], chunk["provider"]) for chunk in chunks(answer)} == {("pair/model", "Beta")}
    assert front.record(answer)["provider_name"] == "Beta"
