"""One request's life: attempts as they are made, and exactly one record at its end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from setpoint.canonical.usage import Usage
from setpoint.errors import GatewayError, ProviderError
from setpoint.gateway.exchange import Caller, Exchange
from setpoint.presets.merge import Resolved
from setpoint.protocols.answer import Bill, Outcome
from setpoint.protocols.registry import PROTOCOLS
from setpoint.records import Cost, Generation, Price, ProviderKey
from setpoint.routing.placing import Candidate
from setpoint.wire.body import split
from support.limits import UNSEEN, Purse
from support.records import endpoint, key, model, preset, version

if TYPE_CHECKING:
    from setpoint.records import GenerationStatus
    from setpoint.wire.body import Body

NOW = datetime(2026, 4, 20, 10, 0, 0, 700_000, tzinfo=UTC)
KEY = key()
VERSION = version(7)
PRESET = preset(VERSION)


def candidate(slug: str, key: str | None = None) -> Candidate:
    at = endpoint(f"{slug}/eu", "acme/sage", model="sage-2")
    return Candidate(model("acme/sage", at), at, ProviderKey(id=key, secret="s3cret") if key else None, "chat")


ACME, BOLT = candidate("acme", "k1"), candidate("bolt")


def exchange(
    records: list[Generation],
    body: Body | None = None,
    session_id: str | None = None,
    begun: list[Generation] | None = None,
) -> Exchange:
    return Exchange(
        "gen-1",
        skin=PROTOCOLS["chat"],
        key=KEY,
        body=split(b'{"messages":[]}') if body is None else body,
        caller=Caller(referer="https://a.test/", app_title="App", user_agent="ua", session_id=session_id),
        created_at=NOW,
        begin=lambda generation: None if begun is None else begun.append(generation),
        record=records.append,
    )


def failed(type_: str = "provider_unavailable", status: int | None = None, *, free: bool = False) -> ProviderError:
    kind = "timeout" if type_ == "timeout" else "provider_unavailable"
    return ProviderError(kind, "no", upstream_status=status, free=free)


def record(one: Exchange, records: list[Generation]) -> Generation:
    [generation] = records
    assert generation.id == one.id
    return generation


# --- the record ----------------------------------------------------------------------------------------------


def test_nothing_is_remembered_of_a_request_that_was_never_sent_upstream() -> None:
    records: list[Generation] = []
    one = exchange(records)
    assert not one.routed
    one.finish("failed", GatewayError("unavailable", "no"))
    assert records == []


def test_an_answer_is_remembered_with_all_that_is_known_of_it() -> None:
    records: list[Generation] = []
    body = split(b'{"model":"@preset/triage","stream":true,"user":"ann","session_id":"s1"}')
    one = exchange(records, body, session_id="s2")
    one.requested_model = "@preset/triage"
    one.apply(PRESET, VERSION, Resolved(body, ("/min_p",), "preset"))
    one.not_honoured = ("/provider/sort",)
    one.begin_attempt(ACME, ("/tools/0", "/min_p"))
    outcome = Outcome(
        upstream_id="chatcmpl-7",
        finish_reason="stop",
        native_finish_reason="end_turn",
        service_tier="flex",
        provider_cost=Decimal("0.2"),
    )
    one.commit_attempt(200, outcome)
    cost = Cost(prompt=Decimal(1), completion=Decimal(2), total=Decimal(3))
    one.bill = Bill(Usage(input_tokens=1, output_tokens=2), cost, cost.total)
    one.finish("completed")
    made = record(one, records)
    assert (made.created_at, made.skin, made.status, made.cancelled) == (NOW, "chat", "completed", False)
    assert (made.workspace_id, made.key_digest) == ("w1", "d" * 64)
    assert (made.requested_model, made.model) == ("@preset/triage", "acme/sage")
    assert (made.provider, made.provider_name) == ("acme", "Acme")
    assert (made.preset_id, made.preset_slug, made.preset_version, made.version_id) == ("p1", "triage", 7, "v7")
    assert (made.system_prompt_from, made.streamed) == ("preset", True)
    assert (made.finish_reason, made.native_finish_reason, made.error_type) == ("stop", "end_turn", None)
    assert (made.upstream_id, made.service_tier) == ("chatcmpl-7", "flex")
    assert (made.usage, made.cost, made.provider_cost) == (one.bill.usage, cost, Decimal("0.2"))
    assert (made.unsaid, made.not_honoured) == (("/min_p", "/tools/0"), ("/provider/sort",))
    assert (made.session_id, made.external_user) == ("s1", "ann")
    assert (made.http_referer, made.app_title, made.user_agent) == ("https://a.test/", "App", "ua")
    assert made.latency_ms is not None
    assert made.generation_ms is not None
    assert 0 <= made.latency_ms <= made.generation_ms


def test_what_is_not_known_is_none_and_a_cost_never_nothing() -> None:
    records: list[Generation] = []
    one = exchange(records)
    one.begin_attempt(ACME, ())
    one.finish("failed", failed())
    made = record(one, records)
    nothing = (made.usage, made.cost, made.provider_cost, made.latency_ms, made.finish_reason, made.upstream_id)
    assert nothing == (None,) * 6
    assert (made.preset_id, made.preset_version, made.system_prompt_from) == (None, None, None)


def test_a_session_in_the_body_comes_before_the_headers() -> None:
    records: list[Generation] = []
    one = exchange(records, session_id="s2")
    one.begin_attempt(ACME, ())
    one.finish("completed")
    assert record(one, records).session_id == "s2"


def test_the_time_an_answer_shows_is_whole_seconds_of_its_beginning() -> None:
    assert exchange([]).created == 1_776_679_200


@pytest.mark.parametrize(("body", "stream"), [(b'{"stream":true}', True), (b'{"stream":false}', False), (b"{}", False)])
def test_a_stream_is_one_that_says_so(body: bytes, stream: bool) -> None:
    assert exchange([], split(body)).stream == stream


# --- attempts ------------------------------------------------------------------------------------------------


def test_every_try_is_an_attempt_in_order() -> None:
    records: list[Generation] = []
    one = exchange(records)
    one.begin_attempt(ACME, ("/top_k",))
    one.fail_attempt(failed(status=500))
    one.begin_attempt(BOLT, ())
    one.fail_attempt(failed("timeout"))
    one.begin_attempt(ACME, ("/seed",))
    one.commit_attempt(200, Outcome())
    one.finish("completed")
    made = record(one, records)
    assert [(at.provider, at.key_id, at.status, at.error) for at in made.attempts] == [
        ("acme", "k1", 500, "provider_unavailable"),
        ("bolt", None, None, "timeout"),
        ("acme", "k1", 200, None),
    ]
    assert {(at.model, at.upstream_model, at.tag) for at in made.attempts} == {
        ("acme/sage", "sage-2", "acme/eu"),
        ("acme/sage", "sage-2", "bolt/eu"),
    }
    assert made.unsaid == ("/seed",)
    assert [(provider, error.type) for provider, error in one.failures] == [
        ("Acme", "provider_unavailable"),
        ("Bolt", "timeout"),
    ]


def test_a_try_that_fails_leaves_nothing_of_its_answer() -> None:
    records: list[Generation] = []
    one = exchange(records)
    one.begin_attempt(ACME, ())
    one.commit_attempt(200, Outcome(upstream_id="old"))
    one.begin_attempt(BOLT, ())
    one.finish("failed", failed())
    assert record(one, records).upstream_id is None


@pytest.mark.parametrize(
    ("status", "error", "ended"),
    [("cancelled", None, "cancelled"), ("failed", GatewayError("server", "no"), "server")],
)
def test_a_try_that_is_under_way_at_the_end_is_an_attempt_too(
    status: str, error: GatewayError | None, ended: str
) -> None:
    records: list[Generation] = []
    one = exchange(records)
    one.begin_attempt(ACME, ())
    one.fail_attempt(failed(status=503))
    one.begin_attempt(BOLT, ())
    one.finish("cancelled" if status == "cancelled" else "failed", error)
    made = record(one, records)
    assert [(at.provider, at.error) for at in made.attempts] == [("acme", "provider_unavailable"), ("bolt", ended)]
    assert made.cancelled == (status == "cancelled")


def test_a_stream_that_is_cancelled_keeps_its_one_attempt_and_its_bill() -> None:
    records: list[Generation] = []
    one = exchange(records)
    one.begin_attempt(ACME, ())
    one.commit_attempt(200, Outcome(upstream_id="chatcmpl-7"))
    one.bill = Bill(Usage(output_tokens=2, estimated=True), None, None)
    one.finish("cancelled")
    made = record(one, records)
    assert [(at.status, at.error) for at in made.attempts] == [(200, None)]
    assert (made.status, made.cancelled, made.upstream_id) == ("cancelled", True, "chatcmpl-7")
    assert made.usage == Usage(output_tokens=2, estimated=True)


def test_a_try_is_booked_unless_it_cannot_have_cost_anything() -> None:
    records: list[Generation] = []
    one = exchange(records)
    for error, bill in (
        (failed(status=500, free=True), None),
        (failed("timeout"), None),
        (failed(status=502, free=True), Bill(Usage(input_tokens=7), None, Decimal("0.7"))),
    ):
        one.begin_attempt(ACME, ())
        one.spent = bill
        one.fail_attempt(error)
    one.begin_attempt(ACME, ())
    one.commit_attempt(200, Outcome())
    one.bill = Bill(Usage(), None, Decimal(1))
    one.finish("completed")
    made = record(one, records)
    assert [at.is_booked for at in made.attempts] == [False, True, True, True]
    assert [at.uncounted for at in made.attempts] == [False, True, False, False]
    assert made.total_cost is None


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_a_try_that_ends_without_a_bill_is_booked_as_unknown(committed: bool, status: GenerationStatus) -> None:
    records: list[Generation] = []
    begun: list[Generation] = []
    one = exchange(records, begun=begun)
    one.begin_attempt(ACME, ())
    if committed:
        one.commit_attempt(200, Outcome())
    one.finish(status, GatewayError("unavailable", "stopping"))
    for made in (record(one, records), *begun):
        assert [(at.is_booked, at.uncounted, at.cost) for at in made.attempts] == [(True, True, None)]


@pytest.mark.parametrize("ending", ["given up", "cancelled"])
def test_limits_count_the_input_of_a_try_that_nobody_has_counted(ending: str) -> None:
    records: list[Generation] = []
    begun: list[Generation] = []
    one = exchange(records, split(b'{"messages":[{"role":"user","content":"12345678"}]}'), begun=begun)
    price = Price(prompt=Decimal("0.001"), completion=Decimal(1))
    priced = structs.replace(ACME, endpoint=structs.replace(ACME.endpoint, price=price))
    one.begin_attempt(priced, ())
    if ending == "given up":
        one.fail_attempt(failed("timeout"))
        one.finish("failed", failed("timeout"))
    else:
        one.finish("cancelled")
    [attempt] = record(one, records).attempts
    assert (attempt.charged, attempt.cost, attempt.usage) == (one.estimated_input() * Decimal("0.001"), None, None)
    assert attempt.charged
    assert begun[0].attempts[0].charged is None, "of what nobody saw the end of, nothing is counted"


def test_limits_count_nothing_of_a_try_that_cannot_have_cost_anything() -> None:
    records: list[Generation] = []
    one = exchange(records)
    one.begin_attempt(ACME, ())
    one.fail_attempt(failed(status=500, free=True))
    one.finish("failed", failed())
    assert record(one, records).attempts[0].charged is None


def test_what_a_request_cost_is_the_sum_of_its_tries() -> None:
    records: list[Generation] = []
    one = exchange(records)
    for amount in ("0.1", "0.00000000000000000000000000000000001"):
        one.begin_attempt(ACME, ())
        one.spent = Bill(Usage(), None, Decimal(amount))
        one.fail_attempt(failed())
    one.begin_attempt(BOLT, ())
    one.fail_attempt(failed(status=500, free=True))
    one.finish("failed", failed())
    assert record(one, records).total_cost == Decimal("0.10000000000000000000000000000000001")


def test_what_was_refused_everywhere_has_no_cost() -> None:
    records: list[Generation] = []
    one = exchange(records)
    one.begin_attempt(ACME, ())
    one.fail_attempt(failed(status=500, free=True))
    one.finish("failed", failed())
    assert record(one, records).total_cost is None


def test_an_answer_that_breaks_off_names_the_error_in_its_attempt() -> None:
    records: list[Generation] = []
    one = exchange(records)
    one.begin_attempt(ACME, ())
    one.commit_attempt(200, Outcome())
    one.finish("failed", failed("timeout"))
    assert [(at.status, at.error) for at in record(one, records).attempts] == [(200, "timeout")]


def test_every_try_has_what_it_used_and_the_answer_what_the_last_one_did() -> None:
    records: list[Generation] = []
    one = exchange(records)
    one.begin_attempt(ACME, ())
    one.spent = Bill(Usage(input_tokens=7), None, Decimal("0.7"))
    one.fail_attempt(failed())
    one.begin_attempt(BOLT, ())
    one.fail_attempt(failed())
    one.begin_attempt(ACME, ())
    one.commit_attempt(200, Outcome(finish_reason="stop"))
    one.bill = Bill(Usage(input_tokens=7, output_tokens=2), None, Decimal("0.9"))
    one.finish("completed")
    made = record(one, records)
    assert [(at.usage, at.cost) for at in made.attempts] == [
        (Usage(input_tokens=7), Decimal("0.7")),
        (None, None),
        (Usage(input_tokens=7, output_tokens=2), Decimal("0.9")),
    ]
    assert made.usage == Usage(input_tokens=7, output_tokens=2)


@pytest.mark.parametrize(
    ("output_tokens", "finish", "status", "error", "is_zero"),
    [
        (0, None, "completed", None, True),
        (0, "stop", "completed", None, False),
        (2, None, "completed", None, False),
        (2, "error", "completed", None, True),
        (2, None, "failed", failed(), True),
        (0, None, "cancelled", None, False),
    ],
)
def test_an_answer_of_no_token_and_no_reason_or_of_an_error_is_marked(
    output_tokens: int, finish: str | None, status: GenerationStatus, error: ProviderError | None, *, is_zero: bool
) -> None:
    records: list[Generation] = []
    one = exchange(records)
    one.begin_attempt(ACME, ())
    one.commit_attempt(200, Outcome(finish_reason=finish))
    one.bill = Bill(Usage(output_tokens=output_tokens), None, None)
    one.finish(status, error)
    assert record(one, records).zero_completion is is_zero


@pytest.mark.parametrize(
    ("spent", "is_zero"),
    [(Usage(input_tokens=7), True), (Usage(input_tokens=7, output_tokens=2), False), (None, False)],
)
def test_so_is_a_failure_that_used_something_and_gave_no_token(spent: Usage | None, *, is_zero: bool) -> None:
    records: list[Generation] = []
    one = exchange(records)
    one.begin_attempt(ACME, ())
    one.spent = None if spent is None else Bill(spent, None, None)
    one.fail_attempt(failed())
    one.finish("failed", failed())
    assert record(one, records).zero_completion is is_zero


def test_half_a_surrogate_pair_is_kept_as_its_escape() -> None:
    records: list[Generation] = []
    one = exchange(records, split(b'{"user":"\\ud800","session_id":"\xc3\xbc"}'))
    one.not_honoured = ("/provider/\ud800",)
    one.begin_attempt(ACME, ())
    one.finish("completed")
    made = record(one, records)
    assert (made.external_user, made.session_id, made.not_honoured) == ("\\ud800", "ü", ("/provider/\\ud800",))


_STEPS = st.lists(st.sampled_from(["begin", "fail", "commit", "completed", "failed", "cancelled"]), max_size=12)


@given(_STEPS)
def test_however_it_goes_there_is_one_record_and_one_attempt_for_each_try(steps: list[str]) -> None:
    records: list[Generation] = []
    one = exchange(records)
    begun = 0
    under_way = ended = False
    for step in steps:
        if step == "begin" and not under_way and not ended:
            one.begin_attempt(ACME, ())
            begun, under_way = begun + 1, True
        elif step == "fail" and under_way and not ended:
            one.fail_attempt(failed())
            under_way = False
        elif step == "commit" and under_way and not ended:
            one.commit_attempt(200, Outcome())
            under_way = False
        elif step == "completed":
            one.finish("completed")
            ended = True
        elif step == "failed":
            one.finish("failed", failed())
            ended = True
        elif step == "cancelled":
            one.finish("cancelled")
            ended = True
    one.finish("completed")
    assert len(records) == (1 if begun else 0)
    if records:
        assert len(records[0].attempts) == begun


# --- the record that is there while nobody knows the end -----------------------------------------------------


def test_every_try_is_told_before_it_is_sent_as_a_record_without_an_end() -> None:
    records: list[Generation] = []
    begun: list[Generation] = []
    one = exchange(records, split(b'{"messages":[],"user":"u"}'), begun=begun)
    one.requested_model = "@preset/triage"
    one.apply(PRESET, VERSION, Resolved(body=one.body, system_prompt_from="preset", unsaid=("/top_k",)))
    assert begun == []
    one.begin_attempt(ACME, ("/seed",))
    one.fail_attempt(failed(status=500))
    one.begin_attempt(BOLT, ())
    first, second = begun
    for each in begun:
        assert (each.id, each.status, each.created_at) == (one.id, "interrupted", NOW)
        assert (each.preset_slug, each.preset_version, each.requested_model) == ("triage", 7, "@preset/triage")
        assert (each.key_digest, each.external_user) == (KEY.digest, "u")
        assert (each.usage, each.cost, each.latency_ms, each.generation_ms) == (None, None, None, None)
    assert (first.provider, first.unsaid) == ("acme", ("/top_k", "/seed"))
    assert [(a.provider, a.error, a.latency_ms) for a in first.attempts] == [("acme", "interrupted", None)]
    assert second.provider == "bolt"
    assert [(a.provider, a.error) for a in second.attempts] == [
        ("acme", "provider_unavailable"),
        ("bolt", "interrupted"),
    ]
    assert records == []
    one.finish("completed")
    assert [record.status for record in records] == ["completed"]
    assert len(begun) == 2


# --- what is set aside ---------------------------------------------------------------------------------------


def test_what_is_set_aside_for_a_try_is_in_its_record_and_its_rest_is_free_at_the_end() -> None:
    async def work() -> None:
        purse, records, begun = Purse(10), list[Generation](), list[Generation]()
        one = exchange(records, begun=begun)
        reserved = await purse.set_aside(6, NOW - timedelta(days=1))
        one.begin_attempt(ACME, (), reserved)
        one.commit_attempt(200, Outcome())
        one.bill = Bill(Usage(input_tokens=1, output_tokens=1), None, None, charged=Decimal(4))
        assert await purse.bring_back() == 4
        one.finish("completed")
        assert await purse.bring_back() == 6
        assert reserved.record is not None
        for told, charged in zip((*begun, *records), (UNSEEN, Decimal(4)), strict=True):
            (attempt,) = told.attempts
            assert (attempt.reserved, attempt.at, attempt.charged) == (reserved.record, reserved.at, charged)

    asyncio.run(work())


@pytest.mark.parametrize("free", [True, False])
def test_what_a_try_that_failed_has_used_all_the_same_is_not_given_back(*, free: bool) -> None:
    async def work() -> None:
        purse, records = Purse(10), list[Generation]()
        one = exchange(records)
        one.begin_attempt(ACME, (), await purse.set_aside(6, NOW))
        one.spent = Bill(Usage(input_tokens=1, output_tokens=1), None, Decimal(4), charged=Decimal(4))
        one.fail_attempt(failed(status=502, free=free))
        one.finish("failed", failed(status=502, free=free))
        assert await purse.bring_back() == 6
        assert [attempt.charged for attempt in record(one, records).attempts] == [4]

    asyncio.run(work())


@pytest.mark.parametrize(("free", "kept"), [(True, 0), (False, 6)])
def test_a_try_that_failed_and_may_have_cost_something_keeps_its_share_up_to_the_end(*, free: bool, kept: int) -> None:
    async def work() -> None:
        purse, records = Purse(10), list[Generation]()
        one = exchange(records)
        one.begin_attempt(ACME, (), await purse.set_aside(6, NOW))
        one.fail_attempt(failed("timeout", free=free))
        assert await purse.bring_back() == 10 - kept
        one.begin_attempt(BOLT, (), await purse.set_aside(4, NOW))
        one.finish("cancelled")
        assert await purse.bring_back() == 10

    asyncio.run(work())


def test_a_try_that_was_refused_and_has_cost_something_all_the_same_uses_that_of_its_share() -> None:
    async def work() -> None:
        purse, records = Purse(10), list[Generation]()
        one = exchange(records)
        one.begin_attempt(ACME, (), await purse.set_aside(6, NOW))
        one.spent = Bill(Usage(input_tokens=7), None, Decimal(4), charged=Decimal(4))
        one.fail_attempt(failed(status=500, free=True))
        one.finish("failed", failed())
        assert await purse.bring_back() == 6

    asyncio.run(work())


def test_a_try_that_was_not_sent_and_is_made_once_more_sets_aside_once() -> None:
    async def work() -> None:
        purse, records = Purse(10), list[Generation]()
        one = exchange(records)
        one.begin_attempt(ACME, (), await purse.set_aside(9, NOW))
        one.take_back_attempt()
        one.begin_attempt(ACME, (), await purse.set_aside(9, NOW))
        one.commit_attempt(200, Outcome())
        one.finish("completed")
        assert await purse.bring_back() == 10
        assert [attempt.uncounted for attempt in record(one, records).attempts] == [True]

    asyncio.run(work())


def test_a_try_that_was_not_sent_and_is_not_made_once_more_has_cost_nothing() -> None:
    records: list[Generation] = []
    one = exchange(records)
    one.begin_attempt(ACME, ())
    one.take_back_attempt()
    one.finish("failed", GatewayError("unavailable", "the storage is away"))
    assert [attempt.uncounted for attempt in record(one, records).attempts] == [False]
