"""One plain error for all that was tried."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.errors import DOCS_URL, ErrorType, ProviderError
from setpoint.protocols.failures import Reported, failure
from setpoint.routing.exhausted import exhausted


def failed(status: int, code: str | None = None, message: str = "no", **headers: str) -> ProviderError:
    return failure(status, Reported(code, message), headers, provider="Acme")


def silent() -> ProviderError:
    return ProviderError("timeout", "the provider did not answer in time", provider_code="connect_timeout")


def ended(*failures: tuple[str, ProviderError], models: tuple[str, ...] = ("m",), **more: Any) -> ProviderError:
    return exhausted(failures, models, **more)


def resting(wait_s: int = 20) -> ProviderError:
    return ProviderError("provider_overloaded", "not asked", provider_code="breaker_open", retry_after_s=wait_s)


def full() -> ProviderError:
    return ProviderError("rate_limit_exceeded", "as many as may be", provider_code="concurrency", retry_after_s=1)


def waiting(seconds: int) -> ProviderError:
    return failed(429, None, "slow", **{"retry-after": str(seconds)})


@pytest.mark.parametrize(
    "error", [failed(400), failed(404), failed(413), failed(422), failed(500), failed(503), silent()]
)
def test_one_failure_is_returned_as_it_is(error: ProviderError) -> None:
    out = ended(("Acme", error))
    assert (out.type, out.message, out.status) == (error.type, error.message, error.status)
    assert (out.provider_code, out.upstream_status, out.raw) == (error.provider_code, error.upstream_status, error.raw)
    assert out.retry == "stop"
    assert out.headers == {}
    assert out.metadata["provider_name"] == "Acme"
    assert out.metadata.get("provider_code") == error.provider_code
    assert "previous_errors" not in out.metadata


def test_all_refused_by_rate_is_exhausted_capacity_with_the_shortest_wait() -> None:
    out = ended(("Acme", waiting(30)), ("Bolt", waiting(7)), ("Acme", failed(429)), models=("m", "n"))
    assert (out.type, out.status, out.retry_after_s) == ("rate_limit_exceeded", 429, 7)
    assert out.availability == {
        "code": "capacity_exhausted",
        "retryable": True,
        "requested_models": ["m", "n"],
        "docs_url": DOCS_URL,
        "affected_providers": ["Acme", "Bolt"],
        "retry_after": 7,
    }


def test_a_rate_limit_without_a_wait_promises_none() -> None:
    out = ended(("Acme", failed(429)))
    assert out.retry_after_s is None
    assert out.availability is not None
    assert "retry_after" not in out.availability


@pytest.mark.parametrize("failures", [[failed(401)], [failed(402)], [failed(401), failed(429, "insufficient_quota")]])
def test_when_nothing_but_the_operator_can_mend_it_clients_are_told_not_to_repeat(
    failures: list[ProviderError],
) -> None:
    out = ended(*(("Acme", error) for error in failures))
    assert (out.status, out.type, out.permanent) == (502, "provider_unavailable", True)
    assert out.headers == {"x-should-retry": "false"}
    assert out.message == failures[-1].message
    assert out.availability is None


@pytest.mark.parametrize(
    "failures",
    [
        [failed(500), failed(503)],
        [failed(529), silent()],
        [failed(502), silent(), failed(503)],
        [failed(401), failed(503)],
    ],
)
def test_passing_troubles_of_several_kinds_are_temporary(failures: list[ProviderError]) -> None:
    out = ended(*(("Acme", error) for error in failures))
    assert (out.type, out.status) == ("provider_overloaded", 503)
    assert out.availability is not None
    assert (out.availability["code"], out.availability["retryable"]) == ("temporarily_unavailable", True)
    assert out.headers == {}


@pytest.mark.parametrize("last", [failed(400, None, "too hot"), failed(404), failed(500), waiting(7)])
def test_else_the_last_one_is_the_answer(last: ProviderError) -> None:
    out = ended(("Acme", failed(422)), ("Bolt", last))
    assert (out.type, out.message, out.upstream_status) == (last.type, last.message, last.upstream_status)
    assert out.metadata["provider_name"] == "Bolt"


def test_a_bad_key_and_a_rate_limit_may_be_tried_again() -> None:
    out = ended(("Acme", failed(401)), ("Bolt", waiting(7)))
    assert (out.type, out.headers, out.retry_after_s) == ("rate_limit_exceeded", {}, 7)


def test_what_was_tried_before_is_listed_in_order() -> None:
    out = ended(("Acme", failed(500, "boom")), ("Bolt", silent()), ("Cora", failed(400)))
    assert out.metadata["previous_errors"] == [
        {"provider": "Acme", "code": "boom", "status": 500},
        {"provider": "Bolt", "code": "connect_timeout", "status": 504},
    ]


def test_a_missing_model_keeps_its_availability_and_says_what_was_asked_for() -> None:
    assert ended(("Acme", failed(404))).availability == {
        "requested_models": ["m"],
        "docs_url": DOCS_URL,
        "code": "model_unavailable_upstream",
        "retryable": False,
    }


# --- what was not tried --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "failures", [[], [failed(500)], [silent(), failed(503)], [failed(429)], [failed(401)], [failed(429), failed(402)]]
)
def test_when_the_rest_have_an_open_breaker_it_is_temporary_and_names_them_all(failures: list[ProviderError]) -> None:
    tried = [("Acme", error) for error in failures]
    out = ended(*tried, passed=[("Bolt", resting(20)), ("Cora", resting(9))])
    assert (out.type, out.status, out.retry_after_s, out.headers) == ("provider_overloaded", 503, 9, {})
    assert out.availability is not None
    assert (out.availability["code"], out.availability["retry_after"]) == ("temporarily_unavailable", 9)
    told = [(one["provider"], one["code"]) for one in out.metadata["previous_errors"]]
    assert told[-2:] == [("Bolt", "breaker_open"), ("Cora", "breaker_open")]
    assert len(told) == len(failures) + 2


@pytest.mark.parametrize("last", [failed(400, None, "too hot"), failed(404), failed(422)])
def test_an_error_that_no_other_would_mend_is_the_answer_also_beside_an_open_breaker(last: ProviderError) -> None:
    out = ended(("Acme", last), passed=[("Bolt", resting())])
    assert (out.type, out.message) == (last.type, last.message)
    assert [one["code"] for one in out.metadata["previous_errors"]] == ["breaker_open"]


def test_all_that_are_full_or_refuse_by_rate_are_exhausted_capacity() -> None:
    out = ended(("Acme", waiting(30)), passed=[("Bolt", full())])
    assert (out.status, out.retry_after_s) == (429, 1)
    assert out.availability is not None
    assert out.availability["affected_providers"] == ["Acme", "Bolt"]
    assert ended(passed=[("Bolt", full())]).availability == out.availability | {"affected_providers": ["Bolt"]}


def test_keys_that_are_known_to_be_refused_are_nothing_to_repeat() -> None:
    out = ended(passed=[("Acme", failed(401)), ("Bolt", failed(402))])
    assert (out.status, out.headers) == (502, {"x-should-retry": "false"})


@pytest.mark.parametrize("failures", [[failed(503), failed(500)], [failed(429), failed(429)], [failed(500)]])
def test_without_means_for_more_the_last_error_is_the_answer(failures: list[ProviderError]) -> None:
    out = ended(*(("Acme", error) for error in failures), cut_short=True)
    assert (out.type, out.message) == (failures[-1].type, failures[-1].message)
    assert out.availability is None
    assert len(out.metadata.get("previous_errors", [])) == len(failures) - 1


_STATUSES = st.sampled_from([400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 502, 503, 504, 529])
_UPSTREAM_FAULTS: set[ErrorType] = {"authentication", "payment_required", "permission_denied", "server"}


@given(st.lists(st.tuples(st.sampled_from(["Acme", "Bolt"]), _STATUSES), min_size=1, max_size=5))
def test_whatever_was_tried_ends_in_one_error_that_never_blames_the_callers_key(tried: list[tuple[str, int]]) -> None:
    out: Any = ended(*((provider, failed(status)) for provider, status in tried))
    assert out.type not in _UPSTREAM_FAULTS
    assert out.retry == "stop"
    assert len(out.metadata.get("previous_errors", [])) == len(tried) - 1
    assert (out.headers == {"x-should-retry": "false"}) == all(status in (401, 402, 403) for _, status in tried)
