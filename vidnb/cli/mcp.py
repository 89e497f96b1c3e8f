"""`vidnb mcp`: the tools that an agent is given."""

from __future__ import annotations

import atexit
import os
from typing import Annotated

import typer

from vidnb.cli import listening
from vidnb.cli.terminal import INTERRUPTED, say

ABOUT = """Register {base}/mcp with the agent, with the header Authorization: Bearer TOKEN.
The token lies in {token}; whoever has it can spend up to the caps."""


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
        try:
            server.run("stdio")
        except KeyboardInterrupt:
            say("Interrupted. Jobs that were begun go on: vidnb resume takes them up.", style="yellow")
            # A thread waits for the next line of stdin and cannot be woken; the process would wait for it.
            atexit._run_exitfuncs()
            os._exit(INTERRUPTED)
        return
    from vidnb.serve.guard import Guard

    file, token = listening.token_in(token_file)
    # The SDK knows the names of this machine only; the guard knows those that were given, too.
    app = Guard(server.streamable_http_app(host=""), token=token, open_paths=(), hosts=allow_host or ())
    listening.run(app, host, port, lambda base: ABOUT.format(base=base, token=file))
