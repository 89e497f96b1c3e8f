"""The `vidnb` command: one module a subcommand, each importing what is heavy only when it runs.

Results go to stdout, everything said about them to stderr. `Commands` is where errors become messages and exit codes.
"""

from __future__ import annotations

import io
import logging
import re
import sys
import warnings
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from vidnb import __version__
from vidnb.advice import speak_in_commands
from vidnb.cli import (
    budget,
    bundle,
    compare,
    doctor,
    emulate,
    generate,
    gpu,
    history,
    lab,
    mcp,
    models,
    resume,
    serve,
    settle,
    shrink,
    skill,
    sweep,
    work,
)
from vidnb.cli.terminal import INTERRUPTED, complain, exit_code, say
from vidnb.client import interrupt
from vidnb.errors import VidnbError

EPILOG = """
Exit codes:

- 0: all went well
- 1: a job failed, was cancelled or is ambiguous; doctor found something broken
- 2: wrong input or settings, or the data folder refuses
- 3: the service or the network
- 4: the wait timed out; the job goes on
- 130: interrupted; the job goes on, vidnb resume takes it up

Keys come from the environment (vidnb doctor lists their names); a service without a key is emulated. Data lies in
VIDNB_HOME, else in vidnb-data in the working directory.
"""


WORDS = (
    ("Input should be a valid integer.*", "give a whole number"),
    ("Input should be a valid number.*", "give a number"),
    ("Input should be a finite number", "give a number that is not infinite"),
    ("Input should be greater than or equal to (.*)", r"give \1 or more"),
    ("Input should be greater than (.*)", r"give more than \1"),
    ("Input should be less than or equal to (.*)", r"give \1 or less"),
    ("Input should be less than (.*)", r"give less than \1"),
)
"""What the library says of a number that cannot be read, and what a person is told."""


class Commands(TyperGroup):
    """The subcommands; what they raise on purpose becomes a message on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """What the subcommand returns."""
        _write_anything()
        try:
            return super().invoke(ctx)
        except VidnbError as error:
            complain(error)
            raise typer.Exit(exit_code(error)) from None
        except KeyboardInterrupt:
            with interrupt.unheard():
                say("Interrupted. Jobs that were begun go on: vidnb resume takes them up.", style="yellow")
            interrupt.let_the_next_end_all()
            raise typer.Exit(INTERRUPTED) from None
        except typer.BadParameter as error:
            for library, ours in WORDS:
                error.message = re.sub(library, ours, error.message)
            raise
        except typer.Exit as ending:
            if ending.exit_code == INTERRUPTED:
                interrupt.let_the_next_end_all()
            raise


def _write_anything() -> None:
    """Let a console that knows few characters, as some of Windows do, show a question mark for those of a prompt."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    epilog=EPILOG,
    pretty_exceptions_show_locals=False,  # keys are among the locals
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vidnb {__version__}")
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """AI video with hosted models: generate clips, look at the history, open the notebooks."""


app.command()(lab.lab)
app.command()(emulate.emulate)
app.command()(generate.generate)
app.command()(sweep.sweep)
app.command()(work.work)
app.command()(models.models)
app.command()(history.history)
app.command()(compare.compare)
app.command()(bundle.bundle)
app.command()(shrink.shrink)
app.command()(resume.resume)
app.command()(settle.settle)
app.command()(settle.cancel)
app.command()(budget.budget)
app.command()(gpu.gpu)
app.command()(mcp.mcp)
app.command()(serve.serve)
app.add_typer(skill.skill, name="skill")
app.command()(doctor.doctor)


class _Said(logging.Handler):
    """Shows vidnb's own log, whose lines may quote a provider, without what would move the cursor."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage(), style="yellow" if record.levelno >= logging.WARNING else "")


def main() -> None:
    """Run the command and exit with its code."""
    warnings.showwarning = lambda message, *_, **__: say(str(message), style="yellow")
    speak_in_commands()
    log = logging.getLogger("vidnb")
    log.setLevel(logging.INFO)  # notices are logged where nobody sits at a terminal
    log.addHandler(_Said())
    app(prog_name="vidnb")
