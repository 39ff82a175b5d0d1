"""Where conversations go again: what makes two requests one conversation, and how long that is remembered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from setpoint.routing.sessions import KEPT_S, Session, Sessions, session
from setpoint.wire.body import split


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def of(name: str | None = None, account: str = "w", model: str = "m", **body: Any) -> Session:
    """The conversation of a request with this body."""
    return session(account, model, name, split(json.dumps(body).encode()))


def turn(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


HI, BE, YES, MORE = turn("user", "Hi"), turn("system", "Be brief."), turn("assistant", "Yes?"), turn("user", "More")


# --- which conversation --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "next_"),
    [
        ({"messages": [BE, HI]}, {"messages": [BE, HI, YES, MORE]}),
        ({"messages": [HI]}, {"messages": [HI, YES, MORE], "temperature": 1}),
        ({"messages": [turn("developer", "Be."), HI]}, {"messages": [turn("developer", "Be."), HI, YES]}),
        ({"system": "Be brief.", "messages": [HI]}, {"system": "Be brief.", "messages": [HI, YES, MORE]}),
        ({"instructions": "Be.", "input": [HI]}, {"instructions": "Be.", "input": [HI, YES, MORE]}),
        ({"input": "Hi"}, {"input": "Hi", "stream": True}),
    ],
)
def test_a_conversation_is_known_by_how_it_begins(first: dict[str, Any], next_: dict[str, Any]) -> None:
    assert of(**first) == of(**next_)
    assert not of(**first).named


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"messages": [BE, HI]}, {"messages": [HI]}),
        ({"messages": [BE, HI]}, {"messages": [BE, MORE]}),
        ({"messages": [BE, HI]}, {"messages": [turn("system", "Be kind."), HI]}),
        ({"system": "a", "messages": [HI]}, {"system": "b", "messages": [HI]}),
        ({"input": "Hi"}, {"input": "Ho"}),
        ({"messages": []}, {"messages": [HI]}),
        ({}, {"input": "Hi"}),
    ],
)
def test_what_begins_otherwise_is_another(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert of(**one) != of(**other)


def test_a_name_is_all_that_counts_and_holds_for_one_account_and_model() -> None:
    named = of("s1", messages=[HI])
    assert named == of("s1", messages=[MORE])
    others = [of("s2", messages=[HI]), of("s1", account="v"), of("s1", model="n"), of(messages=[HI])]
    assert named.named
    assert named not in others
    assert of("\ud800") != of("\ud801"), "half of a pair is a name like any other"


def test_an_empty_message_or_one_that_is_none_is_no_trouble() -> None:
    assert len({of(messages=[7]), of(messages=["Hi"]), of(messages=[{}]), of(messages=[{"role": 7}])}) == 4


# --- where it went -------------------------------------------------------------------------------------------

NAMED, UNNAMED = of("s1"), of(messages=[HI])


def test_a_named_one_is_kept_behind_any_success_and_another_where_something_is_cached() -> None:
    sessions = Sessions(Clock())
    sessions.succeeded(NAMED, "a", cached=False)
    sessions.succeeded(UNNAMED, "a", cached=False)
    assert (sessions.find(NAMED), sessions.find(UNNAMED)) == ("a", None)
    sessions.succeeded(UNNAMED, "a", cached=True)
    assert sessions.find(UNNAMED) == "a"


def test_it_is_forgotten_when_it_has_rested_for_ten_minutes() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    sessions.succeeded(NAMED, "a", cached=False)
    sessions.succeeded(UNNAMED, "a", cached=True)
    clock.now = KEPT_S - 1
    assert sessions.find(NAMED) == "a"
    sessions.succeeded(NAMED, "a", cached=False)
    sessions.succeeded(UNNAMED, "a", cached=False)
    clock.now = 2 * KEPT_S - 2
    assert (sessions.find(NAMED), sessions.find(UNNAMED)) == ("a", "a"), "each success counts anew"
    clock.now += 1
    assert (sessions.find(NAMED), sessions.find(UNNAMED)) == (None, None)


def test_it_goes_where_it_was_answered_last() -> None:
    sessions = Sessions(Clock())
    sessions.succeeded(NAMED, "a", cached=False)
    sessions.succeeded(NAMED, "b", cached=False)
    assert sessions.find(NAMED) == "b"
    sessions.succeeded(UNNAMED, "a", cached=True)
    sessions.succeeded(UNNAMED, "b", cached=False)
    assert sessions.find(UNNAMED) == "a", "there is nothing of it in the cache of the other"


def test_so_many_are_kept_and_those_that_have_rested_longest_go() -> None:
    sessions = Sessions(Clock(), most=3)
    one, two, three, four = (of(name) for name in "abcd")
    for each in (one, two, three, one, four):
        sessions.succeeded(each, "x", cached=False)
    assert [sessions.find(each) for each in (one, two, three, four)] == ["x", None, "x", "x"]
