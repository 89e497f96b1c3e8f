"""The rules of sizes stand in Python and in the form's page; both agree on one table, and on the whole catalogue."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from vidnb import catalog, params
from vidnb.catalog import SIZE_PARAMS, Model, read
from vidnb.widgets import Form
from vidnb.widgets.code import STATIC
from vidnb.widgets.fields import SIZE, fields_of
from vidnb.widgets.inputs import Inputs
from vidnb.widgets.page_values import canonical_size, from_page, to_page
from vidnb.widgets.snap import snap

TESTS = Path(__file__).parent.parent
TABLE = json.loads((TESTS / "support/size_cases.json").read_text(encoding="utf-8"))
NO_INPUTS = Inputs(lambda _clip, _at: None)

Page = Callable[..., dict[str, list[dict[str, Any]]]]


@pytest.fixture(scope="module")
def models() -> Mapping[str, Model]:
    made = {name: {"endpoints": {"text": "/clips"}, **entry} for name, entry in TABLE["models"].items()}
    own = {"provider": "table", "api": "v1", "path": "size_cases.json", "models": made}
    return {model.name: model for model in read.models([own])}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Asks the page's own code, run by node."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node here, which runs the page's JavaScript without a browser")
    folder = tmp_path_factory.mktemp("form")
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    for file in (STATIC / "form").glob("*.js"):
        shutil.copy(file, folder)

    def ask(held: Iterable[Any] = (), picked: Iterable[Any] = ()) -> dict[str, list[dict[str, Any]]]:
        questions = json.dumps({"held": list(held), "picked": list(picked)})
        run = [node, str(TESTS / "js/size_rules.js"), str(folder)]
        answer = subprocess.run(run, input=questions, capture_output=True, encoding="utf-8", check=False)
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)

    return ask


def size_field(model: Model) -> dict[str, Any]:
    return next(field for field in fields_of(model) if field["name"] == SIZE)


def pixels(model: Model, value: Any) -> tuple[list[int] | None, bool]:
    """Width and height that are sent for what the page holds, and whether they may be sent."""
    given = from_page(model, size_field(model)["params"], value, NO_INPUTS)
    request, problems = params.draft(model, {"prompt": "a koala", **given})
    assert {name for problem in problems for name in problem.field.split(", ")} <= {*SIZE_PARAMS}
    sent = given if problems else request.params
    sides = [sent.get("width_px"), sent.get("height_px")]
    return (sides if all(isinstance(side, int) for side in sides) else None), not problems


def test_python_reads_every_size_as_the_table_says(models: Mapping[str, Model]) -> None:
    for row in TABLE["held"]:
        assert pixels(models[row["model"]], row["value"]) == (row["pixels"], row["good"]), row


def test_the_page_reads_every_size_as_the_table_says(models: Mapping[str, Model], page: Page) -> None:
    rows = [{**row, "field": size_field(models[row["model"]])} for row in TABLE["held"]]
    for row, shown in zip(TABLE["held"], page(held=rows)["held"], strict=True):
        offers_own = row["value"] is None or "width_px" not in row["value"] or size_field(models[row["model"]])["any"]
        if offers_own:
            assert shown["good"] == row["good"], row
        if row["pixels"]:
            assert shown["sides"] == [str(side) for side in row["pixels"]], row


def test_the_page_picks_what_the_table_says(models: Mapping[str, Model], page: Page) -> None:
    rows = [{**row, "field": size_field(models[row["model"]])} for row in TABLE["picked"]]
    for row, shown in zip(TABLE["picked"], page(picked=rows)["picked"], strict=True):
        assert (shown["becomes"], shown["said"]) == (row["becomes"], row["said"]), row
        _, good = pixels(models[row["model"]], shown["becomes"])
        assert good or row["becomes"] == {"aspect_ratio": "auto"}, row


def test_a_change_of_model_goes_where_the_table_says(models: Mapping[str, Model]) -> None:
    for row in TABLE["moved"]:
        values, said = snap(models[row["to"]], row["values"])
        assert values == row["becomes"], row
        assert bool(said) is (values != row["values"]), row


def test_whatever_the_page_can_pick_is_sent_with_the_pixels_that_it_shows(page: Page) -> None:
    listing = [model for model in catalog.load().values() if model.sizes and not model.is_retired]
    asked: list[dict[str, Any]] = []
    for model in listing:
        field = size_field(model)
        picks = [(name, choice) for name, part in field["parts"].items() for choice in part["choices"]]
        starts = [None, *({"resolution": size[2], "aspect_ratio": size[3]} for size in field["sizes"][:3])]
        asked += [
            {"model": model, "field": field, "value": value, "pick": pick}
            for value, pick in itertools.product(starts, picks)
        ]
    questions = [{name: value for name, value in one.items() if name != "model"} for one in asked]
    assert len(asked) > 200
    for one, shown in zip(asked, page(picked=questions)["picked"], strict=True):
        if shown["ratio"] == "auto":
            assert one["model"].size_auto
            continue
        model, becomes = one["model"], shown["becomes"]
        given = from_page(model, one["field"]["params"], becomes, NO_INPUTS)
        request, problems = params.draft(model, given)
        # A shape that the model takes with a start image only is refused in words, by its rule.
        ruled = {rule.param for rule in model.rules if "mode" in rule.when}
        wrong = [one for one in problems if one.given is not None and one.field not in ruled]
        assert not wrong, (model.id, becomes)
        sent = [request.params.get("width_px"), request.params.get("height_px")]
        assert [str(side) for side in sent] == shown["sides"], (model.id, becomes)
        assert to_page(model, one["field"]["params"], given, NO_INPUTS) == becomes
        if one["value"] is None:  # with nothing set before, code that names only this comes to the same size
            name, choice = one["pick"]
            assert canonical_size(model, {name: choice}) == becomes, (model.id, name, choice)


def test_a_size_that_only_code_can_give_is_kept_and_judged_by_validation(models: Mapping[str, Model]) -> None:
    form = Form(models["listed"], {"prompt": "a koala", "width_px": 1000, "height_px": 600})
    assert [problem.field for problem in form.problems()] == ["width_px, height_px"]
    assert "832x480" in str(form.problems()[0])
