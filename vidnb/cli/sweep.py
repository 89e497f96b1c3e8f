"""`vidnb sweep FILE.toml`: a sweep from a file, with its plan first and the counts while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidnb.advice import as_commands
from vidnb.cli.budget import caps_in_credits
from vidnb.cli.terminal import INTERRUPTED, console, say
from vidnb.errors import ConfigError

if TYPE_CHECKING:
    from vidnb.sweeps.running import RunProgress
    from vidnb.sweeps.sweep import Sweep

TOLD_S = 10.0
"""Seconds between two printed lines of counts where the output is no terminal."""
GOES_ON = ("running", "pausing", "paused", "offline", "waiting")
"""The words of a run that is not at its end."""


def sweep(
    file: Annotated[Path, typer.Argument(help="TOML with the arguments of vidnb.sweep; lists are axes.")],
    budget: Annotated[float | None, typer.Option(min=0, help="Cap in US dollars, for all runs of it.")] = None,
    credits: Annotated[
        list[str] | None, typer.Option(help="Cap in credits of a service, as 1min=500. May be repeated.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=0, help="Cap in number of jobs.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show the plan and send nothing.")] = False,
    queue: Annotated[bool, typer.Option("--queue", help="Only write it for vidnb work, here or elsewhere.")] = False,
    retry: Annotated[str | None, typer.Option(help="Send the failed jobs of this cause again, too.")] = None,
    accept_unknown_price: Annotated[
        bool, typer.Option(help="Send jobs although no cap in money can be held against their price.")
    ] = False,
    live: Annotated[bool, typer.Option("--live", help="A missing key is an error; never emulate.")] = False,
) -> None:
    """Run a sweep: every combination of the lists in a file, under a cap. The same command again goes on.

    A file looks like this:

        prompt = "a {animal} in the snow"
        animal = ["koala", "heron"]
        model = "leonardo/motion_2.0"
        seeds = 4
        where = 'animal == "koala" or seed > 1000'

    Paths of pictures are relative to the file. Ctrl-C stops the waiting; what was sent is kept.
    """
    from vidnb.client.verbs import Client
    from vidnb.sweeps import showing
    from vidnb.sweeps.outlook import Group

    in_credits = caps_in_credits(credits) if credits else None
    caps = {"budget_usd": budget, "budget_credits": in_credits, "budget_jobs": jobs}
    given = read(file) | {name: cap for name, cap in caps.items() if cap is not None}
    client = Client(live=live or None)
    try:
        try:
            chosen = planned(given, client)
            told = list(showing.lines(chosen, of_command=True))
        except ConfigError as error:
            if (line := _line_of(file, str(error))) is None:  # a setting of this machine may be wrong
                raise
            raise ConfigError(f"{file}, line {line}: {error}") from error
        if not plan and (chosen.outlook.to_send or chosen.outlook.counts.get(Group.UNFINISHED)):
            told.pop()  # what it says to do next is done at once, or refused with the reason
        console(stderr=True).print(as_commands("\n".join(told)), markup=False, highlight=False, soft_wrap=True)
        if plan:
            return
        if retry is not None:
            chosen.retry(retry)
        if queue:
            chosen.queue()
            say(f"Sweep {chosen.id} waits for vidnb work.")
        else:
            run(chosen, accept_unknown_price)
    finally:
        client.close()


def read(file: Path) -> dict[str, Any]:
    """Return the arguments of a sweep as a file has them.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return _beside(tomllib.loads(_text(file)), file.parent)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is not written in UTF-8; save it in that encoding") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is no TOML: {error}") from None


def _text(file: Path) -> str:
    """Return the text of a file, without the mark that editors on Windows write at its beginning."""
    return file.read_text(encoding="utf-8-sig")


def _line_of(file: Path, message: str) -> int | None:
    """Return the line of a file that sets what a message begins with; None where none does."""
    named = re.match(r"'?([A-Za-z_]\w*)", message)
    for number, line in enumerate(_text(file).splitlines(), start=1):
        if named and line.partition("=")[0].strip(" \t\"'[]") == named[1]:
            return number
    return None


