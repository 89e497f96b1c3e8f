"""`vidnb doctor`: what this installation has, and what is broken, without ever showing a key."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import Annotated

import typer

from vidnb.cli.checks import CHECKS, Finding, live_findings
from vidnb.cli.terminal import FAILED, console, safe

MARKS = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "problem": "[red]PROBLEM[/]"}


def doctor(
    live: Annotated[bool, typer.Option("--live", help="Ask each service with a key whether it is good.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check this installation: versions, keys, data folder, codecs, emulator.

    Keys are reported as set or not set, never shown. Exits with 1 if something is broken.
    """
    findings = [finding for check in CHECKS for finding in _findings(check)]
    if live:
        findings += asyncio.run(live_findings())
    broken = any(finding.level == "problem" for finding in findings)
    if as_json:
        typer.echo(json.dumps({"ok": not broken, "findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        _show(findings, broken)
    if broken:
        raise typer.Exit(FAILED)


def _findings(check: object) -> list[Finding]:
    """What a check found; one that itself fails is a problem, told by its kind only."""
    try:
        return list(check())  # type: ignore[operator]  # CHECKS holds functions
    except Exception as error:  # noqa: BLE001  # a doctor that dies of what it looks for is no use
        name = getattr(check, "__name__", "check").strip("_")
        return [Finding(name, "problem", f"the check itself failed: {type(error).__name__}")]


def _show(findings: list[Finding], broken: bool) -> None:
    from rich.markup import escape
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    for finding in findings:
        advice = f"  [dim]{escape(safe(finding.advice))}[/]" if finding.advice else ""
        grid.add_row(MARKS[finding.level], escape(safe(finding.what)), f"{escape(safe(finding.value))}{advice}")
    console().print(grid)
    console().print("[red]Something is broken.[/]" if broken else "[green]All good.[/]")
