"""`vidnb gpu`: the job server for a graphics card of one's own."""

from __future__ import annotations

import importlib.util
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidnb.cli.terminal import say
from vidnb.errors import ConfigError

if TYPE_CHECKING:
    from vidnb.gpu.server import Server

NEEDED = ("torch", "diffusers", "transformers")


def gpu(
    models: Annotated[
        list[Path] | None,
        typer.Option(
            help="A folder with weights, or a cache of the Hugging Face hub; repeatable.", envvar="VIDNB_GPU_MODELS"
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8767,
    cpu: Annotated[bool, typer.Option("--cpu", help="Go on without a graphics card: hours for a clip.")] = False,
    memory_gb: Annotated[
        float | None, typer.Option(help="Count with so much memory; default what the card has.")
    ] = None,
    longest_minutes: Annotated[float | None, typer.Option(help="Refuse clips that are known to take longer.")] = None,
    silent_minutes: Annotated[float, typer.Option(help="End a renderer that says nothing for so long.")] = 30,
    keep_hours: Annotated[float, typer.Option(help="Keep clips here for so long after they are done.")] = 72,
    keep_gb: Annotated[float, typer.Option(help="Keep at most so much; the oldest clips go first.")] = 20,
) -> None:
    """Render clips on this machine's own graphics card, for vidnb's models that begin with local/.

    Weights are read from the folders that you name and nothing is downloaded. Jobs lie on disk: they outlive this
    server, and every notebook. Needs pip install 'vidnb[local]'.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"vidnb gpu needs {', '.join(missing)}: pip install 'vidnb[local]' (several GB)")
    folders = [folder.expanduser().absolute() for folder in models or []]
    if not folders:
        raise ConfigError(
            "name where the weights are: --models DIR, a folder of models or a cache of the Hugging Face hub "
            "(usually ~/.cache/huggingface/hub); nothing is downloaded"
        )
    if absent := [str(folder) for folder in folders if not folder.is_dir()]:
        raise ConfigError(f"there is no folder {' and none '.join(absent)}")
    from vidnb.gpu.folder import folder_of_user
    from vidnb.gpu.server import Server, Settings
    from vidnb.gpu.worker import Limits

    settings = Settings(
        folders, port, keep_hours, keep_gb, memory_gb=memory_gb,
        longest_s=float("inf") if longest_minutes is None else longest_minutes * 60,
        limits=Limits(silent_s=silent_minutes * 60), environment={"VIDNB_GPU_CPU": "1"} if cpu else {},
    )  # fmt: skip
    with Server(folder_of_user(), settings) as server:
        _announce(server)
        stopped = threading.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: stopped.set())
        while not stopped.wait(0.5):
            pass
    say("Stopped. Jobs that wait go on when vidnb gpu is started again.")


def _announce(server: Server) -> None:
    from vidnb.gpu.weights import local_models

    typer.echo(server.url)
    say(f"Own GPU listens on {server.url}; the token is in {server.folder / 'server.json'}, which only you can read.")
    if server.weights:
        say(f"Weights found: {', '.join(sorted(server.weights))}")
    else:
        looked = ", ".join(map(str, server.settings.models))
        wanted = ", ".join(model.wire for model in local_models()[:3])
        say(
            f"No weights of a model that vidnb knows are in {looked}. It looks for {wanted} and others.", style="yellow"
        )
    if count := server.queue.count("queued"):
        say(f"{count} {'job waits' if count == 1 else 'jobs wait'} from before.")
    say("Starting the renderer (a process of its own) ... Ctrl-C stops.")
