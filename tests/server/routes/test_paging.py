"""Numbers and flags in queries: read as they are, or refused; never clamped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.errors import FieldError
from setpoint.server.routes.paging import flag, integer, page

LARGEST = 2**63 - 1


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, (0, 50)),
        ({"offset": "7"}, (7, 50)),
        ({"limit": "1"}, (0, 1)),
        ({"offset": "0", "limit": "100"}, (0, 100)),
        ({"offset": "007"}, (7, 50)),
        ({"offset": "-0"}, (0, 50)),
        ({"offset": str(LARGEST)}, (LARGEST, 50)),
        ({"other": "x"}, (0, 50)),
    ],
)
def test_a_page_is_read(query: dict[str, str], expected: tuple[int, int]) -> None:
    assert page(query) == expected


def test_a_list_may_have_its_own_bounds() -> None:
    assert page({}, most=1000, default=1000) == (0, 1000)
    assert page({"limit": "500"}, most=1000) == (0, 500)


NO_NUMBERS = ["", " ", "x", "1.0", "1e3", "+1", "--1", "1_000", "0x10", "٣", "1 ", "null", "9" * 5000, str(LARGEST + 1)]


@pytest.mark.parametrize("name", ["offset", "limit"])
@pytest.mark.parametrize("text", [*NO_NUMBERS, "-1"])
def test_what_is_no_whole_number_in_range_is_refused_by_its_name(name: str, text: str) -> None:
    with pytest.raises(FieldError, match=f"^{name}: must be a whole number") as caught:
        page({name: text})
    assert (caught.value.path, caught.value.status) == (name, 400)


@pytest.mark.parametrize("text", ["0", "101", "1000"])
def test_a_limit_out_of_range_is_refused_and_not_clamped(text: str) -> None:
    with pytest.raises(FieldError, match="limit: must be a whole number from 1 to 100"):
        page({"limit": text})


@given(st.integers(-(2**64), 2**64), st.integers(-10, 10), st.integers(0, 20))
def test_an_integer_is_itself_or_refused(number: int, least: int, span: int) -> None:
    most = least + span
    if least <= number <= most:
        assert integer({"n": str(number)}, "n", default=0, least=least, most=most) == number
    else:
        with pytest.raises(FieldError, match=f"from {least} to {most}"):
            integer({"n": str(number)}, "n", default=0, least=least, most=most)


@given(st.text(max_size=25))
def test_no_text_is_too_strange(text: str) -> None:
    try:
        assert 0 <= integer({"n": text}, "n", default=0) <= LARGEST
    except FieldError as error:
        refusal = error
    else:
        return
    assert refusal.path == "n"


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("false", False), ("0", False)])
def test_a_flag_is_read(text: str, value: bool) -> None:
    assert flag({"f": text}, "f", default=not value) is value


@pytest.mark.parametrize("default", [True, False])
def test_a_flag_that_is_not_there_is_its_default(default: bool) -> None:
    assert flag({}, "f", default=default) is default


@pytest.mark.parametrize("text", ["", "yes", "True", "2", " true"])
def test_any_other_flag_is_refused(text: str) -> None:
    with pytest.raises(FieldError, match=r"^f: must be true or false$"):
        flag({"f": text}, "f", default=False)
