"""Which contents are kept, and how much of them is held until they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.gateway.contents import MOST_ANSWER_BYTES, MOST_HELD_BYTES, Contents, Gathered, Sampling, keeps_content

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.records import Content


def keep(_id: str, _read: Callable[[], Content], _done: Callable[[], None]) -> bool:
    """Where there is room for all."""
    return True


def holder() -> Contents:
    contents = Contents(keep)
    contents.sampling = Sampling(on=True)
    return contents


def begun(contents: Contents) -> Gathered:
    gathered = contents.begin("gen-1", None)
    assert gathered is not None
    return gathered


def test_a_share_of_the_conversations_is_kept_and_always_the_same() -> None:
    half = Sampling(on=True, share=0.5)
    kept = {str(number) for number in range(4_000) if keeps_content(half, "gen-1", str(number))}
    assert 1_800 < len(kept) < 2_200
    assert kept == {str(number) for number in range(4_000) if keeps_content(half, f"gen-{number}", str(number))}
    without = {number for number in range(4_000) if keeps_content(half, f"gen-{number}", None)}
    assert 1_800 < len(without) < 2_200
    quarter = Sampling(on=True, share=0.25)
    assert {one for one in kept if keeps_content(quarter, "gen-1", one)} < kept, "less is a part of more"


def test_all_none_and_off_are_what_they_say() -> None:
    sessions = [*map(str, range(500)), None, "\ud800"]
    assert all(keeps_content(Sampling(on=True), f"gen-{one!r}", one) for one in sessions)
    assert not any(keeps_content(Sampling(on=True, share=0), f"gen-{one!r}", one) for one in sessions)
    assert not any(keeps_content(Sampling(on=False), f"gen-{one!r}", one) for one in sessions)
    assert Contents(keep).begin("gen-1", None) is None, "nothing is kept unless it is said"


def test_of_one_answer_so_much_is_held_and_no_more() -> None:
    contents = holder()
    gathered = begun(contents)
    for _ in range(20):
        gathered.add(bytes(MOST_ANSWER_BYTES // 8))
    assert contents.take(MOST_HELD_BYTES - MOST_ANSWER_BYTES)
    assert not contents.take(1)


def test_of_all_answers_together_so_much_is_held_and_no_more() -> None:
    contents = holder()
    assert contents.take(MOST_HELD_BYTES - 10)
    gathered = begun(contents)
    gathered.add(bytes(8))
    gathered.add(bytes(8))
    gathered.add(b"x")
    assert contents.take(2), "what did not fit is not counted, nor what came behind it"
    gathered.restart()
    assert contents.take(8), "a try that is given up holds nothing"
    assert not contents.take(1)
