"""The Agent Skill: a folder that tells an agent without MCP how to make clips, and the script that it runs.

What stands still is in `skill/`; the lists of models and params are made from the catalogue when the folder is written,
so that they hold for the models that this vidnb has, plug-ins and own catalogue files included.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from vidnb import catalog
from vidnb.catalog import Model, words
from vidnb.errors import ConfigError

NAME = "vidnb"
FOLDER = Path(".agents") / "skills"
"""Where agents of several makers look for skills, below a project."""
SOURCE = Path(__file__).parent / "skill"
SCRIPT = "scripts/vidnb_job.py"
MODELS = """# Models that can be asked for

One line each; `{"do": "model", "model": ID}` tells everything about one. "from" says what it starts with. Without a
"seed" two clips of one recipe differ: ask for several `takes`. No price: nobody publishes one; the quote says what was
charged here before, if anything.

| id | from | seconds | resolution | seed | price |
|---|---|---|---|---|---|
"""
PARAMS = """# Settings

Names are the same for every model; what a model takes, and within which bounds, `{"do": "model", "model": ID}` tells.
Those of the kind image, video or audio go into `images`, the others into `params`, and `prompt` stands by itself.

| name | kind | models | what it does |
|---|---|---|---|
"""


def install(to: Path) -> Path:
    """Write the skill's folder below another one, and return it; an older one is replaced file by file.

    Args:
        to: where the agent looks for skills.

    Raises:
        ConfigError: another skill of that name is there, or the folder refuses.
    """
    folder = to / NAME
    head = folder / "SKILL.md"
    try:
        if head.exists() and "vidnb skill install" not in head.read_text(encoding="utf-8", errors="replace"):
            raise ConfigError(f"{folder} holds another skill of that name; name another folder with --to")
        for name, text in _files():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"the skill cannot be written to {folder}: {error.strerror or error}") from None
    return folder


def _files() -> Iterator[tuple[str, str]]:
    """The files of the folder: names and texts."""
    for path in sorted(SOURCE.rglob("*.*")):
        name, text = path.relative_to(SOURCE).as_posix(), path.read_text(encoding="utf-8")
        if path.suffix in (".md", ".py"):
            # An agent's own `python` may be another one than that which has vidnb.
            yield name, text.replace('PYTHON = ""', f"PYTHON = {sys.executable!r}") if name == SCRIPT else text
    active = [model for model in catalog.load().values() if not model.is_retired]
    yield "references/models.md", MODELS + "".join(map(_model_line, active))
    yield "references/params.md", PARAMS + "".join(_param_lines(active))


def _model_line(model: Model) -> str:
    seed = "yes" if "seed" in model.params else ""
    cells = (
        f"`{model.id}`", ", ".join(model.modes), words.seconds(model), ", ".join(words.resolutions(model)), seed,
        words.price_line(model.price),
    )  # fmt: skip
    return _line(cells)


def _param_lines(models: Iterable[Model]) -> Iterator[str]:
    every = [(name, param) for model in models for name, param in model.params.items()]
    counts = Counter(name for name, _ in every)
    first = dict(reversed(every))
    for name in sorted(counts):
        yield _line((f"`{name}`", first[name].kind, str(counts[name]), first[name].help))


def _line(cells: Iterable[str]) -> str:
    """A row of a table; texts of plug-ins and own catalogue files cannot break out of it."""
    return f"| {' | '.join(' '.join(cell.split()).replace('|', '/') for cell in cells)} |\n"
