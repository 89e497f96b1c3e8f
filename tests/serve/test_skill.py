"""The Agent Skill: by the rules of its makers, true to the catalogue, and from a quote to a clip paid once."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import skills_ref
from counting import CountingService

from vidnb import catalog
from vidnb.emulator import Emulator, running
from vidnb.errors import ConfigError
from vidnb.serve import asking, skills
from vidnb.serve.refusals import RefusedError

MODEL = "leonardo/motion_2.0"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return skills.install(tmp_path / "skills")


def texts(folder: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.md")))


class Agent:
    """Runs the script as an agent does, one process a call."""

    def __init__(self, folder: Path, home: Path, environment: Mapping[str, str], python: str = sys.executable) -> None:
        self.command = [python, str(folder / "scripts" / "vidnb_job.py")]
        given = {"VIDNB_HOME": str(home), "VIDNB_EMULATOR_SPEED": "1000", **environment}
        self.options: dict[str, Any] = {"env": os.environ | given, "capture_output": True, "text": True}

    def __call__(self, do: str, **values: Any) -> Any:
        done = subprocess.run(self.command, input=json.dumps({"do": do, **values}), **self.options)
        told = json.loads(done.stdout)  # nothing else is on stdout
        assert done.returncode == ("error" in told), (done.stdout, done.stderr)
        return told


def test_it_keeps_the_rules_of_agent_skills(folder: Path) -> None:
    assert skills_ref.validate(folder) == []
    head = skills_ref.read_properties(folder)
    assert (head.name, head.license) == ("vidnb", "Apache-2.0")
    assert all(isinstance(value, str) for value in head.metadata.values())
    assert len((folder / "SKILL.md").read_text().splitlines()) < 500


def test_what_it_names_is_there(folder: Path) -> None:
    text = texts(folder)
    named = re.findall(r"`(references/[\w.]+|scripts/[\w.]+)", text)
    assert named
    assert [name for name in named if not (folder / name).is_file()] == []
    active = {model.id: model for model in catalog.load().values() if not model.is_retired}
    assert set(re.findall(r"^\| `([^`]+/[^`]+)` \|", text, re.MULTILINE)) == set(active)
    params = re.findall(r"^\| `([^`/]+)` \|", (folder / "references" / "params.md").read_text(), re.MULTILINE)
    assert set(params) == {name for model in active.values() for name in model.params}
    listed = re.findall(r"^\| `(\w+)` \|", (folder / "SKILL.md").read_text(), re.MULTILINE)
    assert set(listed) == set(asking.QUESTIONS)


def test_every_example_in_it_is_a_question(folder: Path) -> None:
    examples = re.findall(r"""\{"do": "\w+".*?\}(?=[`'\n])""", texts(folder))
    assert len(examples) > 8
    for example in examples:
        asking.question(example.replace("ID}", '"x"}'))


def test_it_is_brought_up_to_date_and_replaces_no_skill_of_somebody_else(folder: Path) -> None:
    (folder / "references" / "models.md").write_text("old")
    assert skills.install(folder.parent) == folder
    assert MODEL in texts(folder)
    (folder / "SKILL.md").write_text("---\nname: vidnb\n---\nmine")
    with pytest.raises(ConfigError, match="another skill"):
        skills.install(folder.parent)
    assert (folder / "SKILL.md").read_text().endswith("mine")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello", "no JSON"),
        ("[1]", "ask as"),
        ('{"do": "qoute"}', "allowed: quote"),
        ('{"do": "quote", "modle": "x"}', "did you mean 'model'"),
        ('{"do": "quote", "model": "x", "seed": 1}', "goes into params"),
        ('{"do": "submit", "quote_token": 7}', "valid string"),
        ('{"do": "wait", "job": "x", "max_s": 3600}', "less than or equal to 25"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_what_is_no_question_is_refused_with_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(RefusedError) as refused:
        asking.question(text)
    assert said in refused.value.body.model_dump_json()


def test_an_agent_that_repeats_its_order_gets_one_clip_and_pays_once(folder: Path, tmp_path: Path) -> None:
    with Emulator(tmp_path / "service", speed=1000.0) as emulator, running(emulator) as service:
        base = sys._base_executable  # type: ignore[attr-defined]  # a Python without vidnb, as an agent's own may be
        ask = Agent(folder, tmp_path / "data", {"LEONARDO_BASE_URL": f"{service}/api/rest"}, python=base)
        token = ask("quote", model=MODEL, prompt="a koala in a meadow", params={"seed": 7})["quote_token"]
        orders = [ask("submit", quote_token=token)["jobs"] for _ in range(2)]
        assert orders[0] == orders[1]
        [job] = orders[0]
        assert ask("wait", job=job)["state"] == "done"
        clip = ask("clip", job=job)
        assert Path(clip["path"]).read_bytes()[4:8] == b"ftyp"
        assert clip["seed"] == 7
        assert ask("clip", job="zz")["error"]["kind"] == "not_found"
        assert emulator.stats()["jobs"] == 1


def test_a_script_killed_in_the_middle_of_a_submit_pays_once_for_the_token(folder: Path, tmp_path: Path) -> None:
    service = CountingService()
    with service.serving():
        ask = Agent(folder, tmp_path / "data", service.environment)
        token = ask("quote", model=MODEL, prompt="a koala")["quote_token"]
        order = json.dumps({"do": "submit", "quote_token": token})
        with subprocess.Popen([*ask.command, order], env=ask.options["env"], stdout=subprocess.DEVNULL) as process:
            service.before_reply = lambda prompt: process.send_signal(signal.SIGKILL)
        service.before_reply = lambda prompt: None
        [job] = ask("submit", quote_token=token)["jobs"]
        assert ask("submit", quote_token=token)["jobs"] == [job]
        assert ask("wait", job=job, max_s=5)["state"] == "ambiguous"
    assert service.prompts == ["a koala"]
