"""`vidnb mcp`: the tools that an agent is given."""

from __future__ import annotations

from typing import Annotated

import typer

from vidnb.errors import ConfigError


def mcp(
    http: Annotated[bool, typer.Option("--http", help="Serve over HTTP on this machine instead of stdin.")] = False,
    port: Annotated[int, typer.Option(help="The port for --http.")] = 8766,
    purse: Annotated[str, typer.Option(help="The purse that pays; cap it with vidnb budget.")] = "programs",
) -> None:
    """Give an agent (Claude, Cursor, any MCP client) tools that make clips, without ever paying twice or past a cap.

    Register it with the agent as the command vidnb with the argument mcp. Caps: vidnb budget programs --usd 5.
    """
    from vidnb.serve.mcp import mcp_server

    if not purse.strip():
        raise ConfigError("--purse: give it a name, as programs")
    server = mcp_server(purse=purse)
    if http:
        server.run("streamable-http", host="127.0.0.1", port=port)
    else:
        server.run("stdio")
