"""`vidnb mcp`: the tools that an agent is given."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
from types import FrameType
from typing import Annotated, BinaryIO

import typer

from vidnb.cli import listening

ABOUT = """Register {base}/mcp with the agent, with the header Authorization: Bearer TOKEN.
The token lies in {token}; whoever has it can spend up to the caps."""

PIECE_BYTES = 2**16


def mcp(
    http: Annotated[bool, typer.Option("--http", help="Serve over HTTP on this machine instead of stdin.")] = False,
    host: listening.Host = "127.0.0.1",
    port: listening.Port = 8766,
    token_file: listening.TokenFile = None,
    allow_host: listening.AllowHost = None,
    purse: listening.Purse = "programs",
) -> None:
    """Give an agent (Claude, Cursor, any MCP client) tools that make clips, without ever paying twice or past a cap.

    Register it with the agent as the command vidnb with the argument mcp. Caps: vidnb budget programs --usd 5. All
    options but --purse are for --http, where every request carries the token of the token file.
    """
    from vidnb.serve.mcp import mcp_server

    server = mcp_server(purse=listening.checked_purse(purse))
    if not http:
        # Whoever reads stdin cannot be woken while no line comes, so an interrupt closes what is read instead.
        sys.stdin = io.TextIOWrapper(_until_interrupted(sys.stdin.fileno()), encoding="utf-8")
        server.run("stdio")
        return
    from vidnb.serve.guard import Guard

    file, token = listening.token_in(token_file)
    # The SDK knows the names of this machine only; the guard knows those that were given, too.
    app = Guard(server.streamable_http_app(host=""), token=token, open_paths=(), hosts=allow_host or ())
    listening.run(app, host, port, lambda base: ABOUT.format(base=base, token=file))


def _until_interrupted(source: int) -> BinaryIO:
    """Return a stream with what comes in, which ends where the source ends or at Ctrl-C."""
    out, into = os.pipe()
    writer = os.fdopen(into, "wb", 0)

    def pass_on() -> None:
        with contextlib.suppress(OSError, ValueError), writer:  # closed by the interrupt
            while data := os.read(source, PIECE_BYTES):
                writer.write(data)

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        writer.close()

    signal.signal(signal.SIGINT, interrupt)
    threading.Thread(target=pass_on, name="vidnb stdin", daemon=True).start()
    return os.fdopen(out, "rb")
