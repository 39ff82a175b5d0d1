"""How prices are shown to clients."""

from __future__ import annotations

from decimal import Decimal

from setpoint.records import LongPrice, Price
from setpoint.server.routes.catalog.shapes import shown_price


def test_a_rate_of_one_step_is_in_every_step_since_clients_take_the_last_that_has_it() -> None:
    price = Price(
        prompt=Decimal(1),
        completion=Decimal(2),
        audio=Decimal(5),
        long=(
            LongPrice(above_tokens=10, price=Price(prompt=Decimal(3), completion=Decimal(2))),
            LongPrice(above_tokens=20, price=Price(prompt=Decimal(1), completion=Decimal(4), audio=Decimal(5))),
        ),
    )
    assert shown_price(price) == {
        "prompt": "1",
        "completion": "2",
        "audio": "5",
        "overrides": [
            {"min_prompt_tokens": 10, "prompt": "3", "completion": "2", "audio": "-1"},
            {"min_prompt_tokens": 20, "prompt": "1", "completion": "4", "audio": "5"},
        ],
    }


def test_what_nobody_knows_is_shown_as_no_fixed_price() -> None:
    assert shown_price(None) == shown_price(Price()) == {"prompt": "-1", "completion": "-1"}
