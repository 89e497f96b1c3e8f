"""The REST app asked at random, by its own description: no fault of its own, no answer that the description lacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from served import served

from vidnb.serve.openapi import document
from vidnb.serve.rest import OPERATIONS, rest_app
from vidnb.serve.shapes import Order

TOKEN = "t" * 43
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
MODEL = "leonardo/motion_2.0"


@dataclass
class Place:
    """A server with one job in it."""

    url: str
    known: dict[str, str]
    """What stands in paths: a job, a model and a provider that are there."""
    token: str


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDNB_HOME", str(tmp_path_factory.mktemp("data")))
        patch.setenv("VIDNB_EMULATOR_SPEED", "1000")
        with served(rest_app(TOKEN)) as url, httpx.Client(base_url=url, headers=HEADERS, timeout=60) as http:
            token = http.post("/quotes", json={"model": MODEL, "prompt": "a koala"}).json()["quote_token"]
            [job] = http.post("/jobs", json={"quote_token": token}).json()["jobs"]
            assert http.get(f"/jobs/{job}", params={"wait_s": 25}).json()["state"] == "done"
            yield Place(url, {"job": job, "model": MODEL, "provider": "leonardo"}, token)


# Who has nothing to get wrong but a path is asked in the right form only.
CASES = [(one, mode) for one in OPERATIONS for mode in GenerationMode if mode.is_positive or one.asks or one.query]


@pytest.mark.parametrize(("one", "mode"), CASES, ids=lambda value: getattr(value, "name", value))
def test_nothing_breaks_it(place: Place, one: Any, mode: GenerationMode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDNB_WEBHOOK_SECRET_LEONARDO", "s3cret")
    described = document(OPERATIONS)
    del described["security"]  # the token is given with every request, and is no part of the game
    operation = schemathesis.openapi.from_dict(described)[one.path][one.method]
    # That a value has the right form does not make it one that there is: a model, a job, a param. And in an address
    # everything is text, so that 0.0 is as good as 0.
    unasked = [positive_data_acceptance, *([negative_data_rejection] if one.query else [])]

    @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
    @settings(max_examples=30, suppress_health_check=list(HealthCheck))
    def run(case: Any, known: bool) -> None:
        if known:
            case.path_parameters = {name: place.known[name] for name in case.path_parameters or {}}
        if known and one.asks is Order and mode.is_positive:
            case.body = {"quote_token": place.token}
        case.call_and_validate(base_url=place.url, headers=HEADERS, excluded_checks=unasked)

    run()


def test_a_wrong_answer_would_be_seen(place: Place) -> None:
    described = document(OPERATIONS)
    described["components"]["schemas"]["Money"]["properties"]["purse"]["type"] = "integer"
    case = schemathesis.openapi.from_dict(described)["/budget"]["GET"].Case()
    with pytest.raises(FailureGroup, match="is not of type"):
        case.call_and_validate(base_url=place.url, headers=HEADERS)
