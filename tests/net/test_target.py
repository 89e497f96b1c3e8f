"""A key may lie in two variables, as fal's clients have it: both make one key, half of one is said and never sent."""

from __future__ import annotations

import pytest

from vidnb.errors import ConfigError
from vidnb.net.target import target
from vidnb.providers.fal import Fal


def test_two_halves_of_a_key_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAL_KEY_ID", " an-id ")
    monkeypatch.setenv("FAL_KEY_SECRET", "a-secret\n")
    where = target(Fal())
    assert not where.emulated
    assert where.provider.headers(where.key.get_secret_value())["Authorization"] == "Key an-id:a-secret"


def test_a_whole_key_holds_before_two_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAL_KEY_ID", "an-id")
    monkeypatch.setenv("FAL_KEY", "whole:key")
    assert target(Fal()).key.get_secret_value() == "whole:key"


@pytest.mark.parametrize(
    ("there", "missing"), [("FAL_KEY_ID", "FAL_KEY_SECRET"), ("FAL_KEY_SECRET", "FAL_KEY_ID")]
)  # fmt: skip
def test_half_a_key_is_an_error_that_names_the_other_half(
    monkeypatch: pytest.MonkeyPatch, there: str, missing: str
) -> None:
    monkeypatch.setenv(there, "half")
    with pytest.raises(ConfigError, match=f"{there} is set and {missing} is not") as caught:
        target(Fal())
    assert "half" not in str(caught.value)
    assert target(Fal(), live=False).emulated
