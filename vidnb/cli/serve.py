"""`vidnb serve`: the data folder over HTTP, for programs in any language."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidnb.cli.terminal import say
from vidnb.errors import ConfigError

if TYPE_CHECKING:
    from types import FrameType

    import uvicorn

PORT = 8767
LOOPBACK = ("127.0.0.1", "::1", "localhost")
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
TRY = """
Try it:

TOKEN=$(cat {token})
curl "{base}/models?query=motion" -H "Authorization: Bearer $TOKEN"
curl {base}/quotes -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
  -d '{{"model": "leonardo/motion_2.0", "prompt": "a koala in a meadow"}}'

then POST {base}/jobs with {{"quote_token": "..."}}, and GET {base}/jobs/ID?wait_s=25 and {base}/jobs/ID/clip.
{base}/openapi.json describes it all, for people and for generators of clients.
"""


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = PORT,
    token_file: Annotated[
        Path | None, typer.Option(help="Where the token lies; made if it is missing. Default in the data folder.")
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A name under which clients reach this, as me.example; repeatable.")
    ] = None,
    purse: Annotated[str, typer.Option(help="The purse that pays; cap it with vidnb budget.")] = "programs",
    naftiko: Annotated[
        bool, typer.Option("--naftiko", help="Experimental: print the capability file for Naftiko, and end.")
    ] = False,
) -> None:
    """Serve models, quotes, jobs and clips over HTTP, for programs in any language; never pays twice or past a cap.

    Every request carries the token of the token file. Caps: vidnb budget programs --usd 5. Callbacks of services:
    POST /webhooks/SERVICE, with its secret in VIDNB_WEBHOOK_SECRET_SERVICE.
    """
    if naftiko:
        typer.echo(_capability(host, port), nl=False)
        return
    import uvicorn

    from vidnb.files import begin_home, open_home
    from vidnb.serve.guard import TOKEN_FILE, token_of
    from vidnb.serve.rest import rest_app

    if not purse.strip():
        raise ConfigError("--purse: give it a name, as programs")
    file = token_file.expanduser().absolute() if token_file else open_home(begin_home()) / TOKEN_FILE
    app = rest_app(token_of(file), purse=purse, hosts=allow_host or ())
    with _listening(host, port) as listener:
        base = _address(host, listener.getsockname()[1])
        typer.echo(base)  # alone on stdout, so that a program that starts it can read where it is
        say(f"The token lies in {file}; whoever has it can spend up to the caps." + TRY.format(base=base, token=file))
        if host not in LOOPBACK:
            say(
                f"Whoever reaches {host} can try; token and clips travel in the clear. Put a proxy with TLS before it, "
                "and name it with --allow-host.",
                style="yellow",
            )
        config = uvicorn.Config(
            app, log_level="warning", log_config=None, access_log=False, server_header=False, lifespan="on",
            timeout_graceful_shutdown=5,
        )  # fmt: skip
        with contextlib.suppress(KeyboardInterrupt):  # how a server is stopped
            _server(config).run(sockets=[listener])
    say("Stopped. Jobs that were begun go on: vidnb resume takes them up.")


def _server(config: uvicorn.Config) -> uvicorn.Server:
    """The server; it lets nobody wait for a job who would hold up its end."""
    import uvicorn

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            self.config.app.state.stopping.set()  # type: ignore[union-attr]  # it is the app of `rest`
            super().handle_exit(sig, frame)

    return Server(config)


def _address(host: str, port: int) -> str:
    """How the server is reached from this machine."""
    return f"http://{EVERYWHERE.get(host, f'[{host}]' if ':' in host else host)}:{port}"


def _capability(host: str, port: int) -> str:
    """The file in which Naftiko is told what this server can do."""
    from importlib.resources import files

    text = (files("vidnb.serve") / "naftiko.yaml").read_text(encoding="utf-8")
    return text.replace(_address("127.0.0.1", PORT), _address(host, port))


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
        raise ConfigError(
            f"cannot listen on {host} port {port}: {error.strerror or error}; try --port 0"
        ) from error
    with listener:
        yield listener
