"""Counts and amounts: written as plain numbers, read from their own digits."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from setpoint.protocols.money import dollars, money, read_count, read_money, text_bytes


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, "null"),
        (Decimal("0E-12"), "0"),
        (Decimal("-0"), "0"),
        (Decimal("1.500"), "1.5"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-7"), "0.0000001"),
    ],
)
def test_money_is_a_plain_number(amount: Decimal | None, text: str) -> None:
    assert bytes(money(amount)).decode() == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "$0.00"),
        ("500", "$500.00"),
        ("1E+3", "$1,000.00"),
        ("2.5", "$2.50"),
        ("0.0050", "$0.005"),
        ("1E-7", "$0.0000001"),
    ],
)
def test_people_read_all_digits_of_an_amount(amount: str, text: str) -> None:
    assert dollars(Decimal(amount)) == text


@given(st.decimals(0, 10**6 - 1, allow_nan=False, places=30))
def test_money_keeps_every_digit(amount: Decimal) -> None:
    assert Decimal(bytes(money(amount)).decode()) == amount
    assert read_money(money(amount)) == amount


@pytest.mark.parametrize("data", [b"null", b"true", b'"0.5"', b"{}", b"-0.5", b"1e6", b"1e-999999", b"0." + b"1" * 100])
def test_what_is_no_sensible_amount_is_unknown(data: bytes) -> None:
    assert read_money(Raw(data)) is None


def test_an_amount_that_is_not_there_is_unknown() -> None:
    assert read_money(None) is None


@pytest.mark.parametrize(("data", "count"), [(b"7", 7), (b"10.0", 10), (b"null", 0), (b"0", 0)])
def test_a_count_is_a_whole_number(data: bytes, count: int) -> None:
    assert read_count({"n": Raw(data)}, "n") == count


def test_a_count_that_is_not_there_is_nothing() -> None:
    assert read_count({}, "n") == 0


@pytest.mark.parametrize("data", [b"-1", b"1.5", b"true", b'"7"', b"[]", b"1" * 16])
def test_what_is_no_count_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="n"):
        read_count({"n": Raw(data)}, "n")


@pytest.mark.parametrize(
    ("data", "count"),
    [
        ("null", 0),
        ("7", 0),
        ('"abc"', 3),
        ('"ß€𝄞"', 9),
        (r'"\u00df\u20ac\ud834\udd1e"', 9),
        (r'"\ud800"', 3),
        ('[{"type":"text","text":"ab"},{"text":"c"},{},1]', 3),
    ],
)
def test_the_bytes_of_a_text_are_those_of_its_characters(data: str, count: int) -> None:
    assert text_bytes(Raw(data.encode())) == count


def test_no_text_has_no_bytes() -> None:
    assert text_bytes(None) == 0
