"""The words in which values are told to people are the same everywhere."""

from __future__ import annotations

import pytest

from vidnb.catalog import words
from vidnb.records import Cost, dollars, money


@pytest.mark.parametrize(
    ("amount", "told"),
    [
        (0, "$0.00"), (-1e-17, "$0.00"), (3.5, "$3.50"), (0.1 + 0.2, "$0.30"), (1234.5, "$1,234.50"), (-0.05, "-$0.05"),
        (0.112, "$0.112"), (18.4032, "$18.40"), (0.0107, "$0.0107"), (0.00099, "$0.00099"), (3e-6, "$0.000003"),
    ],
)  # fmt: skip
def test_dollars_have_two_decimals_and_more_only_for_a_price_with_parts_of_a_cent(amount: float, told: str) -> None:
    assert dollars(amount) == str(Cost(amount, "USD")) == told


def test_a_sum_and_a_price_of_the_catalogue_are_told_like_any_cost() -> None:
    assert money({"USD": 1234.5, "CREDITS": 1200.0, "JOBS": 0.0}) == "$1,234.50 + 1,200 credits"
    assert [Cost(amount, "USD").as_sum for amount in (0.3992, 0.0042, 0, -0.0499)] == [
        "$0.40", "$0.0042", "$0.00", "-$0.05",
    ]  # fmt: skip
    assert words.price_line({"amount": 0.5, "unit": "USD", "cases": [{"amount": 0.112}]}) == "$0.112 to $0.50 a clip"
