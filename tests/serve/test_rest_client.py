"""A client that a generator makes from the OpenAPI document, and nothing else, comes from a quote to a clip."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from served import served

from vidnb.serve.openapi import document
from vidnb.serve.rest import OPERATIONS, rest_app

pytest.importorskip("openapi_python_client", reason="pip install -e '.[long]'")
pytestmark = pytest.mark.long

TOKEN = "t" * 43
SETTINGS = {
    "post_hooks": [],  # no formatting
    "content_type_overrides": {"video/mp4": "application/octet-stream", "image/webp": "application/octet-stream"},
}


@pytest.fixture
def generated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a part of the client."""
    described, settings = tmp_path / "openapi.json", tmp_path / "settings.json"
    described.write_text(json.dumps(document(OPERATIONS)))
    settings.write_text(json.dumps(SETTINGS))
    target = tmp_path / "generated_vidnb"
    command = ["generate", "--path", described, "--meta", "none", "--output-path", target, "--config", settings]
    done = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", *map(str, command), "--fail-on-warning"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.syspath_prepend(tmp_path)

    def part(name: str) -> Any:
        with warnings.catch_warnings():  # it is not our code
            warnings.simplefilter("ignore")
            return importlib.import_module(f"generated_vidnb.{name}")

    return part


def test_it_pays_once_for_a_clip_that_plays(
    generated: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setenv("VIDNB_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("VIDNB_EMULATOR_SPEED", "1000")
    models = generated("models")

    def ask(name: str, *path: str, **values: Any) -> Any:
        reply = generated(f"api.default.{name}").sync_detailed(*path, client=client, **values)
        return reply.parsed

    with served(rest_app(TOKEN)) as url:
        client = generated("client").AuthenticatedClient(base_url=url, token=TOKEN)
        listed = ask("list_models", query="motion_2.0", mode=models.ListModelsMode.TEXT)
        assert "leonardo/motion_2.0" in [model.id for model in listed.models]
        assert "seed" in ask("describe_model", "leonardo/motion_2.0").params.additional_properties
        wrong = models.QuoteWanted(model="leonardo/motion_3")
        assert "did you mean" in ask("create_quote", body=wrong).error.message
        params = models.QuoteWantedParams.from_dict({"seed": 7})
        wanted = models.QuoteWanted(model="leonardo/motion_2.0", prompt="a koala", params=params)
        order = models.Order(quote_token=ask("create_quote", body=wanted).quote_token)
        orders = [ask("create_jobs", body=order) for _ in range(5)]
        assert [one.repeated for one in orders] == [False, True, True, True, True]
        [job] = {job for one in orders for job in one.jobs}
        told = ask("get_job", job, wait_s=25.0)
        assert (told.state, told.seed) == (models.State.DONE, 7)
        assert ask("get_clip", job).payload.read()[4:8] == b"ftyp"
        assert ask("get_poster", job).payload.read()[8:12] == b"WEBP"
        assert ask("list_jobs", seed=[7]).all_ == 1
        assert (ask("reconcile").found, ask("reconcile").a_person_decides) == ([], [])
        assert ask("get_budget").purse == "programs"
        client.get_httpx_client().close()
