"""`vidnb emulate`: all services on one port, for any client in any language."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidnb.cli.terminal import say
from vidnb.errors import ConfigError

if TYPE_CHECKING:
    from vidnb.emulator import Emulator

EVERYWHERE = ("0.0.0.0", "::")
CURLS = """
Try it:

curl {base}/api/rest/v2/generations \\
  -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\
  -d '{{"model": "motion_2.0", "public": false, "parameters": {{"prompt": "a koala and a cat in a meadow",
       "quantity": 1, "width": 832, "height": 480, "seed": 7}}}}'

curl {base}/api/features \\
  -H 'API-KEY: any-key' -H 'Content-Type: application/json' \\
  -d '{{"type": "TEXT_TO_VIDEO", "model": "luma", "conversationId": "TEXT_TO_VIDEO", "async": true,
       "promptObject": {{"prompt": "gentle waves on a serene lake", "length": 5, "enhancePrompt": false}}}}'
"""


def emulate(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8765,
    speed: Annotated[float, typer.Option(help="How many times faster than real jobs run.")] = 1.0,
    slots: Annotated[int | None, typer.Option(min=1, help="Leonardo jobs at once; default 10.")] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="What goes wrong, repeatable: 429:0.1 (chance), lost_reply:submit:1 (count), slow:5s"),
    ] = None,
    folder: Annotated[Path | None, typer.Option(help="Keep jobs and clips here; default a temporary folder.")] = None,
    webhook_url: Annotated[str | None, typer.Option(help="Call this back when a Leonardo job is over.")] = None,
    webhook_secret: Annotated[
        str | None, typer.Option(envvar="VIDNB_WEBHOOK_SECRET", help="Bearer token for the callback.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the dice for faults.")] = 0,
) -> None:
    """Serve the emulator of all services on one port.

    Any UUID is a good key for Leonardo, any text for the others. Its clips say EMULATED and cost nothing.
    """
    if not 0 < speed < float("inf"):
        raise ConfigError(f"--speed is more than 0, not {speed:g}")
    webhook = {"webhook_url": webhook_url, "webhook_secret": webhook_secret}
    settings: dict[str, Any] = {"speed": speed, "seed": seed, **webhook}
    if slots is not None:
        settings["slots"] = slots
    from vidnb.emulator import Emulator

    with Emulator(folder, faults=fault or (), **settings) as emulator, _served(emulator, host, port) as base:
        _announce(base, host)
        say(_pace(emulator))
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that a temporary folder is removed too
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600)
    say("Stopped.")


@contextlib.contextmanager
def _served(emulator: Emulator, host: str, port: int) -> Iterator[str]:
    """The address under which the emulator answers until the block ends."""
    from vidnb.emulator import running

    with contextlib.ExitStack() as stack:
        try:
            base = stack.enter_context(running(emulator, host, port))
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {host} port {port}: {error.strerror or error}; try --port 0"
            ) from error
        yield base if host not in EVERYWHERE else f"http://127.0.0.1:{base.rsplit(':', 1)[1]}"


def _pace(emulator: Emulator) -> str:
    """How long a job of the default model takes here."""
    from vidnb.catalog import DEFAULT_MODEL, find

    model = find(DEFAULT_MODEL)
    takes_s = emulator.latency_of(model, {})
    hint = f"; --speed 20 makes it {takes_s / 20:.0f} s" if emulator.settings.speed == 1 else ""
    return f"A {model.title} job takes about {takes_s:.2g} s{hint}. Ctrl-C stops."


def _announce(base: str, host: str) -> None:
    """Print what to export on stdout, so that a script can read it, and the rest on stderr."""
    from vidnb.net.target import EMULATOR_KEY

    word = "set" if os.name == "nt" else "export"
    typer.echo(f"{word} LEONARDO_BASE_URL={base}/api/rest")
    typer.echo(f"{word} ONEMIN_BASE_URL={base}")
    say(CURLS.format(base=base, key=EMULATOR_KEY))
    if host not in ("127.0.0.1", "::1", "localhost"):
        say(
            f"Anybody who can reach {host} can use it. vidnb itself talks to an emulator on this machine only.",
            style="yellow",
        )
    say(f"All emulated services answer on {base}; each request is logged below.")
