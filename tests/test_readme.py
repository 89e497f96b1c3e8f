"""The README says nothing that is not so: its lines run, its commands and links exist, its figures are true."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import PIL.Image
import PIL.ImageSequence
import pytest
import typer.main

from vidnb import catalog, plugins
from vidnb.cli import app

REPO = Path(__file__).parents[1]
README = (REPO / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SCREENSHOT = "notebooks/images/first_clip.png"
TOUR = "notebooks/images/tour.webp"

QUICK = ("generate", "models", "history", "doctor", "resume")
"""Commands that end by themselves and need no service."""


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language."""
    return [text for name, text in BLOCK.findall(README) if name == language]


def commands() -> list[list[str]]:
    """The arguments of every `vidnb ...` line."""
    lines = [line for block in blocks("bash") for line in block.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("vidnb ")]


def marked_line(name: str) -> str:
    """The one line of the one block below the marker `<!-- name line -->`."""
    (line,) = re.findall(rf"^<!-- {name} line -->\n```bash\n([^\n]+)\n```$", README, re.MULTILINE)
    return str(line)


@pytest.mark.parametrize("name", ["start", "test"])
def test_a_marked_line_is_there_once_and_is_valid_shell(name: str) -> None:
    assert README.count(f"<!-- {name} line -->") == 1
    assert subprocess.run(["bash", "-n", "-c", marked_line(name)], capture_output=True).returncode == 0


def test_the_start_line_makes_its_own_environment_and_ends_in_the_lab() -> None:
    made, installed, started = marked_line("start").split(" && ")
    assert made == "python3 -m venv .venv"
    assert installed.endswith("-e '.[lab]'")
    assert started == ".venv/bin/vidnb lab"


def test_ci_runs_the_test_line_of_the_readme() -> None:
    script = (REPO / ".ci/run").read_text(encoding="utf-8")
    (function,) = re.findall(r"^test_line\(\) \{.*?^\}$", script, re.DOTALL | re.MULTILINE)
    done = subprocess.run(["bash", "-c", f"{function}\ntest_line"], cwd=REPO, capture_output=True, text=True)
    assert done.stdout.strip() == marked_line("test")
    assert "line=$(test_line)" in script
    assert 'bash -euo pipefail -c "$line"' in script


def test_the_python_runs_from_top_to_bottom_with_no_key(tmp_path: Path) -> None:
    cells = blocks("python")
    assert len(cells) >= 2
    script = tmp_path / "readme.py"
    script.write_text("\n".join(cells), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", script.name],
        cwd=tmp_path,
        env=os.environ | {"VIDNB_EMULATOR_SPEED": "1000"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_a_command_is_one_that_vidnb_has_with_these_options(arguments: list[str]) -> None:
    name, *rest = arguments
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]  # typer has a click of its own
    command.make_context(name, rest)  # raises where an option or an argument is wrong


def test_the_quick_commands_run_in_the_order_of_the_readme(tmp_path: Path) -> None:
    chosen = [arguments for arguments in commands() if arguments[0] in QUICK]
    assert {arguments[0] for arguments in chosen} == set(QUICK)
    for arguments in chosen:
        done = subprocess.run(
            [sys.executable, "-m", "vidnb", *arguments],
            cwd=tmp_path,
            env=os.environ | {"VIDNB_EMULATOR_SPEED": "1000"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (arguments, done.stderr)
    assert (tmp_path / "koala.mp4").read_bytes()[4:8] == b"ftyp"
    assert "A koala in a meadow" in (tmp_path / "history.csv").read_text(encoding="utf-8")


def test_every_link_leads_to_a_file() -> None:
    targets = [target for target in re.findall(r"\]\(([^)\s]+)\)", README) if "://" not in target]
    assert targets
    assert [target for target in targets if not (REPO / target.partition("#")[0]).exists()] == []


def test_every_file_and_folder_that_it_names_exists() -> None:
    named = re.findall(r"`((?:vidnb|notebooks|tests|binder|\.ci)/[\w./-]*)`", README)
    assert named
    assert [name for name in named if not (REPO / name).exists()] == []


def test_every_variable_that_it_names_is_read_somewhere() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (REPO / "vidnb").rglob("*.py"))
    names = set(re.findall(r"\b(?:VIDNB|LEONARDO|ONEMIN)_[A-Z_]+\b", README))
    assert names
    assert sorted(name for name in names if name not in code) == []


def test_the_new_model_of_the_readme_is_complete_and_makes_a_clip(tmp_path: Path) -> None:
    (text,) = [text for text in blocks("toml") if "[models." in text]
    own = tmp_path / "own.toml"
    own.write_text(text, encoding="utf-8")
    (name,) = tomllib.loads(text)["models"]
    environment = os.environ | {"VIDNB_CATALOG": str(own), "VIDNB_EMULATOR_SPEED": "1000"}
    command = [sys.executable, "-m", "vidnb", "generate", "a koala", "--model", f"leonardo/{name}", "--seed", "7"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).read_bytes()[4:8] == b"ftyp"


def test_the_entry_point_is_in_the_group_that_vidnb_reads() -> None:
    (text,) = [text for text in blocks("toml") if "entry-points" in text]
    groups = [plugins.PROVIDERS, plugins.CATALOGUES, plugins.EMULATED]
    assert sorted(tomllib.loads(text)["project"]["entry-points"]) == sorted(groups)


def test_it_counts_the_models_that_the_catalogue_has() -> None:
    models = list(catalog.load().values())
    active = [model for model in models if not model.is_retired]
    with_seed = [model for model in active if "seed" in model.params]
    assert f"Of the {len(active)} active models, {len(with_seed)} take a seed." in README
    assert f"the catalogue of {len(models)} models" in README
    strength = {model.id: model.is_retired for model in models if "motion_strength" in model.params}
    assert strength == {"1min/leonardo-motion": False, "leonardo/SVD": True}  # as it says beside


def test_the_screenshot_is_a_real_picture_and_small() -> None:
    assert re.search(rf"!\[[^\]]+\]\({re.escape(SCREENSHOT)}\)", README)
    file = REPO / SCREENSHOT
    assert file.stat().st_size < 250_000
    with PIL.Image.open(file) as picture:
        assert picture.format == "PNG"
        assert picture.width >= 800
        assert len(picture.convert("RGB").getcolors(picture.width * picture.height)) > 50


def test_the_picture_at_the_top_moves_and_is_small() -> None:
    assert re.search(rf"!\[[^\]]+\]\({re.escape(TOUR)}\)", README.partition("```")[0])
    file = REPO / TOUR
    assert file.stat().st_size < 2_000_000
    with PIL.Image.open(file) as picture:
        assert (picture.format, picture.width >= 800) == ("WEBP", True)
        shown = set()
        for frame in PIL.ImageSequence.Iterator(picture):
            shown.add(hash(frame.convert("RGB").tobytes()))
    assert len(shown) > 20
