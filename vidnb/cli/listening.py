"""What the commands share that listen on a port for programs: the token's file, the socket, the start and the end."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidnb.cli.terminal import say
from vidnb.errors import ConfigError

if TYPE_CHECKING:
    from types import FrameType

    import uvicorn

LOOPBACK = ("127.0.0.1", "::1", "localhost")
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")]
TokenFile = Annotated[
    Path | None, typer.Option(help="Where the token lies; made if it is missing. Default in the data folder.")
]
AllowHost = Annotated[
    list[str] | None, typer.Option(help="A name under which clients reach this, as me.example; repeatable.")
]
Purse = Annotated[str, typer.Option(help="The purse that pays; cap it with vidnb budget.")]


def checked_purse(purse: str) -> str:
    """Return the name of the purse.

    Raises:
        ConfigError: it is empty.
    """
    if not purse.strip():
        raise ConfigError("--purse: give it a name, as programs")
    return purse


def token_in(given: Path | None) -> tuple[Path, str]:
    """Return the token's file, by default the one in the data folder, and the token.

    Raises:
        ConfigError: others can read it, or it cannot be made.
    """
    from vidnb.files import begin_home, open_home
    from vidnb.serve.guard import TOKEN_FILE, token_of

    file = given.expanduser().absolute() if given else open_home(begin_home()) / TOKEN_FILE
    return file, token_of(file)


def run(app: Any, host: str, port: int, told: Callable[[str], str], stopping: Callable[[], None] | None = None) -> None:
    """Serve an ASGI app until the process is told to stop.

    Args:
        app: the app.
        host: the address to listen on.
        port: 0 takes a free one.
        told: what to tell a person, from the address under which the app answers.
        stopping: called when the end begins, before open requests are waited for.

    Raises:
        ConfigError: the port is taken, or the address is not one of this machine.
    """
    import uvicorn

    with _listening(host, port) as listener:
        base = address(host, listener.getsockname()[1])
        typer.echo(base)  # alone on stdout, so that a program that starts it can read where it is
        say(told(base))
        if host not in LOOPBACK:
            say(
                f"Anybody who can reach {host} can try to use it, and token and clips travel unencrypted. Put a proxy "
                "with TLS in front of it, and name that with --allow-host.",
                style="yellow",
            )
        config = uvicorn.Config(
            app, log_level="warning", log_config=None, access_log=False, server_header=False, lifespan="on",
            timeout_graceful_shutdown=5,
        )  # fmt: skip
        with contextlib.suppress(KeyboardInterrupt):  # how a server is stopped
            _server(config, stopping).run(sockets=[listener])
    say("Stopped. Jobs that were begun go on: vidnb resume takes them up.")


def address(host: str, port: int) -> str:
    """Return how a server is reached from this machine."""
    return f"http://{EVERYWHERE.get(host, f'[{host}]' if ':' in host else host)}:{port}"


def _server(config: uvicorn.Config, stopping: Callable[[], None] | None) -> uvicorn.Server:
    import uvicorn

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if stopping is not None:
                stopping()
            if self.should_exit:  # asked twice: the frames of what is cut off would tell nobody anything
                logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
            super().handle_exit(sig, frame)

    return Server(config)


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # With protocol 0 asyncio does not set TCP_NODELAY on the connections: 44 ms a request.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host} port {port}: {error.strerror or error}; try --port 0") from error
    with listener:
        yield listener