def planned(given: Mapping[str, Any], client: Any) -> Sweep:
    """Return the sweep of a file's arguments; `zipped` and `sampled` in it are tables.

    Raises:
        ConfigError: something in it is wrong.
    """
    from vidnb.sweeps.axes import sampled, zipped
    from vidnb.sweeps.sweep import sweep as make

    values = dict(given)
    linked = [zipped(**table) for table in _tables(values, "zipped")]
    for table in _tables(values, "sampled"):
        ranges = {name: _range(value) for name, value in table.items() if name not in ("count", "how", "draw")}
        options = {name: table[name] for name in ("how", "draw") if name in table}
        linked.append(sampled(table.get("count", 0), **options, **ranges))
    if bad := [name for name in values if not name.isidentifier() or name == "client"]:
        raise ConfigError(f"{bad[0]!r} is no argument of vidnb.sweep")
    return make(values.pop("prompt", None), *linked, client=client, **values)


def run(chosen: Sweep, accept_unknown_price: bool) -> None:
    """Run the sweep and show its counts; ends with an exit code that says how it went."""
    from vidnb.client import loop
    from vidnb.sweeps import showing
    from vidnb.sweeps.outlook import Group

    chosen.prepare()
    with _display(chosen) as show:
        try:
            progress = loop.run_sync(
                chosen.run_async(accept_unknown_price=accept_unknown_price, on_change=lambda news, _: show(news))
            )
        except (KeyboardInterrupt, asyncio.CancelledError):
            say("Interrupted. What was sent is kept; the same command goes on.", style="yellow")
            raise typer.Exit(INTERRUPTED) from None
    say(showing.progress_text(progress))
    for cause in chosen.outlook.causes:
        say(f"  {cause} ({cause.charged})")
    done = progress.counts()[Group.DONE]
    if progress.word != "done" or done < len(chosen.plan.jobs):
        raise typer.Exit(1)


@contextlib.contextmanager
def _display(chosen: Sweep) -> Iterator[Callable[[RunProgress], None]]:
    """What to call with the progress: on a terminal a bar and the counts, else a line now and then."""
    from vidnb.sweeps import showing
    from vidnb.sweeps.outlook import Group

    screen = console(stderr=True)
    if not screen.is_terminal:
        told_at, word = float("-inf"), ""

        def line(progress: RunProgress) -> None:
            nonlocal told_at, word
            # How it ended is told at the end.
            if progress.word in GOES_ON and (progress.elapsed_s - told_at > TOLD_S or progress.word != word):
                told_at, word = progress.elapsed_s, progress.word
                say(showing.progress_text(progress))

        yield line
        return
    from rich.console import Group as Lines
    from rich.live import Live
    from rich.progress import BarColumn, MofNCompleteColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar
    from rich.text import Text

    bar = Bar(BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    task, said = bar.add_task("", total=len(chosen.plan.jobs)), ""

    def drawn() -> Lines:  # the counts stand below: beside the bar they were cut, and left it no room
        return Lines(bar.make_tasks_table(bar.tasks), Text(said))

    def draw(progress: RunProgress) -> None:
        nonlocal said
        said = as_commands(showing.progress_text(progress))
        bar.update(task, completed=progress.counts()[Group.DONE])

    with Live(get_renderable=drawn, console=screen, transient=True):
        yield draw


def _tables(values: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Take the tables of a name out of the values: one, or several."""
    found = values.pop(name, [])
    tables = [found] if isinstance(found, dict) else found
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"{name}: write it as a table, [{name}], or several, [[{name}]]")
    return tables


def _range(value: Any) -> Any:
    """Return a pair of numbers as a range; TOML has no tuples."""
    is_pair = isinstance(value, list) and len(value) == 2 and all(isinstance(end, int | float) for end in value)
    return tuple(value) if is_pair else value


def _beside(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the values with the paths of inputs relative to the file's own folder."""
    from vidnb import catalog

    media = {
        name
        for model in catalog.load().values()
        for name, param in model.params.items()
        if param.kind in catalog.MEDIA_KINDS
    }

    def placed(name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: placed(key, item) for key, item in value.items()}
        if isinstance(value, list):
            return [placed(name, item) for item in value]
        is_path = name in media and isinstance(value, str) and not value.lower().startswith(("http://", "https://"))
        return str(folder / value) if is_path else value

    return {name: placed(name, value) for name, value in values.items()}
