"""`vidnb skill`: what an agent without MCP is told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidnb.cli.terminal import say

skill = typer.Typer(no_args_is_help=True, help="The Agent Skill: a folder that tells an agent how to make clips.")


@skill.callback()
def about() -> None:
    """The Agent Skill: a folder that tells an agent how to make clips, and a script that it runs."""


@skill.command()
def install(
    to: Annotated[
        Path | None, typer.Option(help="Where the agent looks for skills; default .agents/skills here.")
    ] = None,
) -> None:
    """Write the folder vidnb/ for agents that can run Python and have no MCP; again to bring it up to date.

    Claude Code looks in .claude/skills, others in .agents/skills. The script in it never pays twice or past a cap:
    vidnb budget programs --usd 5.
    """
    from vidnb.serve import skills

    folder = skills.install(to or skills.FOLDER)
    typer.echo(folder)
    say("An agent that works in this project finds it there. Caps for what it orders: vidnb budget programs --usd 5.")
